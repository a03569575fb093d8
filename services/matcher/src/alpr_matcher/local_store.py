"""The hot list's records in a file of this worker's own: out of memory, and there at a restart.

Kafka has the truth; this is a copy that may be thrown away at any time. It is used again only if
every row is as it was written, it is recent, and the topic is still the one it was copied from.
"""

import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

log = structlog.get_logger()

_VERSION = "1"
_CREATE = """
CREATE TABLE IF NOT EXISTS record (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL, expires_at INTEGER, entries INTEGER NOT NULL,
    value BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS record_expires ON record (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS mark (
    topic_partition INTEGER PRIMARY KEY, next_offset INTEGER NOT NULL, last_offset INTEGER NOT NULL,
    last_timestamp INTEGER NOT NULL, last_checksum INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, fact NOT NULL);
"""
_PUT = "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?)"
_REMOVE = "DELETE FROM record WHERE id = ?"
_MARK = "INSERT OR REPLACE INTO mark VALUES (?, ?, ?, ?, ?)"
_FACT = "INSERT OR REPLACE INTO fact VALUES (?, ?)"
_VALUE = "SELECT value FROM record WHERE id = ?"
_EXPIRED = "SELECT key FROM record WHERE expires_at < ? ORDER BY expires_at LIMIT ?"
_ALL = "SELECT id, key, entries, value FROM record ORDER BY id"


class StoreBroken(Exception):
    """The file does not give what was written. It has been discarded; start anew."""


@dataclass(frozen=True)
class Mark:
    """How far a partition was taken, and its last record there, to know the topic again by."""

    next_offset: int
    last_offset: int
    last_timestamp: int
    last_checksum: int


Row = tuple[int, bytes, int | None, int, bytes]
"""Id, match key, when its last entry expires (Unix seconds; None: never), entries, value."""


class LocalStore:
    """A SQLite file with one row per match key. `path` None: in memory.

    Written without waiting for the disk: a crash of the machine may leave anything, which the
    checksum over all rows tells at the next start.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._rows, self._checksum = 0, 0
        self._database = self._open()

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.OperationalError as error:
            if "locked" in str(error):  # another worker's: neither to be shared nor thrown away
                raise
            self._delete(repr(error))
        except sqlite3.DatabaseError as error:
            self._delete(repr(error))
        return self._connect()

    def _connect(self) -> sqlite3.Connection:
        if self._path is not None:
            # Before SQLite makes it with the rights of the day: it names plates looked for.
            self._path.touch(mode=0o600)
        # Read once in a thread at the start; never used by two at once.
        database = sqlite3.connect(
            self._path or ":memory:", isolation_level=None, check_same_thread=False, timeout=2
        )
        try:
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = OFF")
            database.executescript(_CREATE)
        except sqlite3.Error:
            database.close()
            raise
        return database

    def write(
        self,
        rows: Sequence[Row],
        removed: Sequence[int],
        checksums: int,
        count: int,
        marks: Mapping[int, Mark],
    ) -> None:
        """Put and remove rows and note the marks, all or nothing.

        `checksums` and `count` say by how much the sum of `checksum` and the number of rows
        change.
        """
        self._rows, self._checksum = self._rows + count, self._checksum + checksums
        facts = {"rows": self._rows, "checksum": str(self._checksum)}
        try:
            self._database.execute("BEGIN")
            self._database.executemany(_PUT, rows)
            self._database.executemany(_REMOVE, ((one,) for one in removed))
            self._database.executemany(
                _MARK,
                (
                    (p, m.next_offset, m.last_offset, m.last_timestamp, m.last_checksum)
                    for p, m in marks.items()
                ),
            )
            self._database.executemany(_FACT, facts.items())
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._broken(repr(error)) from error

    def note_complete(self, at_seconds: float) -> None:
        """The rows were all that the topic had at this moment (Unix seconds)."""
        try:
            self._database.executemany(_FACT, [("version", _VERSION), ("complete_at", at_seconds)])
        except sqlite3.Error as error:
            raise self._broken(repr(error)) from error

    def value(self, row_id: int) -> bytes:
        """A row's value; raises `StoreBroken`."""
        try:
            found = self._database.execute(_VALUE, (row_id,)).fetchone()
        except sqlite3.Error as error:
            raise self._broken(repr(error)) from error
        if found is None:
            raise self._broken(f"row {row_id} is gone")
        return bytes(found[0])

    def expired(self, before_seconds: int, limit: int) -> list[bytes]:
        """Keys of which every entry had expired by then; raises `StoreBroken`."""
        try:
            found = self._database.execute(_EXPIRED, (before_seconds, limit)).fetchall()
        except sqlite3.Error as error:
            # This index is read by nothing else: the next start would take the file for good.
            raise self._broken(repr(error)) from error
        return [bytes(key) for (key,) in found]

    def marks(self, not_before_seconds: float) -> dict[int, Mark]:
        """The marks of a copy that was complete at or after that time; empty for any other."""
        try:
            facts = dict(self._database.execute("SELECT name, fact FROM fact"))
            if facts.get("version") != _VERSION:
                return {}
            if float(facts.get("complete_at", 0)) < not_before_seconds:
                return {}
            rows = self._database.execute("SELECT * FROM mark").fetchall()
            if not all(type(number) is int for row in rows for number in row):
                raise TypeError("a mark is no number")
            return {p: Mark(*m) for p, *m in rows}
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise self._broken(repr(error)) from error

    def rows(self) -> Iterator[tuple[int, bytes, int, bytes]]:
        """Id, key, number of entries and value of every row; raises `StoreBroken`.

        Believe them only once `verify` has been told what they came to.
        """
        try:
            yield from self._database.execute(_ALL)
        except sqlite3.Error as error:
            raise self._broken(repr(error)) from error

    def discard(self, why: str) -> StoreBroken:
        """Throw the file away; answers what to raise."""
        return self._broken(why)

    def verify(self, count: int, checksums: int) -> None:
        """Raise `StoreBroken` if so many rows with that sum are not those that were written."""
        try:
            facts = dict(self._database.execute("SELECT name, fact FROM fact"))
        except sqlite3.Error as error:
            raise self._broken(repr(error)) from error
        if (count, str(checksums)) != (facts.get("rows"), facts.get("checksum")):
            raise self._broken(f"{count} rows, {facts.get('rows')} written, or other bytes")
        self._rows, self._checksum = count, checksums

    def clear(self) -> None:
        """Begin with nothing."""
        self.close()
        self._delete("begins anew")
        self._rows, self._checksum = 0, 0
        self._database = self._open()

    def close(self) -> None:
        self._database.close()

    def _broken(self, why: str) -> StoreBroken:
        self._database.close()
        self._delete(why)
        return StoreBroken(why)

    def _delete(self, why: str) -> None:
        if self._path is not None:
            log.info("hotlist.copy_discarded", why=why)
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)


def checksum(key: bytes, value: bytes | None) -> int:
    """What a record is known by again: 32 bits over key and value."""
    return zlib.crc32(value or b"", zlib.crc32(key))
