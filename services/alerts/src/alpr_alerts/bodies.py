"""What people say with a step, and the step that the domain makes of it.

The domain decides what is missing, so that each refusal cites its clause: here almost everything
may be left out.
"""

from typing import ClassVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StrictBool

from alpr_alerts import domain
from alpr_alerts.domain import Action, Alert, Move, RejectionReason, StatusSource, VisualCheck
from alpr_common.messages.alert import StatusAnswer
from alpr_common.web import StorableText

_NOTE = Field(default=None, max_length=2000)


class StepRequest(BaseModel):
    """`expected_sequence`: the alert's `sequence` that the caller decided on."""

    model_config = ConfigDict(str_max_length=2000)

    action: ClassVar[Action]
    expected_sequence: int | None = Field(default=None, ge=1)

    def decide(self, alert: Alert) -> Move:
        """The step that this asks for, of the alert as it stands; raises what the guard raises."""
        raise NotImplementedError


class AcceptRequest(StepRequest):
    """What was seen. What is not said counts as not checked."""

    action = Action.ACCEPT
    characters_match: StrictBool = False
    state_matches: StrictBool = False
    confirmed_jurisdiction: StorableText | None = Field(default=None, max_length=16)
    checked_positions: frozenset[int] = frozenset()
    """For a look-alike hit: the differing positions (from 0) that were looked at one by one."""

    def decide(self, alert: Alert) -> Move:
        check = VisualCheck(
            self.characters_match,
            self.state_matches,
            self.confirmed_jurisdiction,
            self.checked_positions,
        )
        return domain.accept(alert, check)


class RejectRequest(StepRequest):
    action = Action.REJECT
    reason: RejectionReason | None = None
    note: StorableText | None = _NOTE

    def decide(self, alert: Alert) -> Move:
        return domain.reject(alert, self.reason, self.note)


class StatusRequest(StepRequest):
    action = Action.STATUS
    answer: StatusAnswer
    source: StatusSource
    reference: StorableText | None = Field(default=None, max_length=64)

    def decide(self, alert: Alert) -> Move:
        return domain.status(alert, self.answer, self.source, self.reference)


class EnforceRequest(StepRequest):
    action = Action.ENFORCE
    incident_number: StorableText | None = Field(default=None, max_length=64)
    note: StorableText | None = _NOTE

    def decide(self, alert: Alert) -> Move:
        return domain.enforce(alert, self.incident_number, self.note)


class CloseRequest(StepRequest):
    action = Action.CLOSE
    reason: StorableText | None = Field(
        default=None, max_length=2000, validation_alias=AliasChoices("reason", "outcome")
    )
    note: StorableText | None = _NOTE

    def decide(self, alert: Alert) -> Move:
        return domain.close(alert, self.reason, self.note)


class HandOffRequest(StepRequest):
    action = Action.HAND_OFF
    note: StorableText | None = _NOTE

    def decide(self, alert: Alert) -> Move:
        return domain.hand_off(alert, self.note)
