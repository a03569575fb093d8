"""Figures of usage over a period, counted by PostgreSQL. Times of day are of the policy's zone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alpr_common.postgres import Connection

_PERIOD = "FROM access_record WHERE agency_id = $1 AND occurred_at >= $2 AND occurred_at < $3"
_IS_SEARCH = "service = 'access-log' AND action = 'search'"

# Everything that anybody did, by what it was.
_ACTIONS = f"""
SELECT service, action,
    count(*) FILTER (WHERE outcome = 'done') AS done,
    count(*) FILTER (WHERE outcome = 'refused') AS refused,
    count(*) FILTER (WHERE outcome = 'failed') AS failed,
    count(DISTINCT person_id) AS people
{_PERIOD} GROUP BY 1, 2 ORDER BY 1, 2
"""
_PEOPLE = f"""
SELECT person_id, (array_agg(role ORDER BY record_sequence DESC))[1] AS role,
    (array_agg(person_name ORDER BY record_sequence DESC))[1] AS name,
    count(*) FILTER (WHERE {_IS_SEARCH} AND outcome = 'done') AS searches,
    count(*) FILTER (WHERE {_IS_SEARCH} AND outcome <> 'done') AS refused,
    coalesce(sum(returned_count) FILTER (WHERE {_IS_SEARCH}), 0) AS reads_shown,
    count(*) FILTER (WHERE action = 'read.picture.viewed' AND outcome = 'done') AS pictures,
    count(*) FILTER (WHERE action = 'alert.picture.viewed' AND outcome = 'done') AS alert_pictures,
    count(*) FILTER (WHERE action = 'evidence.sealed') AS evidence,
    max(occurred_at) FILTER (WHERE {_IS_SEARCH}) AS last_search_at
{_PERIOD} AND role NOT IN ('service', 'operator')
GROUP BY person_id ORDER BY searches DESC, refused DESC, person_id
"""
_PURPOSES = f"""
SELECT purpose, count(*) AS searches, count(DISTINCT person_id) AS people
{_PERIOD} AND {_IS_SEARCH} AND outcome = 'done' GROUP BY 1 ORDER BY 2 DESC, 1
"""
_DAYS = f"""
SELECT (occurred_at AT TIME ZONE $4)::date AS day,
    count(*) FILTER (WHERE outcome = 'done') AS searches,
    count(*) FILTER (WHERE outcome <> 'done') AS refused
{_PERIOD} AND {_IS_SEARCH} GROUP BY 1 ORDER BY 1
"""
_HOURS = f"""
SELECT extract(isodow FROM occurred_at AT TIME ZONE $4)::int AS weekday,
    extract(hour FROM occurred_at AT TIME ZONE $4)::int AS hour, count(*) AS searches
{_PERIOD} AND {_IS_SEARCH} AND outcome = 'done' GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608 - constants
_REFUSALS = f"""
SELECT refusal_code AS code, refusal_clause AS clause, count(*) AS count,
    count(DISTINCT person_id) AS people
{_PERIOD} AND refusal_code IS NOT NULL GROUP BY 1, 2 ORDER BY 3 DESC, 1
"""
_SWEEPS = f"""
SELECT count(*) {_PERIOD} AND {_IS_SEARCH} AND outcome = 'done' AND subject = 'sweep'
"""
_RETRO = f"""
SELECT person_id, count(*) AS accesses, sum(returned_count) AS reads_shown
{_PERIOD} AND action = 'search.retro' AND outcome = 'done' GROUP BY 1 ORDER BY 2 DESC, 1
"""
_APPROVALS = """
SELECT count(*) AS asked,
    count(*) FILTER (WHERE decision = 'approved') AS approved,
    count(*) FILTER (WHERE decision = 'denied') AS denied,
    count(*) FILTER (WHERE used_at IS NOT NULL) AS used,
    count(*) FILTER (WHERE decision IS NULL) AS undecided
FROM search_approval WHERE agency_id = $1 AND requested_at >= $2 AND requested_at < $3
"""
_DECIDERS = """
SELECT decided_by_id AS person_id, decided_by_name AS name,
    count(*) FILTER (WHERE decision = 'approved') AS approved,
    count(*) FILTER (WHERE decision = 'denied') AS denied
FROM search_approval
WHERE agency_id = $1 AND decided_at >= $2 AND decided_at < $3 GROUP BY 1, 2 ORDER BY 3 DESC, 1
"""
_PURGES = f"""
SELECT record_id, occurred_at, subject, query::text AS query
{_PERIOD} AND action = 'retention.purged' ORDER BY record_sequence
"""


@dataclass(frozen=True)
class Counted:
    """The rows of each question, as PostgreSQL answered it."""

    actions: list[dict[str, Any]]
    people: list[dict[str, Any]]
    purposes: list[dict[str, Any]]
    days: list[dict[str, Any]]
    hours: list[dict[str, Any]]
    refusals: list[dict[str, Any]]
    retro: list[dict[str, Any]]
    sweeps: int
    approvals: Mapping[str, int]
    deciders: list[dict[str, Any]]
    purges: list[dict[str, Any]]


async def counted(
    connection: Connection, agency_id: str, begin: datetime, end: datetime, zone: str
) -> Counted:
    """Figures of [begin, end)."""
    period = (agency_id, begin, end)

    async def rows(statement: str, *more: str) -> list[dict[str, Any]]:
        return [dict(row) for row in await connection.fetch(statement, *period, *more)]

    purges = await rows(_PURGES)
    return Counted(
        actions=await rows(_ACTIONS),
        people=await rows(_PEOPLE),
        purposes=await rows(_PURPOSES),
        days=await rows(_DAYS, zone),
        hours=await rows(_HOURS, zone),
        refusals=await rows(_REFUSALS),
        retro=await rows(_RETRO),
        sweeps=int(await connection.fetchval(_SWEEPS, *period)),
        approvals=(await rows(_APPROVALS))[0],
        deciders=await rows(_DECIDERS),
        purges=[p | {"query": json.loads(p["query"] or "{}")} for p in purges],
    )
