"""SQL of retro-match: reads of many match keys at once."""

import json
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from alpr_access_log.store import Found
from alpr_common.postgres import Connection

# Two branches, so that keys are looked up in the index whatever the patterns are.
_FIND = """
SELECT DISTINCT ON (captured_at, read_id) read_id, captured_at, message::text AS message
FROM (
    SELECT read_id, captured_at, message FROM read
    WHERE agency_id = $1 AND match_key = ANY($2::text[])
      AND captured_at >= greatest($4::timestamptz, $8::timestamptz) AND captured_at < $5
      AND ($6::timestamptz IS NULL OR (captured_at, read_id) < ($6, $7::uuid))
    UNION ALL
    SELECT read_id, captured_at, message FROM read
    WHERE cardinality($3::text[]) > 0 AND agency_id = $1 AND match_key LIKE ANY($3::text[])
      AND captured_at >= greatest($4::timestamptz, $8::timestamptz) AND captured_at < $5
      AND ($6::timestamptz IS NULL OR (captured_at, read_id) < ($6, $7::uuid))
) found
ORDER BY captured_at DESC, read_id DESC LIMIT $9
"""


async def find(
    connection: Connection,
    agency_id: str,
    match_keys: Sequence[str],
    likes: Sequence[str],
    from_at: datetime,
    to_at: datetime,
    after: tuple[datetime, UUID] | None,
    kept_since: datetime,
    most: int,
) -> list[Found]:
    """Reads with one of the keys or like one of the patterns, newest first, behind `after`."""
    captured_at, read_id = after or (None, None)
    rows = await connection.fetch(
        _FIND, agency_id, list(match_keys), list(likes), from_at, to_at, captured_at, read_id,
        kept_since, most,
    )  # fmt: skip
    return [Found(r["read_id"], r["captured_at"], json.loads(r["message"])) for r in rows]
