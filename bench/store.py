"""Reads stored per second through the consumer, as a ratio to a bare COPY, and what indexes cost.

    python -m bench.store --json [--reads 30000]

`consumer`: reads that already lie on `alpr.reads.v1` go through access-log's own loop (decoding,
checks, insertion under row-level security, the day's bookkeeping, commit per batch, offsets) into
the real table. `copies`: the same columns, in batches of the same size, each committed, into a
table without indexes, and into tables with one index more each. All on a stack of its own.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import sys
import time
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any
from uuid import uuid4

import asyncpg
import psutil
import structlog

from alpr_access_log import consumers
from alpr_access_log.store.reads import STORED_COLUMNS
from alpr_common.kafka import Publisher
from alpr_common.messages.read import Box, Character, Read
from alpr_common.plates import match_key
from alpr_common.policy import Policy
from alpr_common.postgres import Database, migrate
from alpr_common.topics import READS
from alpr_local.stack import Stack, temporary_stack

_AGENCY = "IL0222900"
_BATCH = 500
_AT_ONCE = 1000
_ROUNDS = 6
_DEADLINE_SECONDS = 300.0
_LEAST_RATIO, _LEAST_PER_SECOND = 0.05, 2000
# In the order in which they are added: each table has one more than the one before.
_INDEXES = {
    "primary_key": "ALTER TABLE {t} ADD PRIMARY KEY (read_id, captured_at)",
    "plate": "CREATE INDEX ON {t} (agency_id, plate, captured_at)",
    "match_key": "CREATE INDEX ON {t} (agency_id, match_key, captured_at)",
    "camera": "CREATE INDEX ON {t} (agency_id, camera_id, captured_at)",
    "captured": "CREATE INDEX ON {t} (agency_id, captured_at, read_id)",
    # Not an index of the table, but what patterns are looked up in: its trigger, rows and GIN.
    "seen_plates": (
        "TRUNCATE access_log.seen_plate; CREATE TRIGGER note AFTER INSERT ON {t} "
        "REFERENCING NEW TABLE AS added FOR EACH STATEMENT "
        "EXECUTE FUNCTION access_log.note_seen_plates()"
    ),
}


def make_read(number: int, now: datetime) -> Read:
    plate = f"{chr(65 + number % 26)}{chr(65 + number // 26 % 26)}{number * 7919 % 100000:05d}"
    at = now - timedelta(seconds=number % 3600)
    return Read(
        read_id=uuid4(), agency_id=_AGENCY, camera_id=f"cam-{number % 200}", plate=plate,
        match_key=match_key(plate), captured_at=at, first_captured_at=at, last_captured_at=at,
        latitude=41.84, longitude=-87.95, confidence=0.99,
        characters=tuple(Character(character=c, probability=0.99) for c in plate),
        jurisdiction="US-IL", jurisdiction_probability=0.9, frame_id=uuid4(),
        frame_object=f"{_AGENCY}/2026/05/04/cam/{uuid4()}.jpg",
        plate_object=f"{_AGENCY}/2026/05/04/cam/{uuid4()}-plate.jpg",
        plate_box=Box(x1=10, y1=10, x2=110, y2=40), detector_model="detector-1",
        reader_model="reader-1", emitted_at=now,
    )  # fmt: skip


async def run(reads: int) -> dict[str, Any]:
    """Measure on a stack of its own; rates in reads per second."""
    now = datetime.now(UTC)
    made = [make_read(number, now) for number in range(reads)]
    load = os.getloadavg()[0]
    with temporary_stack(say=_to_stderr) as stack:
        stack.create_topics()
        await migrate(stack.postgres_dsn("alpr_access_log_owner"), "alpr_access_log")
        consumed = await _through_the_consumer(stack, made)
        _to_stderr(f"consumer: {consumed}")
        copied = await _bare_copies(stack, made)
    bare = copied["none"]
    ratio = consumed["per_second"] / bare["per_second"]
    within = ratio >= _LEAST_RATIO and consumed["per_second"] >= _LEAST_PER_SECOND
    return {
        "reads": reads,
        "batch": _BATCH,
        "message_bytes": len(made[0].to_bytes()),
        "load_average": [round(load, 1), round(os.getloadavg()[0], 1)],
        "consumer": consumed,
        "bare_copy_per_second": bare["per_second"],
        "ratio": round(ratio, 3),
        "copies_with_indexes_so_far": copied,
        "index_costs_microseconds_per_read": _index_costs(copied),
        "limits": {"ratio": _LEAST_RATIO, "per_second": _LEAST_PER_SECOND},
        "within_limits": within,
    }


def _index_costs(copied: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """What a read takes longer because of each index: by the clock, and of the server's processor
    time, which others on the machine disturb less."""
    costs, before = {}, copied["none"]
    for name in _INDEXES:
        of = copied[name]
        costs[name] = {
            "clock": round(1e6 / of["per_second"] - 1e6 / before["per_second"], 1),
            "processor": round(
                of["server_microseconds_per_read"] - before["server_microseconds_per_read"], 1
            ),
        }
        before = of
    return costs


async def _through_the_consumer(stack: Stack, reads: list[Read]) -> dict[str, float]:
    """Reads per second, and microseconds of processor time per read of this process and of its
    database connection: what counts where others use the machine as well."""
    publisher = Publisher(stack.kafka_bootstrap_servers, linger_ms=5)
    for start in range(0, len(reads), _AT_ONCE):
        part = reads[start : start + _AT_ONCE]
        waits = [await publisher.enqueue(READS, r.match_key, r.to_bytes()) for r in part]
        await asyncio.gather(*waits)
    # One connection: the consumer never uses two, and so its server process is known.
    database = await Database.connect(stack.postgres_dsn("alpr_access_log"), 1)
    async with database.transaction() as connection:
        server = psutil.Process(await connection.fetchval("SELECT pg_backend_pid()"))
    admin = await asyncpg.connect(stack.postgres_admin_dsn)
    loop = consumers.read_loop(
        database, publisher, Policy(), bootstrap_servers=stack.kafka_bootstrap_servers,
        batch_size=_BATCH, clock=lambda: datetime.now(UTC),
    )  # fmt: skip
    consumers.spare_the_garbage_collector()  # as the service does; and `reads` is not its own
    running = asyncio.create_task(loop.run())
    try:
        async with asyncio.timeout(_DEADLINE_SECONDS):
            # From the first batch that is stored, so that joining the group is not counted.
            first = await _stored(admin, 1)
            began, busy, served = time.perf_counter(), time.process_time(), _busy(server)
            await _stored(admin, len(reads))
        stored = len(reads) - first
        return {
            "per_second": round(stored / (time.perf_counter() - began)),
            "own_microseconds_per_read": round(1e6 * (time.process_time() - busy) / stored, 1),
            "server_microseconds_per_read": round(1e6 * (_busy(server) - served) / stored, 1),
        }
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await admin.close()
        await database.close()
        await publisher.stop()


def _busy(process: psutil.Process) -> float:
    """Processor seconds so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


async def _stored(admin: asyncpg.Connection, least: int) -> int:
    while True:
        count = int(await admin.fetchval("SELECT count(*) FROM access_log.read"))
        if count >= least:
            return count
        await asyncio.sleep(0.25)  # counting costs the server, too


async def _bare_copies(stack: Stack, reads: list[Read]) -> dict[str, dict[str, float]]:
    """The same rows into tables with no index, one, two, …; in rounds, and in each in random order,
    because the machine is not the same from one moment to the next."""
    rows = [
        (
            r.read_id, r.captured_at, r.agency_id, r.camera_id, r.plate, r.match_key,
            r.jurisdiction, r.latitude, r.longitude, r.to_bytes().decode(),
        )
        for r in reads
    ]  # fmt: skip
    connection = await asyncpg.connect(stack.postgres_admin_dsn)
    server = psutil.Process(await connection.fetchval("SELECT pg_backend_pid()"))
    names = ["none", *_INDEXES]
    clocks: dict[str, list[float]] = {name: [] for name in names}
    served = dict.fromkeys(names, 0.0)
    try:
        for number, name in enumerate(names):
            await _make_table(connection, f"copied_{name}", list(_INDEXES.values())[:number])
        chance, share = random.Random(7), -(-len(rows) // _ROUNDS)
        for start in range(0, len(rows), share):
            for name in chance.sample(names, len(names)):
                part = rows[start : start + share]
                began, busy = time.perf_counter(), _busy(server)
                for at in range(0, len(part), _BATCH):
                    await connection.copy_records_to_table(
                        f"copied_{name}", records=part[at : at + _BATCH], columns=STORED_COLUMNS
                    )
                clocks[name].append((time.perf_counter() - began) / len(part))
                served[name] += _busy(server) - busy
    finally:
        await connection.close()
    return {
        name: {
            "per_second": round(1 / median(clocks[name])),
            "server_microseconds_per_read": round(1e6 * served[name] / len(rows), 1),
        }
        for name in names
    }


async def _make_table(connection: asyncpg.Connection, name: str, indexes: list[str]) -> None:
    await connection.execute(
        f"CREATE TABLE {name} (read_id uuid, captured_at timestamptz, agency_id text, "
        'camera_id text, plate text COLLATE "C", match_key text COLLATE "C", '
        "jurisdiction text, latitude float8, longitude float8, message jsonb)"
    )
    for statement in indexes:
        await connection.execute(statement.format(t=name))


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    # Standard output is the figures' alone.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    parser = argparse.ArgumentParser(prog="python -m bench.store", description=__doc__)
    parser.add_argument("--json", action="store_true", help="figures on standard output")
    parser.add_argument("--reads", type=int, default=30_000)
    print(json.dumps(asyncio.run(run(parser.parse_args().reads)), indent=1))


if __name__ == "__main__":
    main()
