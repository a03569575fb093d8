"""Own and relatives' plates, kept so that the table tells nobody who owns what.

A plate is stored as HMAC-SHA-256 over agency, person and match key. Plates are few enough to try
all of them, so that a plain hash would hide nothing; the key is outside PostgreSQL, drawn from the
file that evidence packages are sealed with. Another file means another key: the list has to be
given again, and the package says so.
"""

import hashlib
import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_INFO = b"alpr access-log: own and relatives' plates, version 1"
_SEPARATOR = b"\x00"


@dataclass(frozen=True)
class PlateKey:
    """The key of the list."""

    secret: bytes

    @classmethod
    def drawn_from(cls, key: Ed25519PrivateKey) -> "PlateKey":
        derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=_INFO)
        return cls(derive.derive(key.private_bytes_raw()))

    @property
    def key_id(self) -> str:
        """Names the key without telling anything of it."""
        return hmac.new(self.secret, b"key id", hashlib.sha256).hexdigest()[:16]

    def mac(self, agency_id: str, person_id: str, match_key: str) -> bytes:
        said = _SEPARATOR.join(part.encode() for part in (agency_id, person_id, match_key))
        return hmac.new(self.secret, said, hashlib.sha256).digest()
