"""What the yearly audit counts about passwords and accounts (131.5-d). No input or output."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any, Literal
from uuid import UUID

from alpr_common.policy import Policy, Role

Row = Mapping[str, Any]

# Edges of the histogram of password ages, in days.
_AGE_EDGES = (30, 90, 180, 365)


@dataclass(frozen=True)
class RoleAccounts:
    """The accounts of one role as they stand now."""

    role: Role
    active: int
    disabled: int
    locked: int
    never_signed_in: int


@dataclass(frozen=True)
class RoleFactors:
    """Second factors of the active accounts of one role; who has both counts in both."""

    role: Role
    required: bool
    accounts: int
    totp: int
    passkey: int
    none: int


@dataclass(frozen=True)
class AgeBucket:
    """Passwords of `from_days` and less than `to_days` (None: any more) days."""

    from_days: int
    to_days: int | None
    accounts: int


@dataclass(frozen=True)
class PasswordAges:
    """How old the passwords of active accounts are now."""

    buckets: list[AgeBucket]
    oldest_days: int | None
    median_days: int | None


@dataclass(frozen=True)
class Lockout:
    """An account locked after failed attempts; `released_at` None: not within the period."""

    person_id: UUID
    username: str
    name: str
    locked_at: datetime
    failures: int
    address: str | None
    released_at: datetime | None
    released_by: str | None


@dataclass(frozen=True)
class ClosedAccount:
    """An account that lets nobody in now, or that nobody uses."""

    person_id: UUID
    username: str
    name: str
    role: Role
    standing: Literal["disabled", "unused"]
    last_used_at: datetime


@dataclass(frozen=True)
class SignInDay:
    day: date
    done: int
    refused: int


@dataclass(frozen=True)
class SignIns:
    """Attempts of people who are known here; unknown user names belong to no agency."""

    done: int
    refused: int
    by_method: dict[str, int]
    by_second_factor: dict[str, int]
    refused_because: dict[str, int]
    by_day: list[SignInDay]


def by_role(accounts: Sequence[Row]) -> list[RoleAccounts]:
    """Every role that has accounts."""
    return [
        RoleAccounts(
            role,
            active=sum(a["active"] for a in mine),
            disabled=sum(not a["active"] for a in mine),
            locked=sum(a["locked_at"] is not None for a in mine),
            never_signed_in=sum(a["signed_in_at"] is None for a in mine),
        )
        for role, mine in _roles(accounts)
    ]


def coverage(accounts: Sequence[Row], policy: Policy) -> list[RoleFactors]:
    """Who of the active accounts has which second factor."""
    return [
        RoleFactors(
            role,
            role in policy.second_factor_roles,
            accounts=len(mine),
            totp=sum(a["has_totp"] for a in mine),
            passkey=sum(a["has_passkey"] for a in mine),
            none=sum(not (a["has_totp"] or a["has_passkey"]) for a in mine),
        )
        for role, mine in _roles([a for a in accounts if a["active"]])
    ]


def _roles(accounts: Sequence[Row]) -> Iterable[tuple[Role, list[Row]]]:
    for role in Role:
        mine = [a for a in accounts if a["role"] == role.value]
        if mine:
            yield role, mine


def password_ages(accounts: Sequence[Row], now: datetime) -> PasswordAges:
    days = [(now - a["password_changed_at"]).days for a in accounts if a["active"]]
    begins, ends = (0, *_AGE_EDGES), (*_AGE_EDGES, None)
    buckets = [
        AgeBucket(begin, end, sum(begin <= d and (end is None or d < end) for d in days))
        for begin, end in zip(begins, ends, strict=True)
    ]
    return PasswordAges(buckets, max(days, default=None), int(median(days)) if days else None)


def lockouts(events: Sequence[Row], accounts: Sequence[Row]) -> list[Lockout]:
    """From `person.locked` and `person.released`, oldest first."""
    known = {f"person:{a['person_id']}": a for a in accounts}
    found: list[Lockout] = []
    for n, event in enumerate(events):
        account = known.get(event["subject"])
        if event["action"] != "person.locked" or account is None:
            continue
        releases = (
            later for later in events[n + 1 :]
            if later["action"] == "person.released" and later["subject"] == event["subject"]
        )  # fmt: skip
        release: Row = next(releases, {})
        found.append(
            Lockout(
                account["person_id"], account["username"], account["name"], event["occurred_at"],
                int(event["details"].get("failures", 0)), event["address"],
                release.get("occurred_at"), release.get("actor_name"),
            )
        )  # fmt: skip
    return found


def closed_accounts(accounts: Sequence[Row], policy: Policy, now: datetime) -> list[ClosedAccount]:
    """The disabled ones, and the active ones that nobody has used for half of what disables."""
    unused_since = now - timedelta(days=policy.inactive_days_max) / 2
    found = []
    for a in accounts:
        used = [a["created_at"], a["signed_in_at"], a["active_since"]]
        last = max(at for at in used if at is not None)
        if not a["active"] or last < unused_since:
            standing: Literal["disabled", "unused"] = "unused" if a["active"] else "disabled"
            found.append(
                ClosedAccount(
                    a["person_id"], a["username"], a["name"], Role(a["role"]), standing, last
                )
            )
    return found


def sign_ins(rows: Sequence[Row]) -> SignIns:
    """The sums of what `audit_store.sign_ins` counted."""
    done = [row for row in rows if row["outcome"] == "done"]
    refused = [row for row in rows if row["outcome"] != "done"]
    days = sorted({row["day"] for row in rows})
    return SignIns(
        done=sum(row["count"] for row in done),
        refused=sum(row["count"] for row in refused),
        by_method=_sums(done, "method"),
        by_second_factor=_sums(done, "second_factor"),
        refused_because=_sums(refused, "cause"),
        by_day=[SignInDay(day, _on(done, day), _on(refused, day)) for day in days],
    )


def _on(rows: Sequence[Row], day: date) -> int:
    return sum(row["count"] for row in rows if row["day"] == day)


def _sums(rows: Sequence[Row], name: str) -> dict[str, int]:
    sums: dict[str, int] = {}
    for row in rows:
        key = row[name] or "not said"
        sums[key] = sums.get(key, 0) + row["count"]
    return dict(sorted(sums.items()))
