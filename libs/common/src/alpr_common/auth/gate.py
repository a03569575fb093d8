"""The gate that every route passes, and how a test finds a route that passes none."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from fastapi import Request
from fastapi.routing import iter_route_contexts

from alpr_common.auth.refusals import (
    AlprTrainingLapsed,
    LeadsTrainingLapsed,
    NotSignedIn,
    RoleNotAllowed,
    SecondFactorMissing,
)
from alpr_common.auth.tokens import Principal, TokenVerifier
from alpr_common.auth.withdrawn import Revocations
from alpr_common.errors import AlprError
from alpr_common.policy import Policy, Role


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
