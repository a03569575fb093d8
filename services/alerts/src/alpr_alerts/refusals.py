"""Why a step is refused: each cites its clause and says what to do next."""

from http import HTTPStatus

from alpr_common.errors import AlprError, Conflict, Incomplete, NotFound, Outage


class AlertNotFound(NotFound):
    title = "There is no such alert, or it belongs to another agency"


class AlertMovedOn(Conflict):
    """The caller decided on a picture of the alert that is no longer true."""

    title = "Somebody else has acted on this alert meanwhile"
    clause = "policy file"


class AlertEnded(Conflict):
    title = "This alert has ended"
    clause = "131.6-5"


class AlreadyAnswered(Conflict):
    title = "Somebody has already answered this alert"
    clause = "131.6-5"


class VisualCheckFirst(Conflict):
    title = "The visual check comes first"
    clause = "131.6-4a"


class StatusCheckFirst(Conflict):
    title = "The status comes first"
    clause = "131.6-4b"


class StatusAlreadyConfirmed(Conflict):
    title = "The status has already been confirmed"
    clause = "131.6-4b"


class AnswerBeforeClosing(Conflict):
    title = "An alert is accepted or rejected before it is closed"
    clause = "131.6-5"


class NothingToEscalate(Conflict):
    title = "This alert needs no escalation"
    clause = "131.6-5"


class NothingToExpire(Conflict):
    title = "This alert need not end yet"
    clause = "131.7-1d"


class NothingToWake(Conflict):
    title = "This alert is live already, or has ended"
    clause = "131.3-alert"


class ReadsRemoved(AlprError):
    """The alert ended, and what it rested on is past its retention."""

    status = HTTPStatus.GONE
    title = "The reads of this alert are past their retention"
    clause = "131.7-1d"


GONE = (AlertNotFound, ReadsRemoved)
"""What is raised for an alert whose reads went: with a record, or without one."""


class PeriodMalformed(AlprError):
    title = "The period ends before it begins"


class CharactersNotVerified(Incomplete):
    title = "The characters have not been verified by eye"
    clause = "131.6-4a"


class StateNotVerified(Incomplete):
    title = "The state of issuance has not been verified by eye"
    clause = "131.6-4a"


class DifferingPositionsNotChecked(Incomplete):
    title = "The characters that were read differently have not been checked one by one"
    clause = "131.6-4a"


class JurisdictionNotConfirmed(Incomplete):
    title = "The state is not known to the system: say which one you see"
    clause = "131.6-4a"


class PlateOfAnotherState(Incomplete):
    title = "The plate is of another state than the entry"
    clause = "131.6-4a"


class RejectionReasonMissing(Incomplete):
    title = "A rejection needs its reason"
    clause = "131.6-5"


class IncidentNumberMissing(Incomplete):
    title = "Enforcement needs the number of the incident report or event"
    clause = "131.6-6"


class ClosingReasonMissing(Incomplete):
    title = "Closing an alert needs a reason"
    clause = "policy file"


class ResumePointMalformed(AlprError):
    title = "Last-Event-ID is not one of this stream's"


class CursorMalformed(AlprError):
    title = "The cursor is not one of this list's"


class TooManyStreams(Outage):
    title = "Too many open streams on this server"
    retry_after_seconds = 5
