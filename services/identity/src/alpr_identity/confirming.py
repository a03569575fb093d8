"""Whether somebody is who they say: the password, the second factor, and the lock that both share.

An attempt is counted as failed before anything is checked, so that guesses made at the same moment
count as well (CJISSECPOL AC-7).
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from prometheus_client import Counter

from alpr_common.postgres import Connection
from alpr_identity import audit, domain, factor_store, one_time_codes, store
from alpr_identity.audit import Actor
from alpr_identity.domain import Person
from alpr_identity.identity import Identity
from alpr_identity.one_time_codes import Shown
from alpr_identity.refusals import SecondFactorNeeded, UsernameMalformed

LOCKOUTS = Counter("alpr_lockouts_total", "Accounts locked after failed attempts")


@dataclass(frozen=True)
class Claim:
    """What somebody says to be who they are."""

    username: str
    password: str
    code: str | None = None
    address: str | None = None


@dataclass(frozen=True)
class Confirmed:
    """Somebody whose claim holds, in the transaction that found it so."""

    connection: Connection
    person: Person
    second_factor: Literal["none", "code", "recovery_code"]
    """Which code was asked for and was right."""


@dataclass(frozen=True)
class _Attempt:
    credentials: store.Credentials
    failure_id: int


_SHOWN: Mapping[Shown, Literal["none", "code", "recovery_code"]] = {
    Shown.NOT_ASKED: "none",
    Shown.RIGHT: "code",
    Shown.RECOVERY_CODE: "recovery_code",
}


async def confirm(
    identity: Identity, claim: Claim, now: datetime, *, ask_code: bool = True
) -> bool:
    """Whether the claim holds; a wrong one counts towards the lock.

    `ask_code` False asks for the password alone, of somebody whose session showed the code.
    Raises `SecondFactorNeeded`.
    """
    async with confirmed(identity, claim, now, ask_code=ask_code) as found:
        if found is None:
            return False
        await store.clear_failures(found.connection, found.person.person_id)
        return True


@asynccontextmanager
async def confirmed(
    identity: Identity, claim: Claim, now: datetime, *, ask_code: bool = True
) -> AsyncIterator[Confirmed | None]:
    """The person whose claim holds; None when it does not, which is recorded, and at the fifth
    time locks. Raises `SecondFactorNeeded` when only the code is missing."""
    attempt = await _begin(identity, claim, now)
    stored = attempt.credentials.password_hash if attempt else None
    verdict = await identity.passwords.verify(claim.password, stored)
    if attempt is None:
        yield None
        return
    fresh = await identity.passwords.hash(claim.password) if verdict.stale else None
    person = attempt.credentials.person
    needed: SecondFactorNeeded | None = None
    async with identity.database.transaction(person.agency_id) as connection:
        # Locked, deactivated or changed while the password was checked: what holds now decides.
        latest = await store.lock_credentials_by_id(connection, person.person_id)
        cause = "wrong password"
        if (
            verdict.right
            and latest is not None
            and latest.password_hash == stored
            and domain.may_sign_in(latest.person, identity.policy, now)
        ):
            shown = Shown.NOT_ASKED
            if ask_code:
                shown = await one_time_codes.check(
                    connection, identity, latest.person, claim.code, now
                )
            if shown in _SHOWN:
                if fresh is not None:
                    await store.rehash_password(connection, person.person_id, fresh)
                yield Confirmed(connection, latest.person, _SHOWN[shown])
                return
            cause = "wrong second factor"
            if shown is Shown.MISSING:
                needed = await _needed(connection, latest.person)
        if needed is not None:
            await store.drop_failure(connection, attempt.failure_id)
        elif latest is not None:
            await _refuse(connection, identity, latest.person, cause, claim.address, now)
    if needed is not None:
        raise needed
    yield None


async def _needed(connection: Connection, person: Person) -> SecondFactorNeeded:
    """By which ways somebody can show their second factor."""
    codes_left = await factor_store.count_codes(connection, person.person_id)
    return SecondFactorNeeded(
        app=person.second_factor_at is not None, recovery_code=codes_left > 0,
        passkey=person.has_passkey,
    )  # fmt: skip


async def _begin(identity: Identity, claim: Claim, now: datetime) -> _Attempt | None:
    """Whose password is to be checked, with this attempt counted as failed until it is not.

    None when nobody's is: unknown, locked, inactive, or enough attempts are being checked already.
    """
    try:
        username = domain.folded_username(claim.username)
    except UsernameMalformed:
        return None
    async with identity.database.transaction() as connection:
        agency_id = await store.agency_of_username(connection, username)
    if agency_id is None:
        return None
    async with identity.database.transaction(agency_id) as connection:
        found = await store.lock_credentials(connection, username)
        if found is None:
            return None
        person = found.person
        since = domain.failures_count_since(identity.policy, now)
        failures = await store.count_failures(connection, person.person_id, since)
        lets = identity.providers.lets_use_password(agency_id, person.role)
        if (
            lets
            and domain.may_sign_in(person, identity.policy, now)
            and failures < identity.policy.sign_in_failures_max
        ):
            return _Attempt(found, await store.add_failure(connection, person.person_id, now))
        await audit.tell(
            connection, Actor.of_person(person, claim.address), agency_id, "session.opened",
            f"person:{person.person_id}", now, "refused",
            details={
                "cause": domain.why_closed(person, identity.policy, now)
                or ("too many attempts at once" if lets else "no passwords for this role")
            },
        )  # fmt: skip
        return None


async def _refuse(
    connection: Connection, identity: Identity, person: Person, cause: str,
    address: str | None, now: datetime,
) -> None:  # fmt: skip
    """Record a wrong answer; lock the account when it was one too many (CJISSECPOL AC-7)."""
    since = domain.failures_count_since(identity.policy, now)
    failures = await store.count_failures(connection, person.person_id, since)
    actor, subject = Actor.of_person(person, address), f"person:{person.person_id}"
    locks = failures >= identity.policy.sign_in_failures_max and person.locked_at is None
    if locks:
        await store.set_lock(connection, person.person_id, now)
        LOCKOUTS.inc()
    await audit.tell(
        connection, actor, person.agency_id, "session.opened", subject, now, "refused",
        details={"cause": cause, "failures": str(failures)},
    )  # fmt: skip
    if locks:
        await audit.tell(
            connection, actor, person.agency_id, "person.locked", subject, now,
            details={"failures": str(failures)},
        )  # fmt: skip
