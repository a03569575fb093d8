"""Why somebody is not let in: each cites its clause."""

from http import HTTPStatus

from alpr_common.errors import AlprError, Forbidden, Outage


class NotSignedIn(AlprError):
    status = HTTPStatus.UNAUTHORIZED
    title = "Sign in first"


class TokenRefused(NotSignedIn):
    title = "The token counts no more; refresh it or sign in again"


class SecondFactorMissing(Forbidden):
    title = "Set up your second factor first"
    clause = "131.7-3c"


class RevocationsUnknown(Outage):
    title = "Which tokens were withdrawn is not known yet"


class RoleNotAllowed(Forbidden):
    title = "Your role does not include this"
    clause = "131.6-2"


class LeadsTrainingLapsed(Forbidden):
    title = "LEADS training is not current"
    clause = "131.6-1"


class AlprTrainingLapsed(Forbidden):
    title = "ALPR training is not current"
    clause = "131.6-2"
