"""The alert board in a real browser: arriving, sounding, working together, losing touch."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from playwright.async_api import Browser, Locator, expect

from alpr_alerts import domain as alerts
from tests.browser.support.console import console_on
from tests.browser.support.person import Person, person_at
from tests.browser.support.rest_double import PASSWORD, Double
from tests.browser.support.serving import Served
from tests.browser.support.sightings import Sighting, pictured
from tests.support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

_A_TIME = re.compile(r"\d+")
STOLEN = Sighting("BG73914", caution="Key was in the car; driver unknown")
SCOFFLAW = Sighting("ER91407", category="scofflaw", reason="Eleven unpaid parking citations")
LOOKALIKE = Sighting(
    "DP0517", listed_as="DPO517", category="stolen_plate", uncertain={2: 0.61}, seed=3
)


@pytest.mark.policy("131.3-alert")
async def test_an_alert_appears_without_a_reload_and_is_announced(
    officer: Person, double: Double, api: Served
) -> None:
    await officer.marks_the_page()
    await expect(officer.page.get_by_text("No open alerts.")).to_be_visible()
    api.do(double.raise_alert(pictured(STOLEN)))
    await expect(officer.row("BG73914")).to_contain_text("Stolen vehicle")
    await expect(officer.page.locator("#said-now")).to_contain_text("Priority 2. Stolen vehicle")
    await expect(officer.page).to_have_title("(1) Alerts · ALPR")
    assert await officer.was_not_reloaded()


@pytest.mark.policy("131.3-alert")
async def test_priority_is_said_by_shape_number_and_words_besides_colour(
    officer: Person, double: Double, api: Served
) -> None:
    for sighting in (SCOFFLAW, STOLEN):
        api.do(double.raise_alert(pictured(sighting)))
    rows = officer.page.locator(".row")
    await expect(rows).to_have_count(2)
    assert [await row.locator(".row-plate").inner_text() for row in await rows.all()] == [
        "BG73914",
        "ER91407",
    ]
    shapes = [await row.locator(".shape").inner_html() for row in await rows.all()]
    assert "path" in shapes[0]
    assert "circle" in shapes[1]
    await expect(rows.nth(0)).to_contain_text("Priority 2")


async def hears(officer: Person) -> Locator:
    """Sound is on: by itself, or by a touch of the page where the browser waits for one. Not by the
    button, which would turn off what has come on by itself meanwhile."""
    await officer.page.get_by_text("No open alerts.").click()
    sound = officer.page.locator("#sound")
    await expect(sound).to_have_attribute("data-state", "on")
    return sound


@pytest.mark.policy("131.3-alert")
async def test_sound_follows_the_category_until_somebody_opens_or_silences_the_alert(
    officer: Person, double: Double, api: Served
) -> None:
    await hears(officer)
    silence = officer.page.get_by_role("button", name="Silence")
    api.do(double.raise_alert(pictured(SCOFFLAW)))
    await expect(officer.row("ER91407")).to_be_visible()
    await expect(silence).to_be_hidden()
    api.do(double.raise_alert(pictured(STOLEN)))
    await expect(silence).to_be_visible()
    await expect(officer.page.locator("body")).to_have_attribute("data-sound-played", _A_TIME)
    await officer.opens("BG73914")
    await expect(silence).to_be_hidden()
    api.do(double.raise_alert(pictured(Sighting("CV20816", category="amber_alert"))))
    await expect(silence).to_be_visible()
    await officer.presses("m")
    await expect(silence).to_be_hidden()


@pytest.mark.policy("131.3-alert")
async def test_an_alert_of_a_stored_read_sounds_when_its_live_hit_comes(
    officer: Person, double: Double, api: Served
) -> None:
    await hears(officer)
    silence = officer.page.get_by_role("button", name="Silence")
    shown = pictured(STOLEN)
    stored = replace(shown, hit=shown.hit.model_copy(update={"retrospective": True}))
    alert_id = api.do(double.raise_alert(stored))
    await expect(officer.row("BG73914")).to_contain_text("earlier read")
    await expect(silence).to_be_hidden()
    api.do(double.wake(alert_id))
    await expect(officer.row("BG73914")).not_to_contain_text("earlier read")
    await expect(silence).to_be_visible()


async def test_sound_can_be_turned_off_and_stays_off(officer: Person) -> None:
    sound = await hears(officer)
    await sound.click()
    await expect(sound).to_contain_text("Sound off")
    await officer.goes_to("/board")
    await expect(sound).to_contain_text("Sound off")


@pytest.mark.policy("131.6-4a", "131.6-4b", "131.6-6")
async def test_an_alert_is_verified_and_enforced_by_keyboard_alone(
    officer: Person, double: Double, api: Served
) -> None:
    api.do(double.raise_alert(pictured(STOLEN)))
    await expect(officer.row("BG73914")).to_be_visible()
    await officer.presses("j")
    await expect(officer.alert).to_contain_text("Key was in the car")
    await officer.looked()
    await officer.presses("c", "s", "a")
    await expect(officer.page.locator("form[data-step=status]")).to_be_visible()
    await officer.presses("y", "Enter")
    await expect(officer.page.get_by_text("It may be acted on.")).to_be_visible()
    await officer.presses("e")
    await officer.page.keyboard.type("26-004711")
    await officer.presses("Enter")
    await expect(officer.page.locator(".ending")).to_contain_text("Enforced by Ofc. Dana Rivera")
    assert [str(a.state) for a in double.alerts.values()] == ["enforced"]


async def test_shortcuts_sleep_while_somebody_types_and_in_dialogs(
    officer: Person, double: Double, api: Served
) -> None:
    api.do(double.raise_alert(pictured(STOLEN)))
    await officer.opens("BG73914")
    await officer.presses("r")
    note = officer.page.locator("form[data-step=reject] input[name=note]")
    await note.fill("")
    await note.press_sequentially("cash rejected")
    await expect(note).to_have_value("cash rejected")
    await expect(officer.page.locator("[name=characters_match]")).not_to_be_checked()
    await officer.presses("Escape", "?")
    await expect(officer.page.locator("#shortcuts")).to_be_visible()
    await officer.presses("c")
    await expect(officer.page.locator("[name=characters_match]")).not_to_be_checked()
    await officer.page.get_by_label("Single-key shortcuts are on").uncheck()
    await officer.presses("Escape", "c")
    await expect(officer.page.locator("[name=characters_match]")).not_to_be_checked()


@pytest.mark.policy("131.6-4a")
async def test_a_refused_step_shows_its_clause_and_takes_the_focus(
    officer: Person, double: Double, api: Served
) -> None:
    api.do(double.raise_alert(pictured(LOOKALIKE)))
    await officer.opens("DP0517")
    await officer.page.get_by_label("Every character matches").check()
    await officer.page.get_by_label("The state matches").check()
    await officer.page.get_by_role("button", name="Accept").click()
    await expect(officer.refusal).to_contain_text("131.6-4a")
    await expect(officer.refusal).to_contain_text("position 3 (read 0, listed O)")
    await expect(officer.refusal).to_be_focused()
    await expect(officer.page.get_by_label("The state matches")).to_be_checked()
    await officer.presses("3", "a")
    await expect(officer.page.locator("form[data-step=status]")).to_be_visible()


@pytest.mark.policy("131.6-4a")
async def test_differing_and_uncertain_characters_are_marked_with_their_probabilities(
    officer: Person, double: Double, api: Served
) -> None:
    api.do(double.raise_alert(pictured(LOOKALIKE)))
    await officer.opens("DP0517")
    await expect(officer.page.locator(".strip-read td.differs")).to_have_text("0")
    await expect(officer.page.locator(".strip-entry td.differs")).to_have_text("O")
    findings = officer.page.locator(".findings")
    await expect(findings).to_contain_text("Position 3: read 0 (61 %), entry O (39 % in")


async def test_what_a_colleague_does_shows_at_once(
    officer: Person, double: Double, api: Served
) -> None:
    alert_id = api.do(double.raise_alert(pictured(STOLEN)))
    await officer.opens("BG73914")
    move = alerts.accept(double.alerts[alert_id], alerts.VisualCheck(True, True))
    api.do(double.step(alert_id, "okafor", move))
    await expect(officer.row("BG73914")).to_contain_text("Ask status")
    await expect(officer.alert).to_contain_text("Ofc. Chidi Okafor")


async def test_a_colleagues_step_takes_away_nothing_that_was_begun(
    officer: Person, double: Double, api: Served
) -> None:
    alert_id = api.do(double.raise_alert(pictured(STOLEN)))
    await officer.opens("BG73914")
    await officer.presses("r")
    note = officer.page.locator("form[data-step=reject] input[name=note]")
    await note.fill("plate of another")
    move = alerts.accept(double.alerts[alert_id], alerts.VisualCheck(True, True))
    api.do(double.step(alert_id, "okafor", move))
    told = officer.page.get_by_text("Somebody took a step on this alert.")
    await expect(told).to_be_visible()
    await expect(note).to_have_value("plate of another")
    await officer.page.get_by_label("Misread").check()
    await officer.page.get_by_role("button", name="Reject the alert").click()
    await expect(officer.alert).to_contain_text("Ofc. Chidi Okafor, officer was a moment earlier")
    await expect(officer.page.locator("form[data-step=status]")).to_be_visible()


async def test_a_lost_connection_is_said_and_what_was_missed_comes_after_it(
    officer: Person, double: Double, api: Served
) -> None:
    await officer.marks_the_page()
    api.do(double.raise_alert(pictured(SCOFFLAW)))
    await expect(officer.row("ER91407")).to_be_visible()
    await officer.page.context.set_offline(True)
    double.refuses_streams = True
    api.do(_broken(double))
    banner = officer.page.locator("#connection")
    # At the latest when it has missed the server's heartbeats for 32 s.
    await expect(banner).to_be_visible(timeout=60_000)
    await expect(officer.page.locator("#live")).to_have_text("Not live")
    api.do(double.raise_alert(pictured(STOLEN)))
    double.refuses_streams = False
    await officer.page.context.set_offline(False)
    await expect(officer.row("BG73914")).to_be_visible(timeout=40_000)
    await expect(banner).to_be_hidden()
    await officer.is_live()
    assert await officer.was_not_reloaded()


async def _broken(double: Double) -> None:
    double.break_streams()


async def test_an_ended_session_covers_the_page_and_signing_in_keeps_the_place(
    officer: Person, double: Double, api: Served
) -> None:
    await officer.marks_the_page()
    api.do(double.raise_alert(pictured(STOLEN)))
    await officer.opens("BG73914")
    await officer.presses("r")
    note = officer.page.locator("form[data-step=reject] input[name=note]")
    await note.fill("half a sentence")
    await officer.page.context.clear_cookies()
    await officer.page.get_by_role("button", name="Reject the alert").click()
    cover = officer.page.locator("#sign-in-again")
    await expect(cover).to_be_visible()
    await officer.presses("Escape")
    await expect(cover).to_be_visible()
    await cover.get_by_label("User name").fill("rivera")
    await cover.get_by_label("Password").fill("wrong")
    await cover.get_by_role("button", name="Sign in").click()
    await expect(cover.locator(".refusal")).to_be_visible()
    await cover.get_by_label("Password").fill(PASSWORD)
    await cover.get_by_role("button", name="Sign in").click()
    await expect(cover).to_be_hidden()
    await expect(note).to_have_value("half a sentence")
    await officer.is_live()
    assert await officer.was_not_reloaded()


@pytest.mark.policy("131.7-3c")
async def test_an_untouched_page_is_covered_and_shows_nothing(
    chromium: Browser, double: Double, api: Served, tmp_path_factory: pytest.TempPathFactory
) -> None:
    api.do(double.raise_alert(pictured(STOLEN)))
    folder = tmp_path_factory.mktemp("locking")
    with console_on(double, api.url, folder, lock_seconds=6) as console:
        async with person_at(chromium, console.url) as person:
            await person.sign_in("rivera", PASSWORD)
            await expect(person.row("BG73914")).to_be_visible()
            cover = person.page.locator("#sign-in-again[data-why=locked]")

            async def covered() -> bool:
                api.do(_broken(double))  # the page then asks whether somebody is still signed in
                return await cover.is_visible()

            await eventually(covered, 60, interval_seconds=0.5)
            seen = await cover.evaluate(
                "cover => [getComputedStyle(cover).backgroundColor, cover.offsetWidth]"
            )
            assert seen == ["rgb(12, 14, 16)", 1440], "the cover is opaque and as wide as the page"


async def test_a_phone_shows_every_page_without_scrolling_sideways(
    on_patrol: Person, double: Double, api: Served
) -> None:
    ids = [api.do(double.raise_alert(pictured(s))) for s in (STOLEN, LOOKALIKE)]
    paths = ["/board", *(f"/alerts/{i}" for i in ids), "/search", "/hotlist", "/sign-in"]
    for width in (390, 360):
        await on_patrol.page.set_viewport_size({"width": width, "height": 780})
        for path in paths:
            await on_patrol.goes_to(path)
            wide = await on_patrol.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{path} is {wide} px wide on a screen of {width}"


async def test_everything_that_is_pressed_on_a_phone_is_large_enough(
    on_patrol: Person, double: Double, api: Served
) -> None:
    alert_id = api.do(double.raise_alert(pictured(LOOKALIKE)))
    for path in ("/board", f"/alerts/{alert_id}", "/search", "/hotlist"):
        await on_patrol.goes_to(path)
        small = await on_patrol.page.evaluate(_SMALL_TARGETS)
        assert small == [], path


_SMALL_TARGETS = """() => [
    ...document.querySelectorAll('a, button, summary, input, select, textarea')]
    .filter(e => e.checkVisibility() && !e.matches('.skip, [type=hidden]'))
    .map(e => e.matches('[type=checkbox], [type=radio]') ? e.closest('label') : e)
    .map(e => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
    .filter(([, box]) => box.height < 47.5 || box.width < 47.5)
    .map(([html, box]) => `${html} ${Math.round(box.width)}x${Math.round(box.height)}`)"""


async def test_on_a_phone_one_alert_fills_the_screen_and_one_goes_back_to_all(
    on_patrol: Person, double: Double, api: Served
) -> None:
    api.do(double.raise_alert(pictured(STOLEN)))
    await on_patrol.opens("BG73914")
    await on_patrol.looked()
    await expect(on_patrol.page.locator(".list")).to_be_hidden()
    await on_patrol.page.get_by_role("link", name="Back to all alerts").click()
    await expect(on_patrol.row("BG73914")).to_be_visible()


@pytest.mark.policy("131.7-1b")
async def test_going_back_shows_the_alert_anew_and_the_browser_keeps_no_copy(
    officer: Person, double: Double, api: Served
) -> None:
    api.do(double.raise_alert(pictured(STOLEN)))
    await officer.opens("BG73914")
    await officer.looked()
    await officer.goes_to("/search")
    await officer.page.go_back()
    await expect(officer.alert).to_contain_text("BG73914")
    kept = await officer.page.evaluate(
        "async () => [{...localStorage}, {...sessionStorage}, await caches.keys()]"
    )
    assert "BG73914" not in str(kept)
    assert "<" not in str(kept), "no markup of a page is kept in the browser"


@pytest.mark.policy("131.6-1")
async def test_lapsed_training_is_shown_with_its_clause_and_nothing_else(
    chromium: Browser, console: Served, double: Double, api: Served
) -> None:
    api.do(double.raise_alert(pictured(STOLEN)))
    async with person_at(chromium, console.url) as person:
        await person.sign_in("lapsed", PASSWORD)
        await expect(person.refusal).to_contain_text("LEADS training is not current")
        await expect(person.refusal).to_contain_text("131.6-1")
        await expect(person.row("BG73914")).to_have_count(0)


async def test_motion_is_left_out_for_those_who_ask(
    officer: Person, double: Double, api: Served
) -> None:
    await officer.page.emulate_media(reduced_motion="reduce")
    api.do(double.raise_alert(pictured(STOLEN)))
    moving = (
        await officer.row("BG73914")
        .get_by_role("link")
        .evaluate("link => getComputedStyle(link).animationName")
    )
    assert moving == "none"
