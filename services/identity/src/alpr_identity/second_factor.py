"""The use cases of second factors: enrolling, confirming, recovery codes, taking one away."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import pyotp

from alpr_common.auth import Principal
from alpr_common.postgres import Connection
from alpr_identity import audit, factor_store, one_time_codes, passkey_store, sessions
from alpr_identity.audit import Actor
from alpr_identity.domain import Person, own_id
from alpr_identity.identity import Identity
from alpr_identity.refusals import (
    OwnAccount,
    SecondFactorAbsent,
    SecondFactorWrong,
    SessionEnded,
)
from alpr_identity.showing_again import (
    Proof,
    locked_person,
    person_of,
    session_of,
    shown_again,
)

_CONFIRM_WITHIN = timedelta(minutes=10)
_ISSUER = "ALPR"


@dataclass(frozen=True)
class Standing:
    """What a person is told about their second factor."""

    confirmed_at: datetime | None
    required: bool
    recovery_codes_left: int
    passkeys: int


@dataclass(frozen=True)
class Pending:
    """A secret that waits to be confirmed: shown once."""

    secret: str
    otpauth_uri: str
    confirm_until: datetime


async def standing(identity: Identity, principal: Principal) -> Standing:
    """Raises `PersonNotFound`."""
    async with identity.database.transaction(principal.agency_id) as connection:
        person = await person_of(connection, own_id(principal))
        left = await factor_store.count_codes(connection, person.person_id)
        passkeys = await passkey_store.of_person(connection, person.person_id)
    required = person.role in identity.policy.second_factor_roles
    return Standing(person.second_factor_at, required, left, len(passkeys))


async def begin(
    identity: Identity, principal: Principal, password: str, code: str | None, now: datetime
) -> Pending:
    """A new secret for oneself; a present one stays in force until the new one is confirmed.

    Raises `ConfirmationWrong`, `SecondFactorNeeded` (both as a failed sign-in),
    `SecondFactorUnavailable`.
    """
    sealer = identity.sealing
    person = await shown_again(identity, principal, Proof(password, code), now)
    secret, until = pyotp.random_base32(), now + _CONFIRM_WITHIN
    async with identity.database.transaction(person.agency_id) as connection:
        sealed = sealer.seal(secret, person.person_id)
        await factor_store.begin_factor(
            connection, person.person_id, person.agency_id, sealed, until
        )
        await _tell(connection, principal, person, "second_factor.begun", now)
    uri = pyotp.TOTP(secret).provisioning_uri(name=person.username, issuer_name=_ISSUER)
    return Pending(secret, uri, until)


async def finish(identity: Identity, principal: Principal, code: str, now: datetime) -> list[str]:
    """Confirm the new secret with a code made from it; returns the recovery codes, shown once.

    This session counts as having shown the factor (refresh its token); the person's others end.
    Raises `SecondFactorAbsent` (also after some wrong codes), `SecondFactorWrong`, `SessionEnded`.
    """
    codes = one_time_codes.new_recovery_codes()
    async with identity.database.transaction(principal.agency_id) as connection:
        # Locked: a sign-in at this moment rests on one factor, and ends here or sees this one.
        person = await locked_person(connection, own_id(principal))
        factor = await factor_store.lock_factor(connection, person.person_id)
        if factor is None or factor.pending_secret is None or factor.pending_until is None:
            raise SecondFactorAbsent("Begin first: nothing waits to be confirmed.")
        if now > factor.pending_until:
            raise SecondFactorAbsent("That took too long. Begin again.")
        secret = identity.sealing.open(factor.pending_secret, person.person_id)
        step = one_time_codes.accepted_step(secret, one_time_codes.folded(code), 0, now)
        if step is not None:
            await _confirm(connection, identity, principal, person, codes, step, now)
            return codes
        again = await factor_store.note_wrong_confirmation(
            connection, person.person_id, identity.policy.sign_in_failures_max
        )
    if again:
        raise SecondFactorWrong("Type the code that the new entry in your app shows now.")
    raise SecondFactorAbsent("Those were too many wrong codes. Begin again.")


async def _confirm(
    connection: Connection, identity: Identity, principal: Principal, person: Person,
    codes: list[str], step: int, now: datetime,
) -> None:  # fmt: skip
    await factor_store.confirm_factor(connection, person.person_id, step, now)
    await _store_codes(connection, identity, person, codes)
    if not await factor_store.note_session_factor(connection, session_of(principal), now):
        raise SessionEnded("Sign in again.")
    await sessions.end_all(
        connection, person, "second_factor_changed", now, but=session_of(principal)
    )
    await _tell(connection, principal, person, "second_factor.confirmed", now)


async def renew_recovery_codes(
    identity: Identity, principal: Principal, proof: Proof, now: datetime
) -> list[str]:
    """New recovery codes in place of the old ones, for the app or a passkey. Raises as `begin`
    does, `SecondFactorAbsent`."""
    person = await shown_again(identity, principal, proof, now)
    if not person.has_second_factor:
        raise SecondFactorAbsent("Recovery codes stand in for a second factor; set one up first.")
    codes = one_time_codes.new_recovery_codes()
    async with identity.database.transaction(person.agency_id) as connection:
        await _store_codes(connection, identity, person, codes)
        await _tell(connection, principal, person, "second_factor.codes_renewed", now)
    return codes


async def remove_own(
    identity: Identity, principal: Principal, password: str, code: str | None, now: datetime
) -> None:
    """Give up one's second factor; every session ends. Raises as `begin` does."""
    person = await shown_again(identity, principal, Proof(password, code), now)
    async with identity.database.transaction(person.agency_id) as connection:
        await _remove(connection, principal, person, now)


async def remove_of(
    identity: Identity, principal: Principal, person_id: UUID, now: datetime
) -> None:
    """An administrator takes away the second factor of somebody who lost theirs.

    Raises `PersonNotFound`, `OwnAccount`, `SecondFactorAbsent`.
    """
    if str(person_id) == principal.person_id:
        raise OwnAccount("Use a recovery code, or ask another administrator of your agency.")
    async with identity.database.transaction(principal.agency_id) as connection:
        await _remove(connection, principal, await person_of(connection, person_id), now)


async def _remove(
    connection: Connection, principal: Principal, person: Person, now: datetime
) -> None:
    if not await factor_store.remove_factor(connection, person.person_id):
        raise SecondFactorAbsent("There is no second factor to take away.")
    await sessions.end_all(connection, person, "second_factor_changed", now)
    await _tell(connection, principal, person, "second_factor.removed", now)


async def _store_codes(
    connection: Connection, identity: Identity, person: Person, codes: list[str]
) -> None:
    hashes = [identity.sealing.hash_code(one_time_codes.folded(code)) for code in codes]
    await factor_store.replace_codes(
        connection, person.person_id, person.agency_id, hashes, identity.sealing.key_id
    )


async def _tell(
    connection: Connection, principal: Principal, person: Person, action: str, now: datetime
) -> None:
    subject = f"person:{person.person_id}"
    await audit.tell(connection, Actor.of(principal), person.agency_id, action, subject, now)
