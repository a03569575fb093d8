"""What is told late of an alert, and what is told of one whose vehicle returns after its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpr_alerts import domain
from alpr_alerts.domain import Alert, RejectionReason
from alpr_alerts.retention.domain import expires_at, plate_may_be_told, reads_go_at
from alpr_alerts.view import view
from alpr_common.lateness import on_kafka_after_at_most
from alpr_common.policy import Policy
from alpr_common.topics import ALERTS, DEAD_LETTER_RETENTION_SECONDS
from tests.unit.alerts.samples import NOON, OFFICER, hit

ON_TOPIC = timedelta(seconds=DEAD_LETTER_RETENTION_SECONDS)
SECOND = timedelta(seconds=1)


# --- Plates that come late to the topic --------------------------------------------------------


@pytest.mark.policy("131.7-1d")
@given(kept_days=st.integers(1, 400), late_seconds=st.integers(0, 400 * 86400))
def test_a_plate_is_told_only_where_the_topic_lets_go_of_it_before_its_reads_have_to_go(
    kept_days: int, late_seconds: int
) -> None:
    policy = Policy(reads_retention_days=kept_days)
    at = NOON + timedelta(seconds=late_seconds)
    told = plate_may_be_told(NOON, "other", policy, at)
    assert told == (at + ON_TOPIC <= reads_go_at(NOON, "other", policy))
    assert not (told and at >= expires_at(NOON, "other", policy)), "nothing of what has expired"


@pytest.mark.policy("131.7-1d")
def test_the_allowance_covers_the_topic_and_its_dead_letters() -> None:
    assert ALERTS.retention_seconds is not None
    assert timedelta(seconds=ALERTS.retention_seconds) <= ON_TOPIC
    kept = timedelta(days=Policy().reads_retention_days)
    for late, told in ((kept - ON_TOPIC, True), (kept - ON_TOPIC + SECOND, False)):
        assert plate_may_be_told(NOON, "other", Policy(), NOON + late) is told


def test_a_new_alert_names_its_plate_however_late_its_hit_came() -> None:
    late = on_kafka_after_at_most(Policy())
    shortest = Policy(reads_retention_days=(late + ON_TOPIC).days)  # that access-log starts with
    assert plate_may_be_told(NOON, "other", shortest, NOON + late)


def test_a_category_that_is_kept_for_longer_is_named_for_longer() -> None:
    usual = Policy().categories
    longer = usual["stolen_vehicle"].model_copy(update={"reads_retention_days": 90})
    policy = Policy(categories={**usual, "stolen_vehicle": longer})
    at = NOON + timedelta(days=60)
    assert plate_may_be_told(NOON, "stolen_vehicle", policy, at)
    assert not plate_may_be_told(NOON, "scofflaw", policy, at)


# --- A vehicle that returns after the end ------------------------------------------------------


def ended(at_seconds: float = 60) -> Alert:
    alert = domain.raised(hit().hit_id, hit(), NOON)
    move = domain.reject(alert, RejectionReason.MISREAD, None)
    return domain.take(alert, move, OFFICER, NOON + at_seconds * SECOND)


def attached(alert: Alert, captured: float, came: float) -> Alert:
    """As the store attaches a hit."""
    return replace(
        alert,
        hit_count=alert.hit_count + 1,
        last_captured_at=max(alert.last_captured_at, NOON + captured * SECOND),
        updated_at=max(alert.updated_at, NOON + came * SECOND),
    )


@pytest.mark.parametrize(
    ("captured", "came", "is_back"),
    [
        (120, 121, True),
        (30, 121, False),  # it was on its way while somebody decided
        (120, 50, False),  # a camera's clock that is ahead; the hit came before the end
        (60, 60, False),
    ],
)
def test_only_what_passes_after_the_end_has_come_back(
    captured: float, came: float, is_back: bool
) -> None:
    alert = attached(ended(), captured, came)
    assert alert.seen_after_end_at == (NOON + captured * SECOND if is_back else None)


def test_an_open_alert_has_no_vehicle_that_came_back() -> None:
    alert = domain.raised(hit().hit_id, hit(), NOON)
    assert attached(alert, 120, 121).seen_after_end_at is None


def test_who_follows_alerts_is_told_of_the_return_and_of_no_step() -> None:
    alert = ended()
    before, after = view(alert, Policy()), view(attached(alert, 120, 121), Policy())
    assert before.seen_after_end_at is None
    assert after.seen_after_end_at == NOON + 120 * SECOND
    assert (after.sequence, after.state, after.allowed_steps) == (2, "rejected", ())
