"""A copy of the list that is damaged where nobody looks at first: one bit, or an index alone.

Whatever it is, the worker throws the copy away and reads the topic; one that only ended would meet
the same file at its next start, and end again.
"""

import sqlite3
import time
from datetime import timedelta
from pathlib import Path

import pytest

from alpr_common.messages.hotlist import HotListRecord
from alpr_matcher.local_store import LocalStore, Mark, StoreBroken
from alpr_matcher.table import HotListTable
from tests.unit.matcher.samples import NOW, an_entry

PLATES = [f"KEPT{n:03}" for n in range(300)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "hotlist.sqlite"
    table = HotListTable(LocalStore(path))
    entries = [an_entry(p, expires_at=NOW + timedelta(days=n)) for n, p in enumerate(PLATES)]
    records = [
        (e.match_key.encode(), HotListRecord(match_key=e.match_key, entries=(e,)).to_bytes())
        for e in entries
    ]
    table.take(records, {0: Mark(8, 7, 1, 2)})
    table.note_complete(time.time())
    table.close()
    return path


@pytest.mark.parametrize(
    "damage",
    [
        # SQLite keeps the type with the value: one bit makes text of bytes.
        "UPDATE record SET value = CAST(value AS TEXT) WHERE id = 2",
        "UPDATE record SET value = CAST(x'ff' AS TEXT) WHERE id = 2",
        "UPDATE record SET key = CAST(key AS TEXT) WHERE id = 2",
        "UPDATE record SET entries = x'01' WHERE id = 2",
        "UPDATE mark SET next_offset = 'x'",
        "UPDATE mark SET last_checksum = x'01'",
        "UPDATE mark SET last_offset = 1.5",
    ],
)
def test_a_copy_with_a_value_of_another_type_is_thrown_away(file: Path, damage: str) -> None:
    with sqlite3.connect(file) as database:
        database.execute(damage)
    database.close()
    table = HotListTable(LocalStore(file))
    assert table.load(0) == {}
    assert len(table) == 0
    table.close()


def test_a_copy_whose_index_is_damaged_is_thrown_away_when_that_is_met(file: Path) -> None:
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = database.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'record_expires'"
        ).fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    database.close()
    with file.open("r+b") as raw:
        raw.seek((root - 1) * size)
        raw.write(b"\xff" * size)
    table = HotListTable(LocalStore(file))
    assert table.load(0), "every row is as it was written"
    with pytest.raises(StoreBroken):
        table.forget_expired(NOW + timedelta(days=1000))
    assert not file.exists(), "the next start finds none"
