"""The table: counts, replacement, expiry, and a copy on disk that is used only when it is good."""

import sqlite3
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from alpr_common.messages.hotlist import HotListEntry, HotListPattern, HotListRecord
from alpr_matcher.local_store import LocalStore, Mark, StoreBroken, checksum
from alpr_matcher.table import HotListTable
from tests.unit.matcher.samples import NOW, an_entry

MARK = Mark(next_offset=8, last_offset=7, last_timestamp=1, last_checksum=2)


def record(*entries: HotListEntry) -> tuple[bytes, bytes]:
    key = entries[0].match_key
    return key.encode(), HotListRecord(match_key=key, entries=entries).to_bytes()


@pytest.fixture
def table() -> Iterator[HotListTable]:
    made = HotListTable()
    yield made
    made.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A copy of three records, complete now, as a worker leaves it that is killed."""
    path = tmp_path / "hotlist.sqlite"
    table = HotListTable(LocalStore(path))
    plates = ("ABC1234", "XYZ7777", "KLM9999")
    table.take([record(an_entry(plate)) for plate in plates], {0: MARK})
    table.note_complete(time.time())
    table.close()
    return path


def reopened(path: Path) -> tuple[HotListTable, dict[int, Mark]]:
    table = HotListTable(LocalStore(path))
    return table, table.load(time.time() - 3600)


def test_the_table_counts_keys_and_entries_and_forgets_tombstones(table: HotListTable) -> None:
    key, two = record(an_entry(), an_entry("A8C1234"))
    table.put(key, two)
    assert (len(table), table.entry_count, len(table.entries(key))) == (1, 2, 2)
    table.put(*record(an_entry()))
    assert (len(table), table.entry_count) == (1, 1)
    table.put(key, None)
    assert (len(table), table.entry_count, table.entries(key)) == (0, 0, ())
    assert key not in table


def test_the_last_record_of_a_key_in_a_batch_counts(table: HotListTable) -> None:
    key, value = record(an_entry())
    table.take([(key, value), (key, None), record(an_entry("A8C1234"))], {})
    assert [entry.plate for entry in table.entries(key)] == ["A8C1234"]
    table.take([(key, value), (key, None)], {})
    assert (len(table), table.entry_count) == (0, 0)


def test_a_malformed_record_leaves_the_one_before_it_in_force(table: HotListTable) -> None:
    key, value = record(an_entry())
    table.put(key, value)
    table.put(key, b"nothing")
    table.take([(key, value), (key, b'{"match_key": 7}')], {})
    assert (len(table), table.entry_count) == (1, 1)
    table.put_pattern(b"1", HotListPattern(entry=an_entry("AB*")).to_bytes())
    table.put_pattern(b"1", b"nothing")
    assert len(table.patterns) == 1


def test_keys_leave_the_table_once_every_entry_has_expired(table: HotListTable) -> None:
    ended = NOW - timedelta(hours=1)
    table.put(*record(an_entry("ABC1234", expires_at=ended)))
    both = an_entry("XYZ7777", expires_at=ended), an_entry("XYZ7777", expires_at=NOW)
    table.put(*record(*both))
    table.put(*record(an_entry("KLM9999", expires_at=None)))
    assert table.forget_expired(NOW - timedelta(minutes=1)) == 1
    assert (len(table), table.entry_count) == (2, 3)
    assert table.forget_expired(NOW + timedelta(days=9999)) == 1
    assert [entry.plate for entry in table.entries(b"K1M9999")] == ["KLM9999"]


def test_a_good_copy_is_taken_over_and_followed_from_its_marks(file: Path) -> None:
    table, marks = reopened(file)
    assert marks == {0: MARK}
    assert (len(table), table.entry_count) == (3, 3)
    assert table.entries(b"KLM9999") == ()  # the key of a plate is folded
    assert [e.plate for e in table.entries(an_entry("KLM9999").match_key.encode())] == ["KLM9999"]
    table.put(*record(an_entry("NEW1111")))
    table.put(an_entry("XYZ7777").match_key.encode(), None)
    table.note_complete(time.time())
    table.close()
    again, marks = reopened(file)
    assert (len(again), marks) == (3, {0: MARK})


def test_the_copy_is_nobody_elses_to_read(file: Path) -> None:
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE record SET value = CAST('{}' AS BLOB) WHERE id = 2",
        "DELETE FROM record WHERE id = 2",
        "UPDATE record SET key = CAST('0THER' AS BLOB) WHERE id = 1",
        "UPDATE fact SET fact = 0 WHERE name = 'complete_at'",
        "DELETE FROM fact WHERE name = 'complete_at'",
        "UPDATE fact SET fact = 'older' WHERE name = 'version'",
        "DROP TABLE mark",
    ],
)
def test_a_copy_that_is_not_certainly_good_is_thrown_away(file: Path, damage: str) -> None:
    database = sqlite3.connect(file)
    database.execute(damage)
    database.commit()
    database.close()
    table, marks = reopened(file)
    assert (marks, len(table), table.entry_count) == ({}, 0, 0)
    table.put(*record(an_entry()))
    assert len(table.entries(an_entry().match_key.encode())) == 1


@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_a_torn_file_is_thrown_away(file: Path, keep: int) -> None:
    file.write_bytes(file.read_bytes()[:keep] + b"\xff" * 9000)
    assert reopened(file)[1] == {}


def test_a_row_that_changes_under_a_running_worker_is_noticed_and_not_matched(
    table: HotListTable,
) -> None:
    key, value = record(an_entry())
    table.put(key, value)
    table._store._database.execute("UPDATE record SET value = ?", (value.replace(b"C1", b"C7"),))
    with pytest.raises(StoreBroken):
        table.entries(key)


def test_a_second_worker_cannot_take_the_first_ones_copy(file: Path) -> None:
    first = HotListTable(LocalStore(file))
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        LocalStore(file)
    assert first.load(0)
    first.close()


def test_a_records_checksum_tells_keys_and_values_apart() -> None:
    assert len({checksum(b"A", b"B"), checksum(b"A", b"C"), checksum(b"B", b"B")}) == 3
