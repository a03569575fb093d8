"""SQL of imports: lines are staged with COPY, compared and applied as sets, all in one transaction.

The staging tables are temporary: what a killed import leaves behind is nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alpr_common.postgres import Connection
from alpr_matcher import telling_store
from alpr_matcher.import_records_store import ImportRecord
from alpr_matcher.list_file import BadLine
from alpr_matcher.listed_entries import ListedEntry
from alpr_matcher.lists_domain import HotList
from alpr_matcher.lists_store import BULK_SECONDS

_SAID = (
    "plate, match_key, jurisdiction, category, priority, reason, case_number, vehicle, caution, "
    "expires_at, lookalike_positions, forbidden_hit_kinds, vehicle_type, vehicle_make, "
    "vehicle_model, vehicle_colour, vehicle_year"
)
_STAGE = """
CREATE TEMPORARY TABLE staged_entry (
    line bigint, entry_id uuid, removes boolean, plate text, match_key text, jurisdiction text,
    category text, priority smallint, reason text, case_number text, vehicle text, caution text,
    effective_at timestamptz, expires_at timestamptz, lookalike_positions smallint,
    forbidden_hit_kinds text[], vehicle_type text, vehicle_make text, vehicle_model text,
    vehicle_colour text, vehicle_year smallint
) ON COMMIT DROP
"""
_REPEATED = """
WITH repeated AS (
    SELECT entry_id, min(line) AS first FROM pg_temp.staged_entry
    GROUP BY entry_id HAVING count(*) > 1)
DELETE FROM pg_temp.staged_entry s USING repeated r
WHERE s.entry_id = r.entry_id AND s.line <> r.first
RETURNING s.line, r.first
"""
_INDEX = "CREATE UNIQUE INDEX ON pg_temp.staged_entry (entry_id)"
_ANALYZE = "ANALYZE pg_temp.staged_entry"


def _of(alias: str) -> str:
    return ", ".join(f"{alias}.{name}" for name in _SAID.split(", "))


# `live` says whether removing it counts: what expired is gone from the workers already.
_COMPARE = f"""
CREATE TEMPORARY TABLE staged_change ON COMMIT DROP AS
SELECT s.entry_id, s.line, true AS live,
    CASE WHEN s.removes THEN CASE WHEN e.entry_id IS NULL OR e.retracted THEN 'unknown'
                                  ELSE 'removed' END
         WHEN e.entry_id IS NULL THEN 'added'
         WHEN e.retracted OR ({_of("s")}) IS DISTINCT FROM ({_of("e")})
              OR s.effective_at IS NOT NULL AND s.effective_at <> e.effective_at THEN 'changed'
         ELSE 'unchanged' END AS what,
    e.entry_id IS NULL OR e.retracted
        OR (s.plate, s.jurisdiction, s.forbidden_hit_kinds, s.lookalike_positions)
           IS DISTINCT FROM
           (e.plate, e.jurisdiction, e.forbidden_hit_kinds, e.lookalike_positions) AS looks_anew
FROM pg_temp.staged_entry s LEFT JOIN hotlist_entry e USING (entry_id)
"""  # noqa: S608 - column names alone
_ABSENT = """
INSERT INTO pg_temp.staged_change
SELECT e.entry_id, NULL, e.expires_at IS NULL OR e.expires_at > $2, 'removed', false
FROM hotlist_entry e
WHERE e.list_id = $1 AND NOT e.retracted
  AND NOT EXISTS (SELECT FROM pg_temp.staged_entry s WHERE s.entry_id = e.entry_id)
"""
_COUNT = """
SELECT what, count(*) AS number, count(*) FILTER (WHERE live) AS live
FROM pg_temp.staged_change GROUP BY what
"""
_LIVE = """
SELECT count(*) FROM hotlist_entry
WHERE list_id = $1 AND NOT retracted AND (expires_at IS NULL OR expires_at > $2)
"""
_UNKNOWN = "SELECT line FROM pg_temp.staged_change WHERE what = 'unknown' ORDER BY line LIMIT $1"
_SAMPLE = """
SELECT c.what, c.line, coalesce(s.plate, e.plate) AS plate,
    coalesce(s.category, e.category) AS category, coalesce(s.reason, e.reason) AS reason,
    e.plate AS plate_before, e.category AS category_before, e.reason AS reason_before,
    e.expires_at AS expires_before, s.expires_at
FROM (SELECT * FROM pg_temp.staged_change WHERE what = $1 ORDER BY line, entry_id LIMIT $2) c
LEFT JOIN pg_temp.staged_entry s USING (entry_id) LEFT JOIN hotlist_entry e USING (entry_id)
ORDER BY c.line, c.entry_id
"""
# Before anything is written: what an entry was told by, and what it will be told by. A key once,
# however many entries look alike: its record holds all of them.
_QUEUE = """
INSERT INTO hotlist_untold (urgent, is_pattern, key)
SELECT DISTINCT $1::boolean, wild, CASE WHEN wild THEN entry_id::text ELSE match_key END FROM (
    SELECT s.entry_id, s.match_key, s.plate ~ '[?*]' AS wild
    FROM pg_temp.staged_entry s JOIN pg_temp.staged_change c USING (entry_id)
    WHERE c.what IN ('added', 'changed')
    UNION ALL
    SELECT e.entry_id, e.match_key, e.is_pattern
    FROM hotlist_entry e JOIN pg_temp.staged_change c USING (entry_id)
    LEFT JOIN pg_temp.staged_entry s USING (entry_id)
    WHERE c.what = 'removed' OR c.what = 'changed' AND s.match_key <> e.match_key) told
"""
_ADD = f"""
INSERT INTO hotlist_entry (entry_id, version, agency_id, serves_agency_ids, {_SAID}, source,
    effective_at, covert, list_id, added_at, added_by, added_by_name, changed_at)
SELECT s.entry_id, 1, $1, $2::text[], {_of("s")}, $3, coalesce(s.effective_at, $6), $4, $5, $6,
    $7, $8, $6
FROM pg_temp.staged_entry s JOIN pg_temp.staged_change c USING (entry_id)
WHERE c.what = 'added'
ORDER BY s.entry_id -- the indexes by id grow at their end, not all over
"""  # noqa: S608
_ADD_VERSIONS = """
INSERT INTO hotlist_entry_version (entry_id, version, agency_id, change, changed_at, person_id,
    person_name, why)
SELECT entry_id, 1, $1, 'added', $2, $3, $4, $5 || ', line ' || line
FROM pg_temp.staged_change WHERE what = 'added' ORDER BY entry_id
"""
_ASSIGN = ", ".join(f"{name} = s.{name}" for name in _SAID.split(", "))
# What changes, as the history keeps it, is written down before any row is locked. Somebody may
# change an entry by hand in between: then its version is another one, it is left alone, and both
# steps are done again for it. IS NOT DISTINCT FROM, because an equality would be taken for
# something to join by, and nearly all versions are the same.
_BEGIN_CHANGES = """
CREATE TEMPORARY TABLE entry_before (entry_id uuid, line bigint, version integer, before jsonb)
ON COMMIT DROP
"""
_CLEAR_CHANGES = "TRUNCATE pg_temp.entry_before"
_ANALYZE_CHANGES = "ANALYZE pg_temp.entry_before (entry_id)"
_LOOK_AT_CHANGES = """
INSERT INTO pg_temp.entry_before
SELECT e.entry_id, c.line, e.version, entry_history(e)
FROM hotlist_entry e JOIN pg_temp.staged_change c USING (entry_id)
WHERE c.what = $1 AND ($1 = 'changed' OR NOT e.retracted)
  AND e.xmin <> pg_current_xact_id()::xid -- done already
ORDER BY e.entry_id
"""
_CHANGE = f"""
WITH changed AS (
    UPDATE hotlist_entry e SET {_ASSIGN}, version = e.version + 1, retracted = false,
        on_topic = true, changed_at = $2, serves_agency_ids = $6::text[], list_id = $7,
        effective_at = coalesce(s.effective_at, CASE WHEN e.retracted THEN $2::timestamptz
                                                     ELSE e.effective_at END)
    FROM pg_temp.entry_before b JOIN pg_temp.staged_entry s USING (entry_id)
    WHERE e.entry_id = b.entry_id AND e.version IS NOT DISTINCT FROM b.version
    RETURNING e.entry_id, e.version, s.line, b.before)
INSERT INTO hotlist_entry_version (entry_id, version, agency_id, change, changed_at, person_id,
    person_name, why, before)
SELECT entry_id, version, $1, 'changed', $2, $3, $4, $5 || ', line ' || line, before FROM changed
"""  # noqa: S608
_REMOVE = """
WITH removed AS (
    UPDATE hotlist_entry e SET version = e.version + 1, retracted = true, changed_at = $2
    FROM pg_temp.entry_before b
    WHERE e.entry_id = b.entry_id AND e.version IS NOT DISTINCT FROM b.version
    RETURNING e.entry_id, e.version, b.line, b.before)
INSERT INTO hotlist_entry_version (entry_id, version, agency_id, change, changed_at, person_id,
    person_name, why, before)
SELECT entry_id, version, $1, 'retracted', $2, $3, $4,
    $5 || coalesce(', line ' || line, ': not listed any more'), before FROM removed
"""
_WAIT_FOR_RETRO = """
INSERT INTO retro_wait (entry_id, version, queued_at)
SELECT e.entry_id, e.version, $1
FROM hotlist_entry e JOIN pg_temp.staged_change c USING (entry_id)
WHERE c.what IN ('added', 'changed') AND c.looks_anew
ON CONFLICT (entry_id) DO UPDATE SET version = excluded.version, queued_at = excluded.queued_at,
    answered_agency_ids = '{}', put_off_until = '-infinity'
"""
_REFRESHED = "UPDATE hotlist_list SET refreshed_at = $2 WHERE list_id = $1"

_URGENT_MOST = 500
"""Changes of an import that go before others on the way to the topics: an AMBER list's few."""


@dataclass(frozen=True)
class Compared:
    """What the staged lines would do. `removed_live`: entries that count for the guard."""

    added: int
    changed: int
    unchanged: int
    removed: int
    removed_live: int
    live_before: int


async def begin_staging(connection: Connection) -> None:
    await connection.execute(_STAGE)


async def stage(connection: Connection, entries: Sequence[ListedEntry]) -> None:
    await connection.copy_records_to_table(
        "staged_entry", schema_name="pg_temp", records=entries, columns=ListedEntry._fields,
        timeout=BULK_SECONDS,
    )  # fmt: skip


async def end_staging(connection: Connection) -> list[BadLine]:
    """Every line that repeats an earlier one, which alone stays staged."""
    rows = await connection.fetch(_REPEATED, timeout=BULK_SECONDS)
    await connection.execute(_INDEX, timeout=BULK_SECONDS)
    await connection.execute(_ANALYZE, timeout=BULK_SECONDS)
    return [
        BadLine(
            row["line"], f"repeats line {row['first']}: same plate, jurisdiction and category, or "
            "same record"
        )
        for row in rows
    ]  # fmt: skip


async def compare(
    connection: Connection, on: HotList, refresh: bool, now: datetime, most_unknown: int
) -> tuple[Compared, list[BadLine]]:
    """What the staged lines would do to the list, and the lines that remove what is not there."""
    await connection.execute(_COMPARE, timeout=BULK_SECONDS)
    if refresh:
        await connection.execute(_ABSENT, on.list_id, now, timeout=BULK_SECONDS)
    await connection.execute("ANALYZE pg_temp.staged_change", timeout=BULK_SECONDS)
    found = {row["what"]: row for row in await connection.fetch(_COUNT, timeout=BULK_SECONDS)}

    def number(what: str, column: str = "number") -> int:
        return int(found[what][column]) if what in found else 0

    live = await connection.fetchval(_LIVE, on.list_id, now, timeout=BULK_SECONDS)
    unknown = await connection.fetch(_UNKNOWN, most_unknown)
    compared = Compared(
        number("added"), number("changed"), number("unchanged"), number("removed"),
        number("removed", "live"), live,
    )  # fmt: skip
    return compared, [BadLine(r["line"], "removes an entry that is not listed") for r in unknown]


async def samples(connection: Connection, most: int) -> dict[str, list[dict[str, Any]]]:
    """Some of what would be added, changed and removed, with what it was before."""
    return {
        what: [
            {
                name: value.isoformat() if isinstance(value, datetime) else value
                for name, value in row.items()
                if name != "what" and value is not None
            }
            for row in await connection.fetch(_SAMPLE, what, most, timeout=BULK_SECONDS)
        ]
        for what in ("added", "changed", "removed")
    }


async def apply(
    connection: Connection, on: HotList, record: ImportRecord, now: datetime, retro: bool,
    compared: Compared,
) -> None:  # fmt: skip
    """Write entries and history, and queue what is to be told.

    Rows that others may be waiting for come last, so that they wait for the shortest time.
    """
    serves, covert = list(on.serves_agency_ids), on.kind == "covert"
    who = (record.person_id, record.person_name, f"import of {on.source}")
    urgent = compared.added + compared.changed + compared.removed <= _URGENT_MOST
    await connection.execute(_QUEUE, urgent, timeout=BULK_SECONDS)
    if compared.added:
        await connection.execute(
            _ADD, on.agency_id, serves, on.source, covert, on.list_id, now, *who[:2],
            timeout=BULK_SECONDS,
        )  # fmt: skip
        await connection.execute(_ADD_VERSIONS, on.agency_id, now, *who, timeout=BULK_SECONDS)
    by = (on.agency_id, now, *who)
    await connection.execute(_BEGIN_CHANGES)
    await _change(connection, "changed", compared.changed, _CHANGE, *by, serves, on.list_id)
    await _change(connection, "removed", compared.removed, _REMOVE, *by)
    if retro:
        await connection.execute(_WAIT_FOR_RETRO, now, timeout=BULK_SECONDS)
    await connection.execute(_REFRESHED, on.list_id, now)
    await telling_store.notify(connection)


async def _change(
    connection: Connection, what: str, number: int, statement: str, *given: Any
) -> None:
    """Change or remove the entries that were found to be, whatever others do meanwhile."""
    left = number
    while left > 0:
        await connection.execute(_CLEAR_CHANGES)
        looked = await connection.execute(_LOOK_AT_CHANGES, what, timeout=BULK_SECONDS)
        if not _rows(looked):
            return  # somebody removed them before
        await connection.execute(_ANALYZE_CHANGES, timeout=BULK_SECONDS)
        left -= _rows(await connection.execute(statement, *given, timeout=BULK_SECONDS))


def _rows(status: str) -> int:
    """How many rows a statement wrote, as the server says it: `INSERT 0 17`."""
    return int(status.rpartition(" ")[2])
