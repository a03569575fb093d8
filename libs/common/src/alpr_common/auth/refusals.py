"""Why somebody is not let in: each cites its clause."""

from http import HTTPStatus

from alpr_common.errors import AlprError, Outage


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
