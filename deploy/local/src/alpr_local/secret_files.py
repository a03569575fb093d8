"""Secrets of one stack: made at random the first time, kept 0600 in one folder."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
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
        self._make(path, secrets.token_urlsafe(32).encode())
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
            self._make(path, _private_pem(Ed25519PrivateKey.generate()))
        return path

    def _make_token_keys(self) -> None:
        private = self._private_key("token-private-key.pem")
        public = self.folder / "token-public-key.pem"
        # Of the private key that is there, whoever made it: all who come at once write the same.
        wanted = _public_pem(private.read_bytes())
        with contextlib.suppress(FileNotFoundError):
            # After a change of keys the file holds the next one as well.
            if wanted in public.read_bytes():
                return
        with self._temporary(public, wanted) as temporary:
            temporary.replace(public)

    def _make(self, path: Path, content: bytes) -> None:
        """Make a file, unless somebody was quicker: then theirs stays, and is everybody's."""
        with self._temporary(path, content) as temporary, contextlib.suppress(FileExistsError):
            path.hardlink_to(temporary)

    @contextlib.contextmanager
    def _temporary(self, path: Path, content: bytes) -> Iterator[Path]:
        """A file beside that never existed with other permissions, and is nobody else's."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        descriptor, name = tempfile.mkstemp(".new", f"{path.name}.", self.folder)  # 0600
        temporary = Path(name)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
                file.write(content)
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)


def _private_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public_pem(private_pem: bytes) -> bytes:
    key = load_pem_private_key(private_pem, None)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
