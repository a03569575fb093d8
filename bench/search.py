"""How long a search takes under row-level security, against the same statement without it.

    python -m bench.search --json [--rows 2000000] [--questions 100]

Rows of four agencies lie in 30 daily partitions, each plate about eight times; the statements are
those of the door (`alpr_access_log.search_sql`), with its runtime role and, in turn with them, as a
superuser whom no policy binds. Times are of the statement with its rows, in milliseconds. Nothing
but the reads is measured: the access record and its leaf come on top (bench/log.py).
`--rows 20000000` is the size that the limits are meant for; it takes some 20 GB and half an hour.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import numpy as np
import structlog

from alpr_access_log import store
from alpr_access_log.domain import Query
from alpr_common.postgres import Database, migrate
from alpr_local.stack import Stack, temporary_stack

AGENCIES = ("IL0222900", "IL0160000", "IL0220100", "IL0450200")
_DAYS = 30
_SEEN_TIMES = 8
_PAGE = 51
_LIMITS_MS = {"exact": 50, "lookalike": 50, "prefix": 500, "middle": 500, "suffix": 500}

# Straight into the day's partition: what is measured here is reading. The message is as long as one
# without the recognizer's alternatives.
_FILL = """
INSERT INTO access_log.{partition} (read_id, captured_at, agency_id, camera_id, plate, match_key,
    jurisdiction, latitude, longitude, message)
SELECT read_id, captured_at, agency_id, camera_id, plate,
    translate(plate, 'ODQILZSBG', '000112586'), 'US-IL', 41.8, -87.9,
    format('{{"read_id":"%s","agency_id":"%s","camera_id":"%s","plate":"%s","captured_at":"%s",'
        '"latitude":41.8,"longitude":-87.9,"confidence":0.99,"jurisdiction":"US-IL",'
        '"frame_object":"%s/2026/05/04/%s/%s.jpg","plate_object":"%s/2026/05/04/%s/%s-plate.jpg",'
        '"detector_model":"detector-1","reader_model":"reader-1","frame_count":4}}',
        read_id, agency_id, camera_id, plate, captured_at, agency_id, camera_id, read_id,
        agency_id, camera_id, read_id)::jsonb
FROM (
    SELECT gen_random_uuid() AS read_id,
        $1::timestamptz + random() * $2::interval AS captured_at,
        ($4::text[])[1 + (n % cardinality($4::text[]))::int] AS agency_id,
        'cam-' || (n % 200) AS camera_id,
        chr(65 + (v % 26)::int) || chr(65 + (v / 26 % 26)::int)
            || lpad((v * 7919 % 100000)::text, 5, '0') AS plate
    FROM (SELECT n, floor(random() * $5)::bigint AS v FROM generate_series(1, $3::int) n) vehicle
) made
"""


def plate_of(vehicle: int) -> str:
    letters = chr(65 + vehicle % 26) + chr(65 + vehicle // 26 % 26)
    return f"{letters}{vehicle * 7919 % 100000:05d}"


async def run(rows: int, questions: int) -> dict[str, Any]:
    """Measure on a stack of its own."""
    with temporary_stack(say=_to_stderr) as stack:
        await migrate(stack.postgres_dsn("alpr_access_log_owner"), "alpr_access_log")
        began = time.monotonic()
        await _fill(stack, rows)
        filled = time.monotonic() - began
        return {
            "rows": rows,
            "partitions": _DAYS,
            "agencies": len(AGENCIES),
            "fill_seconds": round(filled, 1),
            "gigabytes": await _gigabytes(stack),
            "questions": questions,
            "searches": await _measure(stack, rows // _SEEN_TIMES, questions),
        }


async def _fill(stack: Stack, rows: int) -> None:
    connection = await asyncpg.connect(stack.postgres_admin_dsn)
    try:
        today = datetime.now(UTC).date()
        for day in (today - timedelta(days=n) for n in range(1, _DAYS + 1)):
            await connection.execute("SELECT access_log.ensure_read_partition($1)", day)
            statement = _FILL.format(partition=f"read_{day:%Y%m%d}")
            await connection.execute(
                statement, _midnight(day), timedelta(seconds=86399), rows // _DAYS,
                list(AGENCIES), float(rows // _SEEN_TIMES),
            )  # fmt: skip
            await connection.execute(f"ANALYZE access_log.read_{day:%Y%m%d}")
            _to_stderr(f"{day}: {rows // _DAYS} reads")
        await connection.execute("ANALYZE access_log.read")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


async def _gigabytes(stack: Stack) -> float:
    connection = await asyncpg.connect(stack.postgres_admin_dsn)
    try:
        size = await connection.fetchval("SELECT pg_database_size(current_database())")
        return round(int(size) / 1e9, 2)
    finally:
        await connection.close()


def _questions(vehicles: int) -> dict[str, Callable[[random.Random], tuple[str, bool]]]:
    """By kind: how the text of a question is made, and whether look-alikes count."""

    def plate(chance: random.Random) -> str:
        return plate_of(chance.randrange(vehicles))

    def middle(chance: random.Random) -> str:
        text = plate(chance)
        return f"{text[:2]}?{text[3:]}"

    return {
        "exact": lambda chance: (plate(chance), False),
        "lookalike": lambda chance: (plate(chance), True),
        "prefix": lambda chance: (plate(chance)[:4] + "*", False),
        "middle": lambda chance: (middle(chance), False),
        "suffix": lambda chance: ("*" + plate(chance)[-4:], False),
    }


async def _measure(stack: Stack, vehicles: int, questions: int) -> dict[str, Any]:
    now = datetime.now(UTC)
    kept = store.Kept(now - timedelta(days=_DAYS + 1), now)
    door = await Database.connect(stack.postgres_dsn("alpr_access_log"), 1)
    unbound = await asyncpg.connect(stack.postgres_admin_dsn)
    await unbound.execute("SET search_path = access_log, pg_temp")
    figures: dict[str, Any] = {}
    try:
        for kind, make in _questions(vehicles).items():
            chance = random.Random(7)
            bound_ms: list[float] = []
            unbound_ms: list[float] = []
            returned = 0
            for number in range(questions + 5):
                text, lookalike = make(chance)
                query = Query(text, lookalike, kept.since, now)
                agency = AGENCIES[number % len(AGENCIES)]
                # The one who goes second finds the pages in memory: they take turns.
                order = (True, False) if number % 2 else (False, True)
                for under_policy in order:
                    if under_policy:
                        async with door.transaction(agency) as connection:
                            seconds, found = await _timed(connection, agency, query, kept)
                    else:
                        async with unbound.transaction():
                            seconds, found = await _timed(unbound, agency, query, kept)
                    if number >= 5:  # the first ones plan and warm
                        (bound_ms if under_policy else unbound_ms).append(seconds * 1000)
                        returned += found if under_policy else 0
            figures[kind] = _summary(bound_ms, unbound_ms, returned, kind)
            _to_stderr(f"{kind}: {figures[kind]}")
    finally:
        await door.close()
        await unbound.close()
    return figures


async def _timed(connection: Any, agency: str, query: Query, kept: store.Kept) -> tuple[float, int]:
    began = time.perf_counter()
    found = await store.find_reads(connection, agency, query, None, _PAGE, kept)
    return time.perf_counter() - began, len(found)


def _summary(
    bound_ms: list[float], unbound_ms: list[float], returned: int, kind: str
) -> dict[str, Any]:
    def of(times: list[float]) -> dict[str, float]:
        return {f"p{p}_ms": round(float(np.percentile(times, p)), 2) for p in (50, 95, 99)}

    with_policy, without = of(bound_ms), of(unbound_ms)
    return {
        "under_row_level_security": with_policy,
        "without": without,
        "p95_ratio": round(with_policy["p95_ms"] / without["p95_ms"], 2),
        "mean_rows": round(returned / len(bound_ms), 1),
        "limit_p95_ms": _LIMITS_MS[kind],
        "within_limit": with_policy["p95_ms"] <= _LIMITS_MS[kind],
    }


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    # Standard output is the figures' alone.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    parser = argparse.ArgumentParser(prog="python -m bench.search", description=__doc__)
    parser.add_argument("--json", action="store_true", help="figures on standard output")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--questions", type=int, default=100)
    arguments = parser.parse_args()
    print(json.dumps(asyncio.run(run(arguments.rows, arguments.questions)), indent=1))


if __name__ == "__main__":
    main()
