"""How long a hot list takes to import: a first load with 100 bad lines, the same again, a refresh.

    python -m bench.hotlist_import --json [--lines 1000000]

On a PostgreSQL of its own, `fsync` on, as the runtime role under row-level security, history and
all; composing the records and bringing them to Kafka is timed apart. Entries by hand come all the
while: how soon they are answered, and how soon a worker makes hits of them. CPU seconds of this
process stand beside, because a machine that does other things too makes every wall clock lie.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from alpr_common.auth import Principal
from alpr_common.kafka import Publisher
from alpr_common.policy import Policy, Role
from alpr_common.postgres import Database, migrate
from alpr_local.processes import Services
from alpr_local.stack import Stack, temporary_stack
from alpr_matcher import telling_store
from alpr_matcher.expiry import expired_kept
from alpr_matcher.handlers import HotLists
from alpr_matcher.imports import Importing, WantedImport, import_file
from alpr_matcher.telling import BATCH_BYTES, TopicRelay
from bench._by_hand import AGENCY, Effective, enter, meanwhile

_CHARACTERS = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
_TOLD_AT_MOST_SECONDS = 180.0
"""On a machine that is busy otherwise, what is told by then has to do."""
_BAD = 100
_BAD_LINES = (
    "A?1,stolen_vehicle,Too wide,,,,,",
    "BAD0001,no_such_category,Stolen,,,,,",
    "BAD0002,stolen_vehicle,,,,,,",
    "BAD0003,stolen_vehicle,Stolen,Illinois,,,,",
    "BAD0004,stolen_vehicle,Stolen,,tomorrow,,,",
    "BAD0005,stolen_vehicle",
    'BAD0006,stolen_vehicle,"Stolen,,,,,',
    "BAD0007,stolen_vehicle,Stol\udce9n,,,,,",
    "BAD0008,stolen_vehicle,Sto\x00len,,,,,",
    "(),stolen_vehicle,No plate,,,,,",
)


def write_list(path: Path, lines: int, changed: float = 0.0) -> list[int]:
    """A list of that many lines, `_BAD` of them bad; `changed` is the share with another reason.

    Returns the numbers of the bad lines."""
    rng = random.Random(7)
    bad = sorted(rng.sample(range(lines), min(_BAD, lines)))
    bad_at = {place: _BAD_LINES[n % len(_BAD_LINES)] for n, place in enumerate(bad)}
    with path.open("w", encoding="utf-8", errors="surrogateescape") as file:
        file.write("plate,category,reason,jurisdiction,expires_at,case_number,vehicle,caution\n")
        for n in range(lines):
            plate, rest = "", n
            for _ in range(6):
                rest, place = divmod(rest, len(_CHARACTERS))
                plate += _CHARACTERS[place]
            reason = "Stolen and armed" if rng.random() < changed else "Reported stolen"
            good = f"{plate},stolen_vehicle,{reason},US-IL,2099-01-01,22-{n},red Ford,"
            file.write(bad_at.get(n, good) + "\n")
    return [place + 2 for place in bad]


async def run(stack: Stack, lines: int) -> dict[str, Any]:
    """All figures."""
    await migrate(stack.postgres_dsn("alpr_matcher_owner"), "alpr_matcher")
    database = await Database.connect(stack.postgres_dsn("alpr_matcher"))
    policy = Policy()
    lists = HotLists(database, policy, expired_kept(policy, None))
    importing = Importing(lists, max_lines=lines + 1)
    figures: dict[str, Any] = {"lines": lines}
    try:
        with tempfile.TemporaryDirectory(prefix="alpr-bench-") as folder:
            path = Path(folder) / "list.csv"
            bad = write_list(path, lines)
            figures["file_bytes"] = path.stat().st_size
            async with meanwhile(partial(_answered, lists)) as by_hand:
                figures["first_load"] = await _timed(importing, path, "delta")
            figures["entered_by_hand_during_first_load"] = by_hand
            figures["bad_lines_named"] = figures["first_load"].pop("bad") == bad
            print(f"first load: {figures['first_load']}", file=sys.stderr)
            figures["told"], figures["entry_by_hand_to_its_hit_meanwhile"] = await _told(
                stack, lists
            )
            print(json.dumps(figures), file=sys.stderr)
            for name, changed in (("same_again", 0.0), ("refresh_5_percent_changed", 0.05)):
                write_list(path, lines, changed)
                figures[name] = await _timed(importing, path, "refresh")
                figures[name].pop("bad")
    finally:
        await database.close()
    per_line = figures["first_load"]["seconds"] / lines
    figures["seconds_for_a_million_at_this_rate"] = round(per_line * 1_000_000, 1)
    return figures


async def _timed(importing: Importing, path: Path, mode: str) -> dict[str, Any]:
    print(f"importing {path.name} as {mode} …", file=sys.stderr)
    person = Principal("p", "Bench", AGENCY, Role.SUPERVISOR, "s", None, None)
    wanted = WantedImport(source="bench", file_name=path.name, mode=mode)
    server = await _server_cpu(importing.lists.database)
    began, cpu = time.perf_counter(), time.process_time()
    with path.open("rb") as file:
        report = await import_file(importing, person, wanted, file, datetime.now(UTC))
    return {
        "seconds": round(time.perf_counter() - began, 2),
        "cpu_seconds_of_this_process": round(time.process_time() - cpu, 2),
        "cpu_seconds_of_postgresql": round(await _server_cpu(importing.lists.database) - server, 2),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        **{n: report[n] for n in ("added", "changed", "unchanged", "removed", "rejected_count")},
        "bad": [one["line"] for one in report["rejected"]],
    }


async def _server_cpu(database: Database) -> float:
    """CPU seconds that the backends of this pool have used so far (they are on this machine)."""
    async with database.transaction() as connection:
        rows = await connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE usename = current_user"
        )
    return sum(_cpu_seconds(row["pid"]) for row in rows)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system = int(fields[11]), int(fields[12])
    return (user + system) / os.sysconf("SC_CLK_TCK")


async def _answered(lists: HotLists, number: int) -> float:
    began = time.perf_counter()
    await enter(lists, number)
    return time.perf_counter() - began


async def _told(stack: Stack, lists: HotLists) -> tuple[dict[str, Any], dict[str, Any]]:
    """How long the records take to Kafka, and what is entered by hand meanwhile to a worker."""
    async with lists.database.transaction() as connection:
        waiting = (await telling_store.count(connection)).get(False, 0)
    services = Services(stack)
    servers = stack.kafka_bootstrap_servers
    publisher = Publisher(servers, batch_bytes=BATCH_BYTES)
    relay = TopicRelay(lists, publisher)
    try:
        await asyncio.to_thread(services.start, "matcher-worker", deadline_seconds=300)
        server, cpu = await _server_cpu(lists.database), time.process_time()
        began = time.perf_counter()
        async with Effective(lists, servers).watching() as effective:
            async with meanwhile(effective.measure) as by_hand:
                while await relay.tell_some(datetime.now(UTC)):
                    if time.perf_counter() - began > _TOLD_AT_MOST_SECONDS:
                        break
                took = time.perf_counter() - began
                # The last one entered waits for its message too.
                telling = asyncio.create_task(relay.run())
            telling.cancel()
    finally:
        await publisher.stop()
        await asyncio.to_thread(services.stop_all)
    async with lists.database.transaction() as connection:
        left = (await telling_store.count(connection)).get(False, 0)
    told = {
        "keys": waiting - left,
        "keys_left": left,
        "seconds": round(took, 2),
        "per_second": round((waiting - left) / took),
        "cpu_seconds_of_this_process": round(time.process_time() - cpu, 2),
        "cpu_seconds_of_postgresql": round(await _server_cpu(lists.database) - server, 2),
    }
    return told, by_hand


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object, nothing else")
    parser.add_argument("--lines", type=int, default=1_000_000)
    given = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    with temporary_stack(say=lambda text: print(text, file=sys.stderr)) as stack:
        stack.create_topics()
        figures = asyncio.run(run(stack, given.lines))
    print(json.dumps(figures, indent=None if given.json else 1))


if __name__ == "__main__":
    main()
