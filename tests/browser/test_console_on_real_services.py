"""The console over the real services, Kafka and PostgreSQL, in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Browser, StorageState, expect

from alpr_common.policy import NOT_PROBABLE_CAUSE
from alpr_local.processes import Services
from tests.browser.support.person import Person, person_at
from tests.browser.support.real import PASSWORD, Agency, agency_on
from tests.browser.support.sightings import Sighting

pytestmark = [
    pytest.mark.browser,
    pytest.mark.e2e,
    pytest.mark.integration,
    pytest.mark.timeout(600),  # of the first: starting everything on a busy machine too
    pytest.mark.asyncio(loop_scope="module"),
]

# How long a hit may take from the topic to the page on a busy machine.
_ARRIVES_MS = 60_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def agency(services: Services) -> AsyncIterator[Agency]:
    async with agency_on(services) as opened:
        await opened.hires("rivera", "Ofc. Dana Rivera", "officer")
        await opened.hires("okafor", "Ofc. Chidi Okafor", "officer")
        await opened.hires("hale", "Sgt. Morgan Hale", "supervisor")
        await opened.hires("lapse", "Ofc. Lee Lapse", "officer", trained=False)
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session(chromium: Browser, agency: Agency) -> StorageState:
    """Officer Rivera's session: signed in once, used by page after page."""
    async with person_at(chromium, agency.console_url) as person:
        await person.sign_in("rivera", PASSWORD)
        await person.is_live()
        return await person.page.context.storage_state()


@pytest_asyncio.fixture(loop_scope="module")
async def rivera(chromium: Browser, agency: Agency, session: StorageState) -> AsyncIterator[Person]:
    async with person_at(chromium, agency.console_url, session=session) as person:
        await person.goes_to("/board")
        await person.is_live()
        yield person


async def test_a_wrong_password_is_refused(chromium: Browser, agency: Agency) -> None:
    async with person_at(chromium, agency.console_url) as person:
        await person.sign_in("rivera", "not-the-password-47")
        await expect(person.refusal).to_contain_text("You could not be signed in")
        await expect(person.page.get_by_label("User name")).to_have_value("rivera")
        await person.goes_to("/board")
        await expect(person.page).to_have_title("Sign in · ALPR")


@pytest.mark.policy("131.3-alert", "131.6-4", "131.6-4a", "131.6-4b", "131.6-5", "131.6-6")
async def test_from_sign_in_to_enforced_without_a_reload(rivera: Person, agency: Agency) -> None:
    page = rivera.page
    await rivera.marks_the_page()
    await agency.sees(Sighting("BG73914", caution="Key was in the car; driver unknown"))
    await expect(rivera.row("BG73914")).to_be_visible(timeout=_ARRIVES_MS)
    await rivera.opens("BG73914")
    await expect(rivera.alert).to_contain_text(NOT_PROBABLE_CAUSE)
    await rivera.looked()
    await page.get_by_label("Every character matches").check()
    await page.get_by_label("The state matches").check()
    await page.get_by_role("button", name="Accept").click()
    await page.get_by_label("LEADS").check()
    await page.get_by_label("Confirmed", exact=False).first.check()
    await page.get_by_label("Reference").fill("L-100")
    await page.get_by_role("button", name="Record the answer").click()
    await expect(page.get_by_text("It may be acted on.")).to_be_visible()
    await page.get_by_label("Incident or event number").fill("26-004711")
    await page.get_by_role("button", name="Record enforcement").click()
    await expect(page.locator(".ending")).to_contain_text("Enforced by Ofc. Dana Rivera, officer")
    history = page.locator(".history")
    for step in ("Characters and state checked by eye", "Status confirmed", "Incident 26-004711"):
        await expect(history).to_contain_text(step)
    assert await rivera.was_not_reloaded()


@pytest.mark.policy("131.6-4a", "131.6-6")
async def test_refused_steps_show_their_clause(rivera: Person, agency: Agency) -> None:
    page = rivera.page
    await agency.sees(Sighting("RT55128", category="stolen_plate", seed=2))
    await expect(rivera.row("RT55128")).to_be_visible(timeout=_ARRIVES_MS)
    await rivera.opens("RT55128")
    await page.get_by_role("button", name="Accept").click()
    await expect(rivera.refusal).to_contain_text("131.6-4a")
    await page.get_by_label("Every character matches").check()
    await page.get_by_label("The state matches").check()
    await page.get_by_role("button", name="Accept").click()
    await page.locator("input[name=answer][value=confirmed]").check()
    await page.get_by_role("button", name="Record the answer").click()
    await page.get_by_role("button", name="Record enforcement").click()
    await expect(rivera.refusal).to_contain_text("131.6-6")


@pytest.mark.policy("131.6-4a")
async def test_a_look_alike_of_unknown_state_is_accepted_by_keyboard(
    rivera: Person, agency: Agency
) -> None:
    await agency.sees(
        Sighting(
            "DP0517", listed_as="DPO517", category="wanted_person", read_jurisdiction="unknown",
            uncertain={2: 0.61}, seed=3,
        )
    )  # fmt: skip
    await expect(rivera.row("DP0517")).to_be_visible(timeout=_ARRIVES_MS)
    await rivera.opens("DP0517")
    await rivera.presses("c", "3", "s", "a")
    await expect(rivera.refusal).to_contain_text("say which one you see")
    await rivera.page.get_by_label("The state that you see").fill("us-il")
    await rivera.presses("Enter")
    await expect(rivera.page.locator("form[data-step=status]")).to_be_visible()
    await rivera.presses("n", "Enter")
    await expect(rivera.page.locator(".ending")).to_contain_text("Closed by Ofc. Dana Rivera")


@pytest.mark.policy("131.6-5", "131.6-8d")
async def test_two_people_see_each_others_steps_and_the_second_is_told_kindly(
    chromium: Browser, rivera: Person, agency: Agency
) -> None:
    await agency.sees(Sighting("CV20816", category="amber_alert", seed=4))
    await expect(rivera.row("CV20816")).to_be_visible(timeout=_ARRIVES_MS)
    await rivera.opens("CV20816")
    await rivera.presses("r")
    await rivera.page.get_by_label("Misread").check()
    async with person_at(chromium, agency.console_url, width=390, height=844, touch=True) as other:
        await other.sign_in("okafor", PASSWORD)
        await other.opens("CV20816")
        await other.page.get_by_text("Hand off", exact=False).first.click()
        await other.page.get_by_role("button", name="Hand off now").click()
        await expect(other.alert).to_contain_text("Communications has this alert")
    await expect(rivera.page.get_by_text("Somebody took a step on this alert.")).to_be_visible()
    await rivera.page.get_by_role("button", name="Reject the alert").click()
    await expect(rivera.alert).to_contain_text("Ofc. Chidi Okafor, officer was a moment earlier")
    await rivera.presses("r")
    await rivera.page.get_by_label("Misread").check()
    await rivera.page.get_by_role("button", name="Reject the alert").click()
    await expect(rivera.page.locator(".ending")).to_contain_text("Rejected by Ofc. Dana Rivera")


@pytest.mark.policy("131.7-3a", "131.7-3b", "131.6-3b")
async def test_a_search_is_refused_without_its_reasons_and_then_shows_recorded_pictures(
    rivera: Person, agency: Agency
) -> None:
    page = rivera.page
    hit = await agency.sees(Sighting("KLN482", category="stolen_vehicle", seed=6))
    await expect(page.locator(".row", has_text="KLN482")).to_be_visible(timeout=_ARRIVES_MS)
    await rivera.goes_to("/search")
    search = page.get_by_role("button", name="Record and search")
    await page.locator("[name=plate]").fill("kln 482")
    expected = [
        ("131.7-3a", page.get_by_label("Purpose").select_option("stolen_vehicle")),
        ("131.7-3b", page.get_by_label("Case or incident number").fill("26-018834")),
        ("131.7-3b", page.get_by_label("Suspicion").fill("Victim saw it on York Road at noon")),
        ("131.6-3b", page.get_by_label("This search harasses").check()),
    ]
    for clause, cure in expected:
        await search.click()
        await expect(rivera.refusal).to_contain_text(clause)
        await cure
    await search.click()
    await expect(page.locator(".found")).to_contain_text("KLN482")
    await page.get_by_text("Look", exact=True).click()
    for image in await page.locator(".found-pictures img").all():
        await expect(image).to_be_visible()
        await expect(image).to_have_js_property("complete", True)
        assert await image.evaluate("image => image.naturalWidth") > 0
    assert hit.read.plate == "KLN482"


@pytest.mark.policy("131.6-7", "131.3-hotlist")
async def test_an_entry_by_hand_is_added_and_retracted_and_a_file_imported(
    chromium: Browser, agency: Agency
) -> None:
    async with person_at(chromium, agency.console_url) as hale:
        page = hale.page
        await hale.sign_in("hale", PASSWORD, "/hotlist")
        await page.get_by_text("Add a plate by hand").click()
        form = page.locator("form[action='/hotlist'][method=post]")
        await form.locator("[name=plate]").fill("xy 4471")
        await form.locator("[name=category]").select_option("stolen_plate")
        until = datetime.now(UTC) + timedelta(days=3)
        await form.locator("[name=expires_at]").fill(until.strftime("%Y-%m-%dT%H:%M"))
        await form.get_by_role("button", name="Add to the hot list").click()
        await expect(hale.refusal).to_contain_text("131.6-7")
        await form.locator("[name=reason]").fill("Taken off a parked car on 31st Street")
        await form.get_by_role("button", name="Add to the hot list").click()
        await expect(page.locator(".done-well")).to_be_visible()
        await page.get_by_text("Take it off the list").click()
        await page.locator("[name=reason]").fill("Plate was found")
        await page.get_by_role("button", name="Retract the entry").click()
        await expect(page.locator(".history")).to_contain_text("Plate was found")
        await hale.goes_to("/hotlist")
        await page.get_by_text("Import a file").click()
        content = b"plate,category,reason\nAA1111,scofflaw,Nine unpaid citations\n,scofflaw,none\n"
        await page.get_by_label("File").set_input_files(
            {"name": "list.csv", "mimeType": "text/csv", "buffer": content}
        )
        await page.get_by_label("Source").fill("scofflaw")
        await page.get_by_role("button", name="Import").click()
        await expect(page.locator(".done-well")).to_contain_text("Line 3")
        await expect(page.locator("#entries")).to_contain_text("AA1111")


@pytest.mark.policy("131.6-1")
async def test_lapsed_training_shuts_the_board_with_its_clause(
    chromium: Browser, agency: Agency
) -> None:
    async with person_at(chromium, agency.console_url) as lapse:
        await lapse.sign_in("lapse", PASSWORD)
        await expect(lapse.refusal).to_contain_text("131.6-1")
        await expect(lapse.page.locator(".row")).to_have_count(0)


async def test_the_board_lives_through_a_restart_of_the_alert_service(
    rivera: Person, agency: Agency
) -> None:
    alerts = agency.services.get("alerts")
    await rivera.marks_the_page()
    alerts.kill()
    await expect(rivera.page.locator("#connection")).to_be_visible(timeout=60_000)
    alerts.restart()
    await agency.sees(Sighting("ER91407", category="scofflaw", seed=7))
    await expect(rivera.row("ER91407")).to_be_visible(timeout=60_000)
    await expect(rivera.page.locator("#connection")).to_be_hidden()
    assert await rivera.was_not_reloaded()


async def test_signing_out_ends_it(rivera: Person) -> None:
    await rivera.page.locator(".bar-person summary").click()
    await rivera.page.get_by_role("button", name="Sign out").click()
    await expect(rivera.page.get_by_text("You are signed out.")).to_be_visible()
    await rivera.page.go_back()
    await expect(rivera.page).to_have_title("Sign in · ALPR")
