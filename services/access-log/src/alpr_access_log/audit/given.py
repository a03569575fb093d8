"""What an agency gives for its audit: shifts, case numbers, own and relatives' plates; checked.

Lists come as JSON, or as CSV with a head line: `person_id,begins_at,ends_at` or `case_number`.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import zip_longest

from alpr_access_log.audit.records import case_key
from alpr_common.errors import AlprError
from alpr_common.plates import MAX_LENGTH, match_key, normalize

_SHOWN_FAULTS = 20
_LINE_END = re.compile(r"\r\n|\r|\n")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class ListMalformed(AlprError):
    """A list of which some lines cannot be read; of none of it is anything kept."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The list cannot be read"


@dataclass(frozen=True, order=True)
class GivenShift:
    """When a person was on duty; times are aware."""

    person_id: str
    begins_at: datetime
    ends_at: datetime


def shifts_of(rows: Iterable[Mapping[str, str | None]]) -> list[GivenShift]:
    """Shifts in order, each once; raises `ListMalformed` that names the lines."""
    shifts, faults = set(), []
    for line, row in _numbered(rows):
        try:
            person = (row.get("person_id") or "").strip()
            if not person:
                raise ValueError("`person_id` is missing")
            begins_at, ends_at = (_instant(row, name) for name in ("begins_at", "ends_at"))
            if begins_at >= ends_at:
                raise ValueError("the shift ends before it begins")
            shifts.add(GivenShift(person, begins_at, ends_at))
        except (ValueError, OverflowError) as error:
            faults.append((f"line {line}", str(error)))
    _refuse(faults)
    return sorted(shifts)


def _instant(row: Mapping[str, str | None], name: str) -> datetime:
    at = datetime.fromisoformat((row.get(name) or "").strip())
    if at.tzinfo is None:
        raise ValueError(f"`{name}` has no offset from UTC")
    return at.astimezone(UTC)


def cases_of(rows: Iterable[Mapping[str, str | None]]) -> list[str]:
    """Keys of case numbers in order, each once; raises `ListMalformed` that names the lines."""
    keys, faults = set(), []
    for line, row in _numbered(rows):
        key = case_key(row.get("case_number"))
        if key is None:
            faults.append((f"line {line}", "`case_number` is missing"))
        else:
            keys.add(key)
    _refuse(faults)
    return sorted(keys)


def plates_of(plates: Iterable[str]) -> list[str]:
    """Match keys in order, each once; raises `ListMalformed`."""
    keys, faults = set(), []
    for number, plate in enumerate(plates, 1):
        written = normalize(plate)
        if not 1 <= len(written) <= MAX_LENGTH:
            said = f"a plate has 1 to {MAX_LENGTH} letters and digits"
            faults.append((f"plate {number}", said))
        else:
            keys.add(match_key(written))
    _refuse(faults)
    return sorted(keys)


class Line(dict[str, str | None]):
    """A row by the names of the head line, and where in the file it ends: blank lines and line
    breaks within quotes count, too."""

    def __init__(self, number: int, values: Mapping[str, str | None]) -> None:
        super().__init__(values)
        self.number = number


def _numbered(
    rows: Iterable[Mapping[str, str | None]],
) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    """Rows that come from no file are counted as if there were a head line."""
    for position, row in enumerate(rows, 2):
        yield (row.number if isinstance(row, Line) else position), row


def rows_of(text: str) -> list[dict[str, str | None]]:
    """The lines of a CSV by its head line; raises `ListMalformed` that names the lines."""
    text = text.removeprefix("\ufeff")
    _refuse(_unstorable(text))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[dict[str, str | None]] = []
    faults: list[tuple[str, str]] = []
    head: list[str] | None = None
    try:
        for values in reader:
            if not values:
                continue
            if head is None:
                head = [name.strip().lower() for name in values]
            elif any(one.strip() for one in values[len(head) :]):
                said = f"{len(values)} fields, and the head line names {len(head)}"
                faults.append((f"line {reader.line_num}", said))
            else:
                known = zip_longest(head, values[: len(head)])
                rows.append(Line(reader.line_num, {str(name): value for name, value in known}))
    except csv.Error as error:
        faults.append((f"line {reader.line_num}", _what(error)))
    _refuse(faults)
    return rows


def _unstorable(text: str) -> list[tuple[str, str]]:
    """What PostgreSQL cannot hold: the file is none of text, or was cut within a character."""
    if not _UNSTORABLE.search(text):
        return []
    return [
        (f"line {number}", "a character that no text has (U+0000, or half of one)")
        for number, line in enumerate(_LINE_END.split(text), 1)
        if _UNSTORABLE.search(line)
    ]


def _what(error: csv.Error) -> str:
    if "field limit" in str(error):
        return f"a field has more than {csv.field_size_limit()} characters: is a quote left open?"
    if "end of data" in str(error):
        return "the file ends within quotes: is a quote left open?"
    return str(error)


def _refuse(faults: list[tuple[str, str]]) -> None:
    if faults:
        raise _malformed(faults)


def _malformed(faults: list[tuple[str, str]]) -> ListMalformed:
    """A refusal that names what is wrong where, as text and for programs."""
    shown = faults[:_SHOWN_FAULTS]
    if len(faults) > len(shown):
        shown.append(("and", f"{len(faults) - len(shown)} more"))
    text = "; ".join(f"{where}: {what}" for where, what in shown)
    return ListMalformed(text, faults=[{"where": where, "what": what} for where, what in shown])
