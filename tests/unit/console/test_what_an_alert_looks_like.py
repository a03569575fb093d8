"""The view of an alert: comparison of characters, order, progress, words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from alpr_alerts import domain as alerts
from alpr_alerts.view import view
from alpr_common.policy import Policy
from alpr_console.domain.alert import Alert, HistoryStep, step_text
from alpr_console.domain.comparison import compare, stages
from alpr_console.domain.words import percent, plain
from tests.browser.support.sightings import Sighting, hit_of

OFFICER = alerts.Actor("p-1", "Ofc. Rivera", "officer")


def shown(sighting: Sighting, *moves: Any) -> Alert:
    """The alert as the alert service would answer it."""
    alert = alerts.raised(uuid4(), hit_of(sighting), datetime.now(UTC))
    for move in moves:
        alert = alerts.take(alert, move(alert), OFFICER, datetime.now(UTC))
    return Alert.model_validate_json(view(alert, Policy()).model_dump_json())


def accepted(alert: alerts.Alert) -> alerts.Move:
    return alerts.accept(alert, alerts.VisualCheck(True, True))


def rejected(alert: alerts.Alert) -> alerts.Move:
    return alerts.reject(alert, alerts.RejectionReason.MISREAD)


@pytest.mark.policy("131.6-4a")
def test_a_look_alike_shows_where_it_differs_and_how_sure_the_machine_was() -> None:
    alert = shown(Sighting("DP0517", listed_as="DPO517", uncertain={2: 0.61}))
    positions = compare(alert)
    assert [p.differs for p in positions] == [False, False, True, False, False, False]
    third = positions[2]
    assert (third.number, third.read_character, third.entry_character) == (3, "0", "O")
    assert third.uncertain
    assert third.read_probability == pytest.approx(0.61)
    assert third.entry_probability == pytest.approx(0.39)


@pytest.mark.policy("131.6-4a")
def test_an_uncertain_character_is_marked_also_where_it_agrees() -> None:
    positions = compare(shown(Sighting("BG73914", uncertain={3: 0.88})))
    assert [p.number for p in positions if p.uncertain] == [4]
    assert not any(p.differs for p in positions)


def test_urgent_before_not_and_finished_last() -> None:
    scofflaw = shown(Sighting("ER91407", category="scofflaw"))
    stolen = shown(Sighting("BG73914", category="stolen_vehicle"))
    done = shown(Sighting("CV20816", category="amber_alert"), rejected)
    assert sorted([scofflaw, done, stolen], key=lambda a: a.order) == [stolen, scofflaw, done]


def test_of_two_equally_urgent_alerts_the_newer_comes_first() -> None:
    older, newer = shown(Sighting("AA11111")), shown(Sighting("BB22222"))
    assert newer.order < older.order


def test_every_priority_has_a_shape_of_its_own() -> None:
    categories = ("amber_alert", "stolen_vehicle", "other", "expired_registration", "scofflaw")
    shapes = {shown(Sighting("BG73914", category=c)).shape for c in categories}
    assert len(shapes) == 5


def test_the_stages_follow_the_alert() -> None:
    def progress(*moves: Any) -> list[str]:
        return [str(s.progress) for s in stages(shown(Sighting("BG73914"), *moves))]

    assert progress() == ["current", "ahead", "ahead"]
    assert progress(accepted) == ["done", "current", "ahead"]
    assert progress(rejected) == ["stopped", "stopped", "stopped"]


def test_a_probability_never_rounds_to_certainty() -> None:
    assert percent(0.9996) == "> 99 %"
    assert percent(1.0) == "100 %"
    assert percent(0.614) == "61 %"
    assert percent(None) == "–"


def test_refusals_speak_the_words_of_the_page() -> None:
    said = "Look at position 2 (read 0, listed O); tick `characters_match`, or say wrong_state."
    assert plain(said, {}) == (
        "Look at position 3 (read 0, listed O); tick “Every character matches”, or say "
        "“Wrong state”."
    )
    assert plain("one of traffic_crash", {"traffic_crash": "Traffic crash"}).endswith(
        "Traffic crash"
    )


@pytest.mark.policy("131.6-5")
@pytest.mark.parametrize(
    ("step", "to", "told"),
    [
        ("escalated", "communications", "Escalated to Communications"),
        ("escalated", "supervisor", "Escalated to a supervisor"),
        ("expired", "supervisor", "Closed unanswered"),
    ],
)
def test_the_history_says_who_was_told_that_nobody_answered(step: str, to: str, told: str) -> None:
    happened = HistoryStep(
        step=step, occurred_at=datetime(2026, 1, 1, tzinfo=UTC), details={"to": to}
    )
    assert step_text(happened).startswith(told)
