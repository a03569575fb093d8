"""What the verifiable log costs: durable appends, checkpoints, proofs in a tree of a million.

    python -m bench.log --json [--entries 1000000] [--seconds 6] [--notify]

On a PostgreSQL of its own, `fsync` on, everything under row-level security as the runtime role. A
bare commit of as many rows is measured in turns with each kind of appending, because all of them
rest on the disk's flushes; read the ratios. Proofs are fetched over HTTP in this process and
verified.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from statistics import median
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alpr_access_log import store
from alpr_access_log.log import api as log_api
from alpr_access_log.log import store as log_store
from alpr_access_log.log.key import LogKey, LogKeys
from alpr_access_log.log.leaves import access_leaf
from alpr_access_log.log.reading import Log
from alpr_access_log.log.sequencer import Sequencer
from alpr_access_log.log.store import StoredCheckpoint
from alpr_access_log.log.tree import Edge, Node, edge_spans
from alpr_access_log.log.trust import Trust
from alpr_access_log.log.witness import FolderWitness
from alpr_common.auth import Gate, Principal, TokenIssuer, TokenVerifier
from alpr_common.messages.audit import AuditRecord
from alpr_common.policy import Policy, Role
from alpr_common.postgres import Database, migrate
from alpr_common.web import create_web_app
from alpr_local.stack import Stack, temporary_stack
from alpr_translog.checkpoint import Checkpoint
from alpr_translog.merkle import leaf_hash, verify_consistency, verify_inclusion
from tests.support.verifiable_log import make_record

KEY = LogKey("alpr.example/bench", Ed25519PrivateKey.generate())
AGENCY, MILLION = "IL0222900", "IL0222901"
_PER_TRANSACTION = 100
_AT_ONCE = 16
_PROOFS = 200
_TURNS = 5
_NOTIFYING = (
    "CREATE FUNCTION access_log.notify_too() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN PERFORM pg_notify('log', ''); RETURN NULL; END $$",
    "CREATE TRIGGER notify_too AFTER INSERT ON access_log.log_leaf "
    "FOR EACH STATEMENT EXECUTE FUNCTION access_log.notify_too()",
)
_COVERED = """
SELECT percentile_cont($2::float8[]) WITHIN GROUP (ORDER BY extract(epoch FROM c.signed_at
    - l.appended_at)) FROM log_entry e JOIN log_leaf l USING (leaf_sequence) JOIN LATERAL (
    SELECT signed_at FROM log_checkpoint WHERE agency_id = $1 AND size > e.entry_index
    ORDER BY size LIMIT 1) c ON true
WHERE e.agency_id = $1 AND e.entry_index >= $3
"""


async def run(stack: Stack, entries: int, seconds: float, notify: bool) -> dict[str, Any]:
    """All figures."""
    load = os.getloadavg()[0]
    await migrate(stack.postgres_dsn("alpr_access_log_owner"), "alpr_access_log")
    database = await Database.connect(stack.postgres_dsn("alpr_access_log"), _AT_ONCE + 4)
    trust = Trust(LogKeys(KEY), FolderWitness(stack.witness_folder))
    sequencer = Sequencer(database, trust)
    try:
        figures = {
            "appends": await _appends(stack, database, seconds, notify),
            "checkpoints": await _checkpoints(database, sequencer, seconds),
            "proofs": await _proofs(stack, database, sequencer, entries),
        }
        return figures | {"load_average": [round(load, 1), round(os.getloadavg()[0], 1)]}
    finally:
        await database.close()


async def _appends(
    stack: Stack, database: Database, seconds: float, notify: bool
) -> dict[str, Any]:
    """Rates of durable appends and of bare commits, measured in turns: the machine is not the same
    from one moment to the next."""
    admin = await asyncpg.connect(stack.postgres_admin_dsn)
    await admin.execute("CREATE TABLE access_log.bare (n int)")
    await admin.execute("GRANT INSERT ON access_log.bare TO alpr_access_log")

    async def bare(count: int = 1) -> None:
        async with database.transaction(AGENCY) as connection:
            await connection.execute("INSERT INTO bare SELECT generate_series(1, $1::int)", count)

    async def single() -> None:
        async with store.recording(database, AGENCY) as connection:
            await store.append(connection, make_record(AGENCY))

    async def grouped() -> None:
        async with database.transaction(AGENCY) as connection:
            await store.append_audits(connection, [_audit() for _ in range(_PER_TRANSACTION)])

    kinds: dict[str, tuple[Callable[[], Awaitable[None]], int, int]] = {
        "bare": (bare, 1, 1),
        "single": (single, 1, 1),
        "bare_16_at_once": (bare, _AT_ONCE, 1),
        "single_16_at_once": (single, _AT_ONCE, 1),
        "bare_by_100": (lambda: bare(_PER_TRANSACTION), 1, _PER_TRANSACTION),
        "grouped_by_100": (grouped, 1, _PER_TRANSACTION),
    }
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(_TURNS):
        for name, (once, at_once, entries) in kinds.items():
            rates[name].append(entries * await _rate(once, seconds / _TURNS, at_once))
    figures: dict[str, Any] = {f"{n}_per_second": round(median(r)) for n, r in rates.items()}

    def ratio(of: str, to: str) -> float:
        return round(median(x / y for x, y in zip(rates[of], rates[to], strict=True)), 3)

    figures["ratios_to_bare"] = {
        "single": ratio("single", "bare"),
        "single_16_at_once": ratio("single_16_at_once", "bare_16_at_once"),
        "grouped_by_100": ratio("grouped_by_100", "bare_by_100"),
    }
    if notify:
        figures["if_each_notified"] = await _notifying(admin, single, seconds)
    await admin.close()
    return figures


async def _notifying(
    admin: asyncpg.Connection, single: Callable[[], Awaitable[None]], seconds: float
) -> dict[str, int]:
    """Why the sequencer looks instead of being notified (docs/decisions/0006)."""
    for statement in _NOTIFYING:
        await admin.execute(statement)
    rates: dict[str, list[float]] = {"DISABLE": [], "ENABLE": []}
    for turn, rounds in list(rates.items()) * _TURNS:
        await admin.execute(f"ALTER TABLE access_log.log_leaf {turn} TRIGGER notify_too")
        rounds.append(await _rate(single, seconds, _AT_ONCE))
    await admin.execute("DROP FUNCTION access_log.notify_too() CASCADE")
    return {
        "without_per_second": round(median(rates["DISABLE"])),
        "with_per_second": round(median(rates["ENABLE"])),
    }


async def _rate(once: Callable[[], Awaitable[None]], seconds: float, at_once: int) -> float:
    await once()
    began, done = time.perf_counter(), 0

    async def again() -> None:
        nonlocal done
        while time.perf_counter() - began < seconds:
            await once()
            done += 1

    await asyncio.gather(*(again() for _ in range(at_once)))
    return done / (time.perf_counter() - began)


def _audit() -> AuditRecord:
    return AuditRecord(
        audit_id=uuid4(), agency_id=AGENCY, occurred_at=datetime.now(UTC), service="alerts",
        person_id="p-1", person_name="Ann Miller", role="officer", session_id="s-1",
        action="alert.picture.viewed", subject=f"alert:{uuid4()}", outcome="done",
        details={"picture": "frame"},
    )  # fmt: skip


async def _checkpoints(database: Database, sequencer: Sequencer, seconds: float) -> dict[str, Any]:
    async with database.transaction(AGENCY) as connection:
        waiting = await connection.fetchval("SELECT count(*) FROM log_pending")
    began = time.perf_counter()
    while await sequencer.extend_all():
        pass
    took = time.perf_counter() - began
    async with database.transaction(AGENCY) as connection:
        before = await log_store.entry_count(connection, AGENCY)
    running = asyncio.create_task(sequencer.run())
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        async with store.recording(database, AGENCY) as connection:
            await store.append(connection, make_record(AGENCY))
        await asyncio.sleep(0.02)
    await asyncio.sleep(2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    async with database.transaction(AGENCY) as connection:
        half, most, worst = await connection.fetchval(_COVERED, AGENCY, [0.5, 0.95, 1], before)
        count = await log_store.entry_count(connection, AGENCY) - before
    return {
        "backlog_entries": waiting,
        "backlog_sequenced_per_second": round(waiting / took),
        "entries_timed": count,
        "append_to_checkpoint_ms": _figures(half, most, worst),
    }


def _figures(half: float, most: float, worst: float) -> dict[str, float]:
    return {
        "p50": round(half * 1000, 1), "p95": round(most * 1000, 1), "max": round(worst * 1000, 1)
    }  # fmt: skip


async def _proofs(
    stack: Stack, database: Database, sequencer: Sequencer, entries: int
) -> dict[str, Any]:
    print(f"building a tree of {entries} entries …", file=sys.stderr)
    roots = await _build(stack, database, entries)
    rng, size = random.Random(7), entries
    figures: dict[str, Any] = {"entries": size}
    async with _client(database) as client:
        newest = Checkpoint.open((await client.get("checkpoint")).text, KEY.verifier(MILLION))

        async def inclusion() -> None:
            said = (await client.get(f"proofs/inclusion?index={rng.randrange(size)}")).json()
            path = [b64decode(part) for part in said["path"]]
            leaf = leaf_hash(b64decode(said["entry"]))
            verify_inclusion(leaf, said["index"], size, path, newest.root)

        async def consistency() -> None:
            old = rng.choice(list(roots))
            said = (await client.get(f"proofs/consistency?old_size={old}")).json()
            path = [b64decode(part) for part in said["path"]]
            verify_consistency(old, size, roots[old], newest.root, path)

        async def tile() -> None:
            (await client.get(f"tile/0/{_three(rng.randrange(size // 256))}")).raise_for_status()

        async def bundle() -> None:
            index = _three(rng.randrange(size // 256))
            (await client.get(f"tile/entries/{index}")).raise_for_status()

        async def one_row() -> None:
            async with database.transaction(MILLION) as connection:
                await connection.fetchval("SELECT 1")

        for name, ask in (
            ("bare_transaction", one_row), ("inclusion", inclusion),
            ("consistency", consistency), ("full_tile", tile), ("entry_bundle", bundle),
        ):  # fmt: skip
            figures[f"{name}_ms"] = await _latency(ask, _PROOFS)

    async def extend() -> None:
        async with log_store.extending(database, MILLION) as connection:
            await log_store.append_leaves(connection, MILLION, [access_leaf(make_record(MILLION))])
        assert await sequencer.extend(MILLION) == 1

    figures["append_and_extend_by_one_ms"] = await _latency(extend, 50)
    return figures


def _three(index: int) -> str:
    thousands, rest = divmod(index, 1000)
    return f"x{thousands:03d}/{rest:03d}" if thousands else f"{rest:03d}"


async def _latency(ask: Callable[[], Awaitable[None]], times: int) -> dict[str, float]:
    took = []
    for number in range(times + 5):
        began = time.perf_counter()
        await ask()
        if number >= 5:  # the first ones open connections and prepare statements
            took.append(time.perf_counter() - began)
    took.sort()
    return _figures(took[len(took) // 2], took[int(len(took) * 0.95)], took[-1])


def _client(database: Database) -> httpx.AsyncClient:
    issuer = TokenIssuer(Ed25519PrivateKey.generate())
    app = create_web_app("access-log", "bench")
    app.state.log = Log(database, LogKeys(KEY))
    gate = Gate(TokenVerifier(issuer.private_key.public_key()), Policy())
    app.include_router(log_api.router(gate))
    auditor = Principal("p", "Ann", MILLION, Role.AUDITOR, "s", date.max, date.max)
    token = issuer.issue(auditor, datetime.now(UTC))
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=f"http://log/v1/log/{MILLION}/",
        headers={"Authorization": f"Bearer {token}"},
    )  # fmt: skip


async def _build(stack: Stack, database: Database, entries: int) -> dict[int, bytes]:
    """A tree of that many entries, written in bulk; every hash is the one that sequencing gives.

    Returns roots of some older sizes.
    """
    entry = access_leaf(make_record(MILLION)).entry
    admin = await asyncpg.connect(stack.postgres_admin_dsn)
    await admin.execute("SET search_path = access_log; SET session_replication_role = replica")
    first = await admin.fetchval("SELECT coalesce(max(leaf_sequence), 0) + 1 FROM log_leaf")
    await admin.execute(
        "INSERT INTO log_leaf (leaf_sequence, record_id, agency_id, entry) "
        "OVERRIDING SYSTEM VALUE SELECT $1::bigint + n, gen_random_uuid(), $2, "
        "$3::bytea || convert_to(n::text, 'UTF8') FROM generate_series(0, $4::bigint - 1) n",
        first, MILLION, entry, entries,
    )  # fmt: skip
    await admin.execute(
        "INSERT INTO log_entry SELECT agency_id, leaf_sequence - $1, leaf_sequence, "
        "sha256('\\x00'::bytea || entry) FROM log_leaf WHERE agency_id = $2",
        first, MILLION,
    )  # fmt: skip
    await admin.execute(
        "SELECT setval(pg_get_serial_sequence('log_leaf', 'leaf_sequence'), $1)", first + entries
    )
    hashes = await admin.fetch(
        "SELECT leaf_hash FROM log_entry WHERE agency_id = $1 ORDER BY entry_index", MILLION
    )
    edge, nodes = Edge(0, {span: [] for span in edge_spans(0)}), list[Node]()
    older = set(random.Random(11).sample(range(1, entries), 200))
    roots = {}
    for row in hashes:
        nodes += edge.append(row["leaf_hash"])
        if edge.size in older:
            roots[edge.size] = edge.root()
    await admin.execute("ANALYZE log_leaf, log_entry")
    await admin.close()
    signer = KEY.signer(MILLION)
    checkpoint = Checkpoint(signer.name, edge.size, edge.root())
    stored = StoredCheckpoint(checkpoint.size, checkpoint.root, checkpoint.sign(signer))
    async with log_store.extending(database, MILLION) as connection:
        await log_store.add_nodes(connection, MILLION, nodes)
        await log_store.add_checkpoint(connection, MILLION, stored)
    return roots


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object, nothing else")
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=6, help="for each rate")
    parser.add_argument("--notify", action="store_true", help="also what notifying would cost")
    given = parser.parse_args()
    with temporary_stack(say=lambda text: print(text, file=sys.stderr)) as stack:
        figures = asyncio.run(run(stack, given.entries, given.seconds, given.notify))
    print(json.dumps(figures, indent=None if given.json else 1))


if __name__ == "__main__":
    main()
