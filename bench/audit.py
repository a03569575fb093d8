"""The audit of a year over ever more access records: seconds by step, and memory of the process.

    python -m bench.audit --json [--records 10000,100000]

Records and their log go straight into a PostgreSQL of its own, one year of one agency each time;
then a process of its own prepares the package as the service does: rules, the log recomputed,
figures, page, PDF and tables. What was planted in the words has to be found. A million records take
some minutes to load alone: `--records 1000000`.
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import psutil
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alpr_access_log.audit.handlers import packages, preparing
from alpr_access_log.audit.handlers.auditing import Audit
from alpr_access_log.audit.identity import Identity
from alpr_access_log.audit.progress import Progress, Step, Tell
from alpr_access_log.audit.protection import PlateKey
from alpr_access_log.audit.witnessed import copies_at
from alpr_access_log.log.key import LogKey, LogKeys
from alpr_access_log.log.reading import Log
from alpr_common.auth import Principal
from alpr_common.objects import Pictures
from alpr_common.policy import Policy, Role
from alpr_common.postgres import Database, migrate
from alpr_local.stack import temporary_stack
from bench._audited_log import AGENCY, COPIER, SHARERS, Year, load, year_before

_KEY = LogKey("alpr.example/log", Ed25519PrivateKey.from_private_bytes(b"\x07" * 32))
_HOLD_SECONDS = 24 * 3600.0
# Ten times the records may take so many times the time.
_LINEAR_WITHIN = 15.0


class _Timed(Progress):
    """Notes when each step began, and the most memory at the end of each."""

    def __init__(self) -> None:
        super().__init__()
        self.began: list[tuple[str, float, int]] = []

    def begin(self, step: Step) -> Tell:
        self.began.append((step, time.perf_counter(), _peak_bytes()))
        return super().begin(step)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def prepared(dsn: str, year: Year) -> dict[str, Any]:
    """Prepare the package in this process; seconds by step, memory before and at its peak."""
    database = await Database.connect(dsn)
    with tempfile.TemporaryDirectory(prefix="bench-audit-") as folder:
        witness = (Path(folder) / "witness").as_uri()
        audit = Audit(
            database=database, objects=Pictures.at((Path(folder) / "objects").as_uri()),
            policies=Policy(), log=Log(database, LogKeys(_KEY)), copies=copies_at(witness),
            witness=witness, identity=Identity("http://127.0.0.1:1"),
            plate_key=PlateKey(b"k" * 32),
        )  # fmt: skip
        who = Principal("quinn", "Quinn", AGENCY, Role.AUDITOR, str(uuid4()), None, None)
        before = psutil.Process().memory_info().rss
        now = datetime.now(UTC)
        _package, claim = await packages.ask(audit, who, year.begin, year.end, now, _HOLD_SECONDS)
        work = await preparing.begun(audit, claim, who, _HOLD_SECONDS)
        timed = _Timed()
        began = time.perf_counter()
        ready = await preparing.prepare(audit, work, timed, lambda: datetime.now(UTC))
        took = time.perf_counter() - began
    await database.close()
    misuse = (ready.summary or {})["misuse"]["findings"]
    steps = [*timed.began, ("", began + took, _peak_bytes())]
    return {
        "seconds": round(took, 1),
        "seconds_by_step": {
            step: round(after[1] - at, 1) for (step, at, _), after in pairwise(steps)
        },
        "cpu_seconds": round(time.process_time(), 1),
        "memory_before_mib": round(before / 2**20),
        "peak_memory_mib": round(_peak_bytes() / 2**20),
        "peak_mib_after_step": {
            step: round(after[2] / 2**20) for (step, _, _), after in pairwise(steps)
        },
        "log_is_good": (ready.summary or {})["log"]["is_good"],
        "log_entries": (ready.summary or {})["log"]["entries"],
        "findings": dict(Counter(one["rule"] for one in misuse)),
        "planted_found": _planted_found(misuse),
    }


def _planted_found(misuse: list[dict[str, Any]]) -> bool:
    people = {
        rule: [{p["person_id"] for p in one["people"]} for one in misuse if one["rule"] == rule]
        for rule in ("copied_words", "copied_among_people")
    }
    return {COPIER} in people["copied_words"] and any(
        set(SHARERS) <= several for several in people["copied_among_people"]
    )


async def _run(counts: list[int]) -> dict[str, Any]:
    year = year_before(datetime.now(UTC))
    found: dict[str, Any] = {}
    with temporary_stack(say=_to_stderr) as stack:
        await migrate(stack.postgres_dsn("alpr_access_log_owner"), "alpr_access_log")
        for count in counts:
            await _empty(stack.postgres_admin_dsn)
            began, load_average = time.perf_counter(), os.getloadavg()[0]
            await load(stack, count, year, _KEY)
            loaded = time.perf_counter() - began
            _to_stderr(f"{count} records loaded in {loaded:.0f} s")
            one = await asyncio.to_thread(_in_process, stack.postgres_dsn("alpr_access_log"), year)
            one |= {
                "load_seconds": round(loaded),
                "load_average": [round(load_average, 1), round(os.getloadavg()[0], 1)],
            }
            _to_stderr(f"{count}: {one}")
            found[str(count)] = one
    return {"days": (year.end - year.begin).days, "records": found} | _limits(counts, found)


def _in_process(dsn: str, year: Year) -> dict[str, Any]:
    """So that loading has no part in its memory."""
    told = [dsn, year.begin.isoformat(), year.end.isoformat()]
    done = subprocess.run(
        [sys.executable, "-m", "bench.audit", "--prepare", *told],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return cast(dict[str, Any], json.loads(done.stdout))


async def _empty(admin_dsn: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(admin_dsn)
    try:
        await connection.execute("SET search_path = access_log")
        await connection.execute(
            "TRUNCATE access_record, log_leaf, log_salt, log_pending, log_entry, log_node, "
            "log_checkpoint, log_agency, audit_package, audit_preparing, audit_finding CASCADE"
        )
    finally:
        await connection.close()


def _limits(counts: list[int], found: dict[str, Any]) -> dict[str, Any]:
    """That each was right, and that time grows little more than the records do."""
    ratios = [
        found[str(b)]["seconds"] / found[str(a)]["seconds"] / (b / a) * 10
        for a, b in pairwise(counts)
    ]
    right = all(one["planted_found"] and one["log_is_good"] for one in found.values())
    return {
        "time_for_ten_times_the_records": [round(ratio, 1) for ratio in ratios],
        "limits": {"time_for_ten_times_the_records": _LINEAR_WITHIN},
        "within_limits": right and all(ratio <= _LINEAR_WITHIN for ratio in ratios),
    }


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    # Standard output is the figures' alone.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    parser = argparse.ArgumentParser(prog="python -m bench.audit", description=__doc__)
    parser.add_argument("--json", action="store_true", help="figures on standard output")
    parser.add_argument("--records", default="10000,100000", help="counts, ascending")
    parser.add_argument("--prepare", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.prepare:
        dsn, begin, end = given.prepare
        year = Year(datetime.fromisoformat(begin), datetime.fromisoformat(end))
        print(json.dumps(asyncio.run(prepared(dsn, year))))
        return
    counts = sorted(int(one) for one in given.records.split(","))
    print(json.dumps(asyncio.run(_run(counts)), indent=1))


if __name__ == "__main__":
    main()
