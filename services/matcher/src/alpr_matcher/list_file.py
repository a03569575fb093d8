"""Hot lists as delimited text files: one plate a line, a header naming the columns.

Each line is read on its own, so that a broken one (a quote never closed, a foreign byte) cannot
take its neighbours along. Fields therefore hold no line breaks.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time

from pydantic import TypeAdapter, ValidationError

from alpr_common.errors import AlprError
from alpr_common.messages.base import Instant
from alpr_common.policy import Policy
from alpr_matcher.domain import (
    FileNotReadable,
    FileTooLarge,
    known_category,
    plain_jurisdiction,
    plain_plate,
    stated_reason,
)

COLUMNS = (
    "plate", "category", "reason",
    "jurisdiction", "expires_at", "case_number", "vehicle", "caution",
)  # fmt: skip
_NEEDED = COLUMNS[:3]
_DELIMITERS = (",", ";", "\t", "|")
_MARK = b"\xef\xbb\xbf"
_LINE_MAX_BYTES = 8192
_FIELD_MAX_CHARACTERS = 500
_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


@dataclass(frozen=True)
class ListedPlate:
    """One good line."""

    line: int
    plate: str
    category: str
    priority: int
    reason: str
    jurisdiction: str | None
    expires_at: datetime | None
    case_number: str | None
    vehicle: str | None
    caution: str | None

    @property
    def identity(self) -> tuple[str, str, str]:
        """What makes a line of a later file the same entry again."""
        return self.plate, self.jurisdiction or "", self.category


@dataclass(frozen=True)
class BadLine:
    line: int
    what: str


@dataclass
class ListFile:
    """What a file says: its good lines, and why the others are bad. Lines count from 1."""

    plates: list[ListedPlate] = field(default_factory=list)
    bad_lines: list[BadLine] = field(default_factory=list)


class _LineRefused(Exception):
    pass


def parse(content: bytes, policy: Policy, *, max_lines: int) -> ListFile:
    """Read a file; a bad line is reported with its number and the others go on.

    Raises `FileNotReadable` when there is no header that names plate, category and reason, or the
    encoding is not UTF-8, and `FileTooLarge` above `max_lines`.
    """
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in content[:1024]:
        raise FileNotReadable("The file is not UTF-8 text but looks like UTF-16. Save it as UTF-8.")
    lines = content.removeprefix(_MARK).splitlines()
    if len(lines) - 1 > max_lines:
        raise FileTooLarge(f"The file has {len(lines)} lines; at most {max_lines} are taken.")
    header, delimiter = _header(lines)
    parsed = ListFile()
    seen: dict[tuple[str, str, str], int] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        try:
            plate = _plate(number, _fields(line, header, delimiter), policy)
            first = seen.setdefault(plate.identity, number)
            if first != number:
                raise _LineRefused(f"repeats line {first}: same plate, jurisdiction and category")
            parsed.plates.append(plate)
        except _LineRefused as refusal:
            parsed.bad_lines.append(BadLine(number, str(refusal)))
        except AlprError as error:
            parsed.bad_lines.append(BadLine(number, error.detail))
    return parsed


def _header(lines: list[bytes]) -> tuple[list[str], str]:
    if not lines:
        raise FileNotReadable("The file is empty.")
    try:
        text = lines[0].decode()
    except UnicodeDecodeError as error:
        raise FileNotReadable(
            f"Line 1 is not UTF-8 (byte {error.start + 1} of it). Save the file as UTF-8."
        ) from error
    delimiter = max(_DELIMITERS, key=text.count)
    header = [name.strip().strip('"').lower() for name in text.split(delimiter)]
    missing = [name for name in _NEEDED if name not in header]
    if missing:
        raise FileNotReadable(
            f"Line 1 has to name the columns; {', '.join(missing)} is missing. "
            f"Columns: {', '.join(COLUMNS)}."
        )
    return header, delimiter


def _fields(line: bytes, header: list[str], delimiter: str) -> dict[str, str]:
    if len(line) > _LINE_MAX_BYTES:
        raise _LineRefused(f"is longer than {_LINE_MAX_BYTES} bytes")
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise _LineRefused(f"is not UTF-8 (byte {error.start + 1} of the line)") from error
    if "\x00" in text:
        raise _LineRefused("holds a NUL character")
    try:
        values = next(csv.reader([text], delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration) as error:
        raise _LineRefused(f"cannot be taken apart: {error}") from error
    if len(values) != len(header):
        raise _LineRefused(f"has {len(values)} fields where the header names {len(header)}")
    fields = {name: value.strip() for name, value in zip(header, values, strict=True)}
    _bounded(fields.items())
    return fields


def _bounded(fields: Iterable[tuple[str, str]]) -> None:
    for name, value in fields:
        if len(value) > _FIELD_MAX_CHARACTERS:
            raise _LineRefused(f"{name} has more than {_FIELD_MAX_CHARACTERS} characters")


def _plate(number: int, fields: dict[str, str], policy: Policy) -> ListedPlate:
    category = known_category(fields["category"], policy)
    return ListedPlate(
        line=number,
        plate=plain_plate(fields["plate"]),
        category=fields["category"],
        priority=category.priority,
        reason=stated_reason(fields["reason"]),
        jurisdiction=plain_jurisdiction(fields.get("jurisdiction")),
        expires_at=_expiry(fields.get("expires_at") or None),
        case_number=fields.get("case_number") or None,
        vehicle=fields.get("vehicle") or None,
        caution=fields.get("caution") or None,
    )


def _expiry(text: str | None) -> datetime | None:
    """A time with its offset, or a day: the entry holds to the end of it, in UTC."""
    if text is None:
        return None
    try:
        if len(text) == len("2026-05-04"):
            day = datetime.fromisoformat(text).date()
            return datetime.combine(day, time.max, UTC)
        return _INSTANT.validate_python(text)
    except (ValueError, ValidationError) as error:
        raise _LineRefused(
            f"expires_at {text!r} is no time: write 2026-05-04 or 2026-05-04T10:00:00Z"
        ) from error
