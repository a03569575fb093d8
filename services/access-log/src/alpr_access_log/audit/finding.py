"""What a rule found: who, why, from which limit on, and the records that it rests on. Pure.

Findings are hints. Their words say what the records show, never what somebody did wrong.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid5

from alpr_access_log.audit.records import Looked, Record

_NAMESPACE = UUID("6f0c3a2e-5a0b-4d39-9b0e-2d9e5f1f7a31")
SHOWN_RECORDS = 50
"""Records that a finding is stored and shown with, the first ones."""

Strength = Literal["direct", "weaker"]
"""`weaker`: it rests on a comparison with habits, which have many good reasons to change."""


@dataclass(frozen=True)
class Finding:
    """One finding of one month. `about` tells several of one person and rule apart."""

    rule: str
    people: tuple[str, ...]
    """Whose records it rests on; most often one."""
    about: str
    why: str
    limits: dict[str, str]
    """The limits of the policy file that it rests on, by name."""
    records: tuple[Record, ...]
    strength: Strength = "direct"
    words: str | None = None
    """Somebody's own words, where they are what it is about."""
    count: int | None = None
    """How many records it rests on, where `records` are the first of them alone …"""
    until: datetime | None = None
    """… and when the last one was."""

    @property
    def first_at(self) -> datetime:
        return min(record.occurred_at for record in self.records)

    @property
    def last_at(self) -> datetime:
        return self.until or max(record.occurred_at for record in self.records)

    @property
    def record_count(self) -> int:
        return len(self.records) if self.count is None else self.count

    def id_in(self, agency_id: str, begin: datetime) -> UUID:
        """The same for every run over that agency's month (UTC), however far it had come."""
        people = ",".join(self.people) if len(self.people) == 1 else "several"
        named = "|".join((agency_id, self.rule, people, self.about, f"{begin:%Y-%m}"))
        return uuid5(_NAMESPACE, named)

    def to_json(self, agency_id: str, begin: datetime) -> dict[str, Any]:
        """As it is stored and shown. Names are not in it: they are looked up when it is shown."""
        shown = sorted(self.records, key=lambda r: (r.occurred_at, r.record_id))
        return {
            "finding_id": str(self.id_in(agency_id, begin)),
            "rule": self.rule,
            "strength": self.strength,
            "people": list(self.people),
            "why": self.why,
            "limits": self.limits,
            "first_at": self.first_at.isoformat(),
            "last_at": self.last_at.isoformat(),
            "record_count": self.record_count,
            "records": [_shown(record) for record in shown[:SHOWN_RECORDS]],
        }


def _shown(record: Record) -> dict[str, Any]:
    said = {
        "record_id": str(record.record_id),
        "occurred_at": record.occurred_at.isoformat(),
        "person_id": record.person_id,
        "action": record.action,
        "outcome": record.outcome,
        "plate": record.plate,
        "case_number": record.case_number,
        "purpose": record.purpose,
        "address": record.address,
        "session_id": record.session_id,
        "refusal_code": record.refusal_code,
    }
    return {name: value for name, value in said.items() if value is not None}


Find = Callable[[Looked], Iterable[Finding]]
WhyNot = Callable[[Looked], str | None]


def _always(_looked: Looked) -> None:
    return None


def needs(known: Callable[[Looked], object], why_not: str) -> WhyNot:
    """A rule that cannot be applied where `known` gives None."""

    def check(looked: Looked) -> str | None:
        return why_not if known(looked) is None else None

    return check


@dataclass(frozen=True)
class Rule:
    """A rule: its word, what it looks for, the clause that it serves, and how it looks."""

    name: str
    title: str
    looks_for: str
    clause: str
    find: Find
    limits: Sequence[str]
    """Names in `[misuse]` of the policy file."""
    why_not: WhyNot = _always
    """Why it cannot be applied to what there is; None when it can."""

    def finding(
        self, looked: Looked, people: str | tuple[str, ...], about: str,
        records: Sequence[Record], why: str, *, is_weaker: bool = False, words: str | None = None,
        by_limits: bool = True, count: int | None = None, last_at: datetime | None = None,
    ) -> Finding:  # fmt: skip
        """One finding of this rule; `by_limits`: whether its limits had a part in it."""
        return Finding(
            rule=self.name,
            people=(people,) if isinstance(people, str) else people,
            about=about,
            why=why,
            limits=self.says(looked) if by_limits else {},
            records=tuple(records),
            strength="weaker" if is_weaker else "direct",
            words=words,
            count=count,
            until=last_at,
        )

    def says(self, looked: Looked) -> dict[str, str]:
        """The limits that it rests on, as the policy file has them now."""
        return {name: limit_text(getattr(looked.limits, name)) for name in self.limits}


def limit_text(value: object) -> str:
    """A limit as a person reads it."""
    match value:
        case dict():
            return "; ".join(f"{k}: {', '.join(sorted(v))}" for k, v in sorted(value.items()))
        case tuple():
            return ", ".join(str(one) for one in value) or "none"
        case _:
            return str(value)


def run(rules: Iterable[Rule], looked: Looked) -> Iterator[Finding]:
    """Findings of all rules that can be applied, by rule."""
    for rule in rules:
        if rule.why_not(looked) is None:
            yield from rule.find(looked)


def moments(records: Sequence[Record]) -> str:
    """How many, and on how many days: `7 searches on 4 days`."""
    days = len({record.occurred_at.date() for record in records})
    searches = f"{len(records)} search{'es' if len(records) != 1 else ''}"
    return f"{searches} on {days} day{'s' if days != 1 else ''}"
