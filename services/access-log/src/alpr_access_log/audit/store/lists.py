"""The lists that an agency gives: shifts, cases, own and relatives' plates."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from alpr_access_log.audit.given import GivenShift
from alpr_access_log.audit.records import Shift
from alpr_common.postgres import Connection

_NOTE = """
INSERT INTO audit_list (agency_id, kind, from_at, to_at, entries, given_at, given_by_id,
    given_by_name)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (agency_id, kind) DO UPDATE SET from_at = EXCLUDED.from_at, to_at = EXCLUDED.to_at,
    entries = EXCLUDED.entries, given_at = EXCLUDED.given_at, given_by_id = EXCLUDED.given_by_id,
    given_by_name = EXCLUDED.given_by_name
"""
_NOTES = """
SELECT kind, from_at, to_at, entries, given_at, given_by_id, given_by_name FROM audit_list
WHERE agency_id = $1 ORDER BY kind
"""
_DROP_NOTE = "DELETE FROM audit_list WHERE agency_id = $1 AND kind = $2 RETURNING kind"
_CLEAR_SHIFTS = "DELETE FROM audit_shift WHERE agency_id = $1"
_CLEAR_CASES = "DELETE FROM audit_case WHERE agency_id = $1"
_ADD_CASES = "INSERT INTO audit_case (agency_id, case_key) SELECT $1, unnest($2::text[])"
_SHIFTS = """
SELECT person_id, begins_at, ends_at FROM audit_shift
WHERE agency_id = $1 AND ends_at > $2 AND begins_at < $3 ORDER BY person_id, begins_at
"""
_CASES = "SELECT case_key FROM audit_case WHERE agency_id = $1"
_CLEAR_PLATES = "DELETE FROM audit_plate WHERE agency_id = $1 AND person_id = $2"
_ADD_PLATES = """
INSERT INTO audit_plate (agency_id, person_id, plate_mac, key_id)
SELECT $1, $2, mac, $4 FROM unnest($3::bytea[]) mac
"""
_PLATES = "SELECT plate_mac FROM audit_plate WHERE agency_id = $1 AND key_id = $2"
_PLATE_COUNTS = """
SELECT person_id, count(*) AS plates, count(*) FILTER (WHERE key_id <> $2) AS of_another_key
FROM audit_plate WHERE agency_id = $1 GROUP BY 1 ORDER BY 1
"""
_COUNT_PLATES = "SELECT count(*) FROM audit_plate WHERE agency_id = $1"


@dataclass(frozen=True)
class Note:
    """What is known of a list as a whole. `to_at`: until when it is complete."""

    kind: str
    from_at: datetime | None
    to_at: datetime
    entries: int
    given_at: datetime
    given_by_id: str
    given_by_name: str


@dataclass(frozen=True)
class OwnPlates:
    """How many plates a person has on the list, and how many of them another key hides."""

    person_id: str
    plates: int
    of_another_key: int


async def notes(connection: Connection, agency_id: str) -> dict[str, Note]:
    """The lists that were given, by kind."""
    rows = await connection.fetch(_NOTES, agency_id)
    return {row["kind"]: Note(**dict(row)) for row in rows}


async def note(connection: Connection, agency_id: str, said: Note) -> None:
    await connection.execute(
        _NOTE, agency_id, said.kind, said.from_at, said.to_at, said.entries, said.given_at,
        said.given_by_id, said.given_by_name,
    )  # fmt: skip


async def drop_note(connection: Connection, agency_id: str, kind: str) -> bool:
    """Forget that a list was given; whether it had been."""
    return await connection.fetchval(_DROP_NOTE, agency_id, kind) is not None


async def replace_shifts(
    connection: Connection, agency_id: str, shifts: Sequence[GivenShift]
) -> None:
    await connection.execute(_CLEAR_SHIFTS, agency_id)
    # Not COPY: that is not for tables under row-level security.
    await connection.executemany(
        "INSERT INTO audit_shift (agency_id, person_id, begins_at, ends_at) "
        "VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        [(agency_id, s.person_id, s.begins_at, s.ends_at) for s in shifts],
    )


async def replace_cases(connection: Connection, agency_id: str, keys: Sequence[str]) -> None:
    await connection.execute(_CLEAR_CASES, agency_id)
    await connection.execute(_ADD_CASES, agency_id, list(keys))


async def replace_plates(
    connection: Connection, agency_id: str, person_id: str, macs: Sequence[bytes], key_id: str
) -> int:
    """Replace one person's plates; how many plates the agency's list has now."""
    await connection.execute(_CLEAR_PLATES, agency_id, person_id)
    await connection.execute(_ADD_PLATES, agency_id, person_id, list(macs), key_id)
    count: int = await connection.fetchval(_COUNT_PLATES, agency_id)
    return count


async def shifts(
    connection: Connection, agency_id: str, begin: datetime, end: datetime
) -> dict[str, list[Shift]]:
    """Shifts that touch [begin, end) by person, in order."""
    found: dict[str, list[Shift]] = {}
    for row in await connection.fetch(_SHIFTS, agency_id, begin, end):
        found.setdefault(row["person_id"], []).append((row["begins_at"], row["ends_at"]))
    return found


async def cases(connection: Connection, agency_id: str) -> frozenset[str]:
    return frozenset(row["case_key"] for row in await connection.fetch(_CASES, agency_id))


async def plates(connection: Connection, agency_id: str, key_id: str) -> frozenset[bytes]:
    """The keyed hashes that this key made."""
    rows = await connection.fetch(_PLATES, agency_id, key_id)
    return frozenset(bytes(row["plate_mac"]) for row in rows)


async def plate_counts(connection: Connection, agency_id: str, key_id: str) -> list[OwnPlates]:
    rows = await connection.fetch(_PLATE_COUNTS, agency_id, key_id)
    return [OwnPlates(**dict(row)) for row in rows]
