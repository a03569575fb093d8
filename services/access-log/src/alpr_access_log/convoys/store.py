"""SQL of convoy questions; as `store`, inside the caller's transaction."""

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from alpr_access_log.domain import Query
from alpr_access_log.store import Kept
from alpr_common.policy import Policy
from alpr_common.postgres import Connection

READS_OF_A_VEHICLE = 20
_NEAR_A_PASS = 200
# Bounded at each step, whatever the traffic: so many passes of the plate, newest first, around each
# at most so many reads of that one camera, by its index; so many vehicles, so many reads of each.
# Under the policy as every search, and of what is within the retention: held reads stay out.
_FIND = f"""
WITH passes AS MATERIALIZED (
    SELECT camera_id, captured_at FROM read
    WHERE agency_id = $1 AND plate = $2 AND captured_at >= $3 AND captured_at < $4
      AND captured_at >= $6::timestamptz AND ($5::text[] IS NULL OR camera_id = ANY($5))
    ORDER BY captured_at DESC LIMIT $9
), near AS MATERIALIZED (
    SELECT DISTINCT ON (o.read_id) o.* FROM passes p CROSS JOIN LATERAL (
        SELECT read_id, captured_at, camera_id, plate FROM read
        WHERE agency_id = $1 AND camera_id = p.camera_id AND plate <> $2
          AND captured_at >= greatest($3::timestamptz, $6, p.captured_at - $7::interval)
          AND captured_at < $4 AND captured_at <= p.captured_at + $7::interval
        ORDER BY captured_at LIMIT {_NEAR_A_PASS}
    ) o ORDER BY o.read_id
), together AS (
    SELECT plate, count(DISTINCT camera_id) AS cameras, count(*) AS times FROM near
    GROUP BY plate HAVING count(DISTINCT camera_id) >= $8
    ORDER BY cameras DESC, times DESC, plate LIMIT $10
)
SELECT t.plate, t.cameras, t.times, n.read_id, (
        SELECT r.message::text FROM read r
        WHERE r.agency_id = $1 AND r.read_id = n.read_id AND r.captured_at = n.captured_at
    ) AS message
FROM together t JOIN (
    SELECT *, row_number() OVER (PARTITION BY plate ORDER BY captured_at DESC, read_id) AS place
    FROM near
) n USING (plate)
WHERE n.place <= {READS_OF_A_VEHICLE}
ORDER BY t.cameras DESC, t.times DESC, t.plate, n.place
"""  # noqa: S608 - constants
_PASSES = """
SELECT count(*) FROM (
    SELECT FROM read WHERE agency_id = $1 AND plate = $2 AND captured_at >= $3
      AND captured_at < $4 AND captured_at >= $5::timestamptz
      AND ($6::text[] IS NULL OR camera_id = ANY($6)) LIMIT $7
) found
"""
# Made for these values: the days that are asked for are few.
_PLAN_ANEW = "SELECT set_config('plan_cache_mode', 'force_custom_plan', true)"


@dataclass(frozen=True)
class Vehicle:
    """A plate that was seen together with the one asked for, and its newest reads there."""

    plate: str
    cameras: int
    times: int
    reads: tuple[tuple[UUID, dict[str, Any]], ...]


@dataclass(frozen=True)
class Company:
    """Who was seen together, at most cameras first; `passes` of the plate were looked at, and
    `is_complete` says that there were no more."""

    passes: int
    is_complete: bool
    vehicles: tuple[Vehicle, ...]


async def find(
    connection: Connection, agency_id: str, query: Query, policy: Policy, kept: Kept
) -> Company:
    """What the convoy question finds. `query.plate` and `query.convoy` are set."""
    assert query.convoy is not None
    cameras, most = list(query.camera_ids) or None, policy.convoy_passes_max
    await connection.execute(_PLAN_ANEW)
    passes = await connection.fetchval(
        _PASSES, agency_id, query.plate, query.from_at, query.to_at, kept.since, cameras, most + 1
    )
    rows = await connection.fetch(
        _FIND, agency_id, query.plate, query.from_at, query.to_at, cameras, kept.since,
        timedelta(seconds=query.convoy.within_seconds), query.convoy.cameras, most,
        policy.convoy_vehicles_max,
    )  # fmt: skip
    seen: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        seen[row["plate"]].append(row)
    vehicles = (
        Vehicle(
            plate, its[0]["cameras"], its[0]["times"],
            tuple((row["read_id"], json.loads(row["message"])) for row in its),
        )
        for plate, its in seen.items()
    )  # fmt: skip
    return Company(min(passes, most), passes <= most, tuple(vehicles))
