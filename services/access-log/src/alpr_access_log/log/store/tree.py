"""SQL of trees: what waits, places, hashes, checkpoints."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from alpr_access_log.log.tree import Hashes, Node, Span
from alpr_common.errors import Outage
from alpr_common.postgres import Connection, Database
from alpr_translog.tiles import HASH_BYTES

# One index probe per agency, however long the queue is.
_PENDING = """
WITH RECURSIVE waiting AS (
    (SELECT agency_id FROM log_pending ORDER BY agency_id LIMIT 1)
    UNION ALL
    SELECT (SELECT p.agency_id FROM log_pending p WHERE p.agency_id > w.agency_id
            ORDER BY p.agency_id LIMIT 1)
    FROM waiting w WHERE w.agency_id IS NOT NULL
)
SELECT agency_id FROM waiting WHERE agency_id IS NOT NULL
"""
_AGENCIES = "SELECT agency_id FROM log_agency ORDER BY agency_id"
_ADD_AGENCY = "INSERT INTO log_agency (agency_id) VALUES ($1) ON CONFLICT DO NOTHING"
_TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('access_log.tree:' || $1, 0))"
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('access_log.tree:' || $1, 0))"
_NEWEST = """
SELECT size, root, note FROM log_checkpoint WHERE agency_id = $1 ORDER BY size DESC LIMIT 1
"""
_COUNT = "SELECT coalesce(max(entry_index) + 1, 0) FROM log_entry WHERE agency_id = $1"
_SEQUENCE = "SELECT entry_index, leaf_hash, appended_at FROM sequence_leaves($1, $2)"
_SEQUENCE_HAND_OVER = """
SELECT entry_index, leaf_hash, appended_at FROM sequence_hand_over($1, $2)
"""
# The condition is that of the index log_leaf_hand_overs, to the letter, and of `hand_over_in`.
# PostgreSQL takes it for true of many rows, and would rather read them all in order. By record_id
# they lie anywhere, so that a thousand of them are cheapest by the index that has no others. It has
# one or two: what people type into an access does not get into it.
_HAND_OVERS = """
WITH found AS MATERIALIZED (
    SELECT leaf_sequence, entry FROM log_leaf
    WHERE agency_id = $1 AND position('{"agency_id":'::bytea IN entry) = 1
      AND position('"kind":"log.key_rotated"'::bytea IN entry) > 0
    ORDER BY record_id LIMIT 1000
)
SELECT f.entry,
    (SELECT e.entry_index FROM log_entry e WHERE e.leaf_sequence = f.leaf_sequence) AS entry_index
FROM found f
"""
_LEAF_HASHES = """
SELECT (
    SELECT string_agg(e.leaf_hash, ''::bytea ORDER BY e.entry_index) FROM log_entry e
    WHERE e.agency_id = $1 AND e.entry_index >= s.first AND e.entry_index < s.after
) AS hashes
FROM unnest($2::bigint[], $3::bigint[]) WITH ORDINALITY AS s (first, after, position)
ORDER BY s.position
"""
_NODE_HASHES = """
SELECT (
    SELECT string_agg(n.hash, ''::bytea ORDER BY n.node_index) FROM log_node n
    WHERE n.agency_id = $1 AND n.level = s.level
      AND n.node_index >= s.first AND n.node_index < s.after
) AS hashes
FROM unnest($2::smallint[], $3::bigint[], $4::bigint[])
    WITH ORDINALITY AS s (level, first, after, position)
ORDER BY s.position
"""
_ADD_NODES = """
INSERT INTO log_node (agency_id, level, node_index, hash)
SELECT $1, level, node_index, hash
FROM unnest($2::smallint[], $3::bigint[], $4::bytea[]) AS given (level, node_index, hash)
"""
_ADD_CHECKPOINT = """
INSERT INTO log_checkpoint (agency_id, size, root, note) VALUES ($1, $2, $3, $4)
"""
_BE_DURABLE = "SELECT set_config('synchronous_commit', 'on', true)"


class LogNotExtended(Outage):
    """PostgreSQL did not take what belongs into the log."""

    title = "The log could not be extended"


@dataclass(frozen=True)
class StoredCheckpoint:
    """The newest checkpoint as it is stored; whether it is true is another question."""

    size: int
    root: bytes
    note: str


@dataclass(frozen=True)
class Sequenced:
    index: int
    leaf_hash: bytes
    appended_at: datetime


@asynccontextmanager
async def extending(database: Database, agency_id: str) -> AsyncIterator[Connection]:
    """A transaction that is on disk when it ends: what was signed must not come back otherwise.

    Raises `LogNotExtended` for whatever PostgreSQL says against it.
    """
    try:
        async with database.transaction(agency_id) as connection:
            await connection.execute(_BE_DURABLE)
            yield connection
    except asyncpg.PostgresError as error:
        raise LogNotExtended(f"The log of {agency_id} was not extended: {error!r}") from error


async def pending_agencies(connection: Connection) -> list[str]:
    """Agencies with leaves that wait for their place."""
    return [row["agency_id"] for row in await connection.fetch(_PENDING)]


async def agencies(connection: Connection) -> list[str]:
    """Agencies that have a tree."""
    return [row["agency_id"] for row in await connection.fetch(_AGENCIES)]


async def try_lock(connection: Connection, agency_id: str) -> bool:
    """Become the one that extends this agency's tree, until the transaction ends; False when
    somebody else is."""
    mine: bool = await connection.fetchval(_TRY_LOCK, agency_id)
    return mine


async def lock(connection: Connection, agency_id: str) -> None:
    """Keep this agency's tree as it is until the transaction ends."""
    await connection.execute(_LOCK, agency_id)


async def newest_checkpoint(connection: Connection, agency_id: str) -> StoredCheckpoint | None:
    row = await connection.fetchrow(_NEWEST, agency_id)
    return StoredCheckpoint(row["size"], row["root"], row["note"]) if row else None


async def entry_count(connection: Connection, agency_id: str) -> int:
    """One more than the last index that was given."""
    count: int = await connection.fetchval(_COUNT, agency_id)
    return count


async def sequence(connection: Connection, agency_id: str, most: int) -> list[Sequenced]:
    """Give at most `most` waiting leaves their indexes."""
    rows = await connection.fetch(_SEQUENCE, agency_id, most)
    return [Sequenced(r["entry_index"], r["leaf_hash"], r["appended_at"]) for r in rows]


async def sequence_hand_over(
    connection: Connection, agency_id: str, record_id: UUID
) -> Sequenced | None:
    """Give a waiting hand-over the next index; None when it does not wait."""
    row = await connection.fetchrow(_SEQUENCE_HAND_OVER, agency_id, record_id)
    return Sequenced(row["entry_index"], row["leaf_hash"], row["appended_at"]) if row else None


async def hand_overs(connection: Connection, agency_id: str) -> list[tuple[int, bytes]]:
    """Indexes and bytes of the entries that may be hand-overs, in the log's order."""
    rows = await connection.fetch(_HAND_OVERS, agency_id)
    found = [(row["entry_index"], row["entry"]) for row in rows]
    return sorted(one for one in found if one[0] is not None)


async def hashes(connection: Connection, agency_id: str, spans: Iterable[Span]) -> Hashes:
    """The hashes of each span, fewer than its count where the tree does not have them."""
    wanted = [span for span in spans if span.count]
    leaves = [span for span in wanted if span.level == 0]
    nodes = [span for span in wanted if span.level > 0]
    found: dict[Span, list[bytes]] = {}
    if leaves:
        rows = await connection.fetch(
            _LEAF_HASHES, agency_id, [s.first for s in leaves], [s.first + s.count for s in leaves]
        )
        found |= {span: _split(row["hashes"]) for span, row in zip(leaves, rows, strict=True)}
    if nodes:
        rows = await connection.fetch(
            _NODE_HASHES, agency_id, [s.level for s in nodes], [s.first for s in nodes],
            [s.first + s.count for s in nodes],
        )  # fmt: skip
        found |= {span: _split(row["hashes"]) for span, row in zip(nodes, rows, strict=True)}
    return found


def _split(joined: bytes | None) -> list[bytes]:
    data = joined or b""
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


async def add_nodes(connection: Connection, agency_id: str, nodes: Sequence[Node]) -> None:
    if nodes:
        await connection.execute(
            _ADD_NODES, agency_id, [n.level for n in nodes], [n.index for n in nodes],
            [n.hash for n in nodes],
        )  # fmt: skip


async def add_checkpoint(
    connection: Connection, agency_id: str, checkpoint: StoredCheckpoint
) -> None:
    await connection.execute(_ADD_AGENCY, agency_id)
    await connection.execute(
        _ADD_CHECKPOINT, agency_id, checkpoint.size, checkpoint.root, checkpoint.note
    )
