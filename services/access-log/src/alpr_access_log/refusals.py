"""What the door refuses, as facts; each cites the clause of the policy that it rests on."""

from http import HTTPStatus

from alpr_common.errors import AlprError, Conflict, NotFound, Outage


class SearchRefused(AlprError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class PurposeMissing(SearchRefused):
    title = "A search needs a purpose"
    clause = "131.7-3a"


class PurposeUnknown(SearchRefused):
    title = "That is not one of the agency's purposes"
    clause = "131.1"


class CaseNumberMissing(SearchRefused):
    title = "A search needs a case or incident number"
    clause = "131.7-3b"


class SuspicionMissing(SearchRefused):
    title = "A search needs the articulable suspicion in words"
    clause = "131.7-3b"


class SuspicionTooShort(SearchRefused):
    title = "The suspicion is too short to be one"
    clause = "policy file"


class SuspicionCopied(SearchRefused):
    title = "The suspicion is a copy of your previous one"
    clause = "policy file"


class NotAttested(SearchRefused):
    title = "A search needs your attestation"
    clause = "131.6-3b"


class PlateMissing(SearchRefused):
    title = "A search needs a plate"
    clause = "policy file"


class SweepTooWide(SearchRefused):
    title = "The sweep covers too much"
    clause = "policy file"


class SweepNeedsApproval(AlprError):
    status = HTTPStatus.FORBIDDEN
    title = "A search without a plate needs a supervisor's approval"
    clause = "policy file"


class RepeatNeedsApproval(AlprError):
    status = HTTPStatus.FORBIDDEN
    title = "So many searches of one plate need a supervisor's approval"
    clause = "policy file"


class ConvoyNeedsApproval(AlprError):
    status = HTTPStatus.FORBIDDEN
    title = "A convoy question needs a supervisor's approval"
    clause = "policy file"


class ConvoyMalformed(SearchRefused):
    title = "That is not a convoy question"


class ConvoyTooWide(SearchRefused):
    title = "The convoy question covers too much"
    clause = "policy file"


class ApprovalNotFound(NotFound):
    title = "There is no such approval of yours"


class ApprovalNotUsable(Conflict):
    title = "The approval cannot be used for that"


class OwnRequest(AlprError):
    status = HTTPStatus.FORBIDDEN
    title = "Somebody else decides what you asked for"
    clause = "policy file"


class RankNotAllowed(AlprError):
    status = HTTPStatus.FORBIDDEN
    title = "Your rank does not decide on this"
    clause = "policy file"


class PlateMalformed(SearchRefused):
    title = "That is not a plate or a plate pattern"


class WildcardTooWide(SearchRefused):
    title = "The pattern names too few characters"
    clause = "policy file"


class WindowMalformed(SearchRefused):
    title = "A search needs a time window"


class WindowTooLong(SearchRefused):
    title = "The time window is too long"
    clause = "policy file"


class LimitTooLarge(SearchRefused):
    title = "That is more than one page may hold"
    clause = "policy file"


class CursorInvalid(SearchRefused):
    title = "The cursor is not one of this search's"


class AccessNotYours(AlprError):
    status = HTTPStatus.FORBIDDEN
    title = "No access of yours returned this"
    clause = "131.7-3a"


class AccessExpired(AlprError):
    status = HTTPStatus.FORBIDDEN
    title = "The access is too old; ask again"
    clause = "policy file"


class RecordNotWritten(Outage):
    """The access record could not be made durable, so nothing may be shown."""

    title = "The access could not be recorded, so nothing is shown"
    clause = "131.7-3a"


class TopicsOutliveRetention(AlprError):
    title = "A topic would keep reads longer than an agency's retention"
    clause = "131.7-1d"
