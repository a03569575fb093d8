"""Somebody's list, line by line, as its mapper reads it: entries to be staged, and bad lines.

Each line is read on its own, so that a broken one (a quote never closed, a foreign byte) cannot
take its neighbours along. Fields therefore hold no line breaks. The file is never held as a whole.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from alpr_common.errors import AlprError
from alpr_common.policy import Policy
from alpr_matcher.domain import FileNotReadable, FileTooLarge
from alpr_matcher.list_lines import LineReader
from alpr_matcher.listed_entries import EntryMaker, ListedEntry
from alpr_matcher.mapper import LineRefused, Mapper

_MARK = b"\xef\xbb\xbf"
_PIECE_BYTES = 16 * 1024


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
        read_line = LineReader(self.mapper, lines)
        skipped = tuple(text.encode() for text in self.mapper.skip_lines_starting_with)
        make = EntryMaker(self.mapper, self.policy, self.agency_id, self.source, read_line.names)
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
