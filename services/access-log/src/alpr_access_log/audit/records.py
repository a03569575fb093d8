"""Access records as the audit reads them, and what the agency's lists say beside them. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo

from alpr_access_log.domain import asks_for_the_same, has_wildcard, plate_pattern
from alpr_access_log.refusals import PlateMalformed
from alpr_common.misuse import MisuseLimits
from alpr_common.plates import match_key

SEARCH = "search"
_REMEMBERED = 50_000
Shift = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Record:
    """One access record, without what no rule looks at."""

    record_id: UUID
    occurred_at: datetime
    service: str
    action: str
    outcome: str
    person_id: str
    role: str
    session_id: str | None = None
    address: str | None = None
    purpose: str | None = None
    case_number: str | None = None
    suspicion: str | None = None
    plate: str | None = None
    """Of a search: as it was normalized; of a refused one as it was written."""
    refusal_code: str | None = None
    is_approved: bool = False
    """Whether a supervisor approved this search before."""

    @property
    def is_search(self) -> bool:
        return self.service == "access-log" and self.action == SEARCH

    @property
    def is_answered_search(self) -> bool:
        return self.is_search and self.outcome == "done"

    @property
    def key(self) -> str | None:
        """The plate or pattern with look-alikes folded; None for a sweep or what is no plate."""
        return _key_of(self.plate) if self.plate else None

    @property
    def case_key(self) -> str | None:
        return case_key(self.case_number)


@lru_cache(_REMEMBERED)
def _key_of(plate: str) -> str | None:
    try:
        return match_key(plate_pattern(plate))
    except PlateMalformed:
        return None


def case_key(case_number: str | None) -> str | None:
    """A case number without what people write differently: case, blanks, dashes."""
    key = "".join(c for c in (case_number or "").upper() if c.isalnum())
    return key or None


@dataclass(frozen=True)
class Lapse:
    """A lapse of training, as identity tells it."""

    person_id: str
    kind: str
    lapsed_at: datetime
    restored_at: datetime | None


@dataclass(frozen=True)
class Session:
    """A session, as identity tells it: from where, and how long it was kept up."""

    session_id: str
    person_id: str
    address: str | None
    last_address: str | None
    created_at: datetime
    refreshed_at: datetime


@dataclass(frozen=True)
class Lists:
    """What the agency gave for its audit; a list that was not given is None."""

    shifts: Mapping[str, Sequence[Shift]] | None = None
    """By person, in order. Somebody who is not in it is not judged by it."""
    shifts_from: datetime | None = None
    shifts_to: datetime | None = None
    cases: frozenset[str] | None = None
    """Keys of all case numbers that there are …"""
    cases_until: datetime | None = None
    """… until then: what was opened later is not known to the list."""
    is_own_plate: Callable[[str, str], bool] | None = None
    """Whether a match key is on the list of that person."""


@dataclass(frozen=True)
class Looked:
    """What the rules look at: records in order of time, from the baseline's begin to `end`.

    A finding rests on at least one record in [begin, end).
    """

    records: Sequence[Record]
    begin: datetime
    end: datetime
    limits: MisuseLimits
    lists: Lists = field(default_factory=Lists)
    lapses: Sequence[Lapse] | None = None
    sessions: Sequence[Session] | None = None

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.limits.time_zone)

    @cached_property
    def people(self) -> dict[str, list[Record]]:
        """Records of people by person; services search for nobody's own sake."""
        found: dict[str, list[Record]] = {}
        for record in self.records:
            if record.role not in ("service", "operator"):
                found.setdefault(record.person_id, []).append(record)
        return found

    @cached_property
    def searches(self) -> dict[str, list[Record]]:
        """Answered searches by person."""
        return {
            person: answered
            for person, records in self.people.items()
            if (answered := [r for r in records if r.is_answered_search])
        }

    def is_inside(self, at: datetime) -> bool:
        """Whether a moment lies in what is looked at, and not in the baseline before it."""
        return self.begin <= at < self.end

    def inside(self, records: Iterable[Record]) -> list[Record]:
        """Those records that lie in what is looked at."""
        return [record for record in records if self.is_inside(record.occurred_at)]

    def since(self, days: int) -> datetime:
        """That many days before the begin."""
        return self.begin - timedelta(days=days)


def by_plate(searches: Sequence[Record]) -> dict[str, list[Record]]:
    """Searches by what they may mean: one plate, its look-alikes and the patterns over it.

    A pattern over several plates stands with each of them.
    """
    groups: dict[str, list[Record]] = {}
    patterns: list[tuple[str, Record]] = []
    for search in searches:
        key = search.key
        if key is None:
            continue
        if has_wildcard(key):
            patterns.append((key, search))
        else:
            groups.setdefault(key, []).append(search)
    plates = list(groups)
    for pattern, search in patterns:
        over = [plate for plate in plates if asks_for_the_same(pattern, plate)] or [pattern]
        for plate in over:
            groups.setdefault(plate, []).append(search)
    return {
        plate: sorted(group, key=lambda r: (r.occurred_at, r.record_id))
        for plate, group in groups.items()
    }
