"""SQL of leaves and of the texts beside them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from alpr_access_log.log.leaves import FORGETTABLE, Leaf, canonical
from alpr_common.postgres import Connection

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
