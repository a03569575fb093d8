"""Answers that come late to the alert board, when the person there has gone on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from playwright.async_api import Page, Route, expect

from alpr_alerts import domain as alerts
from tests.browser.support.person import Person
from tests.browser.support.rest_double import Double
from tests.browser.support.serving import Served
from tests.browser.support.sightings import Sighting, pictured

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

STOLEN = Sighting("BG73914")
SCOFFLAW = Sighting("ER91407", category="scofflaw")


class Held:
    """One request that was asked for; it goes on when the block ends."""

    def __init__(self) -> None:
        self.asked_for, self.may_go = asyncio.Event(), asyncio.Event()


@asynccontextmanager
async def held(page: Page, address: str, method: str) -> AsyncIterator[Held]:
    request = Held()

    async def wait(route: Route) -> None:
        if route.request.method != method:
            await route.continue_()
            return
        request.asked_for.set()
        await request.may_go.wait()
        await route.continue_()

    await page.route(address, wait)
    try:
        yield request
        async with page.expect_response(
            lambda answer: (
                answer.request.method == method and answer.url.endswith(address.removeprefix("**"))
            )
        ):
            request.may_go.set()
    finally:
        request.may_go.set()
        await page.unroute(address)


async def opens_one_of_two(officer: Person, double: Double, api: Served) -> UUID:
    """The stolen vehicle's alert is open, the scofflaw's waits in the list."""
    alert_id = api.do(double.raise_alert(pictured(STOLEN)))
    api.do(double.raise_alert(pictured(SCOFFLAW)))
    await officer.opens("BG73914")
    return alert_id


async def test_what_was_begun_while_the_news_was_fetched_stays(
    officer: Person, double: Double, api: Served
) -> None:
    alert_id = api.do(double.raise_alert(pictured(STOLEN)))
    await officer.opens("BG73914")
    matches = officer.page.locator("[name=characters_match]")
    async with held(officer.page, f"**/alerts/{alert_id}", "GET") as news:
        move = alerts.hand_off(double.alerts[alert_id])
        api.do(double.step(alert_id, "okafor", move))
        await news.asked_for.wait()
        await matches.check()
    await expect(officer.page.get_by_text("Somebody took a step on this alert.")).to_be_visible()
    await expect(matches).to_be_checked()
    await officer.page.get_by_role("button", name="Show it as it is now").click()
    await expect(officer.alert).to_contain_text("Ofc. Chidi Okafor")
    await expect(matches).not_to_be_checked()


async def test_news_of_one_alert_do_not_take_the_place_of_another(
    officer: Person, double: Double, api: Served
) -> None:
    alert_id = await opens_one_of_two(officer, double, api)
    async with held(officer.page, f"**/alerts/{alert_id}", "GET") as news:
        api.do(double.step(alert_id, "okafor", alerts.hand_off(double.alerts[alert_id])))
        await news.asked_for.wait()
        await officer.opens("ER91407")
    await expect(officer.alert).to_contain_text("ER91407")
    await expect(officer.alert).not_to_contain_text("BG73914")


@pytest.mark.policy("131.6-4a")
async def test_a_steps_late_answer_does_not_put_its_alert_before_the_one_that_was_opened_since(
    officer: Person, double: Double, api: Served
) -> None:
    alert_id = await opens_one_of_two(officer, double, api)
    async with held(officer.page, f"**/alerts/{alert_id}/accept", "POST") as step:
        await officer.presses("c", "s", "a")
        await step.asked_for.wait()
        await officer.opens("ER91407")
    await expect(officer.row("BG73914")).to_contain_text("Ask status")
    await expect(officer.alert).to_contain_text("ER91407")


@pytest.mark.policy("131.6-4a")
async def test_a_step_that_was_refused_late_is_said_although_another_alert_is_open(
    officer: Person, double: Double, api: Served
) -> None:
    alert_id = await opens_one_of_two(officer, double, api)
    async with held(officer.page, f"**/alerts/{alert_id}/accept", "POST") as step:
        await officer.presses("c", "a")  # the state was not looked at
        await step.asked_for.wait()
        await officer.opens("ER91407")
    told = officer.page.locator("#told")
    await expect(told).to_contain_text("was not taken")
    await expect(officer.alert).to_contain_text("ER91407")
    await told.get_by_role("link", name="Open it again").click()
    await expect(officer.alert).to_contain_text("BG73914")
