"""Who is signed in shows once more who they are, before what protects their account is changed."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from alpr_common.auth import Principal
from alpr_common.postgres import Connection
from alpr_identity import confirming, store
from alpr_identity.confirming import Claim
from alpr_identity.domain import Person, own_id
from alpr_identity.identity import Identity
from alpr_identity.refusals import ConfirmationWrong, PersonNotFound, SessionEnded

# A session that began so lately, and not by a password, says well enough who it is.
_FRESH = timedelta(minutes=10)


@dataclass(frozen=True)
class Proof:
    """The password, with a code where there is one; neither where the person has just signed in
    by a passkey or by their agency's provider."""

    password: str | None = None
    code: str | None = None


async def shown_again(
    identity: Identity, principal: Principal, proof: Proof, now: datetime
) -> Person:
    """The caller; raises `ConfirmationWrong`, `SecondFactorNeeded` (both as a failed sign-in),
    `PersonNotFound`, `SessionEnded`."""
    async with identity.database.transaction(principal.agency_id) as connection:
        person = await person_of(connection, own_id(principal))
        session = await store.lock_session(connection, session_of(principal))
    if session is None or session.ended_because is not None:
        # Its token may verify for minutes where nobody could tell the services.
        raise SessionEnded("Sign in again.")
    if proof.password is None:
        if session.method != "password" and now - session.created_at <= _FRESH:
            return person
        raise ConfirmationWrong(
            "Type your password; or sign in again by your passkey or your agency's sign-in "
            "service, and do this within ten minutes."
        )
    # Whoever showed a passkey to this session has no code to type, unless there are codes too.
    ask_code = person.second_factor_at is not None or session.second_factor_at is None
    claim = Claim(person.username, proof.password, proof.code, principal.address)
    if not await confirming.confirm(identity, claim, now, ask_code=ask_code):
        raise ConfirmationWrong("Type the password that you signed in with, and a fresh code.")
    return person


async def person_of(connection: Connection, person_id: UUID) -> Person:
    """Raises `PersonNotFound`."""
    found = await store.find_person(connection, person_id)
    if found is None:
        raise PersonNotFound("Look the person up in the list of people.")
    return found


async def locked_person(connection: Connection, person_id: UUID) -> Person:
    """As `person_of`, locked until the transaction ends."""
    found = await store.lock_credentials_by_id(connection, person_id)
    if found is None:
        raise PersonNotFound("Look the person up in the list of people.")
    return found.person


def session_of(principal: Principal) -> UUID:
    """Raises `SessionEnded` for a token that no session of ours stands behind."""
    try:
        return UUID(principal.session_id)
    except ValueError as error:
        raise SessionEnded("Sign in again.") from error
