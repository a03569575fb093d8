"""What a role is shown, and what people are told about their trainings."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from alpr_common.auth import Principal
from alpr_common.policy import Policy, Role
from alpr_console.domain.navigation import Navigation
from alpr_console.domain.training import Reminder, Urgency, reminders
from tests.browser.support.rest_double import Double
from tests.unit.console.conftest import Page

TODAY = date(2026, 11, 24)
POLICY = Policy()


def labels(role: Role) -> list[str]:
    return [place.label for place in Navigation.of(role, POLICY).places]


@pytest.mark.policy("131.6-2")
def test_each_role_is_shown_what_it_may_do() -> None:
    assert labels(Role.OFFICER) == labels(Role.DISPATCHER) == ["Alerts", "Search", "Hot list"]
    assert "Approvals" in labels(Role.SUPERVISOR)
    assert "People" not in labels(Role.SUPERVISOR)
    assert "Approvals" not in labels(Role.ADMINISTRATOR)
    assert "People" in labels(Role.ADMINISTRATOR)
    assert {"Access records", "Log check", "Holds", "Training"} <= set(labels(Role.AUDITOR))
    assert "Cameras" in labels(Role.AUDITOR), "attestations are for auditors to read"
    assert not {"Alerts", "Search", "Hot list", "Evidence", "People"} & set(labels(Role.AUDITOR))


def test_one_begins_at_the_first_place_of_the_role() -> None:
    assert Navigation.of(Role.OFFICER, POLICY).home == "/board"
    assert Navigation.of(Role.AUDITOR, POLICY).home == "/records"
    assert Navigation.of(Role.SERVICE, POLICY).home == "/account"


async def test_an_auditor_begins_at_the_records_and_is_never_led_to_the_board(
    page: Page, double: Double
) -> None:
    form = {"username": "osei", "password": "correct-horse-battery-47"}
    assert (await page.post("/sign-in", form)).headers["location"] == "/records"
    assert (await page.get("/")).headers["location"] == "/records"


def told(leads: date | None, alpr: date | None, role: Role = Role.OFFICER) -> tuple[Reminder, ...]:
    principal = Principal("p", "Ann", "IL0", role, "s", leads, alpr)
    return reminders(principal, POLICY, TODAY)


def in_days(days: int) -> date:
    return TODAY + timedelta(days=days)


@pytest.mark.policy("131.6-1", "131.6-2")
@pytest.mark.parametrize(
    ("days", "urgency", "words"),
    [
        (30, Urgency.DUE, "ends in 30 days, on 24 Dec 2026"),
        (14, Urgency.DUE, "ends in 14 days"),
        (7, Urgency.URGENT, "ends in 7 days"),
        (1, Urgency.URGENT, "ends in 1 day, on 25 Nov 2026"),
        (0, Urgency.URGENT, "ends today"),
        (-1, Urgency.ENDED, "ended on 23 Nov 2026"),
    ],
)
def test_a_training_is_told_of_before_and_after_its_end(
    days: int, urgency: Urgency, words: str
) -> None:
    (reminder,) = told(in_days(days), in_days(300))
    assert reminder.urgency is urgency
    assert reminder.headline.startswith("Your LEADS training")
    assert words in reminder.headline
    assert reminder.clause == "131.6-1"
    assert reminder.shuts == (days < 0)


def test_nothing_is_told_while_there_is_time() -> None:
    assert told(in_days(31), in_days(31)) == ()


def test_a_training_that_was_never_recorded_shuts_too() -> None:
    (reminder,) = told(in_days(300), None)
    assert (reminder.urgency, reminder.clause) == (Urgency.MISSING, "131.6-2")
    assert reminder.shuts


def test_an_auditor_needs_no_training_and_is_told_of_none() -> None:
    assert told(None, None, Role.AUDITOR) == ()


@pytest.mark.policy("131.6-1")
async def test_a_training_recorded_since_counts_without_signing_in_again(
    page: Page, double: Double
) -> None:
    await page.sign_in("lapsed")
    shown = (await page.get("/board")).text
    assert "Your LEADS training ended on" in shown
    assert "Look again" in shown
    double.people["lapsed"].leads_until = double.people["rivera"].leads_until
    answer = await page.post("/account/look-again", {"to": "/board"})
    assert answer.headers["location"] == "/board"
    shown = (await page.get("/board")).text
    assert "reminder-head" not in shown
    assert "LEADS training is not current" not in shown
