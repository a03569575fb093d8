"""Whatever people do, in any order: nothing becomes actionable or enforced by a short cut."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpr_alerts import domain
from alpr_alerts.domain import ENDS, Alert, Move, RejectionReason, StatusSource, Step, VisualCheck
from alpr_common.errors import AlprError
from alpr_common.messages.alert import AlertState, StatusAnswer
from alpr_common.messages.hit import JurisdictionAgreement
from alpr_common.policy import CLAUSES
from tests.unit.alerts.samples import DISPATCHER, NOON, OFFICER, hit, new_alert

texts = st.sampled_from([None, "", "  ", "26-004711", "gone"])
states = st.sampled_from([None, "", "IL", "il", "WI"])
steps = st.one_of(
    st.builds(
        lambda c, s, j, p: ("accept", VisualCheck(c, s, j, frozenset(p))),
        st.booleans(), st.booleans(), states, st.sets(st.integers(0, 5), max_size=6),
    ),
    st.tuples(st.just("reject"), st.sampled_from([None, *RejectionReason])),
    st.tuples(st.just("status"), st.sampled_from(StatusAnswer)),
    st.tuples(st.just("enforce"), texts),
    st.tuples(st.just("close"), texts),
    st.tuples(st.just("hand_off"), texts),
    st.tuples(st.just("escalate"), st.integers(0, 300)),
)  # fmt: skip
alerts = st.builds(
    lambda listed, agreement, jurisdiction: new_alert(
        hit(
            plate="ABC123", entry_plate=listed, agreement=agreement, entry_jurisdiction=jurisdiction
        )
    ),
    st.sampled_from(["ABC123", "A8C123", "A8CIZ3"]),
    st.sampled_from(JurisdictionAgreement),
    st.sampled_from([None, "IL"]),
)


def decide(alert: Alert, step: tuple[str, Any]) -> Move:
    word, said = step
    match word:
        case "accept":
            return domain.accept(alert, said)
        case "reject":
            return domain.reject(alert, said)
        case "status":
            return domain.status(alert, said, StatusSource.LEADS)
        case "enforce":
            return domain.enforce(alert, said)
        case "close":
            return domain.close(alert, said)
        case "hand_off":
            return domain.hand_off(alert, said)
    return domain.escalate(alert, alert.created_at + timedelta(seconds=said))


def walk(alert: Alert, tried: list[tuple[str, Any]]) -> tuple[Alert, list[tuple[Move, Any]]]:
    """The alert after all steps that were let through, and those; refusals change nothing."""
    taken: list[tuple[Move, Any]] = []
    refused: list[AlprError] = []
    for n, step in enumerate(tried):
        now = NOON + timedelta(seconds=n)
        try:
            move = decide(alert, step)
        except AlprError as refusal:
            refused.append(refusal)
            continue
        alert = domain.take(alert, move, DISPATCHER if n % 2 else OFFICER, now)
        taken.append((move, step[1]))
    assert all(r.clause in CLAUSES and r.detail.endswith(".") for r in refused)
    return alert, taken


@pytest.mark.policy("131.6-4", "131.6-4a", "131.6-4b")
@given(alerts, st.lists(steps, max_size=12))
def test_nothing_is_actionable_without_visual_check_and_confirmed_status(
    alert: Alert, tried: list[tuple[str, Any]]
) -> None:
    after, taken = walk(alert, tried)
    words = [move.step for move, _ in taken]
    if after.state in (AlertState.ACTIONABLE, AlertState.ENFORCED):
        check = next(said for move, said in taken if move.step is Step.ACCEPTED)
        assert check.characters_match
        assert check.state_matches
        assert {p.position for p in alert.hit.differing_positions} <= check.checked_positions
        if alert.hit.jurisdiction is not JurisdictionAgreement.SAME:
            assert check.confirmed_jurisdiction.strip()
        assert words.index(Step.ACCEPTED) < words.index(Step.STATUS_CONFIRMED)
        assert after.status_confirmed_at is not None


@pytest.mark.policy("131.6-6")
@given(alerts, st.lists(steps, max_size=12))
def test_nothing_is_enforced_without_an_incident_number(
    alert: Alert, tried: list[tuple[str, Any]]
) -> None:
    after, taken = walk(alert, tried)
    is_enforced = after.state is AlertState.ENFORCED
    assert is_enforced == any(move.step is Step.ENFORCED for move, _ in taken)
    assert is_enforced == bool(after.incident_number and after.incident_number.strip())


@pytest.mark.policy("131.6-5")
@given(alerts, st.lists(steps, max_size=12))
def test_an_end_is_final_and_every_step_counts_one(
    alert: Alert, tried: list[tuple[str, Any]]
) -> None:
    after, taken = walk(alert, tried)
    assert after.sequence == 1 + len(taken)
    ends = [n for n, (move, _) in enumerate(taken) if move.state in ENDS]
    assert ends in ([], [len(taken) - 1])
    words = [move.step for move, _ in taken]
    assert words.count(Step.ESCALATED) <= 1
    assert words.count(Step.ACCEPTED) + words.count(Step.REJECTED) <= 1
    if after.state in (AlertState.CLOSED, AlertState.ACTIONABLE, AlertState.ENFORCED):
        assert Step.ACCEPTED in words
