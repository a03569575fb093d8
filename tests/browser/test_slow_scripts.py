"""A page whose scripts come late, as over a car's weak network."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Route, expect

from tests.browser.support.person import Person

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_a_filter_chosen_before_the_scripts_are_there_is_answered_when_they_are(
    officer: Person,
) -> None:
    page = officer.page
    asked_for, may_come = asyncio.Event(), asyncio.Event()

    async def comes_late(route: Route) -> None:
        asked_for.set()
        await may_come.wait()
        await route.continue_()

    await page.route("**/htmx.min.js", comes_late)
    await page.goto(f"{officer.url}/hotlist", wait_until="commit")
    await page.get_by_label("Which").select_option("retracted")
    await asked_for.wait()
    async with page.expect_request("**/hotlist?*state=retracted*"):
        may_come.set()
    await expect(page).to_have_url(f"{officer.url}/hotlist?plate=&category=&state=retracted")
