"""Who a token names: identity signs it, every service verifies it with the public key alone."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from alpr_common.auth.keys import TokenKey, TokenKeys, key_id
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
    rank: str | None = None
    """Of a supervisor, as the policy's `supervisor_ranks` calls it; None: not on record."""


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
        """A signed token of `principal`, good for `lifetime_seconds` from `now`; no two are the
        same text, also of one second (RFC 9068, 2.2: `jti`)."""
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": principal.person_id,
            "sid": principal.session_id,
            "jti": str(uuid4()),
            "iat": now,
            "exp": now + timedelta(seconds=self.lifetime_seconds),
            "name": principal.name,
            "agency": principal.agency_id,
            "role": principal.role.value,
            "leads_until": _iso(principal.leads_training_until),
            "alpr_until": _iso(principal.alpr_training_until),
            "rights": principal.rights_version,
            "must_enrol": principal.must_enrol,
        } | ({"rank": principal.rank} if principal.rank else {})
        return jwt.encode(
            claims, self.private_key, algorithm=_ALGORITHM, headers={"kid": self.key_id}
        )

    @cached_property
    def key_id(self) -> str:
        """What tokens call the key."""
        return key_id(self.private_key.public_key())


class TokenVerifier:
    """Verifies tokens with identity's public keys: the one that signs, and the one before it
    until its tokens have ended."""

    def __init__(self, keys: Ed25519PublicKey | TokenKeys) -> None:
        self.keys = keys if isinstance(keys, TokenKeys) else TokenKeys([TokenKey.of(keys)])

    @classmethod
    def from_file(cls, path: Path) -> "TokenVerifier":
        """From a PEM file, which is read anew when it changes; raises ValueError when a key is not
        Ed25519."""
        return cls(TokenKeys.from_file(path))

    def verify(self, token: str, address: str | None = None) -> Principal:
        """The caller that the token names; raises `NotSignedIn`."""
        try:
            claims = self._claims(token)
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
                rank=_word(claims.get("rank")),
            )
        except jwt.ExpiredSignatureError as error:
            raise NotSignedIn("The token has expired; sign in or refresh it.") from error
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, OSError) as error:
            raise NotSignedIn("The token is not one of this system's; sign in again.") from error

    def _claims(self, token: str) -> dict[str, Any]:
        name = jwt.get_unverified_header(token).get("kid")
        refusal: jwt.PyJWTError = jwt.InvalidKeyError("no key of that name is in force")
        for key in self.keys.named(name, datetime.now(UTC)):
            try:
                claims: dict[str, Any] = jwt.decode(
                    token,
                    key.public_key,
                    algorithms=[_ALGORITHM],
                    audience=AUDIENCE,
                    issuer=ISSUER,
                    options={"require": ["exp", "iat", "sub", "sid", "agency", "role"]},
                )
            except jwt.InvalidSignatureError as error:
                refusal = error  # a token that names no key may be of the next one
            else:
                return claims
        raise refusal


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _day(text: Any) -> date | None:
    return date.fromisoformat(text) if text else None


def _word(text: Any) -> str | None:
    if text is not None and not isinstance(text, str):
        raise TypeError("a rank is a word")
    return text or None
