"""The use cases of sessions: signing in, refreshing, signing out."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from prometheus_client import Counter

from alpr_common import outbox
from alpr_common.auth import Principal
from alpr_common.messages.session import TokensRefused
from alpr_common.policy import Role
from alpr_common.postgres import Connection
from alpr_common.topics import SESSIONS
from alpr_identity import audit, confirming, domain, factor_store, store
from alpr_identity.audit import Actor
from alpr_identity.confirming import Claim
from alpr_identity.domain import Person, Session, SignInMethod
from alpr_identity.identity import Identity
from alpr_identity.refusals import SessionEnded, SessionNotFound, SignInRefused

SIGN_INS = Counter("alpr_sign_ins_total", "Attempts to sign in", ["outcome"])
SESSIONS_ENDED = Counter("alpr_sessions_ended_total", "Sessions by why they ended", ["because"])


@dataclass(frozen=True)
class SignedIn:
    """Tokens of a session. The refresh token works once."""

    person: Person
    access_token: str
    expires_at: datetime
    refresh_token: str
    must_enrol: bool = False
    """The token opens nothing but the enrolment of a second factor."""


async def sign_in(identity: Identity, claim: Claim, now: datetime) -> SignedIn:
    """A new session; raises `SignInRefused`, in the same words and time whatever the cause, and
    `SecondFactorNeeded` for a right password without the code."""
    clock = asyncio.get_running_loop()
    earliest = clock.time() + identity.refusal_floor_seconds
    signed_in = await _try_sign_in(identity, claim, now)
    if signed_in is None:
        SIGN_INS.labels("refused").inc()
        await asyncio.sleep(max(0.0, earliest - clock.time()))
        raise SignInRefused
    SIGN_INS.labels("done").inc()
    return signed_in


async def _try_sign_in(identity: Identity, claim: Claim, now: datetime) -> SignedIn | None:
    async with confirming.confirmed(identity, claim, now) as found:
        if found is None:
            return None
        opening = Opening("password", found.second_factor, claim.address)
        return await open_session(found.connection, identity, found.person, opening, now)


@dataclass(frozen=True)
class Opening:
    """How somebody signed in, and what they showed beside a password: `none` rests on that
    alone."""

    method: SignInMethod
    second_factor: Literal["none", "code", "recovery_code", "passkey", "provider"]
    address: str | None


async def open_session(
    connection: Connection, identity: Identity, person: Person, opening: Opening, now: datetime
) -> SignedIn:
    """A session of somebody who was found to be who they say, in the transaction that found it."""
    await store.clear_failures(connection, person.person_id)
    await store.note_sign_in(connection, person.person_id, now)
    session = Session(
        uuid4(), person.agency_id, person.person_id, now, now, None,
        None if opening.second_factor == "none" else now, opening.method,
    )  # fmt: skip
    await store.add_session(connection, session, opening.address)
    signed_in = await _issue(connection, identity, person, session, opening.address, now)
    await audit.tell(
        connection, Actor.of_person(person, opening.address, str(session.session_id)),
        person.agency_id, "session.opened", f"person:{person.person_id}", now,
        details={"method": opening.method, "second_factor": opening.second_factor},
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
    signing = identity.signing.issuer(now)
    seconds = min(signing.lifetime_seconds, int(left.total_seconds()))
    issuer = replace(signing, lifetime_seconds=seconds)
    refresh_token = domain.new_refresh_token(session.agency_id, session.session_id)
    await store.add_token(connection, domain.token_hash(refresh_token), session, now)
    must_enrol = domain.must_enrol(person, session, identity.policy)
    return SignedIn(
        person,
        issuer.issue(person.principal(session.session_id, address, must_enrol=must_enrol), now),
        now + timedelta(seconds=seconds),
        refresh_token,
        must_enrol,
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
        elif person.has_second_factor and domain.must_enrol(person, session, identity.policy):
            # There is one, and the session began without it: only signing in can show it.
            why = "second_factor_due"
        if why is None and person is not None:
            await store.use_token(connection, spent, now)
            await store.note_refresh(connection, session_id, address, now)
            return await _issue(connection, identity, person, session, address, now)
        assert why is not None
        await _end(connection, session, person, why, address, now)
    raise SessionEnded(_SAID.get(why, "Sign in again."))


_SAID = {
    "idle": "You were away for too long. Sign in again.",
    "reauthentication_due": "Sign in again: that is due twice a day.",
    "second_factor_due": "Sign in again, with your second factor.",
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
    if await end(connection, session.session_id, session.agency_id, why, now):
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
        if await end(connection, session_id, principal.agency_id, "signed_out", now):
            await audit.tell(
                connection, Actor.of(principal), principal.agency_id, "session.ended",
                f"session:{session_id}", now, details={"because": "signed_out"},
            )  # fmt: skip


async def end(
    connection: Connection, session_id: UUID, agency_id: str, because: str, now: datetime
) -> bool:
    """End one session, in the caller's transaction, and have every service refuse its tokens;
    False when it had ended before."""
    if not await store.end_session(connection, session_id, because, now):
        return False
    SESSIONS_ENDED.labels(because).inc()
    notice = TokensRefused(
        subject_id=str(session_id), kind="session", agency_id=agency_id, because=because,
        refused_at=now,
    )  # fmt: skip
    await outbox.put(connection, SESSIONS, notice.subject_id, notice.to_bytes())
    return True


async def end_all(
    connection: Connection, person: Person, because: str, now: datetime, *, but: UUID | None = None
) -> int:
    """End every open session of a person, in the caller's transaction, except `but`; returns how
    many."""
    ended = 0
    for session_id in await store.open_sessions(connection, person.person_id):
        if session_id != but:
            ended += await end(connection, session_id, person.agency_id, because, now)
    return ended


async def withdraw_tokens(
    connection: Connection, person: Person, because: str, now: datetime
) -> None:
    """What the person may do was narrowed: tokens made before count nowhere any more, sessions go
    on with what holds now."""
    notice = TokensRefused(
        subject_id=str(person.person_id), kind="person", agency_id=person.agency_id,
        below_version=await store.narrow_rights(connection, person.person_id),
        because=because, refused_at=now,
    )  # fmt: skip
    await outbox.put(connection, SESSIONS, notice.subject_id, notice.to_bytes())


async def open_sessions(
    identity: Identity, agency_id: str, person_id: UUID, now: datetime
) -> list[dict[str, Any]]:
    """Sessions of a person of the agency that can still be refreshed, the one used last first."""
    idle, ends = domain.overdue(identity.policy, now)
    async with identity.database.transaction(agency_id) as connection:
        return await factor_store.sessions_of(connection, person_id, idle, ends)


async def end_one(
    identity: Identity, principal: Principal, session_id: UUID, now: datetime
) -> None:
    """End a session: one's own, or, as an administrator, anybody's of the agency.

    Raises `SessionNotFound`, also for what is not one's own.
    """
    async with identity.database.transaction(principal.agency_id) as connection:
        session = await store.lock_session(connection, session_id)
        own = session is not None and str(session.person_id) == principal.person_id
        if session is None or not (own or principal.role is Role.ADMINISTRATOR):
            raise SessionNotFound("Look at the list of sessions.")
        because = "ended_by_person" if own else "ended_by_administrator"
        if await end(connection, session_id, session.agency_id, because, now):
            await audit.tell(
                connection, Actor.of(principal), session.agency_id, "session.ended",
                f"session:{session_id}", now,
                details={"because": because, "person_id": str(session.person_id)},
            )  # fmt: skip
