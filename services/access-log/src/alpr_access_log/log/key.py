"""The key that signs checkpoints: in a file outside PostgreSQL, read here alone."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from alpr_translog.note import SignerKey, VerifierKey


@dataclass(frozen=True)
class LogKey:
    """One key for all agencies' logs; its name, which is each log's origin, tells them apart."""

    log_name: str
    private_key: Ed25519PrivateKey

    @classmethod
    def from_file(cls, path: Path, log_name: str) -> "LogKey":
        """From a PEM file; raises ValueError when the key is not Ed25519."""
        key = load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(f"{path} holds no Ed25519 private key")
        return cls(log_name, key)

    def signer(self, agency_id: str) -> SignerKey:
        """The key under the name of that agency's log."""
        # A name has no spaces and no plus sign; an agency's id could.
        return SignerKey(f"{self.log_name}/{quote(agency_id, safe='')}", self.private_key)

    def verifier(self, agency_id: str) -> VerifierKey:
        return self.signer(agency_id).verifier
