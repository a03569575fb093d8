"""Who a token names: identity signs it, every service verifies it with the public key alone."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from alpr_common.auth.refusals import NotSignedIn
from alpr_common.policy import Role

ISSUER = "alpr-identity"
AUDIENCE = "alpr"
_ALGORITHM = "EdDSA"


@dataclass(frozen=True)
class Principal:
    """The person (or service account) behind a request."""

    person_id: str
    name: str
    agency_id: str
    role: Role
    session_id: str
    leads_training_until: date | None
    alpr_training_until: date | None
    address: str | None = None
    token: str = field(default="", repr=False)
    expires_at: datetime | None = None
    """When the token ends, and with it what was begun under it (an open stream)."""
    rights_version: int = 0
    """Grows whenever what the person may do is narrowed; tokens of a lower one are refused."""
    must_enrol: bool = False
    """Signed in with a password alone where the policy asks for a second factor: this token opens
    nothing but the enrolment."""


@dataclass(frozen=True)
class TokenIssuer:
    """Signs tokens; only identity has the private key."""

    private_key: Ed25519PrivateKey
    lifetime_seconds: int = 900

    @classmethod
    def from_file(cls, path: Path, lifetime_seconds: int = 900) -> "TokenIssuer":
        """From a PEM file; raises ValueError when the key is not Ed25519."""
        key = load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(f"{path} holds no Ed25519 private key")
        return cls(key, lifetime_seconds)

    def issue(self, principal: Principal, now: datetime) -> str:
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": principal.person_id,
            "sid": principal.session_id,
            "iat": now,
            "exp": now + timedelta(seconds=self.lifetime_seconds),
            "name": principal.name,
            "agency": principal.agency_id,
            "role": principal.role.value,
            "leads_until": _iso(principal.leads_training_until),
            "alpr_until": _iso(principal.alpr_training_until),
            "rights": principal.rights_version,
            "must_enrol": principal.must_enrol,
        }
        return jwt.encode(claims, self.private_key, algorithm=_ALGORITHM)


@dataclass(frozen=True)
class TokenVerifier:
    """Verifies tokens with identity's public key."""

    public_key: Ed25519PublicKey

    @classmethod
    def from_file(cls, path: Path) -> "TokenVerifier":
        """From a PEM file; raises ValueError when the key is not Ed25519."""
        key = load_pem_public_key(path.read_bytes())
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError(f"{path} holds no Ed25519 public key")
        return cls(key)

    def verify(self, token: str, address: str | None = None) -> Principal:
        """The caller that the token names; raises `NotSignedIn`."""
        try:
            claims = jwt.decode(
                token,
                self.public_key,
                algorithms=[_ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={"require": ["exp", "iat", "sub", "sid", "agency", "role"]},
            )
            return Principal(
                person_id=claims["sub"],
                name=claims.get("name", ""),
                agency_id=claims["agency"],
                role=Role(claims["role"]),
                session_id=claims["sid"],
                leads_training_until=_day(claims.get("leads_until")),
                alpr_training_until=_day(claims.get("alpr_until")),
                address=address,
                token=token,
                expires_at=datetime.fromtimestamp(claims["exp"], UTC),
                rights_version=int(claims.get("rights", 0)),
                must_enrol=bool(claims.get("must_enrol", False)),
            )
        except jwt.ExpiredSignatureError as error:
            raise NotSignedIn("The token has expired; sign in or refresh it.") from error
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, OSError) as error:
            raise NotSignedIn("The token is not one of this system's; sign in again.") from error


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _day(text: Any) -> date | None:
    return date.fromisoformat(text) if text else None
