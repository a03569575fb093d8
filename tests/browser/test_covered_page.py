"""The sign-in over a page whose session has ended, with the second factor's code."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.support.person import Person
from tests.browser.support.rest_double import PASSWORD, Double

pytestmark = [
    pytest.mark.browser,
    pytest.mark.policy("131.7-3c"),
    pytest.mark.asyncio(loop_scope="module"),
]


async def test_the_code_is_asked_for_over_the_page_and_what_was_typed_is_kept(
    officer: Person, double: Double
) -> None:
    page, cover = officer.page, officer.page.locator("#sign-in-again")
    await officer.goes_to("/search")
    await page.get_by_label("Suspicion").fill("Half a sentence")
    double.people["rivera"].code = "123456"
    double.withdrawn = True
    await page.get_by_role("button", name="Record and search").click()
    await expect(cover).to_be_visible()
    double.withdrawn = False
    for attempt in (1, 2):  # once to see that starting over stays on this page
        await cover.get_by_label("User name").fill("rivera")
        await cover.get_by_label("Password").fill(PASSWORD)
        await cover.get_by_role("button", name="Sign in", exact=True).click()
        await expect(cover.get_by_label("Code")).to_be_focused()
        if attempt == 1:
            await cover.get_by_role("link", name="Somebody else").click()
            await expect(cover.get_by_label("User name")).to_be_focused()
    await cover.get_by_label("Code").fill("000000")
    await cover.get_by_role("button", name="Continue").click()
    await expect(cover.locator(".refusal")).to_contain_text("You could not be signed in")
    await cover.get_by_label("Code").fill("123456")
    await cover.get_by_role("button", name="Continue").click()
    await expect(cover).to_be_hidden()
    await expect(page.get_by_label("Suspicion")).to_have_value("Half a sentence")
    assert await cover.locator("[name=code_step]").count() == 0
