"""SQL of the entries that wait to be compared with stored reads."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from alpr_common.messages.hotlist import HotListEntry
from alpr_common.postgres import Connection

_WAITING = "SELECT entry_id, version, message FROM retro_waiting($1, $2, $3)"
# One that was changed meanwhile waits on, with its new version.
_NO_MORE = """
DELETE FROM retro_wait w USING unnest($1::uuid[], $2::integer[]) AS done (entry_id, version)
WHERE w.entry_id = done.entry_id AND w.version = done.version
"""


async def waiting(
    connection: Connection, now: datetime, queued_until: datetime, most: int
) -> list[tuple[UUID, int, HotListEntry | None]]:
    """Entries of all agencies that wait since then or longer, oldest first; None for one that
    holds no more."""
    return [
        (
            row["entry_id"],
            row["version"],
            row["message"] and HotListEntry.model_validate_json(row["message"]),
        )
        for row in await connection.fetch(_WAITING, now, queued_until, most)
    ]


async def no_more_waiting(connection: Connection, done: Sequence[tuple[UUID, int]]) -> None:
    await connection.execute(_NO_MORE, [i for i, _ in done], [v for _, v in done])
