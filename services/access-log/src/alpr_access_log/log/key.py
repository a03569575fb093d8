"""The keys that sign: in files outside PostgreSQL, read here alone.

The file of the log's key holds two while the log is handed over: the first block takes over, the
second hands over (docs/decisions/0013). Whatever reads the first block alone, as programs do that
know nothing of hand-overs, then has the key that counts from here on. It is read anew when it
changes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from alpr_common.watched_file import WatchedFile
from alpr_translog.note import SignerKey, VerifierKey

_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.DOTALL)


@dataclass(frozen=True)
class LogKey:
    """One key for all agencies' logs; its name, which is each log's origin, tells them apart."""

    log_name: str
    private_key: Ed25519PrivateKey

    @classmethod
    def from_file(cls, path: Path, log_name: str) -> "LogKey":
        """From a PEM file; raises ValueError when the key is not Ed25519 or not the only one."""
        keys = keys_in(path.read_text(), log_name)
        if len(keys) != 1:
            raise ValueError(f"{path} holds more than one key")
        return keys[0]

    def to_pem(self) -> str:
        pem = self.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return pem.decode()

    def signer(self, agency_id: str) -> SignerKey:
        """The key under the name of that agency's log."""
        # A name has no spaces and no plus sign; an agency's id could.
        return SignerKey(f"{self.log_name}/{quote(agency_id, safe='')}", self.private_key)

    def verifier(self, agency_id: str) -> VerifierKey:
        return self.signer(agency_id).verifier


def keys_in(text: str, log_name: str) -> tuple[LogKey, ...]:
    """The one key of a file, or the one that hands over and the one that takes over.

    Raises ValueError for anything else.
    """
    keys = []
    for block in _BLOCK.finditer(text):
        try:
            key = load_pem_private_key(block[0].encode(), password=None)
        except (TypeError, UnsupportedAlgorithm) as error:  # encrypted, or of no known kind
            raise ValueError(f"the file holds a key that cannot be read: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("the file holds a key that is no Ed25519 private key")
        keys.append(LogKey(log_name, key))
    if not 1 <= len({key.to_pem() for key in keys}) == len(keys) <= 2:
        raise ValueError("the file holds neither one Ed25519 private key nor two different ones")
    return tuple(reversed(keys))


class LogKeys:
    """The log's key, and while it is being changed the one that takes over."""

    def __init__(self, *keys: LogKey, file: WatchedFile[tuple[LogKey, ...]] | None = None) -> None:
        self._fixed, self._file = keys, file

    @classmethod
    def from_file(cls, path: Path, log_name: str) -> "LogKeys":
        """Raises OSError, ValueError."""
        return cls(file=WatchedFile(path, partial(keys_in, log_name=log_name)))

    def now(self) -> Sequence[LogKey]:
        """One key, or the one that hands over and the one that takes over. The same object until
        the file changes."""
        return self._file.content() if self._file else self._fixed
