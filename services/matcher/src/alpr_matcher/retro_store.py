"""SQL of the entries that wait to be compared with stored reads."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from alpr_common.messages.hotlist import HotListEntry
from alpr_common.postgres import Connection

_IN_TURN = """
SELECT entry_id, version, queued_at, message, answered_agency_ids, put_off
FROM retro_in_turn($1, $2, $3)
"""
# One that was changed meanwhile waits on, with its new version.
_NO_MORE = """
DELETE FROM retro_wait w USING unnest($1::uuid[], $2::integer[]) AS done (entry_id, version)
WHERE w.entry_id = done.entry_id AND w.version = done.version
"""
_WAIT_ON = """
UPDATE retro_wait SET answered_agency_ids = $3::text[], put_off_until = coalesce($4, put_off_until)
WHERE entry_id = $1 AND version = $2
"""


@dataclass(frozen=True)
class WaitingEntry:
    """`entry` None: it holds no more. `answered`: agencies whose reads it was compared with.
    `put_off`: it had its turn before, while somebody could not be asked."""

    entry_id: UUID
    version: int
    queued_at: datetime
    entry: HotListEntry | None
    answered: frozenset[str]
    put_off: bool


@dataclass(frozen=True)
class WaitsOn:
    """An entry, by whom it was answered so far, and until when it is put off (None: as before)."""

    one: WaitingEntry
    answered: frozenset[str]
    put_off_until: datetime | None


async def in_turn(
    connection: Connection, now: datetime, queued_until: datetime, most: int
) -> list[WaitingEntry]:
    """Entries of all agencies that wait since then or longer, oldest first; those that were put
    off until now behind the others."""
    return [
        WaitingEntry(
            row["entry_id"],
            row["version"],
            row["queued_at"],
            row["message"] and HotListEntry.model_validate_json(row["message"]),
            frozenset(row["answered_agency_ids"]),
            row["put_off"],
        )
        for row in await connection.fetch(_IN_TURN, now, queued_until, most)
    ]


async def no_more_waiting(connection: Connection, done: Sequence[WaitingEntry]) -> None:
    await connection.execute(
        _NO_MORE, [one.entry_id for one in done], [one.version for one in done]
    )


async def wait_on(connection: Connection, entries: Iterable[WaitsOn]) -> None:
    """These entries wait for others than who answered."""
    await connection.executemany(
        _WAIT_ON,
        [
            (it.one.entry_id, it.one.version, sorted(it.answered), it.put_off_until)
            for it in entries
        ],
    )
