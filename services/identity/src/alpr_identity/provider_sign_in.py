"""Signing in by an agency's own provider: nobody is made up here, and our rules hold.

The provider says who somebody is. Role, training and agency are ours: the person must exist in the
provider's agency, be active and not locked; their session idles, ends and is withdrawn as any.
"""

import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from alpr_common.auth import Principal
from alpr_common.policy import Role
from alpr_common.postgres import Connection
from alpr_identity import audit, domain, provider_store, sessions, step_store, store
from alpr_identity.audit import Actor
from alpr_identity.domain import Person
from alpr_identity.identity import Identity
from alpr_identity.provider_client import Attempt, CodeRefused, Provider, TokenNotOurs
from alpr_identity.refusals import (
    ProviderAway,
    ProviderSignInRefused,
    UsernameMalformed,
)
from alpr_identity.sessions import Opening, SignedIn
from alpr_identity.showing_again import person_of

_ANSWER_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True)
class Begun:
    """Where to send the browser; `state` comes back with it and belongs in its cookie."""

    authorization_url: str
    state: str
    expires_at: datetime


@dataclass(frozen=True)
class Answer:
    """What the browser brought back from the provider."""

    state: str
    code: str | None
    error: str | None = None
    iss: str | None = None
    address: str | None = None


@dataclass(eq=False)
class _Refused(Exception):
    """Why, for the audit; and what the person is told."""

    cause: str
    told: str
    person: Person | None = None
    details: Mapping[str, str] = field(default_factory=dict)


async def begin(
    identity: Identity, provider_id: str, now: datetime, caller_address: str | None = None
) -> Begun:
    """Raises `ProviderUnknown`, `ProviderAway`."""
    provider = identity.providers.named(provider_id)
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    attempt = Attempt(nonce, verifier, now)
    address = await provider.address(
        attempt, state, identity.providers.redirect_uri, identity.policy.session_max_seconds
    )
    expires_at = now + _ANSWER_WITHIN
    content = {
        "provider_id": provider_id, "nonce": nonce, "code_verifier": verifier,
        "begun_at": now.isoformat(),
    }  # fmt: skip
    async with identity.database.transaction() as connection:
        await step_store.add(
            connection, state.encode(), "provider", "", content, expires_at, now,
            asked_by=step_store.asker(caller_address),
        )  # fmt: skip
    return Begun(address, state, expires_at)


async def finish(identity: Identity, answer: Answer, now: datetime) -> SignedIn:
    """A new session of whom the provider named; each outcome is audited in the provider's agency.

    Raises `ProviderSignInRefused`, `ProviderAway`.
    """
    async with identity.database.transaction() as connection:
        step = await step_store.take(connection, answer.state.encode(), "provider", "", now)
    if step is None:
        sessions.SIGN_INS.labels("refused").inc()
        raise ProviderSignInRefused("That took too long, or was used before. Begin again.")
    provider = identity.providers.named(step["provider_id"])
    try:
        claims = await _claims(identity, provider, step, answer, now)
        signed_in = await _open(identity, provider, claims, answer.address, now)
    except ProviderAway as error:
        await _tell_refusal(
            identity, provider, _Refused("provider away", error.detail), answer.address, now
        )
        raise
    except _Refused as refused:
        await _tell_refusal(identity, provider, refused, answer.address, now)
        sessions.SIGN_INS.labels("refused").inc()
        raise ProviderSignInRefused(refused.told) from refused
    sessions.SIGN_INS.labels("done").inc()
    return signed_in


async def _claims(
    identity: Identity, provider: Provider, step: Mapping[str, str], answer: Answer, now: datetime
) -> dict[str, Any]:
    if answer.error or not answer.code:
        raise _Refused(
            f"provider said {(answer.error or 'nothing')[:80]}",
            "It did not let you in, or you went back. Try again.",
        )
    attempt = Attempt(
        step["nonce"], step["code_verifier"], datetime.fromisoformat(step["begun_at"])
    )
    try:
        return await provider.claims(
            answer.code, attempt, identity.providers.redirect_uri, answer.iss,
            identity.policy.session_max_seconds, now,
        )  # fmt: skip
    except CodeRefused as error:
        raise _Refused(
            f"provider refused the code: {error}", "It took too long. Begin again."
        ) from error
    except TokenNotOurs as error:
        raise _Refused(
            f"token: {error}",
            "What it said cannot be relied on. Try again; if this goes on, tell your "
            "administrator.",
        ) from error


async def _open(
    identity: Identity, provider: Provider, claims: Mapping[str, Any], address: str | None,
    now: datetime,
) -> SignedIn:  # fmt: skip
    config = provider.config
    async with identity.database.transaction(config.agency_id) as connection:
        person = await _person(connection, provider, claims, now)
        if person.role is Role.SERVICE:
            raise _Refused("a service account", _NOBODY, person)
        cause = domain.why_closed(person, identity.policy, now)
        if cause is not None:
            raise _Refused(
                cause, "Your account here is locked or not active. Ask your ALPR administrator.",
                person,
            )  # fmt: skip
        vouched = config.vouches and provider.shows_second_factor(claims)
        if config.vouches and not vouched:
            raise _Refused(
                "provider showed no second factor",
                "It did not say that you showed a second factor, which your agency asks for.",
                person,
            )
        if not vouched and (
            person.has_second_factor or person.role in identity.policy.second_factor_roles
        ):
            # As with passwords: one factor alone opens nothing where there are to be two.
            raise _Refused(
                "second factor needed",
                "You sign in with a second factor, which it does not show. Use your passkey, or "
                "your password and a code.",
                person,
            )
        opening = Opening("provider", "provider" if vouched else "none", address)
        return await sessions.open_session(connection, identity, person, opening, now)


async def _person(
    connection: Connection, provider: Provider, claims: Mapping[str, Any], now: datetime
) -> Person:
    """Whom the provider named, locked: by subject, at the first time by the configured claim."""
    config, subject = provider.config, str(claims["sub"])
    person_id = await provider_store.person_linked(connection, config.issuer, subject)
    if person_id is not None:
        linked = await store.lock_credentials_by_id(connection, person_id)
        assert linked is not None  # the foreign key says so, and people are never deleted
        return linked.person
    username = _username(provider, claims)
    found = await store.lock_credentials(connection, username)
    details = {"claimed": username}
    if found is None:
        raise _Refused("unknown person", _NOBODY, None, details)
    person = found.person
    if not await provider_store.link(
        connection, config.issuer, subject, config.agency_id, person.person_id, now
    ):
        # Perhaps an account name that was given to somebody else: an administrator decides.
        raise _Refused(
            "linked to another subject",
            "Your account here belongs to another account there. Ask your ALPR administrator.",
            person, details,
        )  # fmt: skip
    await audit.tell(
        connection, Actor.of_person(person, None), person.agency_id, "person.provider_linked",
        f"person:{person.person_id}", now,
        details={"provider": config.provider_id, "subject": subject[:200], **details},
    )  # fmt: skip
    return person


_NOBODY = (
    "It knows you, but your agency has nobody of that name here. Ask your ALPR administrator to "
    "add you."
)


def _username(provider: Provider, claims: Mapping[str, Any]) -> str:
    config = provider.config
    value = claims.get(config.person_claim)
    told = "It did not say who you are in the way that your agency set up."
    if not isinstance(value, str) or not value:
        raise _Refused(f"no claim {config.person_claim}", told)
    if config.person_claim == "email" and claims.get("email_verified") is not True:
        raise _Refused("the e-mail address is not verified", told)
    if unicodedata.normalize("NFKC", value).strip() != value:
        # Folding is for who types a name here. There, "ａdmin" may be another account than "admin".
        raise _Refused("no user name", told, None, {"claimed": value[:100]})
    local, at, domain_part = value.rpartition("@")
    if config.domains and domain_part.lower() not in config.domains:
        raise _Refused("another domain", told, None, {"claimed": value[:100]})
    try:
        return domain.folded_username(local if at and config.strip_domain else value)
    except UsernameMalformed as error:
        raise _Refused("no user name", told, None, {"claimed": value[:100]}) from error


async def _tell_refusal(
    identity: Identity, provider: Provider, refused: _Refused, address: str | None, now: datetime
) -> None:
    person, agency_id = refused.person, provider.config.agency_id
    actor = (
        Actor.of_person(person, address)
        if person
        else Actor("unknown", "Somebody not known here", "none", None, address)
    )
    subject = f"person:{person.person_id}" if person else "person:unknown"
    details = {
        "method": "provider", "provider": provider.config.provider_id, "cause": refused.cause,
        **refused.details,
    }  # fmt: skip
    async with identity.database.transaction(agency_id) as connection:
        await audit.tell(
            connection, actor, agency_id, "session.opened", subject, now, "refused", details
        )


async def unlink(identity: Identity, principal: Principal, person_id: UUID, now: datetime) -> None:
    """An administrator forgets who a person is at the provider: the next sign-in by the claim
    decides anew, and sessions end. Raises `PersonNotFound`."""
    async with identity.database.transaction(principal.agency_id) as connection:
        person = await person_of(connection, person_id)
        if await provider_store.unlink(connection, person.person_id):
            await sessions.end_all(connection, person, "provider_unlinked", now)
            await audit.tell(
                connection, Actor.of(principal), person.agency_id, "person.provider_unlinked",
                f"person:{person.person_id}", now,
            )  # fmt: skip
