"""The use cases of sessions: signing in, refreshing, signing out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from prometheus_client import Counter

from alpr_common.auth import Principal, TokenIssuer
from alpr_common.policy import Policy
from alpr_common.postgres import Connection, Database
from alpr_identity import audit, domain, store
from alpr_identity.audit import Actor
from alpr_identity.domain import Person, Session
from alpr_identity.passwords import Passwords
from alpr_identity.refusals import SessionEnded, SignInRefused, UsernameMalformed

SIGN_INS = Counter("alpr_sign_ins_total", "Attempts to sign in", ["outcome"])
LOCKOUTS = Counter("alpr_lockouts_total", "Accounts locked after failed attempts")
SESSIONS_ENDED = Counter("alpr_sessions_ended_total", "Sessions by why they ended", ["because"])


@dataclass(frozen=True)
class Identity:
    """What every use case of identity needs."""

    database: Database
    passwords: Passwords
    banned: frozenset[str]
    issuer: TokenIssuer
    policy: Policy
    refusal_floor_seconds: float = 0.0


@dataclass(frozen=True)
class SignedIn:
    """Tokens of a session. The refresh token works once."""

    person: Person
    access_token: str
    expires_at: datetime
    refresh_token: str


async def sign_in(
    identity: Identity, username: str, password: str, address: str | None, now: datetime
) -> SignedIn:
    """A new session; raises `SignInRefused`, in the same words and time whatever the cause."""
    clock = asyncio.get_running_loop()
    earliest = clock.time() + identity.refusal_floor_seconds
    signed_in = await _try_sign_in(identity, username, password, address, now)
    if signed_in is None:
        SIGN_INS.labels("refused").inc()
        await asyncio.sleep(max(0.0, earliest - clock.time()))
        raise SignInRefused
    SIGN_INS.labels("done").inc()
    return signed_in


async def _try_sign_in(
    identity: Identity, username: str, password: str, address: str | None, now: datetime
) -> SignedIn | None:
    async with _confirmed(identity, username, password, address, now) as (connection, person):
        if connection is None or person is None:
            return None
        return await _open(connection, identity, person, address, now)


async def confirm_password(
    identity: Identity, username: str, password: str, address: str | None, now: datetime
) -> bool:
    """Whether the password is the person's; a wrong one counts towards the lock."""
    async with _confirmed(identity, username, password, address, now) as (connection, person):
        if connection is None or person is None:
            return False
        await store.clear_failures(connection, person.person_id)
        return True


@asynccontextmanager
async def _confirmed(
    identity: Identity, username: str, password: str, address: str | None, now: datetime
) -> AsyncIterator[tuple[Connection | None, Person | None]]:
    """The person whose password was right, in a transaction; (None, None) when it was not, which
    is counted, recorded, and at the fifth time locks."""
    credentials = await _begin(identity, username, address, now)
    stored = credentials.password_hash if credentials else None
    verdict = await identity.passwords.verify(password, stored)
    if credentials is None:
        yield None, None
        return
    fresh = await identity.passwords.hash(password) if verdict.stale else None
    person = credentials.person
    async with identity.database.transaction(person.agency_id) as connection:
        # Locked, deactivated or changed while the password was checked: what holds now decides.
        latest = await store.lock_credentials_by_id(connection, person.person_id)
        unchanged = latest is not None and latest.password_hash == stored
        if verdict.right and unchanged and latest is not None and _may(latest.person):
            if fresh is not None:
                await store.rehash_password(connection, person.person_id, fresh)
            yield connection, latest.person
            return
        await _refuse(connection, identity.policy, latest, address, now)
    yield None, None


def _may(person: Person) -> bool:
    return person.active and person.locked_at is None


async def _begin(
    identity: Identity, username: str, address: str | None, now: datetime
) -> store.Credentials | None:
    """Whose password is to be checked, with this attempt counted as failed until it is not.

    None when nobody's is: unknown, locked, inactive, or enough attempts are being checked already.
    """
    try:
        username = domain.folded_username(username)
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
        since = domain.failures_count_since(identity.policy, now)
        failures = await store.count_failures(connection, found.person.person_id, since)
        if _may(found.person) and failures < identity.policy.sign_in_failures_max:
            await store.add_failure(connection, found.person.person_id, now)
            return found
        cause = "locked" if found.person.locked_at else "too many attempts at once"
        await audit.tell(
            connection, Actor.of_person(found.person, address), agency_id, "session.opened",
            f"person:{found.person.person_id}", now, "refused",
            details={"cause": cause if found.person.active else "not active"},
        )  # fmt: skip
        return None


async def _refuse(
    connection: Connection,
    policy: Policy,
    latest: store.Credentials | None,
    address: str | None,
    now: datetime,
) -> None:
    """Record a wrong password; lock the account when it was one too many (CJISSECPOL AC-7)."""
    if latest is None:
        return
    person = latest.person
    since = domain.failures_count_since(policy, now)
    failures = await store.count_failures(connection, person.person_id, since)
    actor, subject = Actor.of_person(person, address), f"person:{person.person_id}"
    locks = failures >= policy.sign_in_failures_max and person.locked_at is None
    if locks:
        await store.set_lock(connection, person.person_id, now)
        LOCKOUTS.inc()
    await audit.tell(
        connection, actor, person.agency_id, "session.opened", subject, now, "refused",
        details={"cause": "wrong password", "failures": str(failures)},
    )  # fmt: skip
    if locks:
        await audit.tell(
            connection, actor, person.agency_id, "person.locked", subject, now,
            details={"failures": str(failures)},
        )  # fmt: skip


async def _open(
    connection: Connection, identity: Identity, person: Person, address: str | None, now: datetime
) -> SignedIn:
    await store.clear_failures(connection, person.person_id)
    await store.note_sign_in(connection, person.person_id, now)
    session = Session(uuid4(), person.agency_id, person.person_id, now, now, None)
    await store.add_session(connection, session, address)
    signed_in = await _issue(connection, identity, person, session, address, now)
    await audit.tell(
        connection, Actor.of_person(person, address, str(session.session_id)), person.agency_id,
        "session.opened", f"person:{person.person_id}", now,
    )  # fmt: skip
    return signed_in


async def _issue(
    connection: Connection,
    identity: Identity,
    person: Person,
    session: Session,
    address: str | None,
    now: datetime,
) -> SignedIn:
    """The next pair of tokens; the access token ends with the session at the latest."""
    left = domain.session_end(session, identity.policy) - now
    seconds = min(identity.issuer.lifetime_seconds, int(left.total_seconds()))
    issuer = replace(identity.issuer, lifetime_seconds=seconds)
    refresh_token = domain.new_refresh_token(session.agency_id, session.session_id)
    await store.add_token(connection, domain.token_hash(refresh_token), session, now)
    return SignedIn(
        person,
        issuer.issue(person.principal(session.session_id, address), now),
        now + timedelta(seconds=seconds),
        refresh_token,
    )


async def refresh(
    identity: Identity, refresh_token: str, address: str | None, now: datetime
) -> SignedIn:
    """New tokens with the role and training that hold now; the token given works no more.

    A token that was used before ends the session: somebody else has it. Raises `SessionEnded`.
    """
    agency_id, session_id = domain.token_place(refresh_token)
    if not agency_id or "\x00" in agency_id:
        raise SessionEnded("That is not a refresh token of this system.")
    spent = domain.token_hash(refresh_token)
    async with identity.database.transaction(agency_id) as connection:
        session = await store.lock_session(connection, session_id)
        token = await store.find_token(connection, spent, session_id)
        if session is None or token is None:
            raise SessionEnded("Sign in again.")
        person = await store.find_person(connection, session.person_id)
        why = domain.why_over(session, identity.policy, now)
        if token.used_at is not None:
            why = "refresh_token_reused"
        elif person is None or not person.active:
            why = "deactivated"
        if why is None and person is not None:
            await store.use_token(connection, spent, now)
            await store.note_refresh(connection, session_id, now)
            return await _issue(connection, identity, person, session, address, now)
        assert why is not None
        await _end(connection, session, person, why, address, now)
    raise SessionEnded(_SAID.get(why, "Sign in again."))


_SAID = {
    "idle": "You were away for too long. Sign in again.",
    "reauthentication_due": "Sign in again: that is due twice a day.",
    "refresh_token_reused": "The session was used from two places and has been ended. Sign in "
    "again, and tell your administrator if that was not you.",
}


async def _end(
    connection: Connection,
    session: Session,
    person: Person | None,
    why: str,
    address: str | None,
    now: datetime,
) -> None:
    if await store.end_session(connection, session.session_id, why, now):
        SESSIONS_ENDED.labels(why).inc()
        actor = (
            Actor.of_person(person, address, str(session.session_id)) if person else audit.OPERATOR
        )
        await audit.tell(
            connection, actor, session.agency_id, "session.ended",
            f"session:{session.session_id}", now, details={"because": why},
        )  # fmt: skip


async def sign_out(identity: Identity, principal: Principal, now: datetime) -> None:
    """End the caller's session; once more changes nothing."""
    try:
        session_id = UUID(principal.session_id)
    except ValueError:
        return  # a token that no session of ours stands behind
    async with identity.database.transaction(principal.agency_id) as connection:
        if await store.end_session(connection, session_id, "signed_out", now):
            SESSIONS_ENDED.labels("signed_out").inc()
            await audit.tell(
                connection, Actor.of(principal), principal.agency_id, "session.ended",
                f"session:{session_id}", now, details={"because": "signed_out"},
            )  # fmt: skip


async def end_all(connection: Connection, person: Person, because: str, now: datetime) -> int:
    """End every open session of a person, in the caller's transaction; returns how many."""
    ended = 0
    for session_id in await store.open_sessions(connection, person.person_id):
        ended += await store.end_session(connection, session_id, because, now)
        SESSIONS_ENDED.labels(because).inc()
    return ended
