"""One line of a list, taken apart as its mapper says."""

import csv
from collections.abc import Iterator

from alpr_matcher import mapper as mapping
from alpr_matcher.domain import FileNotReadable
from alpr_matcher.mapper import DELIMITERS, NEEDED, LineRefused, Mapper

_LINE_MAX_BYTES = 8192
_FIELD_MAX_CHARACTERS = 500


class LineReader:
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
        missing = [v for v in NEEDED if not mapping.fields_in(templates[v]) <= known]
        if missing:
            columns = [str(place) for place in self._mapper.fields.values()]
            raise FileNotReadable(
                f"Line 1 has to name the columns; {', '.join(missing)} is missing. "
                f"Columns: {', '.join(columns)}."
            )


def _index(header: list[str], name: str) -> int | None:
    return header.index(name) if name in header else None
