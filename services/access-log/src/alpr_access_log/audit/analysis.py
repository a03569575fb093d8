"""The misuse analytics over a period, month by month, so that every run means the same findings.

A month is looked at with the habits of the time before it. Findings of a month that a run saw only
a piece of have the ids of the whole one. It is done person by person: nothing holds the records of
all, of which a large agency has a million in a year.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from alpr_access_log.audit import among
from alpr_access_log.audit.among import Months
from alpr_access_log.audit.finding import Finding, run
from alpr_access_log.audit.progress import Tell, untold
from alpr_access_log.audit.protection import PlateKey
from alpr_access_log.audit.records import Lapse, Lists, Looked, Record, Session
from alpr_access_log.audit.rules import AMONG, RULES
from alpr_access_log.audit.rules.volume import month_of
from alpr_access_log.audit.store import lists as given
from alpr_access_log.audit.store import records as records_store
from alpr_common.misuse import MisuseLimits
from alpr_common.postgres import Database

LONGEST = timedelta(days=400)
_ALONE = tuple(rule for rule in RULES if rule not in AMONG)
_ORDER = {rule.name: n for n, rule in enumerate(RULES)}
_AT_ONCE = 20_000
"""A person with more records than that is read month by month."""
_SHARE_ALONE = 0.7


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


@dataclass
class _Found:
    """Findings so far, each once, as they are stored."""

    agency_id: str
    words: dict[str, str] = field(default_factory=dict)
    _said: dict[str, tuple[datetime, dict[str, Any]]] = field(default_factory=dict)

    def add(self, month: datetime, findings: Iterable[Finding]) -> None:
        for finding in findings:
            said = finding.to_json(self.agency_id, month)
            self._said[said["finding_id"]] = month, said
            if finding.words:
                self.words[said["finding_id"]] = finding.words

    def in_order(self) -> list[dict[str, Any]]:
        """By month and rule."""
        said = sorted(self._said.values(), key=lambda one: (one[0], _ORDER[one[1]["rule"]]))
        return [one for _, one in said]


async def analysed(
    database: Database, agency_id: str, begin: datetime, end: datetime, limits: MisuseLimits,
    plate_key: PlateKey, beside: Beside, tell: Tell = untold,
) -> Analysed:  # fmt: skip
    """Look through [begin, end) of an agency. Raises an `Outage`."""
    lists = await lists_of(database, agency_id, begin, end, plate_key)
    looked = Looked((), begin, end, limits, lists, beside.lapses, beside.sessions)
    found, usual = _Found(agency_id), Months()
    read_from = reads_from(begin, limits)
    people = await records_store.people(database, agency_id, read_from, end)
    whole, seen = max(sum(people.values()), 1), 0
    for person, count in people.items():
        await _alone(database, agency_id, person, count, looked, found, usual)
        seen += count
        tell(_SHARE_ALONE * seen / whole)
    for month, month_end in months(begin, end):
        at = replace(looked, begin=month, end=month_end)
        found.add(month, [f async for f in among.of_role(database, agency_id, at, usual)])
    async for at, made in among.same_words(database, agency_id, looked, list(months(begin, end))):
        found.add(at.begin, made)
        tell(_SHARE_ALONE + (1 - _SHARE_ALONE) * ((at.end - begin) / (end - begin)))
    why_not = {rule.name: why for rule in RULES if (why := rule.why_not(looked)) is not None}
    says = {rule.name: rule.says(looked) for rule in RULES}
    return Analysed(found.in_order(), found.words, says, why_not)


def reads_from(begin: datetime, limits: MisuseLimits) -> datetime:
    """From when on records are read for a period that begins then: habits are of before."""
    return begin - _baseline(limits)


def _baseline(limits: MisuseLimits) -> timedelta:
    return timedelta(days=max(limits.baseline_days, limits.repeated_plate_days))


async def _alone(
    database: Database, agency_id: str, person: str, count: int, looked: Looked, found: _Found,
    usual: Months,
) -> None:  # fmt: skip
    """Look at one person, month by month, and note what they are compared with others by."""
    looked = _of(person, looked)
    baseline = _baseline(looked.limits)
    records: list[Record] = []
    read_to = reads_from(looked.begin, looked.limits)
    for month, month_end in months(looked.begin, looked.end):
        ahead = looked.end if count <= _AT_ONCE else month_end
        if read_to < ahead:
            records += await records_store.of_person(database, agency_id, person, read_to, ahead)
            read_to = ahead
        del records[: _first_from(records, month - baseline)]
        upto = _first_from(records, month_end)
        if not upto:
            continue
        at = replace(looked, records=records[:upto], begin=month, end=month_end)
        made, of_month = await asyncio.to_thread(_found, at, person)
        found.add(month, made)
        if of_month:
            usual.note(month, person, of_month)


def _first_from(records: Sequence[Record], at: datetime) -> int:
    return bisect_left(records, at, key=lambda record: record.occurred_at)


def _of(person: str, looked: Looked) -> Looked:
    """With what identity knows of that person alone."""
    lapses, sessions = looked.lapses, looked.sessions
    return replace(
        looked,
        lapses=None if lapses is None else [one for one in lapses if one.person_id == person],
        sessions=None if sessions is None else [s for s in sessions if s.person_id == person],
    )


def _found(looked: Looked, person: str) -> tuple[list[Finding], among.PersonMonth | None]:
    return list(run(_ALONE, looked)), month_of(looked, person)


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
