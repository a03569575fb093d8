"""Millions of stored reads, loaded as fast as the machine allows.

Day by day into tables beside their places, indexed when they are full, attached then: what is
measured later is reading.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from alpr_local.postgres import PostgresServer
from alpr_local.stack import Stack

AGENCIES = ("IL0222900", "IL0160000", "IL0220100", "IL0450200")
DAYS = 32
SEEN_TIMES = 8
_AT_ONCE = 2
# While nothing is worth keeping yet; a bulk load in the transaction that makes its table needs no
# WAL then. Taken back before anything is measured.
_LOADING = {
    "fsync": "off", "wal_level": "minimal", "max_wal_senders": "0", "autovacuum": "off",
    "maintenance_work_mem": "'512MB'", "work_mem": "'128MB'", "max_wal_size": "'8GB'",
    "max_parallel_maintenance_workers": "0", "checkpoint_timeout": "'30min'",
}  # fmt: skip
# In the order of time, as they come in. The message is a short one: a row that is found is one page
# of the table either way.
_FILL = """
INSERT INTO {table} (read_id, captured_at, agency_id, camera_id, plate, match_key, jurisdiction,
    latitude, longitude, message)
SELECT gen_random_uuid(), $1::timestamptz + n * ($2::interval / $3::int),
    ($4::text[])[1 + (n % cardinality($4::text[]))::int], 'cam-' || (n % 200), plate,
    translate(plate, 'ODQILZSBG', '000112586'), 'US-IL', 41.8, -87.9, $6::jsonb
FROM (
    SELECT n, chr(65 + (v % 26)::int) || chr(65 + (v / 26 % 26)::int)
        || lpad((v * 7919 % 100000)::text, 5, '0') AS plate
    FROM (
        SELECT n, floor(random() * $5)::bigint AS v FROM generate_series(0, $3::int - 1) n
    ) vehicle
) made
"""
_MESSAGE = (
    '{"read_id":"00000000-0000-0000-0000-000000000000","camera_id":"cam","plate":"AB12345",'
    '"captured_at":"2026-05-04T10:00:00Z","confidence":0.99,"frame_object":'
    '"IL0222900/2026/05/04/cam/00000000-0000-0000-0000-000000000000.jpg"}'
)
_SEEN = """
INSERT INTO {table} (day, agency_id, plate, match_key)
SELECT DISTINCT $1::date, agency_id, plate, match_key FROM {reads}
"""
_NOTE = "CREATE TABLE IF NOT EXISTS access_log.bench_loaded (rows bigint, newest date)"


@dataclass(frozen=True)
class Loaded:
    """How many reads lie there, and the newest of their days."""

    rows: int
    newest: date

    @property
    def vehicles(self) -> int:
        return self.rows // SEEN_TIMES

    @property
    def window(self) -> tuple[datetime, datetime]:
        """All of their time but the last two days, so that the others fill a month."""
        end_at = _midnight(self.newest + timedelta(days=1))
        return end_at - timedelta(days=30), end_at


def plate_of(vehicle: int) -> str:
    letters = chr(65 + vehicle % 26) + chr(65 + vehicle // 26 % 26)
    return f"{letters}{vehicle * 7919 % 100000:05d}"


async def loaded(stack: Stack) -> Loaded | None:
    """What an earlier run left in this stack."""
    connection = await asyncpg.connect(stack.postgres_admin_dsn)
    try:
        await connection.execute(_NOTE)
        row = await connection.fetchrow("SELECT rows, newest FROM access_log.bench_loaded")
        return Loaded(row["rows"], row["newest"]) if row else None
    finally:
        await connection.close()


async def load(stack: Stack, rows: int, say: Callable[[str], None]) -> Loaded:
    """Fill a freshly migrated stack; on return all is on disk and settings are as ever."""
    newest = datetime.now(UTC).date() - timedelta(days=1)
    await _configure(stack, _LOADING)
    days = [newest - timedelta(days=n) for n in range(DAYS)]
    lock = asyncio.Lock()  # attaching takes turns

    async def worker(mine: list[date]) -> None:
        connection = await asyncpg.connect(stack.postgres_admin_dsn)
        await connection.execute("SET search_path = access_log, pg_temp")
        try:
            for day in mine:
                await _day(connection, day, rows // DAYS, rows, lock)
                say(f"{day}: {rows // DAYS} reads")
        finally:
            await connection.close()

    await asyncio.gather(*(worker(days[n::_AT_ONCE]) for n in range(_AT_ONCE)))
    connection = await asyncpg.connect(stack.postgres_admin_dsn)
    for table in ("read", "seen_plate"):
        # Of the parents alone: the days were looked at when they were filled.
        await connection.execute(f"ANALYZE access_log.{table}")
    await connection.execute(
        "INSERT INTO access_log.bench_loaded VALUES ($1, $2)", rows // DAYS * DAYS, newest
    )
    await connection.close()
    await _configure(stack, dict.fromkeys(_LOADING, "DEFAULT"))
    return Loaded(rows // DAYS * DAYS, newest)


async def _configure(stack: Stack, settings: dict[str, str]) -> None:
    connection = await asyncpg.connect(stack.postgres_admin_dsn)
    for name, value in settings.items():
        await connection.execute(f"ALTER SYSTEM SET {name} = {value}")
    await connection.execute("CHECKPOINT")
    await connection.close()
    await restart(stack)


async def restart(stack: Stack, *, forget_pages: bool = False) -> None:
    """Stop and start PostgreSQL; `forget_pages`: nothing of its files stays in memory either."""
    assert isinstance(stack.postgres, PostgresServer)
    await asyncio.to_thread(stack.postgres.stop)
    if forget_pages:
        await asyncio.to_thread(_forget, stack.postgres.data_folder)
    await asyncio.to_thread(stack.postgres.start, 120)


def _forget(folder: Path) -> None:
    """Only these files: other things on the machine keep what they have in memory."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


async def _day(connection: Any, day: date, count: int, rows: int, lock: asyncio.Lock) -> None:
    reads, seen = f"read_{day:%Y%m%d}", f"seen_plate_{day:%Y%m%d}"
    first_at, end_at = _midnight(day), _midnight(day + timedelta(days=1))
    async with connection.transaction():
        for table, parent in ((reads, "read"), (seen, "seen_plate")):
            await connection.execute(
                f"CREATE TABLE {table} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"
            )
            await connection.execute(f"ALTER TABLE {table} OWNER TO alpr_access_log_owner")
        await connection.execute(
            _FILL.format(table=reads), first_at, end_at - first_at, count, list(AGENCIES),
            float(rows // SEEN_TIMES), _MESSAGE, timeout=3600,
        )  # fmt: skip
        await connection.execute(_SEEN.format(table=seen, reads=reads), day, timeout=3600)
        for table, parent in ((reads, "read"), (seen, "seen_plate")):
            for statement in await _indexes(connection, parent, table):
                await connection.execute(statement, timeout=3600)
        await connection.execute(
            f"ALTER TABLE {reads} ADD CONSTRAINT day CHECK (captured_at >= '{first_at}' "
            f"AND captured_at < '{end_at}')"
        )
        await connection.execute(
            f"ALTER TABLE {seen} ADD CONSTRAINT day CHECK (day >= '{day}' "
            f"AND day < '{day + timedelta(days=1)}')"
        )
    async with lock, connection.transaction():
        await connection.execute(
            f"ALTER TABLE read ATTACH PARTITION {reads} FOR VALUES FROM ('{first_at}') "
            f"TO ('{end_at}')"
        )
        await connection.execute(
            f"ALTER TABLE seen_plate ATTACH PARTITION {seen} FOR VALUES FROM ('{day}') "
            f"TO ('{day + timedelta(days=1)}')"
        )
    # Also marks pages as visible to all, as autovacuum has on a running system.
    await connection.execute(f"VACUUM (ANALYZE) {reads}", timeout=3600)
    await connection.execute(f"VACUUM (ANALYZE) {seen}", timeout=3600)


async def _indexes(connection: Any, parent: str, table: str) -> list[str]:
    """Statements that give `table` the indexes of `parent`."""
    found = await connection.fetch(
        "SELECT c.relname, i.indisprimary, pg_get_indexdef(i.indexrelid) AS text, "
        "pg_get_constraintdef(k.oid) AS key "
        "FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
        "LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype = 'p' "
        "WHERE i.indrelid = $1::text::regclass",
        parent,
    )
    return [
        f"ALTER TABLE {table} ADD {one['key']}"
        if one["indisprimary"]
        else one["text"]
        .replace(f"INDEX {one['relname']} ", "INDEX ")
        .replace(f" ON ONLY access_log.{parent} ", f" ON {table} ")
        .replace(f" ON ONLY {parent} ", f" ON {table} ")
        for one in found
    ]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
