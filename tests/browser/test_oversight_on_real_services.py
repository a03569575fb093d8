"""Approvals, holds, evidence, access records and the log's check, over real services."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.async_api import Browser, FilePayload, Page, expect

from alpr_local.processes import Services
from alpr_translog.checkpoint import Checkpoint
from alpr_translog.note import SignerKey
from tests.browser.support.real import Agency, agency_on
from tests.browser.support.sightings import Sighting
from tests.browser.support.station import Station, local
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.browser,
    pytest.mark.e2e,
    pytest.mark.integration,
    pytest.mark.timeout(600),  # of the first: starting everything on a busy machine too
    pytest.mark.asyncio(loop_scope="module"),
]

_SEEN = Sighting("KLN482", category="stolen_vehicle", seed=6)
_PEOPLE = {
    "rivera": ("Ofc. Dana Rivera", "officer"),
    "hale": ("Sgt. Morgan Hale", "supervisor"),
    "ito": ("Sgt. Kei Ito", "supervisor"),
    "osei": ("Kwame Osei", "auditor"),
    "reyes": ("D/C Alma Reyes", "administrator"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def agency(services: Services) -> AsyncIterator[Agency]:
    async with agency_on(services) as opened:
        for username, (name, role) in _PEOPLE.items():
            await opened.hires(username, name, role)
        await opened.stored(_SEEN)
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def station(chromium: Browser, agency: Agency) -> Station:
    return Station(chromium, agency)


async def says_why(page: Page, suspicion: str) -> None:
    await page.get_by_label("Purpose").select_option("stolen_vehicle")
    await page.get_by_label("Case or incident number").fill("26-018834")
    await page.get_by_label("Suspicion").fill(suspicion)
    await page.get_by_label("This search harasses").check()


async def draws_a_circle(page: Page, radius_meters: int) -> None:
    await page.get_by_text("Area, states, hits").click()
    await page.get_by_label("Circle").check()
    for label, value in (("Latitude", "41.8489"), ("Longitude", "-87.9284")):
        await page.get_by_label(label, exact=True).fill(value)
    await page.get_by_label("Radius in m").fill(str(radius_meters))


async def searches(station: Station, why: str) -> None:
    """Officer Rivera is refused a search, and finds the vehicle with the reasons."""
    async with station.at("rivera", "/search") as rivera:
        page = rivera.page
        search = page.get_by_role("button", name="Record and search")
        await page.locator("[name=plate]").fill("kln 482")
        await draws_a_circle(page, 500)
        await search.click()
        await expect(rivera.refusal).to_contain_text("131.7-3a")
        await says_why(page, why)
        await search.click()
        await expect(page.locator(".found")).to_contain_text("KLN482")


@pytest.mark.policy("131.7-3a", "131.7-3b")
async def test_a_sweep_is_asked_for_approved_by_a_supervisor_and_then_searched_once(
    station: Station,
) -> None:
    why = "Witness saw the vehicle near the mall"
    async with station.at("rivera", "/search") as rivera:
        page = rivera.page
        await says_why(page, why)
        now = datetime.now(UTC)
        await page.locator("[name=from]").fill(local(now - timedelta(hours=2)))
        await draws_a_circle(page, 90_000)
        await page.get_by_role("button", name="Record and search").click()
        await expect(rivera.refusal).to_contain_text("policy file")
        await page.get_by_label("Radius in m").fill("500")
        await page.get_by_role("button", name="Record and search").click()
        await expect(rivera.refusal).to_contain_text("needs a supervisor's approval")
        await page.get_by_role("button", name="Ask a supervisor for this search").click()
        await expect(page.locator(".done-well")).to_contain_text("waits for a supervisor")
        await expect(page.locator(".standing")).to_have_text("Waits for a supervisor")
    async with station.at("hale", "/approvals") as hale:
        card = hale.page.locator("[data-request]").filter(has_text=why)
        await expect(card).to_contain_text("Ofc. Dana Rivera")
        await expect(card).to_contain_text("500 m around 41.8489, -87.9284")
        await card.get_by_label("Reason").fill("The mall's report fits")
        await card.get_by_role("button", name="Approve").click()
        await expect(hale.page.locator(".done-well")).to_contain_text("Approved.")
    async with station.at("rivera", "/search/requests") as rivera:
        await expect(rivera.page.locator("[data-request]")).to_contain_text("The mall's report")
        await rivera.page.get_by_role("button", name="Search with the approval").click()
        await expect(rivera.page.locator(".found")).to_contain_text("KLN482")
        await rivera.goes_to("/search/requests")
        await expect(rivera.page.locator(".standing")).to_have_text("Searched")
        await expect(rivera.page.get_by_role("button", name="Search with")).to_have_count(0)


@pytest.mark.policy("131.7-3a")
async def test_a_supervisor_does_not_decide_what_they_asked_for_and_denies_with_a_reason(
    station: Station,
) -> None:
    async with station.at("hale", "/search") as hale:
        page = hale.page
        await says_why(page, "Two of the cameras saw it turn around")
        await page.locator("[name=from]").fill(local(datetime.now(UTC) - timedelta(hours=1)))
        await page.get_by_label("Cameras").fill("elm-street")
        await page.get_by_role("button", name="Ask a supervisor", exact=True).click()
        await expect(page.locator(".done-well")).to_be_visible()
        await hale.goes_to("/approvals")
        await expect(page.get_by_text("another supervisor decides")).to_be_visible()
        await expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    async with station.at("ito", "/approvals") as ito:
        card = ito.page.locator("[data-request]").filter(has_text="turn around")
        await card.get_by_label("Reason").fill("One camera tells nothing here")
        await card.get_by_role("button", name="Deny").click()
        await expect(ito.page.locator(".done-well")).to_contain_text("Denied.")
    async with station.at("hale", "/search/requests") as hale:
        await expect(hale.page.locator("[data-request]")).to_contain_text("One camera tells")


@pytest.mark.policy("131.5-c", "131.7-2")
async def test_a_hold_is_placed_made_evidence_of_and_released_by_a_second_person(
    station: Station,
) -> None:
    now = datetime.now(UTC)
    async with station.at("hale", "/holds") as hale:
        page = hale.page
        await page.get_by_text("Place a hold").click()
        form = page.locator("form[action='/holds']")
        await form.get_by_label("Case number").fill("26-018834")
        await form.locator("[name=plate]").fill("kln 482")
        await form.locator("[name=from]").fill(local(now - timedelta(hours=2)))
        await form.locator("[name=to]").fill(local(now + timedelta(hours=2)))
        await form.get_by_role("button", name="Place the hold").click()
        await expect(hale.refusal).to_contain_text("131.5-c")
        await form.get_by_label("Reason").fill("Evidence in the theft case")
        await form.get_by_role("button", name="Place the hold").click()
        await expect(page.locator(".done-well")).to_contain_text("The hold is placed.")
        await expect(page.locator(".facts-list")).to_contain_text("1 of the 1 reads")
        hold = page.url.split("?")[0]
        await page.get_by_text("Release it").click()
        await page.get_by_label("Why it need not").fill("No charges")
        await page.get_by_role("button", name="Release the hold").click()
        await expect(hale.refusal).to_contain_text("A hold is released by a second person")
        await page.get_by_role("link", name="Prepare evidence from it").click()
        await page.get_by_label("Purpose").select_option("stolen_vehicle")
        await page.get_by_role("button", name="Seal the package").click()
        await expect(page.locator(".done-well")).to_contain_text("sealed", timeout=60_000)
        async with page.expect_download() as downloading:
            await page.get_by_role("link", name="Download the package").click()
        download = await downloading.value
        assert (await download.path()).read_bytes()[:2] == b"PK"
        await page.get_by_label("Received by").fill("ASA Jordan Wells")
        await page.get_by_label("Medium").fill("USB drive")
        await page.get_by_label("Serial number").fill("K-4471")
        await page.get_by_role("button", name="Record the receipt").click()
        await expect(page.locator("#receipts .card")).to_contain_text("ASA Jordan Wells")
    async with station.at("ito", hold.removeprefix(station.agency.console_url)) as ito:
        await ito.page.get_by_text("Release it").click()
        await ito.page.get_by_label("Why it need not").fill("The case is closed")
        await ito.page.get_by_role("button", name="Release the hold").click()
        await expect(ito.page.locator(".facts-list")).to_contain_text("The case is closed")


@pytest.mark.policy("131.7-3a")
async def test_an_auditor_reads_who_looked_for_what_and_why_and_finds_it_in_the_log(
    station: Station,
) -> None:
    why = "Its owner saw it parked behind the mall"
    await searches(station, why)
    async with station.at("osei", "/records") as osei:
        page = osei.page
        await page.get_by_label("What").select_option("search")
        await page.get_by_label("Who").select_option(label="Ofc. Dana Rivera")
        done = page.locator(".record").filter(has_text=why)
        await expect(done).to_contain_text("1 read shown")
        await expect(done).to_contain_text("26-018834")
        await page.get_by_label("Outcome").select_option("refused")
        refused = page.locator(".record").first
        await expect(refused).to_contain_text("Refused")
        await page.get_by_label("Outcome").select_option("done")
        await done.get_by_text("All of it").click()
        await expect(done).to_contain_text("500 m around 41.8489, -87.9284")
        await done.get_by_role("link", name="Is it in the log?").click()
        await expect(page).to_have_url(re.compile(r"/log\?record_id="))

        async def is_covered() -> bool:
            await page.reload()
            return await page.locator(".verdict").count() > 0

        await eventually(is_covered, 60, interval_seconds=1, what="the log covers the record")
        await expect(page.locator(".verdict")).to_contain_text("The record is in the log")
        await expect(page.locator(".check[data-holds=no]")).to_have_count(0)
        await expect(page.locator(".checks")).to_contain_text(why)


async def checks(page: Page, note: str, key: str = "") -> None:
    await page.get_by_label("The checkpoint, all").fill(note)
    await page.get_by_label("The log's key").fill(key)
    await page.get_by_role("button", name="Check", exact=True).click()


@pytest.mark.policy("131.7-3a")
async def test_a_kept_checkpoint_is_extended_and_a_tampered_or_foreign_one_is_shown_as_failing(
    station: Station,
) -> None:
    async with station.at("osei", "/log") as osei:
        page = osei.page

        async def has_entries() -> bool:
            await osei.goes_to("/log")
            return await page.locator("dd").nth(1).inner_text() != "0"

        await eventually(has_entries, 60, interval_seconds=1, what="the log has entries")
        async with page.expect_download() as downloading:
            await page.get_by_role("link", name="Keep this checkpoint").click()
        kept = (await (await downloading.value).path()).read_text()
        size = int(kept.split("\n")[1])
        await station.agency.hires("later", "Ofc. Lou Later", "officer")  # the log grows
        await expect(page.locator("dd").nth(1)).to_have_text(re.compile(r"\d+"))
        await checks(page, kept.replace("\n", "\r\n"))
        await expect(page.locator(".verdict")).to_contain_text("The log is whole")
        await expect(page.locator(".check[data-holds=yes]")).to_have_count(6)

        await checks(page, kept.replace(f"\n{size}\n", f"\n{size - 1}\n"))
        await expect(page.locator(".verdict")).to_have_attribute("data-holds", "no")
        await expect(page.locator(".check[data-holds=no]")).to_contain_text("signature")

        origin = kept.split("\n")[0]
        stranger = SignerKey(origin, Ed25519PrivateKey.generate())
        root = base64.b64decode(kept.split("\n")[2])
        foreign = Checkpoint(origin, size, root).sign(stranger)
        await checks(page, foreign)
        await expect(page.locator(".check[data-holds=no]")).to_contain_text("is not signed by")
        # With the stranger's key it is the log itself that is not theirs.
        await checks(page, foreign, str(stranger.verifier))
        await expect(page.locator(".check[data-holds=no]")).to_contain_text("newest checkpoint")
        await expect(page.get_by_text("alpr log verify")).to_be_visible()


@pytest.mark.policy("131.6-7")
async def test_an_entry_by_hand_is_checked_by_a_second_person(station: Station) -> None:
    until = local(datetime.now(UTC) + timedelta(days=2))
    async with station.at("rivera", "/hotlist") as rivera:
        page = rivera.page
        await page.get_by_text("Add a plate by hand").click()
        form = page.locator("form[action='/hotlist'][method=post]")
        await form.locator("[name=plate]").fill("xy 4471")
        await form.locator("[name=category]").select_option("stolen_plate")
        await form.locator("[name=expires_at]").fill(until)
        await form.locator("[name=reason]").fill("Taken off a parked car on 31st Street")
        await form.get_by_role("button", name="Add to the hot list").click()
        await rivera.goes_to("/hotlist/lists")
        await expect(page.get_by_text("Yours: somebody else checks it.")).to_be_visible()
    async with station.at("ito", "/hotlist/lists") as ito:
        await expect(ito.page.locator(".card")).to_contain_text("XY4471")
        await ito.page.get_by_role("button", name="It is right").click()
        await expect(ito.page.locator(".done-well")).to_contain_text("Checked.")
        await expect(ito.page.locator("#waiting .card")).to_have_count(0)


@pytest.mark.policy("131.6-1", "131.7-3c")
async def test_a_person_is_added_trained_and_given_a_new_password(station: Station) -> None:
    async with station.at("reyes", "/people/new") as reyes:
        page = reyes.page
        await page.get_by_label("Name", exact=True).fill("Ofc. Noor New")
        await page.locator("main [name=username]").fill("new")
        await page.get_by_label("LEADS training until").fill("2031-05-04")
        await page.get_by_role("button", name="Add the person").click()
        first = await page.locator(".shown-once").inner_text()
        await page.get_by_role("link", name="Continue").click()
        await expect(page.locator("#training")).to_contain_text("until 4 May 2031")
        await page.get_by_label("ALPR training until").fill("2031-05-04")
        await page.get_by_label("ALPR certificate").fill("A-17")
        await page.get_by_role("button", name="Record the trainings").click()
        await expect(page.locator("#training")).to_contain_text("certificate A-17")
        await page.get_by_role("button", name="Make a new password").click()
        second = await page.locator(".shown-once").inner_text()
        assert second != first
        await page.get_by_label("Not active").check()
        await page.get_by_role("button", name="Change", exact=True).click()
        await expect(page.locator(".standing", has_text="not active")).to_be_visible()
        await reyes.goes_to("/training?show=due")
        await expect(page.get_by_text("Ofc. Noor New")).to_have_count(0)


@pytest.mark.policy("131.5-d")
async def test_the_years_audit_is_prepared_read_and_taken_along(station: Station) -> None:
    await searches(station, "A patrol saw it turn into the car park")
    async with station.at("osei", "/audit") as osei:
        page = osei.page
        await page.get_by_role("button", name="Prepare it").click()
        await expect(page).to_have_url(re.compile(r"/audit/[0-9a-f-]{36}$"))
        await osei.marks_the_page()
        await expect(page.locator(".verdict")).to_contain_text("Whole", timeout=120_000)
        assert await osei.was_not_reloaded()
        await expect(page.locator(".figures")).to_contain_text("Searches")
        await page.get_by_text("By person").click()
        await expect(page.get_by_role("cell", name="Ofc. Dana Rivera")).to_be_visible()
        for label, begins in (("PDF", b"%PDF"), ("Page (HTML)", b"<!"), ("Tables (CSV)", b"PK")):
            async with page.expect_download() as downloading:
                await page.get_by_role("link", name=label).click()
            content = (await (await downloading.value).path()).read_bytes()
            assert content.startswith(begins), label
        await osei.goes_to("/audit")
        await expect(page.locator(".records .row-link").first).to_be_visible()
        await expect(page.locator(".records .standing").first).to_have_text("ready")
        await page.get_by_role("link", name="Findings to review").click()
        await expect(page.get_by_role("heading", name="Findings")).to_be_visible()


def file_of(text: str) -> FilePayload:
    return {"name": "list.csv", "mimeType": "text/csv", "buffer": text.encode()}


@pytest.mark.policy("131.5-d", "131.6-3c")
async def test_the_lists_that_an_audit_compares_with_are_looked_at_given_and_taken_back(
    station: Station,
) -> None:
    day = datetime.now(UTC).date()
    head = "username,begins_at,ends_at\n"
    good = f"{head}rivera,{day}T00:00Z,{day}T00:01Z\nhale,{day}T06:00Z,{day}T16:00Z\n"
    async with station.at("reyes", "/audit/lists") as reyes:
        page = reyes.page
        shifts, plates = page.locator("#shifts"), page.locator("#plates")
        await shifts.get_by_text("Give it").click()
        for text, said in (
            (f"{good}nobody,{day}T06:00Z,{day}T16:00Z\n", "line 4"),
            (f"{head}rivera,{day}T06:00Z,soon\n", "line 2"), (good, ""),
        ):  # fmt: skip
            await shifts.locator("[name=file]").set_input_files(file_of(text))
            for name in ("first_day", "last_day"):
                await shifts.locator(f"[name={name}]").fill(str(day))
            await shifts.get_by_role("button", name="Read the file").click()
            if said:
                await expect(reyes.refusal).to_contain_text(said)
        await expect(page.locator(".figures")).to_contain_text("People")
        await page.get_by_role("button", name="Give this list").click()
        await expect(shifts.locator(".done-well")).to_contain_text("is replaced")
        await expect(shifts).to_contain_text("2 shifts")
        await expect(shifts).to_contain_text("D/C Alma Reyes")

        await plates.get_by_text("Give a person's plates").click()
        await plates.get_by_label("Person").select_option(label="Sgt. Kei Ito (ito)")
        await plates.get_by_label("Plates").fill("OWN 4711\nMUCHTOOLONGFORAPLATE")
        await plates.get_by_role("button", name="Give these plates").click()
        await expect(reyes.refusal).to_contain_text("plate 2")
        await plates.get_by_label("Plates").fill("OWN 4711\nKIN 12")
        await plates.get_by_role("button", name="Give these plates").click()
        await expect(plates.locator(".done-well")).to_be_visible()
        row = plates.get_by_role("row").filter(has_text="Sgt. Kei Ito")
        await expect(row).to_contain_text("2")
        await expect(page.locator("main")).not_to_contain_text("4711")
        await row.get_by_role("button").click()
        await expect(plates).to_contain_text("not given")
    async with station.at("osei", "/audit/lists") as osei:
        await expect(osei.page.locator("#shifts")).to_contain_text("2 shifts")
        await expect(osei.page.locator("main form")).to_have_count(0)
        await osei.goes_to("/audit")
        await osei.page.get_by_role("button", name="Prepare it").click()
        await expect(osei.page.locator(".verdict")).to_contain_text("Whole", timeout=120_000)
    async with station.at("hale", "/audit/lists") as hale:
        shifts = hale.page.locator("#shifts")
        await shifts.get_by_text("Take it back").click()
        await shifts.get_by_role("button", name="Take the list back").click()
        await expect(shifts).to_contain_text("not given")
