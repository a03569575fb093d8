"""Secrets of one stack: made at random the first time, kept 0600 in one folder."""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)


@dataclass(frozen=True)
class SecretFiles:
    """One folder of secrets, one file each."""

    folder: Path

    def value(self, name: str) -> str:
        """The secret of that name, 43 URL-safe characters (256 bits), made on first use."""
        path = self.folder / name
        with contextlib.suppress(FileNotFoundError):
            return path.read_text()
        self._write(path, secrets.token_urlsafe(32).encode())
        return path.read_text()

    def file(self, name: str) -> Path:
        """Where that secret lies, made on first use."""
        self.value(name)
        return self.folder / name

    @property
    def token_private_key(self) -> Path:
        """PEM file (PKCS #8) of the Ed25519 key that identity signs tokens with."""
        self._make_token_keys()
        return self.folder / "token-private-key.pem"

    @property
    def token_public_key(self) -> Path:
        """PEM file (SubjectPublicKeyInfo) that every service checks tokens with."""
        self._make_token_keys()
        return self.folder / "token-public-key.pem"

    @property
    def log_signing_key(self) -> Path:
        """PEM file (PKCS #8) of the Ed25519 key that access-log signs checkpoints with."""
        return self._private_key("log-signing-key.pem")

    @property
    def evidence_key(self) -> Path:
        """PEM file (PKCS #8) of the Ed25519 key that access-log seals evidence packages with."""
        return self._private_key("evidence-key.pem")

    def _private_key(self, name: str) -> Path:
        path = self.folder / name
        if not path.exists():
            self._write(path, _private_pem(Ed25519PrivateKey.generate()))
        return path

    def _make_token_keys(self) -> None:
        private, public = (self.folder / f"token-{half}-key.pem" for half in ("private", "public"))
        if public.exists() and private.exists():
            return
        key = Ed25519PrivateKey.generate()
        private.unlink(missing_ok=True)
        public.unlink(missing_ok=True)
        self._write(private, _private_pem(key))
        self._write(
            public,
            key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        )

    def _write(self, path: Path, content: bytes) -> None:
        """Write a file that never existed with other permissions or half its content."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
        temporary.unlink(missing_ok=True)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
            file.write(content)
        temporary.replace(path)


def _private_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
