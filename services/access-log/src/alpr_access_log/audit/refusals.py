"""What the audit refuses."""

from http import HTTPStatus

from alpr_common.errors import AlprError, Conflict, NotFound


class PeriodImpossible(AlprError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "That period cannot be audited"


class PeriodTooLarge(AlprError):
    """Too much to look through while somebody waits for the answer."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "That period has too many records to be looked through at once"


class AnotherAuditRuns(Conflict):
    title = "Another audit of this agency is being prepared"
    retry_after_seconds = 30


class PackageNotReady(Conflict):
    title = "The audit is still being prepared"
    retry_after_seconds = 5


class NobodyToAskWith(AlprError):
    """Work that was taken up from another process lacks what only whoever asked could ask for."""

    title = "Identity was not asked"


class ClaimLost(AlprError):
    """Another process prepares the package now: what is done here comes to nothing."""

    title = "Another process prepares this audit"


class FindingNotFound(NotFound):
    title = "There is no such finding"


class PackageNotFound(NotFound):
    title = "There is no such audit package"


class ListNotGiven(NotFound):
    title = "That list was not given"


class OwnFinding(AlprError):
    status = HTTPStatus.FORBIDDEN
    title = "A finding is reviewed by somebody whom it is not about"
    clause = "policy file"
