"""Rules that compare people with each other, over more searches than can be held as records.

What each person is compared by is noted while they are looked at alone; words are read once more,
in order of time, and held as columns (`spoken`).
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from alpr_access_log.audit.finding import SHOWN_RECORDS, Finding
from alpr_access_log.audit.records import Looked
from alpr_access_log.audit.rules.copied_words import finding_among, same_words_in
from alpr_access_log.audit.rules.volume import PersonMonth, finding_of_role, unusual_months
from alpr_access_log.audit.spoken import SameWords, Spoken
from alpr_access_log.audit.store import records as records_store
from alpr_common.postgres import Database

__all__ = ["Months", "PersonMonth", "of_role", "same_words"]


@dataclass
class Months:
    """Of each month who searched how much."""

    _by_month: dict[datetime, dict[str, PersonMonth]] = field(default_factory=dict)

    def note(self, month: datetime, person: str, of_month: PersonMonth) -> None:
        self._by_month.setdefault(month, {})[person] = of_month

    def of(self, month: datetime) -> dict[str, PersonMonth]:
        return self._by_month.get(month, {})


async def of_role(
    database: Database, agency_id: str, looked: Looked, months: Months
) -> AsyncIterator[Finding]:
    """Who searched far more in that month than others of the role. Raises an `Outage`."""
    for person, why in unusual_months(months.of(looked.begin), looked.limits):
        records = await records_store.of_person(
            database, agency_id, person, looked.begin, looked.end
        )
        inside = [record for record in records if record.is_answered_search]
        if inside:
            yield finding_of_role(looked, person, inside, why)


async def same_words(
    database: Database, agency_id: str, looked: Looked,
    months: Sequence[tuple[datetime, datetime]],
) -> AsyncIterator[tuple[Looked, list[Finding]]]:  # fmt: skip
    """By month, in order: several people who gave nearly the same words. Raises an `Outage`."""
    spoken = Spoken()
    days = looked.limits.repeated_plate_days
    read_to = looked.since(days)
    for month, month_end in months:
        at = replace(looked, begin=month, end=month_end)
        async for said in records_store.words(database, agency_id, read_to, month_end):
            await asyncio.to_thread(spoken.add, said)
        read_to = month_end
        await asyncio.to_thread(spoken.forget_before, at.since(days))
        found = await asyncio.to_thread(_found, spoken, at)
        yield (
            at,
            [
                made
                for same in found
                if (made := await _finding(database, agency_id, at, spoken, same))
            ],
        )


def _found(spoken: Spoken, looked: Looked) -> list[SameWords]:
    return list(same_words_in(spoken, looked))


async def _finding(
    database: Database, agency_id: str, looked: Looked, spoken: Spoken, same: SameWords
) -> Finding | None:
    """With its first records, and the last one's words; None where they are gone meanwhile."""
    last = same.positions[-1]
    wanted = spoken.record_ids([*same.positions[:SHOWN_RECORDS], last])
    records = await records_store.by_ids(database, agency_id, wanted)
    first = [records[one] for one in wanted[:-1] if one in records]
    if not first:
        return None
    words = records[wanted[-1]].suspicion if wanted[-1] in records else None
    return finding_among(looked, same, first, words, spoken.occurred_at(last))
