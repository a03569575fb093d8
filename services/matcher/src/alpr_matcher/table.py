"""The whole hot list in a worker: match keys in memory, the records in a file beside them.

A read's key is looked up in a dictionary; only a key that is there costs more: its record is
fetched from the file and decoded. Patterns are few; they stay in memory with an index of their own.
"""

import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime

import structlog
from prometheus_client import Counter
from pydantic import ValidationError

from alpr_common.messages.hotlist import HotListEntry, HotListPattern, HotListRecord
from alpr_matcher.local_store import LocalStore, Mark, Row, StoreBroken, checksum
from alpr_matcher.patterns import PatternIndex

log = structlog.get_logger()

MALFORMED = Counter("alpr_matcher_hotlist_malformed_total", "Hot list records that say nothing")

# What a key stands for, packed into one integer, since an object per entry is what costs memory:
# the row's id, how many entries it holds, and its checksum.
_CHECKSUM_BITS, _ENTRIES_BITS = 32, 10
_MOST_ENTRIES = (1 << _ENTRIES_BITS) - 1
_EXPIRED_AT_ONCE = 2000


class HotListTable:
    """Match key → the record of that key; and the patterns."""

    def __init__(self, store: LocalStore | None = None) -> None:
        self._store = store or LocalStore()
        self._rows: dict[bytes, int] = {}
        self._entries = 0
        self._next_id = 1
        self.patterns = PatternIndex()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def entry_count(self) -> int:
        return self._entries

    def load(self, not_before_seconds: float) -> dict[int, Mark]:
        """Take over what the file holds, if that was complete at or after the time; its marks.

        Empty, and so is the table, if it was not, or if it is not as it was written. Takes about
        two seconds for a million rows and touches nothing else: it may run in a thread.
        """
        try:
            marks = self._store.marks(not_before_seconds)
            if marks:
                self._load_rows()
                return marks
        except StoreBroken as error:
            log.warning("hotlist.copy_broken", error=str(error))
        self.clear()
        return {}

    def _load_rows(self) -> None:
        """Most of a warm start: what is done for every row is written out here, without calls."""
        rows, crc32, shift = self._rows, zlib.crc32, _CHECKSUM_BITS
        total = entry_count = last_id = 0
        try:
            for row_id, key, entries, value in self._store.rows():
                if entries > _MOST_ENTRIES:
                    entries = _MOST_ENTRIES
                found = crc32(value, crc32(key))
                total += found
                entry_count += entries
                last_id = row_id  # in their order
                rows[key] = (((row_id << _ENTRIES_BITS) | entries) << shift) | found
        except TypeError as error:  # SQLite keeps the type with the value: one bit changes it
            raise self._store.discard(repr(error)) from error
        self._store.verify(len(rows), total)
        self._entries, self._next_id = entry_count, last_id + 1

    def clear(self) -> None:
        """Forget all records, in the file too. Patterns stay."""
        self._store.clear()
        self._rows.clear()
        self._entries, self._next_id = 0, 1

    def take(
        self, records: Iterable[tuple[bytes, bytes | None]], marks: Mapping[int, Mark]
    ) -> None:
        """Take records in their order, a null value removing its key, and note how far that was.

        One that is malformed is counted and logged, and the one before it stays in force: better
        an old entry than none. Raises `StoreBroken`.
        """
        taken: dict[bytes, tuple[int, int | None, bytes] | None] = {}
        for key, value in records:
            try:
                taken[key] = _described(value) if value else None
            except ValidationError as error:
                MALFORMED.inc()
                log.error("hotlist.malformed", key=repr(key), reason=str(error)[:500])
        self._write(taken, marks)

    def _write(
        self,
        taken: Mapping[bytes, tuple[int, int | None, bytes] | None],
        marks: Mapping[int, Mark],
    ) -> None:
        rows: list[Row] = []
        removed: list[int] = []
        packed: dict[bytes, int] = {}
        entries = checksums = 0
        for key, said in taken.items():
            before = self._rows.get(key)
            if before is not None:
                entries -= _entries_of(before)
                checksums -= _checksum_of(before)
            if said is None:
                if before is not None:
                    removed.append(_id_of(before))
                continue
            count, expires_at, value = said
            if before is None:
                row_id, self._next_id = self._next_id, self._next_id + 1
            else:
                row_id = _id_of(before)
            rows.append((row_id, key, expires_at, count, value))
            packed[key] = _packed(row_id, count, found := checksum(key, value))
            entries += min(count, _MOST_ENTRIES)
            checksums += found
        gone = [key for key, said in taken.items() if said is None and key in self._rows]
        more = sum(key not in self._rows for key in packed) - len(gone)
        self._store.write(rows, removed, checksums, more, marks)
        self._rows.update(packed)
        for key in gone:
            del self._rows[key]
        self._entries += entries

    def put(self, key: bytes, value: bytes | None) -> None:
        """Take one record; see `take`."""
        self.take([(key, value)], {})

    def put_pattern(self, entry_key: bytes, value: bytes | None) -> None:
        """Take a pattern entry, keyed by its id; null takes it back. Malformed ones: see `take`."""
        try:
            entry = HotListPattern.from_bytes(value).entry if value else None
        except ValidationError as error:
            MALFORMED.inc()
            log.error("hotlist.malformed", key=repr(entry_key), reason=str(error)[:500])
            return
        if entry is None or value is None:
            self.patterns.remove(entry_key)
        else:
            self.patterns.put(entry_key, entry.plate, value)

    def forget_expired(self, before: datetime) -> int:
        """Remove keys of which every entry had expired by then, a portion at a time; how many."""
        keys = self._store.expired(int(before.timestamp()), _EXPIRED_AT_ONCE)
        if keys:
            self._write(dict.fromkeys(keys), {})
        return len(keys)

    def note_complete(self, at_seconds: float) -> None:
        """The table holds all that the topic had at this moment (Unix seconds)."""
        self._store.note_complete(at_seconds)

    def close(self) -> None:
        self._store.close()

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def concerns(self, key: bytes | None) -> bool:
        """Whether a read with that match key has to be looked at: it is listed or fits a pattern,
        or has no key at all."""
        return not key or key in self._rows or self.patterns.may_fit(key)

    def entries(self, key: bytes) -> tuple[HotListEntry, ...]:
        """The entries with that match key, then the pattern entries that it fits.

        Raises `StoreBroken`.
        """
        packed = self._rows.get(key)
        listed: tuple[HotListEntry, ...] = ()
        if packed is not None:
            value = self._store.value(_id_of(packed))
            if checksum(key, value) != _checksum_of(packed):
                self._store.clear()
                raise StoreBroken(f"the row of {key!r} is not what was written")
            listed = HotListRecord.from_bytes(value).entries
        if not self.patterns.may_fit(key):
            return listed
        fitting = self.patterns.fitting(key)
        return (*listed, *(HotListPattern.from_bytes(value).entry for value in fitting))


def _described(value: bytes) -> tuple[int, int | None, bytes] | None:
    """A record's number of entries, when the last of them expires, and its value; None if empty."""
    entries = HotListRecord.from_bytes(value).entries
    if not entries:
        return None
    last = 0
    for entry in entries:
        if entry.expires_at is None:
            return len(entries), None, value
        last = max(last, int(entry.expires_at.timestamp()))
    return len(entries), last, value


def _packed(row_id: int, entries: int, found: int) -> int:
    counted = (row_id << _ENTRIES_BITS) | min(entries, _MOST_ENTRIES)
    return (counted << _CHECKSUM_BITS) | found


def _id_of(packed: int) -> int:
    return packed >> (_CHECKSUM_BITS + _ENTRIES_BITS)


def _entries_of(packed: int) -> int:
    return (packed >> _CHECKSUM_BITS) & _MOST_ENTRIES


def _checksum_of(packed: int) -> int:
    return packed & 0xFFFFFFFF
