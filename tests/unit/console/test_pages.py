"""Pages without a browser: who gets in, what is shown, what a refusal looks like."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from alpr_alerts import domain as alerts
from alpr_common.auth import ungated_routes
from alpr_common.policy import NOT_PROBABLE_CAUSE
from alpr_console.app import build
from alpr_console.settings import Settings
from alpr_console.sign_in_pages import local_path
from tests.browser.support.console import settings_for
from tests.browser.support.rest_double import PASSWORD, Double
from tests.browser.support.sightings import Sighting, undrawn
from tests.unit.console.conftest import CONSOLE_URL, Page, app_over, client_of


async def raised(double: Double, sighting: Sighting | None = None) -> str:
    return str(await double.raise_alert(undrawn(sighting or Sighting("BG73914"))))


def test_every_route_declares_who_may_pass(double: Double, tmp_path: Path) -> None:
    app = app_over(double, tmp_path)
    assert ungated_routes(app) == []


@pytest.mark.parametrize(
    "path", ["/board", "/search", "/hotlist", "/alerts/5a06ce26-6935-4ca7-83b0-d0e69349e69e"]
)
async def test_nobody_signed_in_is_asked_to_and_keeps_the_place(page: Page, path: str) -> None:
    answer = await page.get(path)
    assert answer.status_code == 303
    asked = answer.headers["location"]
    assert asked.startswith("/sign-in?why=signed-out&to=%2F")
    form = {"username": "rivera", "password": PASSWORD, "to": path}
    assert (await page.post("/sign-in", form)).headers["location"] == path


@pytest.mark.parametrize(
    "to", ["//elsewhere.example", "https://elsewhere.example/", "/\\elsewhere", "board", "/sign-in"]
)
def test_signing_in_never_leads_to_another_site(to: str) -> None:
    assert local_path(to) == "/board"


async def test_a_wrong_password_is_refused_and_the_name_kept(page: Page) -> None:
    answer = await page.post("/sign-in", {"username": "rivera", "password": "guess"})
    assert answer.status_code == 401
    assert "You could not be signed in" in answer.text
    assert 'value="rivera"' in answer.text
    assert "set-cookie" not in answer.headers


async def test_cookies_are_out_of_reach_of_scripts_and_other_sites(page: Page) -> None:
    answer = await page.post("/sign-in", {"username": "rivera", "password": PASSWORD})
    cookies = answer.headers.get_list("set-cookie")
    assert len(cookies) == 2
    assert all("HttpOnly; SameSite=Strict" in cookie for cookie in cookies)
    assert not any("Secure" in cookie for cookie in cookies), "plain http on loopback"


async def test_behind_tls_cookies_insist_on_it(double: Double, tmp_path: Path) -> None:
    url = "https://console.example"
    async with client_of(app_over(double, tmp_path, url), url) as client:
        form = {"username": "rivera", "password": PASSWORD}
        answer = await client.post("/sign-in", data=form, headers={"Origin": url})
    cookies = answer.headers.get_list("set-cookie")
    assert all(c.startswith("__Host-") and c.endswith("; Secure") for c in cookies)
    assert "strict-transport-security" in answer.headers


@pytest.mark.policy("131.7-3c")
def test_plain_http_beyond_this_machine_is_refused(double: Double, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"131\.7-3c"):
        settings_for(double, "http://127.0.0.1:1", tmp_path, "http://console.example")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": CONSOLE_URL, "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://other.county.example", "Sec-Fetch-Site": "same-site"},
    ],
)
async def test_what_changes_something_must_come_from_our_own_page(
    page: Page, double: Double, headers: dict[str, str]
) -> None:
    await page.sign_in()
    alert_id = await raised(double)
    answer = await page.client.post(f"/alerts/{alert_id}/hand-off", data={}, headers=headers)
    assert answer.status_code == 403
    assert len(next(iter(double.steps.values()))) == 1


@pytest.mark.policy("131.7-1b")
async def test_nothing_that_shows_data_may_be_kept_by_the_browser(
    page: Page, double: Double
) -> None:
    await page.sign_in()
    alert_id = await raised(double)
    for path in (
        "/board", "/board/rows", f"/alerts/{alert_id}", f"/alerts/{alert_id}/pictures/plate",
        "/search", "/hotlist", "/no-such-page", "/sign-in",
    ):  # fmt: skip
        answer = await page.get(path)
        assert answer.headers["cache-control"] == "no-store", path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert "unsafe" not in policy, path


async def test_pages_hold_no_inline_script_style_or_address_of_another_host(
    page: Page, double: Double
) -> None:
    await page.sign_in()
    alert_id = await raised(double, Sighting("DP0517", listed_as="DPO517", uncertain={2: 0.6}))
    for path in ("/board", f"/alerts/{alert_id}", "/search", "/hotlist", "/sign-in"):
        html = (await page.get(path)).text
        for foreign in ("<script>", "<style", " style=", " onclick=", "http://", "https://"):
            assert foreign not in html, f"{path} holds {foreign}"


@pytest.mark.policy("131.6-4")
async def test_every_alert_says_that_a_hit_is_no_reason_for_a_stop(
    page: Page, double: Double
) -> None:
    await page.sign_in()
    for fragment in (True, False):
        answer = await page.get(f"/alerts/{await raised(double)}", fragment=fragment)
        assert NOT_PROBABLE_CAUSE in answer.text


@pytest.mark.policy("131.6-4a")
async def test_a_refused_step_shows_its_clause_and_costs_no_words(
    page: Page, double: Double
) -> None:
    await page.sign_in()
    alert_id = await raised(double)
    form = {"expected_sequence": "1", "characters_match": "true"}
    answer = await page.post(f"/alerts/{alert_id}/accept", form, fragment=True)
    assert answer.status_code == 422
    assert "The state of issuance has not been verified by eye" in answer.text
    assert '<span class="clause">131.6-4a</span>' in answer.text
    assert 'name="characters_match" value="true" data-key="c" checked' in answer.text


@pytest.mark.policy("131.6-6")
async def test_an_alert_is_walked_to_its_end_without_any_script(page: Page, double: Double) -> None:
    await page.sign_in()
    alert_id = await raised(double)
    ticks = {"characters_match": "true", "state_matches": "true"}
    steps = [
        ("accept", {"expected_sequence": "1", **ticks}, 303),
        ("status", {"expected_sequence": "2", "answer": "confirmed", "source": "leads"}, 303),
        ("enforce", {"expected_sequence": "3", "incident_number": " "}, 422),
        ("enforce", {"expected_sequence": "3", "incident_number": "26-004711"}, 303),
    ]
    for step, form, status in steps:
        answer = await page.post(f"/alerts/{alert_id}/{step}", form)
        assert answer.status_code == status, answer.text
    shown = (await page.get(f"/alerts/{alert_id}")).text
    assert "Incident 26-004711" in shown
    assert "Answered by leads" in shown
    assert "Nothing more is to be done here" in shown


async def test_a_step_that_came_second_is_told_kindly_who_was_first(
    page: Page, double: Double
) -> None:
    await page.sign_in()
    alert_id = await raised(double)
    key = next(iter(double.alerts))
    move = alerts.reject(double.alerts[key], alerts.RejectionReason.NOT_THE_VEHICLE)
    await double.step(key, "okafor", move)
    form = {"expected_sequence": "1", "characters_match": "true", "state_matches": "true"}
    answer = await page.post(f"/alerts/{alert_id}/accept", form, fragment=True)
    assert answer.status_code == 409
    assert "Ofc. Chidi Okafor, officer was a moment earlier" in answer.text
    assert 'class="refusal"' not in answer.text


async def test_a_look_alike_asks_for_each_differing_position(page: Page, double: Double) -> None:
    await page.sign_in()
    seen = Sighting("DP0517", listed_as="DPO517", category="stolen_vehicle", uncertain={2: 0.6})
    alert_id = await raised(double, seen)
    form = {"expected_sequence": "1", "characters_match": "true", "state_matches": "true"}
    refused = await page.post(f"/alerts/{alert_id}/accept", form, fragment=True)
    assert "position 3 (read 0, listed O)" in refused.text
    ticked = {**form, "checked_positions": "2"}
    assert (await page.post(f"/alerts/{alert_id}/accept", ticked)).status_code == 303


@pytest.mark.policy("131.6-1")
async def test_lapsed_training_is_told_with_its_clause_on_every_page(page: Page) -> None:
    await page.sign_in("lapsed")
    for path in ("/board", "/hotlist"):
        answer = await page.get(path)
        assert "LEADS training is not current" in answer.text, path
        assert "131.6-1" in answer.text, path


@pytest.mark.policy("131.7-3a", "131.7-3b")
async def test_a_search_without_a_purpose_is_refused_and_with_one_found(
    page: Page, double: Double
) -> None:
    await page.sign_in()
    await raised(double)
    now = datetime.now(UTC)
    form = {
        "plate": "BG7*", "case_number": "26-018834", "attested": "true",
        "suspicion": "The victim saw the vehicle on York Road",
        "from": (now - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M"),
        "to": now.strftime("%Y-%m-%dT%H:%M"),
    }  # fmt: skip
    refused = await page.post("/search", form, fragment=True)
    assert refused.status_code == 422
    assert "131.7-3a" in refused.text
    assert not double.searches
    found = await page.post("/search", {**form, "purpose": "stolen_vehicle"}, fragment=True)
    assert found.status_code == 200
    assert "BG73914" in found.text
    asked = double.searches[0]
    assert asked["from"].endswith(("-06:00", "-05:00")), "typed times are the agency's, with offset"
    assert "found-look" in found.text
    assert not double.picture_views, "pictures are looked at one by one, each recorded"


@pytest.mark.policy("131.6-7")
async def test_an_entry_by_hand_needs_its_reason_and_then_stands_on_the_list(
    page: Page, double: Double
) -> None:
    await page.sign_in()
    until = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    form = {"plate": "xy 4471", "category": "stolen_plate", "expires_at": until}
    refused = await page.post("/hotlist", form)
    assert refused.status_code == 400
    assert "131.6-7" in refused.text
    assert 'value="xy 4471"' in refused.text
    added = await page.post("/hotlist", {**form, "reason": "Taken off a parked car"})
    assert added.status_code == 303
    assert "XY4471" in (await page.get("/hotlist")).text
    entry = (await page.get(added.headers["location"])).text
    assert "Taken off a parked car" in entry
    entry_id = next(iter(double.entries))
    assert (await page.post(f"/hotlist/{entry_id}/retract", {"reason": " "})).status_code == 400
    await page.post(f"/hotlist/{entry_id}/retract", {"reason": "Found"})
    assert "XY4471" not in (await page.get("/hotlist")).text
    assert "XY4471" in (await page.get("/hotlist?state=retracted")).text


async def test_a_file_is_imported_by_a_supervisor_and_its_bad_lines_are_named(page: Page) -> None:
    await page.sign_in("hale")
    assert "Import a file" in (await page.get("/hotlist")).text
    content = b"plate,category,reason\nAA1111,scofflaw,unpaid\n,scofflaw,unpaid\n"
    answer = await page.client.post(
        "/hotlist/import", data={"source": "scofflaw"},
        files={"file": ("list.csv", content, "text/csv")}, headers={"Origin": CONSOLE_URL},
    )  # fmt: skip
    assert answer.status_code == 200
    assert "Line 3: there is no plate" in answer.text


async def test_an_officer_is_not_offered_the_import(page: Page) -> None:
    await page.sign_in()
    assert "Import a file" not in (await page.get("/hotlist")).text


async def test_text_from_a_hot_list_cannot_become_markup(page: Page, double: Double) -> None:
    await page.sign_in()
    hostile = '"><script>alert(1)</script>'
    sighting = Sighting("BG73914", reason=hostile, caution=hostile, vehicle=hostile)
    html = (await page.get(f"/alerts/{await raised(double, sighting)}")).text
    assert "<script>alert" not in html
    assert "&lt;script&gt;" in html


async def test_a_service_that_is_away_is_said_in_words(double: Double, tmp_path: Path) -> None:
    app = build(settings_for(double, "http://127.0.0.1:1", tmp_path, CONSOLE_URL))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=CONSOLE_URL) as client:
        answer = await Page(client).post("/sign-in", {"username": "rivera", "password": PASSWORD})
    assert answer.status_code == 502
    assert "The sign-in service cannot be reached" in answer.text


async def test_a_link_from_another_system_is_followed_once_more_from_here(page: Page) -> None:
    headers = {
        "Accept": "text/html", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }  # fmt: skip
    path = f"/alerts/{uuid4()}"
    answer = await page.client.get(path, headers=headers)
    assert answer.status_code == 200
    assert f'content="0; url={path}"' in answer.text


def test_an_unknown_time_zone_is_refused_at_the_start() -> None:
    with pytest.raises(KeyError):
        Settings(time_zone="Atlantis/Capital")
