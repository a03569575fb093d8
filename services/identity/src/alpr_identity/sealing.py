"""What PostgreSQL alone must not give away: second-factor secrets and recovery codes.

Secrets are sealed with AES-256-GCM, bound to their person; recovery codes are stored as HMACs.
Both keys are derived from secrets in a file that the database never sees.
"""

import hashlib
import hmac
import os
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_LEAST_CHARACTERS = 32
_NONCE_BYTES = 12


class KeyFileUnusable(ValueError):
    """The key file holds no secret of enough characters."""


class SecretUnreadable(Exception):
    """No key of the file opens what is stored: it was sealed with another one, or altered."""


@dataclass(frozen=True)
class Sealer:
    """The first secret seals, all of them open, so that a key can be changed."""

    secrets: tuple[bytes, ...]

    @classmethod
    def from_text(cls, text: str) -> "Sealer":
        """One secret of 32 or more characters a line. Raises `KeyFileUnusable`."""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if not lines or any(len(line) < _LEAST_CHARACTERS for line in lines):
            raise KeyFileUnusable(
                "the file of second-factor secrets needs one of at least "
                f"{_LEAST_CHARACTERS} characters a line"
            )
        return cls(tuple(line.encode() for line in lines))

    @property
    def key_id(self) -> str:
        """The name of the secret that seals."""
        return _derived(self.secrets[0], b"alpr second factor key name")[:8].hex()

    def seal(self, secret: str, person_id: UUID) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        cipher = AESGCM(_derived(self.secrets[0], b"alpr second factor secret"))
        return nonce + cipher.encrypt(nonce, secret.encode(), person_id.bytes)

    def open(self, sealed: bytes, person_id: UUID) -> str:
        """Raises `SecretUnreadable`, also for somebody else's secret put in this one's place."""
        nonce, content = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        for secret in self.secrets:
            cipher = AESGCM(_derived(secret, b"alpr second factor secret"))
            try:
                return cipher.decrypt(nonce, content, person_id.bytes).decode()
            except InvalidTag:
                continue
        raise SecretUnreadable("the second factor's secret opens with no key of the file")

    def hash_code(self, code: str) -> bytes:
        """What is stored of a recovery code."""
        return self.code_hashes(code)[0]

    def code_hashes(self, code: str) -> list[bytes]:
        """What may be stored of it, under every key."""
        keys = (_derived(secret, b"alpr recovery code") for secret in self.secrets)
        return [hmac.digest(key, code.encode(), hashlib.sha256) for key in keys]


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=purpose).derive(secret)
