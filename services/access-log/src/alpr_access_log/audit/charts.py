"""What page and PDF draw, as numbers: labelled values, few enough to be told apart.

Page and sheet draw the same charts, each with its own pen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from alpr_access_log.audit.summary import DayUsage, HourUsage, Summary

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MOST_DAYS = 62
_MOST_BARS = 12


@dataclass(frozen=True)
class Bar:
    """A labelled value, and a second one that is stacked on it."""

    label: str
    value: int
    more: int = 0

    @property
    def total(self) -> int:
        return self.value + self.more


@dataclass(frozen=True)
class Bars:
    """A bar chart. `names` say what the value and what is stacked on it is."""

    title: str
    bars: Sequence[Bar]
    names: tuple[str, str | None]

    @property
    def most(self) -> int:
        return max((bar.total for bar in self.bars), default=0)

    @property
    def says(self) -> str:
        """The chart in one sentence, for whoever does not see it."""
        if not self.bars:
            return f"{self.title}: nothing to show."
        top = max(self.bars, key=lambda bar: bar.total)
        total = sum(bar.total for bar in self.bars)
        return (
            f"{self.title}: {total} in {len(self.bars)} bars, the highest is {top.label} "
            f"with {top.total}."
        )


def over_time(days: Sequence[DayUsage], begin: date, end: date) -> Bars:
    """Searches per day or, over more than two months, per week; days without any have a bar too."""
    by_day = {day.day: day for day in days}
    length = (end - begin).days + 1
    every = [begin + timedelta(days=n) for n in range(max(length, 0))]
    if length <= _MOST_DAYS:
        bars = [_bar(f"{d:%b} {d.day}", [by_day[d]] if d in by_day else []) for d in every]
        return Bars("Searches per day", bars, ("answered", "refused or failed"))
    weeks = groupby(every, key=_monday)
    bars = [
        _bar(f"{week:%b} {week.day}", [by_day[d] for d in within if d in by_day])
        for week, within in weeks
    ]
    return Bars("Searches per week", bars, ("answered", "refused or failed"))


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _bar(label: str, days: Sequence[DayUsage]) -> Bar:
    return Bar(label, sum(d.searches for d in days), sum(d.refused for d in days))


def by_hour(hours: Sequence[HourUsage], zone: str) -> Bars:
    """Answered searches by hour of the day."""
    counts = [0] * 24
    for one in hours:
        counts[one.hour] += one.searches
    bars = [Bar(f"{hour:02d}", count) for hour, count in enumerate(counts)]
    return Bars(f"Searches by hour of the day ({zone})", bars, ("answered", None))


def week(hours: Sequence[HourUsage]) -> list[list[int]]:
    """Answered searches by weekday (Monday first) and hour."""
    grid = [[0] * 24 for _ in WEEKDAYS]
    for one in hours:
        grid[one.weekday - 1][one.hour] += one.searches
    return grid


def by_person(summary: Summary) -> Bars:
    """The people who searched most."""
    people = [p for p in summary.usage.people if p.searches or p.refused][:_MOST_BARS]
    bars = [Bar(p.name or p.person_id, p.searches, p.refused) for p in people]
    rest = [p for p in summary.usage.people if p.searches or p.refused][_MOST_BARS:]
    if rest:
        others = f"{len(rest)} others"
        bars.append(Bar(others, sum(p.searches for p in rest), sum(p.refused for p in rest)))
    return Bars("Searches by person", bars, ("answered", "refused or failed"))


def by_purpose(summary: Summary) -> Bars:
    bars = [Bar(one.label, one.searches) for one in summary.usage.purposes[:_MOST_BARS]]
    return Bars("Searches by purpose", bars, ("answered", None))


def by_refusal(summary: Summary) -> Bars:
    bars = [Bar(words(one.code), one.count) for one in summary.usage.refusals[:_MOST_BARS]]
    return Bars("Refusals by reason", bars, ("refused", None))


def by_rule(summary: Summary) -> Bars:
    bars = [Bar(one.title, one.findings) for one in summary.misuse.rules if one.findings]
    return Bars("Findings by rule", bars, ("findings", None))


def words(code: str) -> str:
    """A code as words: `suspicion-too-short` is `suspicion too short`."""
    return code.replace("-", " ").replace("_", " ")


def nice_top(most: int) -> int:
    """A round number at or above `most` for the axis' end."""
    if most <= 5:
        return max(most, 1)
    scale: int = 10 ** (len(str(most)) - 1)
    for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10):
        if step * scale >= most:
            return int(step * scale)
    return 10 * scale
