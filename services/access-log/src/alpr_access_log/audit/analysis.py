"""The misuse analytics over a period, month by month, so that every run means the same findings.

A month is looked at with the habits of the time before it. Findings of a month that a run saw only
a piece of have the ids of the whole one.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from alpr_access_log.audit.finding import Finding, run
from alpr_access_log.audit.progress import Tell, untold
from alpr_access_log.audit.protection import PlateKey
from alpr_access_log.audit.records import Lapse, Lists, Looked, Record, Session
from alpr_access_log.audit.rules import RULES
from alpr_access_log.audit.store import lists as given
from alpr_access_log.audit.store import records as records_store
from alpr_common.misuse import MisuseLimits
from alpr_common.postgres import Database

LONGEST = timedelta(days=400)


@dataclass(frozen=True)
class Analysed:
    """Findings as they are stored, and why rules were not applied, by rule."""

    findings: list[dict[str, Any]]
    words: dict[str, str]
    """Somebody's own words by finding id; for packages, never stored with a finding."""
    limits: dict[str, dict[str, str]]
    why_not: dict[str, str]


@dataclass(frozen=True)
class Beside:
    """What is known beside the log itself. None: not known."""

    lapses: Sequence[Lapse] | None = None
    sessions: Sequence[Session] | None = None


async def analysed(
    database: Database, agency_id: str, begin: datetime, end: datetime, limits: MisuseLimits,
    plate_key: PlateKey, beside: Beside, tell: Tell = untold,
) -> Analysed:  # fmt: skip
    """Look through [begin, end) of an agency. Raises an `Outage`."""
    lists = await lists_of(database, agency_id, begin, end, plate_key)
    baseline = timedelta(days=max(limits.baseline_days, limits.repeated_plate_days))
    window: deque[Record] = deque()
    read_to = begin - baseline
    everything: dict[str, dict[str, Any]] = {}
    words: dict[str, str] = {}
    looked = Looked((), begin, end, limits, lists, beside.lapses, beside.sessions)
    for month, month_end in months(begin, end):
        window.extend(await records_store.of_period(database, agency_id, read_to, month_end))
        read_to = month_end
        while window and window[0].occurred_at < month - baseline:
            window.popleft()
        looked = replace(looked, records=tuple(window), begin=month, end=month_end)
        for finding in await asyncio.to_thread(_found, looked):
            said = finding.to_json(agency_id, month)
            known = everything.get(said["finding_id"])
            if known is None or known["record_count"] < said["record_count"]:
                everything[said["finding_id"]] = said
                if finding.words:
                    words[said["finding_id"]] = finding.words
        tell((month_end - begin) / (end - begin))
    why_not = {rule.name: why for rule in RULES if (why := rule.why_not(looked)) is not None}
    return Analysed(
        list(everything.values()), words, {rule.name: rule.says(looked) for rule in RULES}, why_not
    )


def _found(looked: Looked) -> list[Finding]:
    return list(run(RULES, looked))


def months(begin: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """[begin, end) cut at the first of each month (UTC)."""
    at = begin.astimezone(UTC)
    while at < end:
        first = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        following = (first + timedelta(days=32)).replace(day=1)
        yield at, min(following, end)
        at = following


async def lists_of(
    database: Database, agency_id: str, begin: datetime, end: datetime, plate_key: PlateKey
) -> Lists:
    """The lists that the agency gave, for that period."""
    async with database.transaction(agency_id) as connection:
        notes = await given.notes(connection, agency_id)
        shifts = await given.shifts(connection, agency_id, begin, end)
        cases = await given.cases(connection, agency_id)
        macs = await given.plates(connection, agency_id, plate_key.key_id)

    def is_own(person_id: str, match_key: str) -> bool:
        return plate_key.mac(agency_id, person_id, match_key) in macs

    of_shifts, of_cases = notes.get("shifts"), notes.get("cases")
    return Lists(
        shifts=shifts if of_shifts else None,
        shifts_from=of_shifts.from_at if of_shifts else None,
        shifts_to=of_shifts.to_at if of_shifts else None,
        cases=cases if of_cases else None,
        cases_until=of_cases.to_at if of_cases else None,
        is_own_plate=is_own if macs else None,
    )
