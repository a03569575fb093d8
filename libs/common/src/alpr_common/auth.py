"""Who is calling, and may they: the one gate that every route passes.

identity signs short-lived tokens (JWT, Ed25519) that carry agency, role and training dates; every
service verifies them with the public key alone. Access needs a role that the policy names *and*
current LEADS training *and* current ALPR training, checked per request, closed by default
(131.6-1, 131.6-2).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from fastapi import Request
from fastapi.routing import iter_route_contexts

from alpr_common.errors import AlprError, Outage
from alpr_common.messages.session import TokensRefused
from alpr_common.policy import Policy, Role

ISSUER = "alpr-identity"
AUDIENCE = "alpr"
_ALGORITHM = "EdDSA"


class NotSignedIn(AlprError):
    status = HTTPStatus.UNAUTHORIZED
    title = "Sign in first"


class TokenRefused(NotSignedIn):
    title = "The token counts no more; refresh it or sign in again"


class SecondFactorMissing(AlprError):
    status = HTTPStatus.FORBIDDEN
    title = "Set up your second factor first"
    clause = "131.7-3c"


class RevocationsUnknown(Outage):
    title = "Which tokens were withdrawn is not known yet"


class RoleNotAllowed(AlprError):
    status = HTTPStatus.FORBIDDEN
    title = "Your role does not include this"
    clause = "131.6-2"


class LeadsTrainingLapsed(AlprError):
    status = HTTPStatus.FORBIDDEN
    title = "LEADS training is not current"
    clause = "131.6-1"


class AlprTrainingLapsed(AlprError):
    status = HTTPStatus.FORBIDDEN
    title = "ALPR training is not current"
    clause = "131.6-2"


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


def check_access(
    principal: Principal, policy: Policy, today: date, roles: frozenset[Role] | None = None
) -> None:
    """Raise unless the principal may touch ALPR data: role, LEADS and ALPR training (131.6-1/-2).

    `roles` narrows the policy's access roles for one route. Training counts through its last day.
    """
    allowed = policy.access_roles if roles is None else policy.access_roles & roles
    if principal.role not in allowed:
        names = ", ".join(sorted(allowed)) or "nobody"
        raise RoleNotAllowed(f"This is open to: {names}. Your role is {principal.role}.")
    if principal.leads_training_until is None or principal.leads_training_until < today:
        raise LeadsTrainingLapsed(
            "Your LEADS training is missing or has lapsed. Renew it and have the training "
            "coordinator record it, then sign in again."
        )
    if principal.alpr_training_until is None or principal.alpr_training_until < today:
        raise AlprTrainingLapsed(
            "Your ALPR training is missing or has lapsed. Complete the curriculum and have the "
            "training coordinator record it, then sign in again."
        )


class Revocations:
    """What identity has said on `alpr.sessions.v1`, so that a sign-out, a change of role or a
    training taken away holds within seconds although tokens are checked without asking there.

    `alpr_common.revocations.follow` fills it. Before the topic was read to its end nothing is let
    in; while Kafka is away later on, what is not known yet ends with the token, after 15 minutes
    at most.
    """

    def __init__(self) -> None:
        self._refused: dict[str, TokensRefused] = {}
        self.is_loaded = False

    def take(self, notice: TokensRefused) -> None:
        """Note one; what is said again or out of order changes nothing."""
        before = self._refused.get(notice.subject_id)
        if before is None or (before.below_version or 0) <= (notice.below_version or 0):
            self._refused[notice.subject_id] = notice

    def forget(self, before: datetime) -> None:
        """Drop what refuses only tokens that have run out since."""
        for subject, notice in list(self._refused.items()):
            if notice.refused_at < before:
                del self._refused[subject]

    def refuse(self, principal: Principal) -> None:
        """Raise `TokenRefused` for a token that was withdrawn, `RevocationsUnknown` before
        anything can be said."""
        if not self.is_loaded:
            raise RevocationsUnknown("The service has only just started. Try again shortly.")
        if principal.session_id in self._refused:
            raise TokenRefused("The session has ended. Sign in again.")
        person = self._refused.get(principal.person_id)
        if person is not None and (
            person.below_version is None or principal.rights_version < person.below_version
        ):
            raise TokenRefused("Your role or training was changed. Refresh the token.")


Dependency = Callable[[Request], Awaitable[Principal]]


@dataclass(frozen=True)
class Gate:
    """Makes the dependencies that routes declare. One per service, built in `app.py`.

    Usage: `principal: Annotated[Principal, Depends(gate.access())]`. Without `revocations` a token
    counts until it runs out.
    """

    verifier: TokenVerifier
    policy: Policy
    revocations: Revocations | None = None

    def enrolling(self) -> Dependency:
        """Somebody signed in, also one who must set up a second factor before anything else."""

        async def depend(request: Request) -> Principal:
            return self._verified(request)

        return _declared(depend, "enrolling")

    def still_holds(self, principal: Principal, today: date) -> bool:
        """Whether what a principal began (an open stream) may go on: not withdrawn since, and
        role and training as `access` asks for them."""
        try:
            if self.revocations is not None:
                self.revocations.refuse(principal)
            check_access(principal, self.policy, today)
        except AlprError:
            return False
        return True

    def signed_in(self, *roles: Role) -> Dependency:
        """Somebody signed in, with one of `roles` if any are given; no training needed.

        For what touches no ALPR data: one's own account, training records, camera registry.
        """

        async def depend(request: Request) -> Principal:
            principal = self._principal(request)
            if roles and principal.role not in roles:
                raise RoleNotAllowed(
                    f"This is open to: {', '.join(sorted(roles))}. Your role is {principal.role}."
                )
            return principal

        return _declared(depend, "signed_in")

    def access(self, *roles: Role) -> Dependency:
        """Somebody who may touch ALPR data now: role and both trainings (`check_access`)."""
        wanted = frozenset(roles) or None

        async def depend(request: Request) -> Principal:
            principal = self._principal(request)
            check_access(principal, self.policy, datetime.now(UTC).date(), wanted)
            return principal

        return _declared(depend, "access")

    def _principal(self, request: Request) -> Principal:
        principal = self._verified(request)
        if principal.must_enrol:
            raise SecondFactorMissing(
                "Your role signs in with a second factor and you have none yet. Set it up "
                "(POST /v1/me/second-factor) and refresh the token."
            )
        return principal

    def _verified(self, request: Request) -> Principal:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise NotSignedIn("Send the header `Authorization: Bearer <token>`.")
        address = request.client.host if request.client else None
        principal = self.verifier.verify(token.strip(), address)
        if self.revocations is not None:
            self.revocations.refuse(principal)
        return principal


async def public(request: Request) -> None:
    """Declares that a route is open to anybody: health, metrics, sign-in."""


def _declared(depend: Dependency, need: str) -> Dependency:
    """Mark a dependency as a gate, so that a test can find routes that declare none."""
    depend.alpr_gate = need  # type: ignore[attr-defined]
    return depend


_declared(public, "public")  # type: ignore[arg-type]


def ungated_routes(app: Any) -> list[str]:
    """Paths of a FastAPI app whose route declares no gate: must be empty (tested per service)."""

    def gates(dependant: Any) -> bool:
        return any(
            hasattr(d.call, "alpr_gate") or gates(d) for d in getattr(dependant, "dependencies", [])
        )

    # `app.routes` holds an included router as one object: only this iterator goes into it.
    return sorted(
        route.path or ""
        for route in iter_route_contexts(app.routes)
        if hasattr(route, "dependant") and not gates(route.dependant)
    )
