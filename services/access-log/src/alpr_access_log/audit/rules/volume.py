"""Unusually many searches: against a person's own days, and against their role's months (131.4)."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

from alpr_access_log.audit.finding import Finding, Rule
from alpr_access_log.audit.records import Looked, Record
from alpr_common.misuse import MisuseLimits

_CONSISTENT = 1.4826  # makes the median absolute deviation a standard deviation, for a normal law
_LEAST_DAYS = 10
_LEAST_LOG_SPREAD = 0.3
_MORE_THAN_USUAL = 2


def robust_z(value: float, others: Sequence[float], least_spread: float) -> float:
    """How many robust standard deviations `value` is above the median of `others`."""
    middle = median(others)
    spread = _CONSISTENT * median(abs(one - middle) for one in others)
    return (value - middle) / max(spread, least_spread)


def _of_day(looked: Looked) -> Iterator[Finding]:
    limits = looked.limits
    earliest = looked.since(limits.baseline_days)
    for person, records in looked.people.items():
        recent = [r for r in records if r.occurred_at >= earliest]
        active = {_day(r, looked) for r in recent}
        counts = Counter(_day(r, looked) for r in recent if r.is_answered_search)
        inside = {_day(r, looked) for r in looked.inside(recent)}
        for day in sorted(inside):
            count = counts[day]
            if count < limits.volume_day_searches or len(active) <= _LEAST_DAYS:
                continue
            others = [float(counts[other]) for other in active if other != day]
            # Counts scatter by their root even where nothing changed.
            z = robust_z(count, others, max(1.0, math.sqrt(median(others))))
            rests_on = [
                r for r in looked.inside(recent) if r.is_answered_search and _day(r, looked) == day
            ]
            if z >= limits.volume_robust_z and rests_on:
                yield VOLUME_OF_DAY.finding(
                    looked, person, day.isoformat(), rests_on,
                    f"{count} searches on {day}; on this person's {len(others)} other active "
                    f"days the median is {median(others):g}. That is {z:.1f} robust standard "
                    "deviations above it.",
                    is_weaker=True,
                )  # fmt: skip


def _day(record: Record, looked: Looked) -> date:
    return record.occurred_at.astimezone(looked.zone).date()


def _of_role(looked: Looked) -> Iterator[Finding]:
    months = {person: month for person in looked.searches if (month := month_of(looked, person))}
    for person, why in unusual_months(months, looked.limits):
        yield finding_of_role(looked, person, looked.inside(looked.searches[person]), why)


@dataclass(frozen=True, slots=True)
class PersonMonth:
    """A person's searches in what is looked at, and in a month before; None: hardly there."""

    role: str
    searches: int
    usual: float | None


def month_of(looked: Looked, person: str) -> PersonMonth | None:
    """None for somebody who made no search."""
    inside = looked.inside(looked.searches.get(person, ()))
    if not inside:
        return None
    return PersonMonth(inside[-1].role, len(inside), _usual_month(looked, person))


def unusual_months(
    months: Mapping[str, PersonMonth], limits: MisuseLimits
) -> Iterator[tuple[str, str]]:
    """Who searched far more than others of their role, and why that is said."""
    by_role: dict[str, dict[str, PersonMonth]] = {}
    for person, month in months.items():
        by_role.setdefault(month.role, {})[person] = month
    for role, people in by_role.items():
        if len(people) < limits.volume_role_people:
            continue
        for person, month in people.items():
            count, usual = month.searches, month.usual
            if count < limits.volume_month_searches or usual is None:
                continue
            if count < _MORE_THAN_USUAL * usual:
                continue  # whose work it is to search more than others did so before
            others = [other.searches for name, other in people.items() if name != person]
            # Compared as ratios: who works on cases all day searches many times as much as others.
            z = robust_z(math.log(count), [math.log(n) for n in others], _LEAST_LOG_SPREAD)
            if z >= limits.volume_robust_z:
                yield (
                    person,
                    (
                        f"{count} searches in the month, {usual:.0f} in a month before; the "
                        f"median of the {len(others)} others of the role {role} is "
                        f"{median(others):g}. That is {z:.1f} robust standard deviations above it, "
                        "on a scale of ratios."
                    ),
                )


def finding_of_role(looked: Looked, person: str, inside: Sequence[Record], why: str) -> Finding:
    return VOLUME_OF_ROLE.finding(looked, person, "month", inside, why, is_weaker=True)


def _usual_month(looked: Looked, person: str) -> float | None:
    """Searches in 30 days of the time before; None for somebody who was hardly there."""
    earliest = looked.since(looked.limits.baseline_days)
    before = [
        r for r in looked.people[person] if earliest <= r.occurred_at < looked.begin
    ]  # fmt: skip
    if len({_day(r, looked) for r in before}) < _LEAST_DAYS:
        return None
    days = (looked.begin - max(earliest, before[0].occurred_at)).total_seconds() / 86400
    return sum(r.is_answered_search for r in before) * 30 / max(days, 30)


VOLUME_OF_DAY = Rule(
    name="volume_of_day",
    title="Many more searches than usual",
    looks_for="A day with far more searches than the person's other active days.",
    clause="131.4",
    find=_of_day,
    limits=("volume_day_searches", "volume_robust_z", "baseline_days"),
)
VOLUME_OF_ROLE = Rule(
    name="volume_of_role",
    title="Many more searches than others of the role",
    looks_for="A month with far more searches than others of the same role made, and with more "
    "than twice as many as the person made before.",
    clause="131.4",
    find=_of_role,
    limits=("volume_month_searches", "volume_robust_z", "volume_role_people"),
)
