"""How long a search takes under row-level security, against the same statement without it.

    python -m bench.search --json [--rows 2000000] [--questions 60] [--keep]

Rows of four agencies lie in 32 daily partitions, each plate about eight times; a question covers 30
days. The statements are those of the door (`alpr_access_log.store.find_reads`), with its runtime
role and, in random order with them, as a superuser whom no policy binds. `warm` is measured after
every kind was asked some times, `cold` after a restart with all files of the database dropped from
memory. Times are of the statements with their rows, in milliseconds. Nothing but reading is
measured: the access record and its leaf come on top (bench/log.py).

The limits are meant for `--rows 20000000`: 12 GB, loaded in some minutes (the machine's disk
decides). `--keep` leaves the loaded cluster in var/stack/bench-search for the next run.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import numpy as np
import structlog

from alpr_access_log import store
from alpr_access_log.domain import Query
from alpr_common.postgres import Database, migrate
from alpr_local.stack import Stack, temporary_stack
from bench._search_rows import AGENCIES, DAYS, Loaded, load, loaded, plate_of, restart

_PAGE = 51
_WARMING = 5
_COLD_QUESTIONS = 20
_EXACT_MS, _PARTIAL_MS = 50, 500


def _kinds(vehicles: int) -> dict[str, tuple[Callable[[str], str], bool, int | None]]:
    """By kind: what is asked of a plate, whether look-alikes count, and the limit of its p95."""
    return {
        "exact": (lambda p: p, False, _EXACT_MS),
        "lookalike": (lambda p: p, True, _EXACT_MS),
        "never_seen": (lambda _: f"ZZ{vehicles % 1000:03d}9Z", False, _EXACT_MS),
        "start AB12*": (lambda p: f"{p[:4]}*", False, _PARTIAL_MS),
        "one_unknown AB?2345": (lambda p: f"{p[:2]}?{p[3:]}", False, _PARTIAL_MS),
        "end *2345": (lambda p: f"*{p[-4:]}", False, _PARTIAL_MS),
        "both_ends A*45": (lambda p: f"{p[0]}*{p[-2:]}", False, _PARTIAL_MS),
        "middle *123*": (lambda p: f"*{p[2:5]}*", False, _PARTIAL_MS),
        "middle *B123*": (lambda p: f"*{p[1:5]}*", False, _PARTIAL_MS),
        "middle_lookalike *B12*": (lambda p: f"*{p[1:4]}*", True, _PARTIAL_MS),
        "middle_unseen *XQ9Z*": (lambda p: f"*XQ{p[2]}Z*", False, _PARTIAL_MS),
        # Nothing in it stands beside something: no index knows it. Told, not promised.
        "scattered *A*1*2*": (lambda p: f"*{p[0]}*{p[3]}*{p[5]}*", False, None),
    }


async def run(rows: int, questions: int, keep: bool) -> dict[str, Any]:
    """Measure on a stack of its own."""
    load_before = os.getloadavg()[0]
    with _stack(keep) as stack:
        await asyncio.to_thread(stack.kafka.stop)  # nobody needs it here
        await migrate(stack.postgres_dsn("alpr_access_log_owner"), "alpr_access_log")
        began = time.monotonic()
        there = await loaded(stack)
        if there is None:
            there = await load(stack, rows, _to_stderr)
        filled = time.monotonic() - began
        warm = await _warm(stack, there, questions)
        cold = await _cold(stack, there)
        limits = {kind: limit for kind, (_, _, limit) in _kinds(there.vehicles).items()}
        return {
            "rows": there.rows,
            "partitions": DAYS,
            "agencies": len(AGENCIES),
            "load_seconds": round(filled, 1),
            "gigabytes": await _gigabytes(stack),
            "questions_per_kind": questions,
            "load_average": [round(load_before, 1), round(os.getloadavg()[0], 1)],
            "limits_p95_ms": {"exact": _EXACT_MS, "partial": _PARTIAL_MS},
            "warm": warm,
            "cold": cold,
            "within_limits": all(
                limits[kind] is None or of["under_row_level_security"]["p95_ms"] <= limits[kind]
                for kind, of in warm.items()
            ),
        }


@contextmanager
def _stack(keep: bool) -> Iterator[Stack]:
    if keep:
        with Stack.local("bench-search", _to_stderr) as stack:
            yield stack
    else:
        with temporary_stack(say=_to_stderr) as stack:
            yield stack


async def _gigabytes(stack: Stack) -> dict[str, float]:
    connection = await asyncpg.connect(stack.postgres_admin_dsn)
    size = """SELECT sum(pg_total_relation_size(inhrelid))::bigint AS total,
        sum(pg_indexes_size(inhrelid))::bigint AS indexes
        FROM pg_inherits WHERE inhparent = $1::text::regclass"""
    try:
        found = {}
        for table in ("read", "seen_plate"):
            (row,) = await connection.fetch(size, f"access_log.{table}")
            found[table] = round(row["total"] / 1e9, 2)
            found[f"{table}_indexes"] = round(row["indexes"] / 1e9, 2)
        return found
    finally:
        await connection.close()


class _Asker:
    """Asks as the door's role under its policy, or as a superuser whom none binds."""

    def __init__(self, door: Database, unbound: asyncpg.Connection, there: Loaded) -> None:
        self._door, self._unbound = door, unbound
        self._from_at, self._to_at = there.window
        self._kept = store.Kept(self._from_at - timedelta(days=1), self._to_at)

    async def ask(self, number: int, text: str, lookalike: bool, bound: bool) -> tuple[float, int]:
        """Milliseconds and rows."""
        agency = AGENCIES[number % len(AGENCIES)]
        query = Query(text, lookalike, self._from_at, self._to_at)
        if bound:
            async with self._door.transaction(agency) as connection:
                return await self._timed(connection, agency, query)
        async with self._unbound.transaction():
            await self._unbound.execute("SELECT set_config('alpr.agency_id', $1, true)", agency)
            return await self._timed(self._unbound, agency, query)

    async def _timed(self, connection: Any, agency: str, query: Query) -> tuple[float, int]:
        began = time.perf_counter()
        found = await store.find_reads(connection, agency, query, None, _PAGE, self._kept)
        return (time.perf_counter() - began) * 1000, len(found)


async def _asker(stack: Stack, there: Loaded) -> tuple[_Asker, Database, asyncpg.Connection]:
    door = await Database.connect(stack.postgres_dsn("alpr_access_log"), 1)
    unbound = await asyncpg.connect(stack.postgres_admin_dsn)
    await unbound.execute("SET search_path = access_log, pg_temp")
    return _Asker(door, unbound, there), door, unbound


async def _warm(stack: Stack, there: Loaded, questions: int) -> dict[str, Any]:
    asker, door, unbound = await _asker(stack, there)
    kinds = _kinds(there.vehicles)
    chance = random.Random(7)
    times: dict[tuple[str, bool], list[float]] = {(k, b): [] for k in kinds for b in (True, False)}
    rows = dict.fromkeys(kinds, 0)
    # Each question is asked by both; who is first, and what comes before, is left to chance.
    tasks = [
        (kind, number, bound)
        for kind in kinds
        for number in range(-_WARMING, questions)
        for bound in (True, False)
    ]
    chance.shuffle(tasks)
    tasks.sort(key=lambda task: task[1] >= 0)  # the first ones plan and warm
    plates = {n: plate_of(chance.randrange(there.vehicles)) for n in range(-_WARMING, questions)}
    try:
        for kind, number, bound in tasks:
            make, lookalike, _ = kinds[kind]
            took, found = await asker.ask(number, make(plates[number]), lookalike, bound)
            if number >= 0:
                times[kind, bound].append(took)
                rows[kind] += found if bound else 0
    finally:
        await door.close()
        await unbound.close()
    figures = {}
    for kind, (_, _, limit) in kinds.items():
        with_policy, without = _of(times[kind, True]), _of(times[kind, False])
        figures[kind] = {
            "under_row_level_security": with_policy,
            "without": without,
            "p95_ratio": round(with_policy["p95_ms"] / without["p95_ms"], 2),
            "mean_rows": round(rows[kind] / questions, 1),
            "limit_p95_ms": limit,
        }
        _to_stderr(f"warm {kind}: {figures[kind]}")
    return figures


async def _cold(stack: Stack, there: Loaded) -> dict[str, Any]:
    """Under the policy alone, other questions than before, each kind after a restart that leaves
    nothing in memory."""
    figures = {}
    for kind, (make, lookalike, _) in _kinds(there.vehicles).items():
        await restart(stack, forget_pages=True)
        asker, door, unbound = await _asker(stack, there)
        chance, times = random.Random(uuid4().int), []
        try:
            for number in range(_COLD_QUESTIONS):
                text = make(plate_of(chance.randrange(there.vehicles)))
                times.append((await asker.ask(number, text, lookalike, True))[0])
        finally:
            await door.close()
            await unbound.close()
        figures[kind] = {"first_ms": round(times[0], 1)} | _of(times)
        _to_stderr(f"cold {kind}: {figures[kind]}")
    return figures


def _of(times: list[float]) -> dict[str, float]:
    return {f"p{p}_ms": round(float(np.percentile(times, p)), 2) for p in (50, 95, 99)}


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    # Standard output is the figures' alone.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    parser = argparse.ArgumentParser(prog="python -m bench.search", description=__doc__)
    parser.add_argument("--json", action="store_true", help="figures on standard output")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--keep", action="store_true", help="leave the loaded cluster for later")
    given = parser.parse_args()
    print(json.dumps(asyncio.run(run(given.rows, given.questions, given.keep)), indent=1))


if __name__ == "__main__":
    main()
