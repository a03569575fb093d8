"""WebAuthn, Level 2: what a browser is asked, and whether its answer is right. No database."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from fido2.server import Fido2Server
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    CollectedClientData,
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialParameters,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialType,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

CHALLENGE_BYTES = 32
# ES256, EdDSA, RS256: what authenticators make. Each is approved in FIPS 186-5.
_ALGORITHMS = (-7, -8, -257)
_REQUIRED = UserVerificationRequirement.REQUIRED
_NAME = "ALPR"


class AnswerWrong(Exception):
    """The answer is malformed, of another site, of another challenge, or signed by another key."""


@dataclass(frozen=True)
class RelyingParty:
    """Which site the passkeys are of. The host is signed by the authenticator and the origin by
    the browser, so that a look-alike site gets nothing that could be used here."""

    rp_id: str
    origin: str

    @classmethod
    def of_console(cls, console_url: str, rp_id: str | None) -> "RelyingParty | None":
        """None where browsers offer no passkeys: an address of numbers instead of a host, or no
        TLS."""
        url = urlsplit(console_url)
        host = url.hostname or ""
        named = bool(host) and not host.replace(".", "").isdigit() and ":" not in host
        if not named or (url.scheme != "https" and host != "localhost"):
            return None
        return cls(rp_id or host, f"{url.scheme}://{url.netloc}")

    def server(self) -> Fido2Server:
        server = Fido2Server(
            PublicKeyCredentialRpEntity(name=_NAME, id=self.rp_id),
            # Attestation tells the maker of the device; the agency does not ask for one.
            verify_origin=lambda origin: origin == self.origin,
        )
        server.allowed_algorithms = [
            PublicKeyCredentialParameters(type=PublicKeyCredentialType.PUBLIC_KEY, alg=algorithm)
            for algorithm in _ALGORITHMS
        ]
        return server


@dataclass(frozen=True)
class Added:
    """A new credential as its authenticator made it."""

    credential_id: bytes
    credential_data: bytes
    sign_count: int
    is_synced: bool


@dataclass(frozen=True)
class Shown:
    """A use of a credential."""

    sign_count: int
    is_synced: bool


def new_challenge() -> bytes:
    return os.urandom(CHALLENGE_BYTES)


def creation_options(
    party: RelyingParty, challenge: bytes, person_id: UUID, username: str, name: str,
    known: Sequence[bytes],
) -> dict[str, Any]:  # fmt: skip
    """What `navigator.credentials.create` is given, as JSON."""
    options, _ = party.server().register_begin(
        PublicKeyCredentialUserEntity(name=username, id=person_id.bytes, display_name=name),
        [_descriptor(one) for one in known],
        # Kept in the authenticator, so that nobody has to type a user name first.
        resident_key_requirement=ResidentKeyRequirement.REQUIRED,
        user_verification=_REQUIRED,
        challenge=challenge,
    )
    return dict(options)


def request_options(party: RelyingParty, challenge: bytes) -> dict[str, Any]:
    """What `navigator.credentials.get` is given, as JSON: any passkey of this site."""
    options, _ = party.server().authenticate_begin(user_verification=_REQUIRED, challenge=challenge)
    return dict(options)


def _descriptor(credential_id: bytes) -> PublicKeyCredentialDescriptor:
    return PublicKeyCredentialDescriptor(type=PublicKeyCredentialType.PUBLIC_KEY, id=credential_id)


def challenge_in(answer: Mapping[str, Any]) -> bytes:
    """The challenge that the answer is to; raises `AnswerWrong`."""
    try:
        data = CollectedClientData(websafe_decode(answer["response"]["clientDataJSON"]))
        return bytes(data.challenge)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AnswerWrong("it is no answer of a browser") from error


def credential_id_in(answer: Mapping[str, Any]) -> bytes:
    """Which credential says to be used; raises `AnswerWrong`."""
    try:
        return bytes(websafe_decode(answer["rawId"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AnswerWrong("it names no credential") from error


def check_added(party: RelyingParty, challenge: bytes, answer: Mapping[str, Any]) -> Added:
    """The credential that the browser made; raises `AnswerWrong`."""
    try:
        registration = RegistrationResponse.from_dict(answer)
        data = party.server().register_complete(_state(challenge), registration)
        credential = data.credential_data
        if credential is None or credential.public_key.ALGORITHM not in _ALGORITHMS:
            raise AnswerWrong("its key is of a kind that was not asked for")
        if registration.response.client_data.cross_origin:
            raise AnswerWrong("it was made within another site's page")
        if registration.raw_id != credential.credential_id:
            raise AnswerWrong("it names two credentials")
    except _MALFORMED as error:
        raise AnswerWrong(str(error) or "it is malformed") from error
    return Added(
        bytes(credential.credential_id), bytes(credential), data.counter, data.is_backup_eligible()
    )


def check_shown(
    party: RelyingParty, challenge: bytes, credential_data: bytes, person_id: UUID,
    sign_count: int, answer: Mapping[str, Any],
) -> Shown:  # fmt: skip
    """A use of that credential of that person; raises `AnswerWrong`, also where the counter did
    not go on: then the credential was copied out of its authenticator."""
    try:
        credential = AttestedCredentialData(credential_data)
        authentication = AuthenticationResponse.from_dict(answer)
        party.server().authenticate_complete(_state(challenge), [credential], authentication)
        response = authentication.response
        if response.client_data.cross_origin:
            raise AnswerWrong("it was given within another site's page")
        if response.user_handle not in (None, person_id.bytes):
            raise AnswerWrong("it names another person")
    except _MALFORMED as error:
        raise AnswerWrong(str(error) or "it is malformed") from error
    data = response.authenticator_data
    # Synced passkeys count nothing: nought, always.
    if (data.counter or sign_count) and data.counter <= sign_count:
        raise AnswerWrong("its counter did not go on")
    return Shown(data.counter, data.is_backup_eligible())


# What the library raises for input that makes no sense, next to the ValueErrors that it means.
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, AssertionError, IndexError)


def _state(challenge: bytes) -> dict[str, Any]:
    return {"challenge": websafe_encode(challenge), "user_verification": _REQUIRED}
