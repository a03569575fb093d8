"""Who is calling, and may they: the one gate that every route passes.

identity signs short-lived tokens (JWT, Ed25519) that carry agency, role and training dates; every
service verifies them with the public key alone. Access needs a role that the policy names *and*
current LEADS training *and* current ALPR training, checked per request, closed by default
(131.6-1, 131.6-2).
"""

from alpr_common.auth.gate import (
    Dependency,
    Gate,
    check_access,
    public,
    ungated_routes,
)
from alpr_common.auth.refusals import (
    AlprTrainingLapsed,
    LeadsTrainingLapsed,
    NotSignedIn,
    RevocationsUnknown,
    RoleNotAllowed,
    SecondFactorMissing,
    TokenRefused,
)
from alpr_common.auth.tokens import (
    AUDIENCE,
    ISSUER,
    Principal,
    TokenIssuer,
    TokenVerifier,
)
from alpr_common.auth.withdrawn import (
    Revocations,
)

__all__ = [
    "AUDIENCE",
    "ISSUER",
    "AlprTrainingLapsed",
    "Dependency",
    "Gate",
    "LeadsTrainingLapsed",
    "NotSignedIn",
    "Principal",
    "Revocations",
    "RevocationsUnknown",
    "RoleNotAllowed",
    "SecondFactorMissing",
    "TokenIssuer",
    "TokenRefused",
    "TokenVerifier",
    "check_access",
    "public",
    "ungated_routes",
]
