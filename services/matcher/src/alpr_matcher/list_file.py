"""Somebody's list, line by line, as its mapper reads it: entries to be staged, and bad lines.

Each line is read on its own, so that a broken one (a quote never closed, a foreign byte) cannot
take its neighbours along. Fields therefore hold no line breaks. The file is never held as a whole.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import BinaryIO, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from alpr_common.errors import AlprError
from alpr_common.messages.base import Instant, deterministic_id
from alpr_common.plates import match_key
from alpr_common.policy import Policy
from alpr_matcher import mapper as mapping
from alpr_matcher.domain import (
    FileNotReadable,
    FileTooLarge,
    known_category,
    plain_jurisdiction,
    stated_reason,
)
from alpr_matcher.lists_domain import entry_plate, hit_kinds
from alpr_matcher.mapper import DELIMITERS, NEEDED, LineRefused, Mapper

_MARK = b"\xef\xbb\xbf"
_LINE_MAX_BYTES = 8192
_PIECE_BYTES = 16 * 1024
_FIELD_MAX_CHARACTERS = 500
_SHORT_MAX_CHARACTERS = 64
_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
_YEARS = range(1880, 2101)


class ListedEntry(NamedTuple):
    """One good line, as it is staged. `effective_at` None: from the import on."""

    line: int
    entry_id: UUID
    removes: bool
    plate: str
    match_key: str
    jurisdiction: str | None
    category: str
    priority: int
    reason: str
    case_number: str | None
    vehicle: str | None
    caution: str | None
    effective_at: datetime | None
    expires_at: datetime | None
    lookalike_positions: int | None
    forbidden_hit_kinds: tuple[str, ...]
    vehicle_type: str | None
    vehicle_make: str | None
    vehicle_model: str | None
    vehicle_colour: str | None
    vehicle_year: int | None


@dataclass(frozen=True)
class BadLine:
    line: int
    what: str


@dataclass
class ListReader:
    """Reads one file; after the last entry, `bad_lines` and `dropped` are complete.

    `source` and `agency_id` make the entries' ids. Lines count from 1.
    """

    file: BinaryIO
    mapper: Mapper
    policy: Policy
    agency_id: str
    source: str
    max_lines: int
    bad_lines: list[BadLine] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    lines_read: int = 0

    def entries(self) -> Iterator[ListedEntry]:
        """The good lines in order.

        Raises `FileNotReadable` when the file as a whole is no such list, `FileTooLarge` above
        `max_lines`; both may come after good lines, so nothing counts before the end.
        """
        lines = self._lines()
        read_line = _LineReader(self.mapper, lines)
        skipped = tuple(text.encode() for text in self.mapper.skip_lines_starting_with)
        make = _EntryMaker(self.mapper, self.policy, self.agency_id, self.source, read_line.names)
        for number, line in lines:
            if not line.strip() or (skipped and line.startswith(skipped)):
                continue
            try:
                entry = make.entry(number, read_line.fields(line))
            except LineRefused as refusal:
                self.bad_lines.append(BadLine(number, str(refusal)))
            except AlprError as error:
                self.bad_lines.append(BadLine(number, error.detail))
            else:
                if entry.category in self.policy.import_dropped_categories:
                    self.dropped[entry.category] += 1
                else:
                    yield entry

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        for number, line in enumerate(self._pieces(), start=1):
            self.lines_read = number
            if number == 1:
                if line[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in line[:1024]:
                    raise FileNotReadable(
                        "The file is not plain text but looks like UTF-16. Save it as UTF-8."
                    )
                line = line.removeprefix(_MARK)
            if number > self.max_lines + 1:
                raise FileTooLarge(f"The file has more than {self.max_lines} lines.")
            yield number, line.rstrip(b"\r\n")
        if not self.lines_read:
            raise FileNotReadable("The file is empty.")

    def _pieces(self) -> Iterator[bytes]:
        """Lines; of one without end only the first part, which is then too long to be good."""
        while line := self.file.readline(_PIECE_BYTES):
            yield line
            while len(line) == _PIECE_BYTES and not line.endswith(b"\n"):
                line = self.file.readline(_PIECE_BYTES)


class _LineReader:
    """Takes a line apart into the mapper's fields, their code tables and dates applied."""

    def __init__(self, mapper: Mapper, lines: Iterator[tuple[int, bytes]]) -> None:
        self._mapper = mapper
        self._encoding = mapper.encoding
        self._delimiter = mapper.delimiter
        self._places: list[tuple[str, int]] = []
        self._slices: list[tuple[str, slice]] = []
        self._column_count: int | None = None
        if mapper.format == "fixed":
            self._slices = [(n, mapping.columns(n, p)) for n, p in mapper.fields.items()]
            self._needs = max(s.stop for _, s in self._slices)
        elif mapper.header:
            self._read_header(lines)
        else:
            self._places = [(n, int(p) - 1) for n, p in mapper.fields.items()]
        self._tables = [(n, mapping.table_lookup(n, t)) for n, t in mapper.tables.items()]
        self._dates = [(n, mapping.date_reader(n, p)) for n, p in mapper.dates.items()]

    @property
    def names(self) -> set[str]:
        """The fields that lines of this file have."""
        return {name for name, _ in (*self._places, *self._slices)}

    def fields(self, line: bytes) -> dict[str, str]:
        """Raises `LineRefused`."""
        if len(line) > _LINE_MAX_BYTES:
            raise LineRefused(f"is longer than {_LINE_MAX_BYTES} bytes")
        try:
            text = line.decode(self._encoding)
        except UnicodeDecodeError as error:
            raise LineRefused(
                f"is not {self._encoding.upper()} (byte {error.start + 1} of the line)"
            ) from error
        if "\x00" in text:
            raise LineRefused("holds a NUL character")
        found = self._fixed(text) if self._slices else self._delimited(text)
        for name, look in self._tables:
            if found.get(name):
                found[name] = look(found[name])
        for name, read in self._dates:
            if found.get(name):
                found[name] = read(found[name])
        return found

    def _fixed(self, text: str) -> dict[str, str]:
        wanted = self._mapper.line_length
        if wanted is not None and len(text) != wanted:
            raise LineRefused(f"has {len(text)} characters where {wanted} are agreed")
        if wanted is None and len(text.rstrip()) > self._needs:
            raise LineRefused(f"is longer than the {self._needs} columns of the mapper")
        return {name: text[place].strip() for name, place in self._slices}

    def _delimited(self, text: str) -> dict[str, str]:
        if '"' in text:
            try:
                values = next(csv.reader([text], delimiter=self._delimiter, strict=True))
            except (csv.Error, StopIteration) as error:
                raise LineRefused(f"cannot be taken apart: {error}") from error
        else:
            values = text.split(self._delimiter)
        if self._column_count is not None and len(values) != self._column_count:
            raise LineRefused(
                f"has {len(values)} fields where the header names {self._column_count}"
            )
        try:
            found = {name: values[place].strip() for name, place in self._places}
        except IndexError as error:
            raise LineRefused(f"has only {len(values)} fields") from error
        if len(text) > _FIELD_MAX_CHARACTERS:
            for name, value in found.items():
                if len(value) > _FIELD_MAX_CHARACTERS:
                    raise LineRefused(f"{name} has more than {_FIELD_MAX_CHARACTERS} characters")
        return found

    def _read_header(self, lines: Iterator[tuple[int, bytes]]) -> None:
        _, line = next(lines, (0, b""))
        try:
            text = line.decode(self._encoding)
        except UnicodeDecodeError as error:
            raise FileNotReadable(
                f"Line 1 is not {self._encoding.upper()} (byte {error.start + 1} of it)."
            ) from error
        if self._delimiter == "auto":
            self._delimiter = max(DELIMITERS, key=text.count)
        header = [name.strip().strip('"').lower() for name in text.split(self._delimiter)]
        self._column_count = len(header)
        for name, place in self._mapper.fields.items():
            column = place - 1 if isinstance(place, int) else _index(header, place.lower())
            if column is not None and column < len(header):
                self._places.append((name, column))
        known = {name for name, _ in self._places}
        templates = self._mapper.values
        missing = [v for v in NEEDED if not set(mapping._FIELD.findall(templates[v])) <= known]
        if missing:
            columns = [str(place) for place in self._mapper.fields.values()]
            raise FileNotReadable(
                f"Line 1 has to name the columns; {', '.join(missing)} is missing. "
                f"Columns: {', '.join(columns)}."
            )


def _index(header: list[str], name: str) -> int | None:
    return header.index(name) if name in header else None


class _EntryMaker:
    """Makes an entry of a line's fields; what repeats from line to line is looked up once."""

    def __init__(
        self, mapper: Mapper, policy: Policy, agency_id: str, source: str, names: set[str]
    ) -> None:
        self._policy, self._agency_id, self._source = policy, agency_id, source
        values = dict(mapper.values)
        self._plate, self._category, self._reason = (
            mapping.renderer(values.pop(name)) for name in NEEDED
        )
        # Most values are one field as it is, or of fields that this file does not have: asking for
        # these a million times is much of what reading a list costs.
        alone = {name: mapping.lone_field(text) for name, text in values.items()}
        self._fields = [(n, field) for n, field in alone.items() if field in names]
        self._more = [(n, mapping.renderer(text)) for n, text in values.items() if alone[n] is None]
        self._priorities: dict[str, int] = {}
        self._jurisdictions: dict[str, str | None] = {}
        self._expiries: dict[str, datetime] = {}

    def entry(self, number: int, fields: dict[str, str]) -> ListedEntry:
        """Raises `LineRefused` or what of the domain stands against it."""
        said = {name: text for name, field in self._fields if (text := fields.get(field))}
        for name, render in self._more:
            if text := render(fields):
                said[name] = text
        category = self._category(fields)
        plate = entry_plate(self._plate(fields), self._policy)
        jurisdiction = self._jurisdiction(said.get("jurisdiction", ""))
        record_id = said.get("record_id")
        identity = ("record", record_id) if record_id else (plate, jurisdiction or "", category)
        expires_at = said.get("expires_at")
        effective_at = said.get("effective_at")
        kinds = said.get("forbidden_hit_kinds")
        colour, year = said.get("vehicle_colour"), said.get("vehicle_year")
        return ListedEntry(
            line=number,
            entry_id=deterministic_id("hotlist entry", self._agency_id, self._source, *identity),
            removes=_removes(said.get("action")),
            plate=plate,
            match_key=match_key(plate),
            jurisdiction=jurisdiction,
            category=category,
            priority=_number(said.get("priority"), "priority", range(1, 6))
            or self._priority(category),
            reason=stated_reason(self._reason(fields)),
            case_number=said.get("case_number"),
            vehicle=said.get("vehicle"),
            caution=said.get("caution"),
            effective_at=self._instant(effective_at, "effective_at", time.min),
            expires_at=self._instant(expires_at, "expires_at", time.max),
            lookalike_positions=_number(
                said.get("lookalike_positions"), "lookalike_positions", range(3)
            ),
            forbidden_hit_kinds=hit_kinds(kinds.replace(",", " ").split()) if kinds else (),
            vehicle_type=_short(said.get("vehicle_type"), "vehicle_type"),
            vehicle_make=_short(said.get("vehicle_make"), "vehicle_make"),
            vehicle_model=_short(said.get("vehicle_model"), "vehicle_model"),
            vehicle_colour=_short(colour, "vehicle_colour"),
            vehicle_year=_number(year, "vehicle_year", _YEARS),
        )

    def _priority(self, category: str) -> int:
        known = self._priorities.get(category)
        if known is None:
            if category in self._policy.import_dropped_categories:
                known = 5  # never stored: the reader counts and drops it
            else:
                known = known_category(category, self._policy).priority
            self._priorities[category] = known
        return known

    def _jurisdiction(self, text: str) -> str | None:
        if text not in self._jurisdictions:
            self._jurisdictions[text] = plain_jurisdiction(text)
        return self._jurisdictions[text]

    def _instant(self, text: str | None, name: str, of_day: time) -> datetime | None:
        """A time with its offset, or a day: to its end, or from its begin, in UTC."""
        if text is None:
            return None
        key = name + text
        known = self._expiries.get(key)
        if known is None:
            known = self._expiries[key] = _instant(text, name, of_day)
            if len(self._expiries) > 10_000:
                self._expiries.clear()
        return known


def _instant(text: str, name: str, of_day: time) -> datetime:
    try:
        if len(text) == len("2026-05-04"):
            return datetime.combine(datetime.fromisoformat(text).date(), of_day, UTC)
        return _INSTANT.validate_python(text)
    except (ValueError, ValidationError) as error:
        raise LineRefused(
            f"{name} {text[:40]!r} is no time: write 2026-05-04 or 2026-05-04T10:00:00Z"
        ) from error


def _number(text: str | None, name: str, allowed: range) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and int(text) in allowed):
        raise LineRefused(f"{name} {text[:40]!r} is not {allowed.start} to {allowed.stop - 1}")
    return int(text)


def _short(text: str | None, name: str) -> str | None:
    if text is not None and len(text) > _SHORT_MAX_CHARACTERS:
        raise LineRefused(f"{name} has more than {_SHORT_MAX_CHARACTERS} characters")
    return text


def _removes(action: str | None) -> bool:
    match (action or "add").lower():
        case "add" | "change" | "a" | "c":
            return False
        case "remove" | "delete" | "r" | "d":
            return True
        case other:
            raise LineRefused(f"action {other[:40]!r} is neither add nor remove")
