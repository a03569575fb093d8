"""A software authenticator: real WebAuthn answers, and wrong ones where a test asks for them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from fido2.cose import ES256
from fido2.utils import sha256, websafe_decode, websafe_encode
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)

Flag = AuthenticatorData.FLAG


@dataclass
class Authenticator:
    """One credential for one site, with a counter. Its fields may be changed to lie."""

    origin: str
    rp_id: str
    key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))
    counter: int = 0
    flags: Flag = Flag.UP | Flag.UV
    user_handle: bytes | None = None
    cross_origin: bool = False

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """As `navigator.credentials.create(…)` and `toJSON()`."""
        public_key = options["publicKey"]
        self.user_handle = websafe_decode(public_key["user"]["id"])
        client = self._client_data("webauthn.create", public_key["challenge"])
        credential = AttestedCredentialData.create(
            Aaguid(bytes(16)), self.credential_id,
            ES256.from_cryptography_key(self.key.public_key()),  # type: ignore[no-untyped-call]
        )  # fmt: skip
        data = AuthenticatorData.create(
            sha256(self.rp_id.encode()), self.flags | Flag.AT, self.counter, credential
        )
        return self._answer(
            {
                "clientDataJSON": client.b64,
                "attestationObject": websafe_encode(AttestationObject.create("none", data, {})),
            }
        )

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """As `navigator.credentials.get(…)` and `toJSON()`; the counter goes on by one."""
        self.counter += 1
        client = self._client_data("webauthn.get", options["publicKey"]["challenge"])
        data = AuthenticatorData.create(sha256(self.rp_id.encode()), self.flags, self.counter)
        handle = {"userHandle": websafe_encode(self.user_handle)} if self.user_handle else {}
        return self._answer(
            {
                "clientDataJSON": client.b64,
                "authenticatorData": websafe_encode(data),
                "signature": websafe_encode(self.key.sign(data + client.hash, ECDSA(SHA256()))),
                **handle,
            }
        )

    def _client_data(self, kind: str, challenge: str) -> CollectedClientData:
        return CollectedClientData.create(
            kind, challenge, self.origin, cross_origin=self.cross_origin
        )

    def _answer(self, response: dict[str, str]) -> dict[str, Any]:
        name = websafe_encode(self.credential_id)
        return {
            "id": name, "rawId": name, "type": "public-key", "response": response,
            "clientExtensionResults": {},
        }  # fmt: skip
