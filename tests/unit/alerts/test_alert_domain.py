"""The guards of the state machine, one by one; each refusal cites its clause."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from alpr_alerts import domain, refusals
from alpr_alerts.domain import (
    Action,
    Alert,
    Move,
    RejectionReason,
    StatusSource,
    Step,
    VisualCheck,
    allowed_steps,
)
from alpr_common.errors import AlprError
from alpr_common.messages.alert import AlertState, StatusAnswer
from alpr_common.messages.hit import JurisdictionAgreement
from alpr_common.policy import CLAUSES
from tests.unit.alerts.samples import DISPATCHER, NOON, OFFICER, hit, new_alert

SEEN = VisualCheck(characters_match=True, state_matches=True)
LATER = NOON + timedelta(seconds=30)


def accepted(alert: Alert | None = None) -> Alert:
    alert = alert or new_alert()
    return domain.take(alert, domain.accept(alert, SEEN), OFFICER, LATER)


def answered_by_leads(alert: Alert, answer: StatusAnswer) -> Alert:
    move = domain.status(alert, answer, StatusSource.LEADS, "L-100")
    return domain.take(alert, move, DISPATCHER, LATER)


def actionable() -> Alert:
    return answered_by_leads(accepted(), StatusAnswer.CONFIRMED)


def rejected() -> Alert:
    alert = new_alert()
    return domain.take(alert, domain.reject(alert, RejectionReason.MISREAD), OFFICER, LATER)


def closed() -> Alert:
    alert = actionable()
    return domain.take(alert, domain.close(alert, "gone"), OFFICER, LATER)


def enforced() -> Alert:
    alert = actionable()
    return domain.take(alert, domain.enforce(alert, "26-004711"), OFFICER, LATER)


@pytest.mark.policy("131.6-4a", "131.6-4b", "131.6-6")
def test_the_way_to_enforced_is_visual_check_then_status_then_incident_number() -> None:
    alert = enforced()
    assert alert.state is AlertState.ENFORCED
    assert alert.sequence == 4
    assert alert.answered is not None
    assert alert.answered.actor == OFFICER
    assert alert.status_confirmed_at == LATER
    assert alert.incident_number == "26-004711"


@pytest.mark.policy("131.6-4a")
def test_accepting_without_the_check_of_characters_is_refused() -> None:
    with pytest.raises(refusals.CharactersNotVerified, match="character by character") as refused:
        domain.accept(new_alert(), VisualCheck(state_matches=True))
    assert refused.value.clause == "131.6-4a"


@pytest.mark.policy("131.6-4a")
def test_accepting_without_the_check_of_the_state_is_refused() -> None:
    with pytest.raises(refusals.StateNotVerified, match="wrong_state") as refused:
        domain.accept(new_alert(), VisualCheck(characters_match=True))
    assert refused.value.clause == "131.6-4a"


@pytest.mark.policy("131.6-4a")
@pytest.mark.parametrize(
    "agreement", [JurisdictionAgreement.UNKNOWN, JurisdictionAgreement.DIFFERENT]
)
def test_a_state_that_the_system_does_not_know_must_be_said_by_a_person(
    agreement: JurisdictionAgreement,
) -> None:
    alert = new_alert(hit(agreement=agreement))
    with pytest.raises(refusals.JurisdictionNotConfirmed, match="confirmed_jurisdiction"):
        domain.accept(alert, SEEN)
    with pytest.raises(refusals.JurisdictionNotConfirmed):
        domain.accept(alert, VisualCheck(True, True, confirmed_jurisdiction="  "))
    move = domain.accept(alert, VisualCheck(True, True, confirmed_jurisdiction=" il "))
    after = domain.take(alert, move, OFFICER, LATER)
    assert after.confirmed_jurisdiction == "IL"


@pytest.mark.policy("131.6-4a")
def test_a_person_who_sees_another_state_than_the_entry_cannot_accept() -> None:
    for agreement in (JurisdictionAgreement.UNKNOWN, JurisdictionAgreement.SAME):
        alert = new_alert(hit(agreement=agreement))
        with pytest.raises(refusals.PlateOfAnotherState, match="WI") as refused:
            domain.accept(alert, VisualCheck(True, True, confirmed_jurisdiction="WI"))
        assert refused.value.clause == "131.6-4a"


@pytest.mark.policy("131.6-4a")
def test_an_entry_without_a_state_takes_the_one_that_a_person_saw() -> None:
    alert = new_alert(hit(agreement=JurisdictionAgreement.UNKNOWN, entry_jurisdiction=None))
    move = domain.accept(alert, VisualCheck(True, True, confirmed_jurisdiction="WI"))
    assert move.details["confirmed_jurisdiction"] == "WI"


@pytest.mark.policy("131.6-4a")
def test_a_lookalike_is_accepted_only_when_each_differing_position_was_looked_at() -> None:
    alert = new_alert(hit(plate="A8C1Z3", entry_plate="ABC123"))
    for looked_at in (frozenset(), frozenset({1}), frozenset({0, 2, 4})):
        with pytest.raises(refusals.DifferingPositionsNotChecked, match="A8C1Z3") as refused:
            domain.accept(alert, VisualCheck(True, True, checked_positions=looked_at))
        assert refused.value.clause == "131.6-4a"
        assert set(refused.value.extra["positions"]) == {1, 4} - looked_at
    move = domain.accept(alert, VisualCheck(True, True, checked_positions=frozenset({1, 4})))
    assert move.details["checked_positions"] == [
        {"position": 1, "read": "8", "seen": "B"},
        {"position": 4, "read": "Z", "seen": "2"},
    ]


@pytest.mark.policy("131.6-5")
def test_a_rejection_says_why() -> None:
    with pytest.raises(refusals.RejectionReasonMissing, match="misread") as refused:
        domain.reject(new_alert(), None)
    assert refused.value.clause == "131.6-5"
    move = domain.reject(new_alert(), RejectionReason.OTHER, " a parade float ")
    assert move.state is AlertState.REJECTED
    assert move.details == {"reason": "other", "note": "a parade float"}


@pytest.mark.policy("131.6-5")
@pytest.mark.parametrize("make", [accepted, actionable, rejected, closed, enforced])
def test_an_alert_is_answered_once_and_the_second_is_told_who_was_first(
    make: Callable[[], Alert],
) -> None:
    alert = make()
    tries: tuple[Callable[[], Move], ...] = (
        lambda: domain.accept(alert, SEEN),
        lambda: domain.reject(alert, RejectionReason.MISREAD),
    )
    for again in tries:
        with pytest.raises(refusals.AlreadyAnswered, match="Officer Lopez") as refused:
            again()
        assert refused.value.clause == "131.6-5"
        assert refused.value.extra["person_id"] == OFFICER.person_id
        assert refused.value.extra["step"] in (Step.ACCEPTED, Step.REJECTED)


@pytest.mark.policy("131.6-4a")
def test_no_status_is_taken_before_the_visual_check() -> None:
    with pytest.raises(refusals.VisualCheckFirst, match="by eye") as refused:
        domain.status(new_alert(), StatusAnswer.CONFIRMED, StatusSource.LEADS)
    assert refused.value.clause == "131.6-4a"


@pytest.mark.policy("131.6-4b")
def test_the_status_answer_decides_where_an_accepted_alert_goes() -> None:
    assert answered_by_leads(accepted(), StatusAnswer.CONFIRMED).state is AlertState.ACTIONABLE
    assert answered_by_leads(accepted(), StatusAnswer.NOT_CONFIRMED).state is AlertState.CLOSED
    waiting = answered_by_leads(accepted(), StatusAnswer.UNAVAILABLE)
    assert waiting.state is AlertState.ACCEPTED
    assert waiting.last.step is Step.STATUS_UNAVAILABLE
    assert waiting.status_confirmed_at is None
    assert answered_by_leads(waiting, StatusAnswer.CONFIRMED).state is AlertState.ACTIONABLE


@pytest.mark.policy("131.6-4b")
def test_the_status_answer_keeps_its_source_and_reference() -> None:
    move = domain.status(accepted(), StatusAnswer.CONFIRMED, StatusSource.COMMUNICATIONS, "D-7")
    assert move.details == {"source": "communications", "reference": "D-7"}


@pytest.mark.policy("131.6-4b")
def test_a_confirmed_status_is_not_asked_again() -> None:
    with pytest.raises(refusals.StatusAlreadyConfirmed, match="close it") as refused:
        domain.status(actionable(), StatusAnswer.NOT_CONFIRMED, StatusSource.LEADS)
    assert refused.value.clause == "131.6-4b"


@pytest.mark.policy("131.6-4", "131.6-4a")
def test_nothing_is_enforced_on_a_hit_alone() -> None:
    with pytest.raises(refusals.VisualCheckFirst, match="hit alone") as refused:
        domain.enforce(new_alert(), "26-004711")
    assert refused.value.clause == "131.6-4a"


@pytest.mark.policy("131.6-4b")
def test_nothing_is_enforced_before_the_status_is_confirmed() -> None:
    for alert in (accepted(), answered_by_leads(accepted(), StatusAnswer.UNAVAILABLE)):
        with pytest.raises(refusals.StatusCheckFirst, match="LEADS") as refused:
            domain.enforce(alert, "26-004711")
        assert refused.value.clause == "131.6-4b"


@pytest.mark.policy("131.6-6")
@pytest.mark.parametrize("number", [None, "", "   "])
def test_enforcement_without_an_incident_number_is_refused(number: str | None) -> None:
    with pytest.raises(refusals.IncidentNumberMissing, match="incident_number") as refused:
        domain.enforce(actionable(), number)
    assert refused.value.clause == "131.6-6"


@pytest.mark.policy("131.6-5")
def test_an_alert_is_not_closed_before_it_was_answered() -> None:
    with pytest.raises(refusals.AnswerBeforeClosing, match="Reject") as refused:
        domain.close(new_alert(), "gone")
    assert refused.value.clause == "131.6-5"


def test_closing_says_what_came_of_it_by_a_rule_of_the_house() -> None:
    with pytest.raises(refusals.ClosingReasonMissing, match="what came of it") as refused:
        domain.close(actionable(), " ")
    assert refused.value.clause == "policy file"
    assert domain.close(accepted(), "gone").state is AlertState.CLOSED
    assert domain.close(actionable(), "gone").state is AlertState.CLOSED


@pytest.mark.policy("131.6-8d")
def test_communications_can_be_told_from_every_state_before_an_end() -> None:
    for alert in (new_alert(), accepted(), actionable()):
        move = domain.hand_off(alert, "on a domestic, cannot leave")
        after = domain.take(alert, move, OFFICER, LATER)
        assert after.state is alert.state
        assert after.handed_off_at == LATER
        assert Action.HAND_OFF in allowed_steps(alert.state)
        again = domain.take(after, domain.hand_off(after), DISPATCHER, LATER + timedelta(minutes=1))
        assert again.handed_off_at == LATER
    for alert in (rejected(), closed(), enforced()):
        with pytest.raises(refusals.AlertEnded, match="raises a new one"):
            domain.hand_off(alert)


@pytest.mark.policy("131.6-5")
@pytest.mark.parametrize("make", [rejected, closed, enforced])
def test_an_alert_that_ended_takes_no_further_step(make: Callable[[], Alert]) -> None:
    alert = make()
    steps: tuple[Callable[[], Move], ...] = (
        lambda: domain.status(alert, StatusAnswer.CONFIRMED, StatusSource.LEADS),
        lambda: domain.enforce(alert, "26-1"),
        lambda: domain.close(alert, "gone"),
        lambda: domain.hand_off(alert),
    )
    for step in steps:
        with pytest.raises(refusals.AlertEnded, match="Officer Lopez") as refused:
            step()
        assert refused.value.clause == "131.6-5"
    assert allowed_steps(alert.state) == ()


@pytest.mark.policy("131.6-5")
def test_an_alert_that_nobody_answers_in_time_is_escalated_once() -> None:
    alert = new_alert()
    for early in (0, 119.9):
        with pytest.raises(refusals.NothingToEscalate):
            domain.escalate(alert, NOON + timedelta(seconds=early))
    due = NOON + timedelta(seconds=120)
    after = domain.take(alert, domain.escalate(alert, due), domain.SYSTEM, due)
    assert after.state is AlertState.NEW
    assert after.escalated_at == due
    with pytest.raises(refusals.NothingToEscalate):
        domain.escalate(after, due)
    # It can still be answered, and one that was answered is never escalated.
    assert accepted(after).state is AlertState.ACCEPTED
    for answered in (accepted(), rejected(), actionable()):
        with pytest.raises(refusals.NothingToEscalate):
            domain.escalate(answered, due)


@pytest.mark.policy("131.6-5")
def test_an_alert_of_a_stored_read_has_a_day_and_is_then_a_supervisors() -> None:
    alert = new_alert(hit().model_copy(update={"retrospective": True}))
    for early in (120, 24 * 3600 - 1):
        with pytest.raises(refusals.NothingToEscalate):
            domain.escalate(alert, NOON + timedelta(seconds=early))
    move = domain.escalate(alert, NOON + timedelta(days=1))
    assert move.details == {"to": "supervisor", "after_seconds": 24 * 3600}
    live = domain.escalate(new_alert(), NOON + timedelta(seconds=120))
    assert live.details == {"to": "communications", "after_seconds": 120}


@pytest.mark.policy("131.7-1d")
@pytest.mark.parametrize("make", [new_alert, accepted, actionable])
def test_what_is_open_when_its_reads_go_ends_as_expired_and_a_supervisor_is_told(
    make: Callable[[], Alert],
) -> None:
    alert = make()
    due, gone = NOON + timedelta(days=29), NOON + timedelta(days=30)
    with pytest.raises(refusals.NothingToExpire):
        domain.expire(alert, due - timedelta(seconds=1), due, gone)
    move = domain.expire(alert, due, due, gone)
    assert move.details["to"] == "supervisor"
    assert move.details["was"] == alert.state.value
    after = domain.take(alert, move, domain.SYSTEM, due)
    assert (after.state, after.last.step) == (AlertState.CLOSED, Step.EXPIRED)
    with pytest.raises(refusals.AlertEnded, match="expired by The system"):
        domain.hand_off(after)
    with pytest.raises(refusals.NothingToExpire):
        domain.expire(after, gone, due, gone)


def test_who_decided_on_an_older_picture_is_told_what_happened_since() -> None:
    alert = accepted()
    domain.require_sequence(alert, None)
    domain.require_sequence(alert, 2)
    with pytest.raises(refusals.AlertMovedOn, match="accepted by Officer Lopez") as refused:
        domain.require_sequence(alert, 1)
    assert refused.value.status == 409
    assert refused.value.extra["sequence"] == 2
    assert refused.value.extra["state"] == "accepted"


def test_the_history_stays_in_order_when_a_step_waited_for_another() -> None:
    alert = accepted()
    after = domain.take(alert, domain.hand_off(alert), DISPATCHER, NOON)
    assert after.last.at == alert.last.at


def test_the_allowed_steps_are_those_that_the_guards_let_through() -> None:
    tries: dict[Action, Callable[[Alert], Move]] = {
        Action.ACCEPT: lambda a: domain.accept(a, SEEN),
        Action.REJECT: lambda a: domain.reject(a, RejectionReason.MISREAD),
        Action.STATUS: lambda a: domain.status(a, StatusAnswer.CONFIRMED, StatusSource.LEADS),
        Action.ENFORCE: lambda a: domain.enforce(a, "26-1"),
        Action.CLOSE: lambda a: domain.close(a, "gone"),
        Action.HAND_OFF: lambda a: domain.hand_off(a),
    }
    for alert in (new_alert(), accepted(), actionable(), rejected(), closed(), enforced()):
        possible = set()
        for action, attempt in tries.items():
            try:
                attempt(alert)
            except AlprError:
                continue
            possible.add(action)
        assert set(allowed_steps(alert.state)) == possible, alert.state


def test_every_refusal_cites_a_clause_that_exists() -> None:
    not_of_the_policy = {
        refusals.AlertNotFound,
        refusals.PeriodMalformed,
        refusals.ResumePointMalformed,
        refusals.CursorMalformed,
        refusals.TooManyStreams,
    }
    found = [
        kind
        for kind in vars(refusals).values()
        if isinstance(kind, type)
        and issubclass(kind, AlprError)
        and kind.__module__ == refusals.__name__
        and not kind.__name__.startswith("_")
    ]
    assert len(found) > 15
    for kind in found:
        if kind not in not_of_the_policy:
            assert kind.clause in CLAUSES, kind
