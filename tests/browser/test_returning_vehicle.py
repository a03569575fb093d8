"""A vehicle that comes back after its alert has ended: the board says so, and stays quiet."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from playwright.async_api import expect

from alpr_alerts import domain as alerts
from tests.browser.support.person import Person
from tests.browser.support.rest_double import Double
from tests.browser.support.serving import Served
from tests.browser.support.sightings import Sighting, pictured

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

STOLEN = Sighting("BG73914")


def rejected(double: Double, api: Served, username: str = "okafor") -> UUID:
    """An alert that somebody has rejected."""
    alert_id = api.do(double.raise_alert(pictured(STOLEN)))
    ends(double, api, alert_id, username)
    return alert_id


def ends(double: Double, api: Served, alert_id: UUID, username: str = "okafor") -> None:
    reason = alerts.RejectionReason.NOT_THE_VEHICLE
    move = alerts.reject(double.alerts[alert_id], reason, None)
    api.do(double.step(alert_id, username, move))


@pytest.mark.policy("131.3-alert")
async def test_the_board_shows_that_the_vehicle_of_an_ended_alert_was_seen_again(
    officer: Person, double: Double, api: Served
) -> None:
    alert_id = rejected(double, api)
    await officer.goes_to("/board")
    await expect(officer.page.locator("#live")).to_have_attribute("data-state", "live")
    await expect(officer.page.locator(".row")).to_have_count(0)
    api.do(double.comes_back(alert_id))
    row = officer.row("BG73914")
    await expect(row).to_contain_text("Rejected")
    await expect(row.locator(".mark-again")).to_have_text(re.compile(r"seen again \d\d:\d\d:\d\d"))
    await expect(officer.page.locator("#said-politely")).to_contain_text(
        "Plate B G 7 3 9 1 4 was seen again after its alert had ended."
    )
    await expect(officer.page).to_have_title("Alerts · ALPR")
    await expect(officer.page.get_by_role("button", name="Silence")).to_be_hidden()
    assert "soundPlayed" not in await officer.page.evaluate("Object.keys(document.body.dataset)")


async def test_who_still_looks_at_the_alert_that_they_ended_is_told_there(
    officer: Person, double: Double, api: Served
) -> None:
    alert_id = api.do(double.raise_alert(pictured(STOLEN)))
    await officer.opens("BG73914")
    ends(double, api, alert_id)
    await expect(officer.alert).to_have_attribute("data-state", "rejected")
    await expect(officer.alert.locator(".seen-again")).to_have_count(0)
    api.do(double.comes_back(alert_id))
    told = officer.alert.locator(".seen-again")
    await expect(told).to_contain_text("The camera saw this plate again at")
    first = await told.locator("time").get_attribute("datetime")
    api.do(double.comes_back(alert_id))
    await expect(told.locator("time")).not_to_have_attribute("datetime", first or "")


async def test_the_finished_alerts_keep_the_word_of_the_return(
    officer: Person, double: Double, api: Served
) -> None:
    alert_id = rejected(double, api)
    api.do(double.comes_back(alert_id))
    await officer.goes_to("/board?show=finished")
    await expect(officer.row("BG73914").locator(".mark-again")).to_be_visible()
    await officer.goes_to(f"/alerts/{alert_id}")
    await expect(officer.alert.locator(".seen-again")).to_be_visible()
