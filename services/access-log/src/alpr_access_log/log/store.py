"""All SQL of the verifiable log. Functions take a connection inside the caller's transaction,
which was opened for the agency: row-level security knows no other rows."""

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from alpr_access_log.log.leaves import FORGETTABLE, Leaf, canonical
from alpr_access_log.log.tree import Hashes, Node, Span
from alpr_common.errors import Outage
from alpr_common.postgres import Connection, Database
from alpr_translog.tiles import HASH_BYTES

_APPEND = """
WITH added AS (
    INSERT INTO log_leaf (record_id, agency_id, entry)
    SELECT record_id, $1, entry FROM unnest($2::uuid[], $3::bytea[])
        WITH ORDINALITY AS given (record_id, entry, position)
    ORDER BY position
    ON CONFLICT (record_id) DO NOTHING RETURNING record_id
), salted AS (
    INSERT INTO log_salt (record_id, field, agency_id, salt)
    SELECT record_id, field, $1, salt
    FROM unnest($4::uuid[], $5::text[], $6::bytea[]) AS given (record_id, field, salt)
    JOIN added USING (record_id)
)
SELECT record_id FROM added
"""
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
_ENTRIES = """
SELECT l.entry FROM log_entry e JOIN log_leaf l USING (leaf_sequence)
WHERE e.agency_id = $1 AND e.entry_index >= $2 AND e.entry_index < $3 ORDER BY e.entry_index
"""
_LEAF_OF_RECORD = """
SELECT l.record_id, l.entry, e.entry_index
FROM log_leaf l LEFT JOIN log_entry e USING (leaf_sequence)
WHERE l.agency_id = $1 AND l.record_id = $2
"""
_LEAF_OF_INDEX = """
SELECT l.record_id, l.entry, e.entry_index
FROM log_entry e JOIN log_leaf l USING (leaf_sequence)
WHERE e.agency_id = $1 AND e.entry_index = $2
"""
_TEXTS = """
SELECT s.field, s.salt, s.forgotten_at, CASE s.field
    WHEN 'person_name' THEN r.person_name
    WHEN 'suspicion' THEN r.suspicion
    WHEN 'refusal_detail' THEN r.refusal_detail
    WHEN 'details' THEN r.details::text END AS text
FROM log_salt s JOIN access_record r USING (record_id)
WHERE s.agency_id = $1 AND s.record_id = $2 ORDER BY s.field
"""
_FORGET_SALTS = """
UPDATE log_salt s SET salt = NULL, forgotten_at = $4
FROM access_record r
WHERE s.agency_id = $1 AND s.field = $2 AND s.salt IS NOT NULL AND r.record_id = s.record_id
  AND r.{column} = $3
RETURNING s.record_id
"""
_EMPTY = {"person_name": "''", "suspicion": "NULL", "refusal_detail": "NULL", "details": "'{}'"}
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


@dataclass(frozen=True)
class StoredLeaf:
    """A leaf; `index` is None while no checkpoint covers it."""

    record_id: UUID
    entry: bytes
    index: int | None


@dataclass(frozen=True)
class StoredText:
    """What a leaf holds the salted hash of; text and salt are None once forgotten."""

    field: str
    salt: bytes | None
    text: str | None
    forgotten_at: datetime | None


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


async def append_leaves(
    connection: Connection, agency_id: str, leaves: Sequence[Leaf]
) -> set[UUID]:
    """Append leaves of one agency, in order; returns the ids of those that were new."""
    salts = [(leaf.record_id, name, s) for leaf in leaves for name, s in leaf.salts.items()]
    rows = await connection.fetch(
        _APPEND, agency_id, [leaf.record_id for leaf in leaves], [leaf.entry for leaf in leaves],
        [s[0] for s in salts], [s[1] for s in salts], [s[2] for s in salts],
    )  # fmt: skip
    return {row["record_id"] for row in rows}


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


async def entries(connection: Connection, agency_id: str, first: int, count: int) -> list[bytes]:
    """Entries from index `first` on, at most `count`."""
    rows = await connection.fetch(_ENTRIES, agency_id, first, first + count)
    return [row["entry"] for row in rows]


async def find_leaf(
    connection: Connection, agency_id: str, wanted: UUID | int
) -> StoredLeaf | None:
    """The leaf of that record, or at that index."""
    statement = _LEAF_OF_RECORD if isinstance(wanted, UUID) else _LEAF_OF_INDEX
    row = await connection.fetchrow(statement, agency_id, wanted)
    return StoredLeaf(row["record_id"], row["entry"], row["entry_index"]) if row else None


async def texts(connection: Connection, agency_id: str, record_id: UUID) -> list[StoredText]:
    """The texts beside a leaf, each as the bytes of which the leaf has the salted hash."""
    found = []
    for row in await connection.fetch(_TEXTS, agency_id, record_id):
        text = None if row["salt"] is None else row["text"]
        if text is not None and row["field"] == "details":
            text = canonical(json.loads(text)).decode()  # jsonb keeps the values, not the spelling
        found.append(StoredText(row["field"], row["salt"], text, row["forgotten_at"]))
    return found


async def forget(
    connection: Connection, agency_id: str, field: str, whose: str | UUID, at: datetime
) -> list[UUID]:
    """Erase a text and its salt from all records of a person (by their id) or from one record;
    returns the records. Only the schema's owner may. Rows and leaves stay."""
    if field not in FORGETTABLE:
        raise ValueError(f"{field} is none of {', '.join(FORGETTABLE)}")
    column = "record_id" if isinstance(whose, UUID) else "person_id"
    statement = _FORGET_SALTS.format(column=column)
    rows = await connection.fetch(statement, agency_id, field, whose, at)
    record_ids = [row["record_id"] for row in rows]
    await connection.execute(
        f"UPDATE access_record SET {field} = {_EMPTY[field]} "  # noqa: S608 - a known column
        "WHERE agency_id = $1 AND record_id = ANY($2::uuid[])",
        agency_id,
        record_ids,
    )
    return record_ids
