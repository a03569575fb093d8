"""Cookies that only this console can read: AES-256-GCM, with a key that all replicas share.

The console keeps no session store (any replica answers any request, and a restart signs nobody
out), so what a session needs travels in the cookie itself, sealed. The cookie's name is bound in
as associated data: one cookie's value cannot be passed off as another's.
"""

import json
import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from alpr_common.errors import AlprError

_NONCE_BYTES = 12
_SECRET_MIN_CHARACTERS = 32


class CookieKeyUnusable(AlprError):
    title = "The file with the cookie key cannot be used"


@dataclass(frozen=True)
class CookieSeal:
    """Seals and opens cookie values. The first key seals; all of them open."""

    keys: tuple[AESGCM, ...]

    @classmethod
    def from_file(cls, path: Path) -> "CookieSeal":
        """One secret a line; raises `CookieKeyUnusable` when there is none of 32+ characters."""
        try:
            lines = [line.strip() for line in path.read_text().splitlines()]
        except OSError as error:
            raise CookieKeyUnusable(f"{path} cannot be read: {error.strerror}.") from error
        return cls.from_secrets([line for line in lines if line], str(path))

    @classmethod
    def from_secrets(cls, lines: list[str], where: str) -> "CookieSeal":
        if not lines or any(len(line) < _SECRET_MIN_CHARACTERS for line in lines):
            raise CookieKeyUnusable(
                f"{where} must hold secrets of {_SECRET_MIN_CHARACTERS} or more characters, one a "
                "line, newest first."
            )
        return cls(tuple(AESGCM(_derive(line)) for line in lines))

    def seal(self, name: str, content: dict[str, Any]) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        plain = json.dumps(content, separators=(",", ":")).encode()
        return _text(nonce + self.keys[0].encrypt(nonce, plain, name.encode()))

    def open(self, name: str, sealed: str) -> dict[str, Any] | None:
        """What was sealed under that name; None when it was not, or with another key."""
        try:
            raw = urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
        except (Base64Error, ValueError):
            return None
        for key in self.keys:
            with suppress(InvalidTag, ValueError):
                plain = key.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], name.encode())
                content: dict[str, Any] = json.loads(plain)
                return content
        return None


def development_key(folder: Path) -> Path:
    """A key file for one machine, made on first use, readable by its owner alone.

    Never for replicas: each would make its own and none could open the others' cookies.
    """
    path = folder / "console-cookie.key"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
    return path


def _derive(secret: str) -> bytes:
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"alpr-console cookie v1")
    return kdf.derive(secret.encode())


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")
