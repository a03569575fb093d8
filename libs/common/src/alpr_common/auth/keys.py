"""The public keys that tokens are verified with: one, or two while the key is being changed.

The file holds PEM blocks. A line `Valid until: <time>` before a block says from when on that key
is accepted no more; text between blocks means nothing to other readers of PEM.
"""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from alpr_common.watched_file import WatchedFile

VALID_UNTIL = "Valid until"
_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.DOTALL)


@dataclass(frozen=True)
class TokenKey:
    """A public key, its name (RFC 7638 thumbprint) and until when it counts."""

    key_id: str
    public_key: Ed25519PublicKey
    valid_until: datetime | None = None

    @classmethod
    def of(cls, public_key: Ed25519PublicKey, valid_until: datetime | None = None) -> "TokenKey":
        return cls(key_id(public_key), public_key, valid_until)

    def to_pem(self) -> str:
        """As it stands in the file."""
        pem = self.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        line = f"{VALID_UNTIL}: {self.valid_until.isoformat()}\n" if self.valid_until else ""
        return line + pem.decode()


class TokenKeys:
    """The keys in force. Those of a file are read anew when it changes."""

    def __init__(self, keys: Sequence[TokenKey], file: Path | None = None) -> None:
        self._fixed = tuple(keys)
        self._watched = WatchedFile(file, public_keys_in) if file else None

    @classmethod
    def from_file(cls, path: Path) -> "TokenKeys":
        """From a PEM file; raises ValueError when a key is not Ed25519 or there is none."""
        return cls((), path)

    def valid(self, now: datetime) -> list[TokenKey]:
        """Those that count now."""
        keys = self._watched.content() if self._watched else self._fixed
        return [key for key in keys if key.valid_until is None or now < key.valid_until]

    def named(self, name: str | None, now: datetime) -> list[TokenKey]:
        """The key of that name; every key for a token that names none."""
        return [key for key in self.valid(now) if name is None or key.key_id == name]


def public_keys_in(text: str) -> tuple[TokenKey, ...]:
    """The keys of a file; raises ValueError when one is not Ed25519 or there is none."""
    keys = []
    for valid_until, pem in pem_blocks(text, VALID_UNTIL):
        key = load_pem_public_key(pem)
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("the file holds a key that is no Ed25519 public key")
        keys.append(TokenKey.of(key, valid_until))
    if not keys:
        raise ValueError("the file holds no Ed25519 public key")
    return tuple(keys)


def pem_blocks(text: str, word: str) -> list[tuple[datetime | None, bytes]]:
    """Each PEM block with the time of the line `<word>: <time>` before it, if there is one.

    Raises ValueError for a time that is none, or has no offset.
    """
    blocks, before = [], 0
    for block in _BLOCK.finditer(text):
        said = re.findall(rf"^{word}: *(\S+)", text[before : block.start()], re.MULTILINE)
        blocks.append((_time(said[-1]) if said else None, block[0].encode()))
        before = block.end()
    return blocks


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text}: a time needs its offset from UTC")
    return at.astimezone(UTC)


def json_web_key(public_key: Ed25519PublicKey) -> dict[str, str]:
    """The key as a JSON Web Key (RFC 8037), named by its thumbprint."""
    return _members(public_key) | {"use": "sig", "alg": "EdDSA", "kid": key_id(public_key)}


def key_id(public_key: Ed25519PublicKey) -> str:
    """The key's thumbprint (RFC 7638)."""
    canonical = json.dumps(_members(public_key), sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def _members(public_key: Ed25519PublicKey) -> dict[str, str]:
    raw = public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
