"""An alert of a stored read whose hit comes live as well: what that changes in which state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from alpr_alerts import domain, metrics, refusals
from alpr_alerts.domain import ENDS, Alert, RejectionReason, StatusSource, Step, VisualCheck
from alpr_alerts.view import view
from alpr_common.errors import AlprError
from alpr_common.messages.alert import AlertState, StatusAnswer
from alpr_common.policy import Policy
from tests.unit.alerts.samples import NOON, OFFICER, hit, new_alert, retrospective

POLICY = Policy()
LIVE = hit(0)
LATER = NOON + timedelta(seconds=7)
SEEN = VisualCheck(characters_match=True, state_matches=True)


def calm() -> Alert:
    return new_alert(retrospective(LIVE))


def live(alert: Alert) -> Alert:
    """The alert after its hit came live."""
    return domain.take(alert, domain.become_live(alert, LIVE, POLICY), domain.SYSTEM, LATER)


def escalated() -> Alert:
    due = calm().due_at
    return domain.take(calm(), domain.escalate(calm(), due), domain.SYSTEM, due)


def handed_off() -> Alert:
    return domain.take(calm(), domain.hand_off(calm()), OFFICER, NOON)


def accepted() -> Alert:
    return domain.take(calm(), domain.accept(calm(), SEEN), OFFICER, NOON)


def actionable() -> Alert:
    move = domain.status(accepted(), StatusAnswer.CONFIRMED, StatusSource.LEADS)
    return domain.take(accepted(), move, OFFICER, NOON)


def rejected() -> Alert:
    move = domain.reject(calm(), RejectionReason.MISREAD)
    return domain.take(calm(), move, OFFICER, NOON)


def closed() -> Alert:
    return domain.take(accepted(), domain.close(accepted(), "gone"), OFFICER, NOON)


def enforced() -> Alert:
    return domain.take(actionable(), domain.enforce(actionable(), "26-1"), OFFICER, NOON)


def expired() -> Alert:
    return domain.take(calm(), domain.expire(calm(), NOON, NOON, NOON), domain.SYSTEM, NOON)


@pytest.mark.policy("131.3-alert", "131.6-5")
@pytest.mark.parametrize("make", [calm, handed_off, escalated])
def test_one_that_nobody_answered_sounds_and_is_due_as_a_live_one(
    make: Callable[[], Alert],
) -> None:
    before = make()
    assert view(before, POLICY).sound == "silent"
    after = live(before)
    shown = view(after, POLICY)
    assert (shown.sound, shown.retrospective, shown.state) == ("urgent", False, "new")
    assert after.sequence == before.sequence + 1
    assert after.due_at - after.last.at == timedelta(seconds=POLICY.alert_escalation_seconds)
    assert (after.became_live_at, after.escalated_at) == (after.last.at, None)
    assert after.handed_off_at == before.handed_off_at
    with pytest.raises(refusals.NothingToEscalate):
        domain.escalate(after, after.due_at - timedelta(seconds=1))
    move = domain.escalate(after, after.due_at)
    assert move.details == {
        "to": "communications",
        "after_seconds": POLICY.alert_escalation_seconds,
    }


@pytest.mark.policy("131.3-alert")
@pytest.mark.parametrize("make", [accepted, actionable])
def test_one_that_somebody_works_on_says_so_and_starts_nothing(make: Callable[[], Alert]) -> None:
    before = make()
    after = live(before)
    unchanged = replace(
        after, sequence=before.sequence, last=before.last, updated_at=before.updated_at,
        became_live_at=None,
    )  # fmt: skip
    assert unchanged == before, "state, answer, deadline and escalation stay"
    assert (after.last.step, after.retrospective) == (Step.BECAME_LIVE, False)
    with pytest.raises(refusals.NothingToEscalate):
        domain.escalate(after, after.due_at + timedelta(days=2))


@pytest.mark.policy("131.3-alert", "131.6-5")
@pytest.mark.parametrize("make", [rejected, closed, enforced, expired, new_alert])
def test_one_that_has_ended_or_is_live_already_stays_as_it_is(make: Callable[[], Alert]) -> None:
    with pytest.raises(refusals.NothingToWake):
        domain.become_live(make(), LIVE, POLICY)
    with pytest.raises(refusals.NothingToWake):
        domain.become_live(live(calm()), LIVE, POLICY)


def test_the_history_says_in_words_what_happened_and_when() -> None:
    move = domain.become_live(calm(), LIVE, POLICY)
    assert move.details["reason"] == (
        "a live hit of what was seen at 2026-05-04 12:00:00 UTC came; stored reads alone had "
        "raised this alert, at 12:00:00 UTC"
    )
    assert str(live(calm()).last) == "became live by The system at 12:00:07 UTC"
    outdated = live(calm())
    with pytest.raises(refusals.AlertMovedOn, match="became live by The system"):
        domain.require_sequence(outdated, 1)


attempts = st.lists(
    st.sampled_from(["live", "accept", "reject", "confirm", "close", "hand_off", "escalate"]),
    max_size=10,
)


def decide(alert: Alert, word: str) -> domain.Move:
    tries: dict[str, Callable[[], Any]] = {
        "live": lambda: domain.become_live(alert, LIVE, POLICY),
        "accept": lambda: domain.accept(alert, SEEN),
        "reject": lambda: domain.reject(alert, RejectionReason.MISREAD),
        "confirm": lambda: domain.status(alert, StatusAnswer.CONFIRMED, StatusSource.LEADS),
        "close": lambda: domain.close(alert, "gone"),
        "hand_off": lambda: domain.hand_off(alert),
        "escalate": lambda: domain.escalate(alert, alert.due_at),
    }
    move: domain.Move = tries[word]()
    return move


@pytest.mark.policy("131.3-alert", "131.6-5")
@given(attempts)
def test_among_whatever_people_do_it_becomes_live_once_and_never_after_an_end(
    tried: list[str],
) -> None:
    alert, steps = calm(), [Step.RAISED]
    for n, word in enumerate(tried):
        before = alert
        try:
            move = decide(alert, word)
        except AlprError:
            continue
        alert = domain.take(alert, move, OFFICER, NOON + timedelta(seconds=n))
        steps.append(move.step)
        if word == "live":
            assert before.state not in ENDS
            assert alert.state is before.state
    assert steps.count(Step.BECAME_LIVE) == (0 if alert.retrospective else 1)
    # Told at most once as what it was, and at most once as what it is.
    told = [n for n, step in enumerate(steps) if step is Step.ESCALATED]
    assert len(told) <= 1 + (Step.BECAME_LIVE in steps)
    if len(told) == 2:
        assert told[0] < steps.index(Step.BECAME_LIVE) < told[1]
    if alert.state is AlertState.NEW and not alert.retrospective:
        wait = alert.due_at - alert.waits_since
        assert wait == timedelta(seconds=POLICY.alert_escalation_seconds)


def test_it_is_counted_with_the_time_from_the_picture() -> None:
    def figures() -> list[float]:
        asked = [
            ("alpr_alerts_became_live_total", {"category": "stolen_vehicle"}),
            ("alpr_alert_steps_total",
             {"step": "became_live", "state": "new", "category": "stolen_vehicle"}),
            ("alpr_alert_from_capture_seconds_count", {}),
            ("alpr_alert_from_capture_seconds_sum", {}),
        ]  # fmt: skip
        return [REGISTRY.get_sample_value(name, labels) or 0.0 for name, labels in asked]

    before = figures()
    metrics.count_became_live(live(calm()), domain.become_live(calm(), LIVE, POLICY), LIVE)
    assert [b - a for a, b in zip(before, figures(), strict=True)] == [1, 1, 1, 7]
