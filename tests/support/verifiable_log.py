"""A verifiable log on a real PostgreSQL, and what its superuser can do to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alpr_access_log import store
from alpr_access_log.domain import AccessRecord, Who
from alpr_access_log.log import reading as log_reading
from alpr_access_log.log import store as log_store
from alpr_access_log.log.key import LogKey, LogKeys
from alpr_access_log.log.leaves import statement_leaf
from alpr_access_log.log.reading import Log
from alpr_access_log.log.sequencer import Sequencer
from alpr_access_log.log.trust import Trust
from alpr_access_log.log.witness import FolderWitness, Witness
from alpr_common.errors import NotFound
from alpr_common.postgres import Database
from alpr_local.stack import Stack
from alpr_translog.checkpoint import Checkpoint
from alpr_translog.merkle import leaf_hash, root_of
from alpr_translog.note import SignerKey
from alpr_translog.tiles import build_tiles, bundles_of, decode_tile, hash_reader, tiles_of
from alpr_translog.verify import Fetch, Report, verify_log

NAME = "alpr.example/log"
KEY = LogKey(NAME, Ed25519PrivateKey.from_private_bytes(b"\x07" * 32))
NEXT_KEY = LogKey(NAME, Ed25519PrivateKey.from_private_bytes(b"\x08" * 32))
_TABLES = ("log_checkpoint", "log_node", "log_entry", "log_pending", "log_salt", "log_leaf")


@dataclass
class LogUnderTest:
    """One agency's log, of a name that no other test has."""

    stack: Stack
    database: Database
    witness: Witness
    keys: LogKeys = field(default_factory=lambda: LogKeys(KEY))
    agency_id: str = field(default_factory=lambda: f"IL{uuid4().hex[:7].upper()}")

    @classmethod
    async def on(cls, stack: Stack, folder: Path) -> LogUnderTest:
        database = await Database.connect(stack.postgres_dsn("alpr_access_log"))
        return cls(stack, database, FolderWitness(folder / "witness"))

    def sequencer(self, **changed: int) -> Sequencer:
        """One that knows nothing yet but the witness's copy, as after a start."""
        return Sequencer(self.database, Trust(self.keys, self.witness), **changed)

    @property
    def log(self) -> Log:
        return Log(self.database, self.keys)

    async def append(self, count: int = 1) -> list[UUID]:
        """Append that many access records, each in a transaction of its own."""
        records = [make_record(self.agency_id) for _ in range(count)]
        for record in records:
            async with store.recording(self.database, self.agency_id) as connection:
                await store.append(connection, record)
        return [record.record_id for record in records]

    async def append_many(self, count: int) -> None:
        """Append that many entries in one transaction."""
        at = datetime.now(UTC)
        leaves = [
            statement_leaf("test", uuid4(), self.agency_id, at, {"number": n}) for n in range(count)
        ]
        async with log_store.extending(self.database, self.agency_id) as connection:
            await log_store.append_leaves(connection, self.agency_id, leaves)

    async def grow(self, count: int) -> str:
        """Append, sequence with a fresh process's knowledge, return the checkpoint."""
        await self.append_many(count)
        sequencer = self.sequencer()
        while await sequencer.extend(self.agency_id):
            pass
        return await log_reading.checkpoint(self.log, self.agency_id)

    async def files(self) -> dict[str, bytes]:
        """All files of the log at its newest checkpoint, as they are served."""
        note = await log_reading.checkpoint(self.log, self.agency_id)
        size = int(note.split("\n")[1])
        files = {"checkpoint": note.encode()}
        paths = [t.path for t in tiles_of(size)] + [b.path for b in bundles_of(size)]
        for path in paths:
            with contextlib.suppress(NotFound):
                files[path] = (await log_reading.file(self.log, self.agency_id, path)).content
        return files

    async def verify(self, *held: str, key: LogKey = KEY) -> Report:
        return verify_log(source(await self.files()), key.verifier(self.agency_id), held)


def source(files: dict[str, bytes]) -> Fetch:
    def fetch(path: str) -> bytes:
        if path not in files:
            raise FileNotFoundError(path)
        return files[path]

    return fetch


def make_record(agency_id: str, *, name: str = "Ann Miller", person: str = "ann") -> AccessRecord:
    return AccessRecord(
        record_id=uuid4(),
        who=Who(person, name, agency_id, "officer", "session-1", "192.0.2.7"),
        occurred_at=datetime.now(UTC),
        action="search",
        subject="plate:AB12345",
        outcome="done",
        purpose="stolen_vehicle",
        case_number="26-000123",
        suspicion=f"The van left the scene of the burglary, note {uuid4()}",
        query={"plate": "AB12345", "lookalike": False},
        returned=(uuid4(), uuid4()),
    )


async def as_superuser(stack: Stack, *statements: str) -> None:
    connection = await asyncpg.connect(stack.postgres_admin_dsn)
    try:
        await connection.execute("SET search_path = access_log")
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def wipe(stack: Stack, agency_id: str) -> None:
    """Remove an agency's log, records and all."""
    await as_superuser(
        stack,
        "SET session_replication_role = replica",
        *(
            f"DELETE FROM {table} WHERE agency_id = '{agency_id}'"
            for table in (*_TABLES, "log_agency", "access_record")
        ),
    )


async def stored_entries(stack: Stack, agency_id: str) -> list[bytes]:
    connection = await asyncpg.connect(stack.postgres_admin_dsn)
    try:
        rows = await connection.fetch(
            "SELECT entry FROM access_log.log_entry e JOIN access_log.log_leaf l "
            "USING (leaf_sequence) WHERE e.agency_id = $1 ORDER BY entry_index",
            agency_id,
        )
    finally:
        await connection.close()
    return [row["entry"] for row in rows]


async def rewrite(
    stack: Stack, agency_id: str, entries: Sequence[bytes], signer: SignerKey
) -> None:
    """Replace an agency's whole log by another, in order and signed: what somebody can do who has
    the database's superuser *and* the signing key."""
    tiles = build_tiles(entries)
    root = root_of(hash_reader(tiles.__getitem__, len(entries)), len(entries))
    note = Checkpoint(signer.name, len(entries), root).sign(signer)
    nodes = [
        (agency_id, tile.level, tile.index * 256 + n, hashed)
        for tile, data in tiles.items()
        if tile.level
        for n, hashed in enumerate(decode_tile(data, tile.width))
    ]
    connection = await asyncpg.connect(stack.postgres_admin_dsn)
    try:
        await connection.execute("SET search_path = access_log")
        async with connection.transaction():
            # No trigger and no foreign key stands in a superuser's way.
            await connection.execute("SET LOCAL session_replication_role = replica")
            for table in _TABLES:
                await connection.execute(f"DELETE FROM {table} WHERE agency_id = $1", agency_id)
            first = await connection.fetchval(
                "SELECT coalesce(max(leaf_sequence), 0) FROM log_leaf"
            )
            numbers = range(first + 1, first + 1 + len(entries))
            await connection.executemany(
                "INSERT INTO log_leaf (leaf_sequence, record_id, agency_id, entry) "
                "OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4)",
                [(n, uuid4(), agency_id, e) for n, e in zip(numbers, entries, strict=True)],
            )
            await connection.executemany(
                "INSERT INTO log_entry VALUES ($1, $2, $3, $4)",
                [
                    (agency_id, index, number, leaf_hash(entry))
                    for index, (number, entry) in enumerate(zip(numbers, entries, strict=True))
                ],
            )
            await connection.executemany("INSERT INTO log_node VALUES ($1, $2, $3, $4)", nodes)
            await connection.execute(
                "INSERT INTO log_checkpoint VALUES ($1, $2, $3, $4)",
                agency_id, len(entries), root, note,
            )  # fmt: skip
            await connection.execute(
                "SELECT setval(pg_get_serial_sequence('log_leaf', 'leaf_sequence'), $1)",
                first + len(entries),
            )
    finally:
        await connection.close()


async def run_until_covered(log: LogUnderTest, sequencers: Sequence[Sequencer], size: int) -> None:
    """Run the sequencers side by side until the log has that many entries."""
    running = [asyncio.create_task(s.run()) for s in sequencers]
    try:
        async with asyncio.timeout(60):
            while True:
                async with log.database.transaction(log.agency_id) as connection:
                    newest = await log_store.newest_checkpoint(connection, log.agency_id)
                if newest and newest.size >= size:
                    return
                await asyncio.sleep(0.02)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
