"""The use cases of the yearly audit (131.5-d): figures of one agency for a period.

What stands now (accounts, ages of passwords, second factors) is said as of now, what happened
(sign-ins, locks, lapses, sessions) for the period [begin, end). Reading is recorded as well.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from alpr_common.auth import Principal
from alpr_common.policy import Policy, Role
from alpr_common.postgres import Connection
from alpr_identity import audit, audit_figures, audit_store, domain, training_lapses
from alpr_identity.audit import Actor
from alpr_identity.audit_figures import (
    ClosedAccount,
    Lockout,
    PasswordAges,
    RoleAccounts,
    RoleFactors,
    SignIns,
)
from alpr_identity.identity import Identity
from alpr_identity.refusals import PeriodMalformed
from alpr_identity.training_lapses import Lapse, Standing

_LONGEST = timedelta(days=800)
_PASSWORD_CHANGES = ("person.password_set", "person.password_changed")


@dataclass(frozen=True)
class Period:
    """[begin, end); raises `PeriodMalformed` for one that is empty or longer than two years."""

    begin: datetime
    end: datetime

    def __post_init__(self) -> None:
        if not timedelta() < self.end - self.begin <= _LONGEST:
            raise PeriodMalformed("`from` is before `to`, and at most 800 days before it.")


@dataclass(frozen=True)
class PasswordSecurity:
    """Everything about passwords, second factors and accounts."""

    agency_id: str
    period: Period
    made_at: datetime
    counted_since: datetime
    policy: Policy
    banned_passwords: int
    password_hash: str
    access_token_seconds: int
    accounts: list[RoleAccounts]
    second_factors: list[RoleFactors]
    password_ages: PasswordAges
    passwords_set_by_administrators: int
    passwords_changed_by_people: int
    lockouts: list[Lockout]
    releases: int
    closed_accounts: list[ClosedAccount]
    sign_ins: SignIns


async def password_security(
    identity: Identity, principal: Principal, period: Period, now: datetime
) -> PasswordSecurity:
    """The figures of the caller's agency."""
    policy = identity.policy.of(principal.agency_id)
    async with identity.database.transaction(principal.agency_id) as connection:
        accounts = await audit_store.accounts(connection)
        attempts = await audit_store.sign_ins(connection, period.begin, period.end)
        locks = await audit_store.events(
            connection, period.begin, period.end, "person.locked", "person.released"
        )
        changes = await audit_store.events(connection, period.begin, period.end, *_PASSWORD_CHANGES)
        since = await audit_store.counted_since(connection)
        await _tell_read(connection, principal, "password-security", period, now)
    set_by, changed_by = (
        sum(event["action"] == action for event in changes) for action in _PASSWORD_CHANGES
    )
    return PasswordSecurity(
        agency_id=principal.agency_id,
        period=period,
        made_at=now,
        counted_since=since,
        policy=policy,
        banned_passwords=len(identity.banned),
        password_hash=identity.passwords.name,
        access_token_seconds=identity.signing.lifetime_seconds,
        accounts=audit_figures.by_role(accounts),
        second_factors=audit_figures.coverage(accounts, policy),
        password_ages=audit_figures.password_ages(accounts, now),
        passwords_set_by_administrators=set_by,
        passwords_changed_by_people=changed_by,
        lockouts=audit_figures.lockouts(locks, accounts),
        releases=sum(event["action"] == "person.released" for event in locks),
        closed_accounts=audit_figures.closed_accounts(accounts, policy, now),
        sign_ins=audit_figures.sign_ins(attempts),
    )


@dataclass(frozen=True)
class LapseFound:
    """A lapse, whose it was, and whether they had access to ALPR data when it began."""

    lapse: Lapse
    username: str
    name: str
    standing: Standing
    """Role and account at the moment of the lapse."""
    had_access: bool
    """An active account with an access role: what the lapse took away."""
    sessions_open: list[UUID]
    """Sessions open at that moment: every request of theirs to ALPR data was refused from then."""
    sessions_opened_during: int


@dataclass(frozen=True)
class TrainingAudit:
    agency_id: str
    period: Period
    made_at: datetime
    counted_since: datetime
    people: list[dict[str, Any]]
    """Accounts, each with `training`: its records up to the end of the period."""
    lapses: list[LapseFound]


async def training(
    identity: Identity, principal: Principal, period: Period, now: datetime
) -> TrainingAudit:
    """The roster with its history, and the lapses that touch the period."""
    until = min(period.end, now)
    async with identity.database.transaction(principal.agency_id) as connection:
        accounts = await audit_store.accounts(connection)
        rows = await audit_store.training_rows(connection, until)
        changes = await audit_store.events(
            connection, period.begin, now, "person.changed", "person.disabled"
        )
        since = await audit_store.counted_since(connection)
        touching = [
            lapse for lapse in training_lapses.lapses(rows, until)
            if lapse.touches(period.begin, until)
        ]  # fmt: skip
        opened: list[dict[str, Any]] = []
        if touching:
            first = min(lapse.lapsed_at for lapse in touching)
            who = sorted({lapse.person_id for lapse in touching})
            opened = await audit_store.sessions_of(connection, who, first, until)
        await _tell_read(connection, principal, "training", period, now)
    policy = identity.policy.of(principal.agency_id)
    by_id = {account["person_id"]: account for account in accounts}
    return TrainingAudit(
        principal.agency_id, period, now, since,
        [a | {"training": [r for r in rows if r["person_id"] == a["person_id"]]} for a in accounts],
        [_found(one, by_id[one.person_id], changes, opened, policy, until) for one in touching],
    )  # fmt: skip


def _found(
    lapse: Lapse, account: dict[str, Any], changes: list[dict[str, Any]],
    opened: list[dict[str, Any]], policy: Policy, until: datetime,
) -> LapseFound:  # fmt: skip
    subject = f"person:{lapse.person_id}"
    own = [change for change in changes if change["subject"] == subject]
    then = training_lapses.standing_at(account["role"], account["active"], own, lapse.lapsed_at)
    mine = [s for s in opened if s["person_id"] == lapse.person_id]
    over = lapse.restored_at or until
    return LapseFound(
        lapse, account["username"], account["name"], then,
        had_access=then.active and Role(then.role) in policy.access_roles,
        sessions_open=[s["session_id"] for s in mine if _is_open(s, policy, lapse.lapsed_at)],
        sessions_opened_during=sum(lapse.lapsed_at < s["created_at"] < over for s in mine),
    )  # fmt: skip


def _is_open(session: dict[str, Any], policy: Policy, at: datetime) -> bool:
    ends = session["ended_at"] or min(
        session["created_at"] + timedelta(seconds=policy.session_max_seconds),
        session["refreshed_at"] + timedelta(seconds=policy.session_idle_seconds),
    )
    return bool(session["created_at"] <= at < ends)


async def sessions_between(
    identity: Identity, principal: Principal, period: Period, cursor: str | None, limit: int,
    now: datetime,
) -> tuple[list[dict[str, Any]], str | None]:  # fmt: skip
    """Sessions that were open in the period, and where the next page begins. A session that nobody
    ended is said to end where it could be refreshed no more. Raises `PeriodMalformed`."""
    policy = identity.policy.of(principal.agency_id)
    after = _place(cursor) if cursor else None
    async with identity.database.transaction(principal.agency_id) as connection:
        rows = await audit_store.sessions_between(
            connection, period.begin, period.end, after, limit + 1
        )
        if after is None:
            await _tell_read(connection, principal, "sessions", period, now)
    shown = rows[:limit]
    idle, begun = domain.overdue(policy, now)
    for row in shown:
        row["is_open"] = (
            row["ended_at"] is None and row["refreshed_at"] >= idle and row["created_at"] > begun
        )
    following = _cursor(shown[-1]) if len(rows) > limit else None
    return shown, following


def _cursor(row: dict[str, Any]) -> str:
    place = f"{row['created_at'].isoformat()}|{row['session_id']}"
    return base64.urlsafe_b64encode(place.encode()).decode()


def _place(cursor: str) -> tuple[datetime, UUID]:
    try:
        opened_at, session_id = base64.b64decode(cursor, b"-_", validate=True).decode().split("|")
        place = datetime.fromisoformat(opened_at), UUID(session_id)
        if place[0].tzinfo is None:
            raise ValueError(opened_at)
    except (ValueError, binascii.Error) as error:
        raise PeriodMalformed("`cursor` is not one that this service gave.") from error
    return place


async def _tell_read(
    connection: Connection, principal: Principal, what: str, period: Period, now: datetime
) -> None:
    await audit.tell(
        connection, Actor.of(principal), principal.agency_id, "audit.read", f"audit:{what}", now,
        details={"from": period.begin.isoformat(), "to": period.end.isoformat()},
    )  # fmt: skip
