"""The use cases of passkeys: adding one, signing in with it, naming and removing it.

A passkey stands for two factors: the authenticator that holds it, and the PIN, finger or face that
it asked for (NIST SP 800-63B, AAL2). What it signs names this site, so that nothing typed or
tapped on a look-alike site is of any use here.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from alpr_common.auth import Principal
from alpr_common.postgres import Connection
from alpr_identity import (
    audit,
    domain,
    factor_store,
    passkey_store,
    sessions,
    step_store,
    store,
    webauthn,
)
from alpr_identity.audit import Actor
from alpr_identity.domain import Person, own_id
from alpr_identity.identity import Identity
from alpr_identity.passkey_store import Passkey
from alpr_identity.refusals import (
    OwnAccount,
    PasskeyKnown,
    PasskeyNotFound,
    PasskeyRefused,
    SessionEnded,
    SignInRefused,
)
from alpr_identity.sessions import Opening, SignedIn
from alpr_identity.showing_again import Proof, person_of, session_of, shown_again
from alpr_identity.webauthn import AnswerWrong

_ANSWER_WITHIN = timedelta(minutes=5)
_PASSKEYS_MOST = 20


async def begin_adding(
    identity: Identity, principal: Principal, proof: Proof, now: datetime
) -> dict[str, Any]:
    """What the browser needs to make a passkey.

    Raises `ConfirmationWrong`, `SecondFactorNeeded` (both as a failed sign-in),
    `PasskeysUnavailable`, `PasskeyRefused` for more than anybody needs.
    """
    party = identity.party
    person = await shown_again(identity, principal, proof, now)
    challenge = webauthn.new_challenge()
    async with identity.database.transaction(person.agency_id) as connection:
        known = await passkey_store.of_person(connection, person.person_id)
        if len(known) >= _PASSKEYS_MOST:
            raise PasskeyRefused("Remove one first: nobody needs more than twenty.")
        await step_store.add(
            connection, challenge, "passkey_added", principal.session_id, {},
            now + _ANSWER_WITHIN, now, asked_by=f"session {principal.session_id}",
        )  # fmt: skip
    return webauthn.creation_options(
        party, challenge, person.person_id, person.username, person.name,
        [one.credential_id for one in known],
    )  # fmt: skip


async def add(
    identity: Identity, principal: Principal, name: str, answer: Mapping[str, Any], now: datetime
) -> Passkey:
    """The passkey that the browser made; this session counts as having shown a second factor.

    Who had none before has no other session any more, as those rest on the password alone. Raises
    `PasskeyRefused`, `PasskeyKnown`, `SessionEnded`.
    """
    party = identity.party
    await _take(identity, answer, "passkey_added", principal.session_id, now)
    try:
        challenge = webauthn.challenge_in(answer)
        added = webauthn.check_added(party, challenge, answer)
    except AnswerWrong as error:
        raise PasskeyRefused(f"The passkey cannot be used: {error}.") from error
    passkey = Passkey(
        uuid4(), own_id(principal), added.credential_id, added.credential_data, added.sign_count,
        added.is_synced, name, now, now,
    )  # fmt: skip
    async with identity.database.transaction(principal.agency_id) as connection:
        person = await person_of(connection, passkey.person_id)
        if not await passkey_store.add(connection, passkey, person.agency_id):
            raise PasskeyKnown("That passkey is known already.")
        if not await factor_store.note_session_factor(connection, session_of(principal), now):
            raise SessionEnded("Sign in again.")
        if not person.has_second_factor:
            await sessions.end_all(
                connection, person, "second_factor_changed", now, but=session_of(principal)
            )
        await _tell(connection, principal, person, "passkey.added", now, name)
    return passkey


async def list_of(identity: Identity, agency_id: str, person_id: UUID) -> list[Passkey]:
    """The person's passkeys; raises `PersonNotFound`."""
    async with identity.database.transaction(agency_id) as connection:
        await person_of(connection, person_id)
        return await passkey_store.of_person(connection, person_id)


async def rename(
    identity: Identity, principal: Principal, passkey_id: UUID, name: str, now: datetime
) -> None:
    """Raises `PasskeyNotFound`."""
    async with identity.database.transaction(principal.agency_id) as connection:
        person = await person_of(connection, own_id(principal))
        if not await passkey_store.rename(connection, passkey_id, person.person_id, name):
            raise PasskeyNotFound("Look at the list of your passkeys.")
        await _tell(connection, principal, person, "passkey.renamed", now, name)


async def remove_own(
    identity: Identity, principal: Principal, passkey_id: UUID, proof: Proof, now: datetime
) -> None:
    """Give up one of one's passkeys; other sessions end. Raises as `begin_adding` does, and
    `PasskeyNotFound`."""
    person = await shown_again(identity, principal, proof, now)
    async with identity.database.transaction(person.agency_id) as connection:
        await _remove(connection, principal, person, passkey_id, now, but=session_of(principal))


async def remove_of(
    identity: Identity, principal: Principal, person_id: UUID, passkey_id: UUID, now: datetime
) -> None:
    """An administrator takes a lost one away; the person's sessions end.

    Raises `PersonNotFound`, `OwnAccount`, `PasskeyNotFound`.
    """
    if str(person_id) == principal.person_id:
        raise OwnAccount("Remove it in your own account.")
    async with identity.database.transaction(principal.agency_id) as connection:
        person = await person_of(connection, person_id)
        await _remove(connection, principal, person, passkey_id, now)


async def _remove(
    connection: Connection, principal: Principal, person: Person, passkey_id: UUID, now: datetime,
    but: UUID | None = None,
) -> None:  # fmt: skip
    if not await passkey_store.remove(connection, passkey_id, person.person_id):
        raise PasskeyNotFound("Look at the list of passkeys.")
    left = await passkey_store.of_person(connection, person.person_id)
    if not left and person.second_factor_at is None:
        # Nothing is left that they stand in for: they are not to come back with the next passkey.
        await factor_store.drop_codes(connection, person.person_id)
    await sessions.end_all(connection, person, "second_factor_changed", now, but=but)
    await _tell(connection, principal, person, "passkey.removed", now, str(passkey_id))


async def begin_sign_in(
    identity: Identity, now: datetime, address: str | None = None
) -> dict[str, Any]:
    """What the browser needs to show a passkey; raises `PasskeysUnavailable`."""
    party, challenge = identity.party, webauthn.new_challenge()
    async with identity.database.transaction() as connection:
        await step_store.add(
            connection, challenge, "passkey_sign_in", "", {}, now + _ANSWER_WITHIN, now,
            asked_by=step_store.asker(address),
        )  # fmt: skip
    return webauthn.request_options(party, challenge)


async def sign_in(
    identity: Identity, answer: Mapping[str, Any], address: str | None, now: datetime
) -> SignedIn:
    """A new session of the passkey's person; raises `SignInRefused`, as a wrong password does.

    A wrong answer does not count towards the lock: there is nothing to guess, and whoever knows
    what a passkey is called could lock its person out.
    """
    clock = asyncio.get_running_loop()
    earliest = clock.time() + identity.refusal_floor_seconds
    signed_in = await _try_sign_in(identity, answer, address, now)
    if signed_in is None:
        sessions.SIGN_INS.labels("refused").inc()
        await asyncio.sleep(max(0.0, earliest - clock.time()))
        raise SignInRefused
    sessions.SIGN_INS.labels("done").inc()
    return signed_in


async def _try_sign_in(
    identity: Identity, answer: Mapping[str, Any], address: str | None, now: datetime
) -> SignedIn | None:
    party = identity.party
    try:
        await _take(identity, answer, "passkey_sign_in", "", now)
        challenge = webauthn.challenge_in(answer)
        credential_id = webauthn.credential_id_in(answer)
    except (PasskeyRefused, AnswerWrong):
        return None
    async with identity.database.transaction() as connection:
        agency_id = await passkey_store.agency_of_credential(connection, credential_id)
    if agency_id is None:
        return None
    async with identity.database.transaction(agency_id) as connection:
        passkey = await passkey_store.lock(connection, credential_id)
        if passkey is None:
            return None
        found = await store.lock_credentials_by_id(connection, passkey.person_id)
        if found is None:
            return None
        person = found.person
        cause = domain.why_closed(person, identity.policy, now)
        if cause is None:
            try:
                shown = webauthn.check_shown(
                    party, challenge, passkey.credential_data, person.person_id,
                    passkey.sign_count, answer,
                )  # fmt: skip
            except AnswerWrong as error:
                cause = f"passkey: {error}"
        if cause is not None:
            await audit.tell(
                connection, Actor.of_person(person, address), agency_id, "session.opened",
                f"person:{person.person_id}", now, "refused",
                details={"method": "passkey", "cause": cause},
            )  # fmt: skip
            return None
        await passkey_store.note_use(
            connection, passkey.passkey_id, shown.sign_count, shown.is_synced, now
        )
        opening = Opening("passkey", "passkey", address)
        return await sessions.open_session(connection, identity, person, opening, now)


async def _take(
    identity: Identity, answer: Mapping[str, Any], purpose: step_store.Purpose, bound_to: str,
    now: datetime,
) -> None:  # fmt: skip
    """Use up the challenge, whatever the answer turns out to be worth. Raises `PasskeyRefused`."""
    try:
        challenge = webauthn.challenge_in(answer)
    except AnswerWrong as error:
        raise PasskeyRefused("That is no answer of a browser.") from error
    async with identity.database.transaction() as connection:
        taken = await step_store.take(connection, challenge, purpose, bound_to, now)
    if taken is None:
        raise PasskeyRefused("That took too long, or was answered before. Begin again.")


async def _tell(
    connection: Connection, principal: Principal, person: Person, action: str, now: datetime,
    passkey: str,
) -> None:  # fmt: skip
    await audit.tell(
        connection, Actor.of(principal), person.agency_id, action, f"person:{person.person_id}",
        now, details={"passkey": passkey},
    )  # fmt: skip
