"""SQL of the entries that wait to be compared with stored reads."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from alpr_common.messages.hotlist import HotListEntry
from alpr_common.postgres import Connection

_WAITING = """
SELECT entry_id, version, message, answered_agency_ids FROM retro_waiting($1, $2, $3, $4, $5)
"""
# One that was changed meanwhile waits on, with its new version.
_NO_MORE = """
DELETE FROM retro_wait w USING unnest($1::uuid[], $2::integer[]) AS done (entry_id, version)
WHERE w.entry_id = done.entry_id AND w.version = done.version
"""
_ANSWERED = """
UPDATE retro_wait SET answered_agency_ids = $3::text[] WHERE entry_id = $1 AND version = $2
"""


@dataclass(frozen=True)
class WaitingEntry:
    """`entry` None: it holds no more. `answered`: agencies whose reads it was compared with."""

    entry_id: UUID
    version: int
    entry: HotListEntry | None
    answered: frozenset[str]


async def waiting(
    connection: Connection,
    now: datetime,
    queued_until: datetime,
    with_account: Iterable[str],
    asked: Iterable[str],
    most: int,
) -> list[WaitingEntry]:
    """Entries of all agencies that wait since then or longer, oldest first: for one of the agencies
    that are `asked`, or for none that has an account."""
    return [
        WaitingEntry(
            row["entry_id"],
            row["version"],
            row["message"] and HotListEntry.model_validate_json(row["message"]),
            frozenset(row["answered_agency_ids"]),
        )
        for row in await connection.fetch(
            _WAITING, now, queued_until, list(with_account), list(asked), most
        )
    ]


async def no_more_waiting(connection: Connection, done: Sequence[WaitingEntry]) -> None:
    await connection.execute(
        _NO_MORE, [one.entry_id for one in done], [one.version for one in done]
    )


async def note_answered(
    connection: Connection, answered: Iterable[tuple[WaitingEntry, Iterable[str]]]
) -> None:
    """These entries wait for others than those agencies."""
    await connection.executemany(
        _ANSWERED, [(one.entry_id, one.version, sorted(by)) for one, by in answered]
    )
