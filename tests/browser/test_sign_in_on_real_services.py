"""Signing in with a second factor, trainings that end, roles that change, over real services."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator

import pyotp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from alpr_local.processes import Services
from tests.browser.support.person import Person, person_at
from tests.browser.support.real import PASSWORD, Agency, agency_on
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.browser,
    pytest.mark.e2e,
    pytest.mark.integration,
    pytest.mark.timeout(600),  # of the first: starting everything on a busy machine too
    pytest.mark.asyncio(loop_scope="module"),
]

_POLICY = 'version = "second factors"\nsecond_factor_roles = ["auditor"]\n'
_WITHDRAWN_MS = 60_000
_PLACES = {
    "rivera": ["Alerts", "Search", "Hot list"],
    "hale": [
        "Alerts", "Search", "Hot list", "Approvals", "Access records", "Log check", "Audit",
        "Holds", "Evidence", "Cameras", "Training",
    ],
    "reyes": [
        "Alerts", "Search", "Hot list", "Access records", "Log check", "Audit", "Holds",
        "Evidence", "Cameras", "People", "Training",
    ],
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def agency(services: Services) -> AsyncIterator[Agency]:
    async with agency_on(services, _POLICY) as opened:
        await opened.hires("rivera", "Ofc. Dana Rivera", "officer")
        await opened.hires("okafor", "Ofc. Chidi Okafor", "officer")
        await opened.hires("hale", "Sgt. Morgan Hale", "supervisor")
        await opened.hires("reyes", "D/C Alma Reyes", "administrator")
        await opened.hires("osei", "Kwame Osei", "auditor")
        await opened.hires("soon", "Ofc. Sam Soon", "officer", days=6)
        await opened.hires("lapse", "Ofc. Lee Lapse", "officer", trained=False)
        yield opened


async def code_page(page: Page, code: str) -> None:
    await page.get_by_label("Code").fill(code)
    await page.get_by_role("button", name="Continue").click()


async def places(page: Page) -> list[str]:
    links = await page.locator(".bar-nav a").all()
    return [str(await link.text_content()) for link in links]


@pytest.mark.policy("131.7-3c")
async def test_who_must_have_a_second_factor_enrols_first_and_then_signs_in_with_it(
    chromium: Browser, agency: Agency
) -> None:
    async with person_at(chromium, agency.console_url) as osei:
        page = osei.page
        await osei.sign_in("osei", PASSWORD)
        await expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
        await osei.goes_to("/records")
        await expect(page).to_have_url(re.compile(r"/account/second-factor$"))
        assert await places(page) == []
        await page.get_by_label("Your password").fill(PASSWORD)
        await page.get_by_role("button", name="Show the QR code").click()
        await expect(page.locator("svg.qr-code path")).to_have_count(2)
        await page.get_by_text("It cannot be scanned").click()
        secret = (await page.locator(".secret").inner_text()).replace(" ", "")
        await page.get_by_label("Code").fill("000000")
        await page.get_by_role("button", name="Confirm").click()
        await expect(osei.refusal).to_contain_text("That is not the code")
        await expect(page.locator("svg.qr-code")).to_be_visible()
        await page.get_by_label("Code").fill(pyotp.TOTP(secret).now())
        await page.get_by_role("button", name="Confirm").click()
        codes = await page.locator(".recovery-codes li").all_inner_texts()
        assert len(codes) == 10
        await page.get_by_role("link", name="I have written them down").click()
        await expect(page.get_by_role("heading", name="Access records")).to_be_visible()
        assert await places(page) == [
            "Access records", "Log check", "Audit", "Holds", "Cameras", "Training",
        ]  # fmt: skip

    async with person_at(chromium, agency.console_url, width=390, height=844, touch=True) as osei:
        page = osei.page
        await osei.sign_in("osei", PASSWORD, "/holds")
        await expect(page.get_by_text("your password is right")).to_be_visible()
        assert PASSWORD not in await page.content()
        await code_page(page, "123456")
        await expect(osei.refusal).to_contain_text("You could not be signed in")
        await code_page(page, pyotp.TOTP(secret).at(int(time.time()) + 30))
        await expect(page.get_by_role("heading", name="Holds")).to_be_visible()

    async with person_at(chromium, agency.console_url) as osei:
        await osei.sign_in("osei", PASSWORD)
        await code_page(osei.page, codes[0])
        await expect(osei.page.get_by_role("heading", name="Access records")).to_be_visible()
        await osei.goes_to("/account/second-factor")
        await expect(osei.page.get_by_text("9 recovery codes left")).to_be_visible()


@pytest.mark.policy("131.6-1", "131.6-2")
async def test_a_training_that_ends_soon_is_told_of_and_one_that_ended_shuts_the_pages(
    chromium: Browser, agency: Agency
) -> None:
    async with person_at(chromium, agency.console_url, width=390, height=844, touch=True) as soon:
        await soon.sign_in("soon", PASSWORD)
        await soon.is_live()
        reminder = soon.page.locator(".reminder")
        # 6 days from when it was recorded; a day may have ended since.
        await expect(reminder.first).to_contain_text(
            re.compile("Your LEADS training ends in [56] days")
        )
        await expect(reminder.first).to_contain_text("131.6-1")
        await expect(reminder.first).to_have_attribute("data-urgency", "urgent")
    async with (
        person_at(chromium, agency.console_url) as lapse,
        person_at(chromium, agency.console_url) as reyes,
    ):
        await lapse.sign_in("lapse", PASSWORD)
        await expect(lapse.page.locator(".reminder").first).to_contain_text("training ended on")
        await expect(lapse.page.locator(".reminder").first).to_contain_text("Ask your training")
        await lapse.goes_to("/hotlist")
        await expect(lapse.refusal).to_contain_text("131.6-1")
        await reyes.sign_in("reyes", PASSWORD, "/people")
        await reyes.page.get_by_role("link", name="Ofc. Lee Lapse").click()
        for label in ("LEADS training until", "ALPR training until"):
            await reyes.page.get_by_label(label).fill("2031-05-04")
        await reyes.page.get_by_label("LEADS certificate").fill("LEADS-4711")
        await reyes.page.get_by_role("button", name="Record the trainings").click()
        await expect(reyes.page.locator(".done-well")).to_contain_text("Recorded.")
        await expect(reyes.page.locator("#training")).to_contain_text("LEADS-4711")
        # What was recorded since counts at once, without signing in again.
        await lapse.goes_to("/board")
        if await lapse.page.locator(".reminder").count():
            await lapse.page.get_by_role("button", name="Look again").first.click()
        await lapse.is_live()
        await expect(lapse.page.locator(".reminder")).to_have_count(0)


@pytest.mark.policy("131.6-2")
async def test_a_change_of_role_holds_on_the_next_page_and_the_live_board_goes_on(
    chromium: Browser, agency: Agency
) -> None:
    async with (
        person_at(chromium, agency.console_url) as okafor,
        person_at(chromium, agency.console_url) as reyes,
    ):
        await okafor.sign_in("okafor", PASSWORD)
        await okafor.is_live()
        await reyes.sign_in("reyes", PASSWORD, "/people")
        await reyes.page.get_by_role("link", name="Ofc. Chidi Okafor").click()
        await reyes.page.get_by_label("Role").select_option("dispatcher")
        await reyes.page.get_by_role("button", name="Change", exact=True).click()
        await expect(reyes.page.locator(".done-well")).to_contain_text("Changed.")
        # identity withdraws the token on its topic; the alert service then ends the stream, and
        # the page opens it again with a new token.
        await eventually(lambda: _has_role(okafor, "dispatcher"), 60, what="the new role is shown")
        await okafor.is_live()
        await expect(okafor.page.locator("#sign-in-again")).to_be_hidden()


async def _has_role(person: Person, role: str) -> bool:
    await person.goes_to("/hotlist")
    shown = str(await person.page.locator(".bar-role").text_content())
    await person.goes_to("/board")
    return shown == role


@pytest.mark.policy("131.7-3c")
async def test_a_session_elsewhere_is_ended_and_the_password_changed(
    chromium: Browser, agency: Agency
) -> None:
    async with (
        person_at(chromium, agency.console_url) as desk,
        person_at(chromium, agency.console_url, width=390, height=844, touch=True) as car,
    ):
        await car.sign_in("rivera", PASSWORD)
        await car.is_live()
        await desk.sign_in("rivera", PASSWORD, "/account")
        page = desk.page
        await expect(page.locator("#sessions .card")).to_have_count(2)
        await page.get_by_role("button", name="End it").click()
        await expect(page.locator("#sessions .card")).to_have_count(1)
        await expect(car.page.locator("#sign-in-again")).to_be_visible(timeout=_WITHDRAWN_MS)
        await page.get_by_label("Present password").fill(PASSWORD)
        await page.get_by_label("New password", exact=False).nth(0).fill("short")
        await page.get_by_label("New password again").fill("short")
        await page.get_by_role("button", name="Change it").click()
        await expect(desk.refusal).to_be_visible()
        new = "violet-otter-umbrella-93"
        await page.get_by_label("Present password").fill(PASSWORD)
        await page.get_by_label("New password", exact=False).nth(0).fill(new)
        await page.get_by_label("New password again").fill(new)
        await page.get_by_role("button", name="Change it").click()
        await expect(page.get_by_text("every session of yours was ended")).to_be_visible()
        await desk.sign_in("rivera", new)
        await desk.is_live()


@pytest.mark.policy("131.6-2")
@pytest.mark.parametrize("username", ["hale", "reyes"])
async def test_the_navigation_shows_what_the_role_may_do_and_every_page_opens(
    chromium: Browser, agency: Agency, username: str
) -> None:
    async with person_at(chromium, agency.console_url) as person:
        await person.sign_in(username, PASSWORD)
        await person.is_live()
        assert await places(person.page) == _PLACES[username]
        for place in await person.page.locator(".bar-nav a").all():
            address = str(await place.get_attribute("href"))
            other = await person.page.context.new_page()
            answer = await other.goto(person.url + address)
            assert answer is not None
            assert answer.status == 200, address
            assert answer.headers["cache-control"] == "no-store", address
            await expect(other.locator(".refusal")).to_have_count(0)
            await other.close()
        await person.page.locator(".bar-more summary").click()
        await expect(person.page.get_by_role("link", name="Holds")).to_be_visible()
