"""Signing in with a code, and setting up the second factor."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from alpr_common.errors import AlprError
from alpr_console.account_pages import qr_code
from alpr_console.cookies import CookieSeal
from alpr_console.sessions import Sessions
from tests.browser.support.rest_double import PASSWORD, Double
from tests.unit.console.conftest import Page

pytestmark = pytest.mark.policy("131.7-3c")

_FACTOR = "/v1/me/second-factor"
_URI = "otpauth://totp/ALPR:osei?secret=JBSWY3DPEHPK3PXP&issuer=ALPR"
_STEP = re.compile(r'name="code_step" value="([^"]+)"')


class CodeWrong(AlprError):
    status = 422
    title = "That is not the code"
    clause = "131.7-3c"


@pytest.fixture
def with_code(double: Double) -> Double:
    double.people["rivera"].code = "123456"
    return double


@pytest.fixture
def enrolling(double: Double) -> Double:
    double.people["osei"].must_enrol = True
    standing = {"confirmed_at": None, "required": True, "recovery_codes_left": 0}
    double.canned.answer("GET", _FACTOR, standing)
    double.canned.answer(
        "POST", _FACTOR, {"secret": "JBSWY3DPEHPK3PXP", "otpauth_uri": _URI, "confirm_until": "x"}
    )
    return double


async def first_step(page: Page, to: str = "/board") -> str:
    form = {"username": "rivera", "password": PASSWORD, "to": to}
    answer = await page.post("/sign-in", form)
    assert answer.status_code == 200
    assert "your password is right" in answer.text
    assert "set-cookie" not in answer.headers
    assert PASSWORD not in answer.text
    found = _STEP.search(answer.text)
    assert found
    return found[1]


async def test_the_code_is_asked_for_without_the_password_again(
    page: Page, with_code: Double
) -> None:
    step = await first_step(page, "/search")
    form = {"code_step": step, "code": " 123456 ", "to": "/search"}
    answer = await page.post("/sign-in/code", form)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/search"


async def test_a_wrong_code_is_refused_and_can_be_typed_again(
    page: Page, with_code: Double
) -> None:
    step = await first_step(page)
    refused = await page.post("/sign-in/code", {"code_step": step, "code": "000000"})
    assert refused.status_code == 401
    assert "You could not be signed in" in refused.text
    assert _STEP.search(refused.text)
    empty = await page.post("/sign-in/code", {"code_step": step, "code": " "})
    assert empty.status_code == 422
    assert "Type the code" in empty.text


async def test_a_step_that_is_not_this_consoles_begins_again(page: Page) -> None:
    answer = await page.post("/sign-in/code", {"code_step": "forged", "code": "123456"})
    assert answer.status_code == 401
    assert "That took too long" in answer.text
    assert 'name="username"' in answer.text


def test_a_step_ends_after_five_minutes() -> None:
    now = datetime(2026, 5, 4, 12, tzinfo=UTC)
    seal = CookieSeal.from_secrets(["k" * 32], "here")
    sessions = Sessions(
        seal, None, None, secure=False, lock_seconds=0, refresh_before_seconds=0,  # type: ignore[arg-type]
        now=lambda: now,
    )  # fmt: skip
    step = sessions.seal_code_step("ann", "secret")
    assert sessions.open_code_step(step) == ("ann", "secret")
    now += timedelta(minutes=5, seconds=1)
    assert sessions.open_code_step(step) is None


async def test_the_covered_page_asks_for_the_code_as_a_fragment(
    page: Page, with_code: Double
) -> None:
    form = {"username": "rivera", "password": PASSWORD}
    asked = await page.post("/sign-in", form, fragment=True)
    found = _STEP.search(asked.text)
    assert found
    assert "<html" not in asked.text
    form = {"code_step": found[1], "code": "123456"}
    answer = await page.post("/sign-in/code", form, fragment=True)
    assert answer.status_code == 204
    assert answer.headers["alpr-person"] == "person-rivera"


async def test_who_must_enrol_is_led_there_and_nowhere_else(page: Page, enrolling: Double) -> None:
    answer = await page.post("/sign-in", {"username": "osei", "password": PASSWORD})
    assert answer.headers["location"] == "/account/second-factor"
    for path in ("/", "/board", "/records", "/account", "/log"):
        led = await page.get(path)
        assert led.headers["location"] == "/account/second-factor", path
    fragment = await page.get("/records", fragment=True)
    assert fragment.status_code == 403
    assert fragment.headers["hx-redirect"] == "/account/second-factor"
    assert (await page.client.get("/session")).status_code == 200
    shown = (await page.get("/account/second-factor")).text
    assert "Your role signs in with a second factor" in shown
    assert "bar-nav" in shown
    assert 'href="/records"' not in shown


async def test_enrolling_shows_the_qr_code_and_then_the_recovery_codes_once(
    page: Page, enrolling: Double
) -> None:
    await page.post("/sign-in", {"username": "osei", "password": PASSWORD})
    begun = await page.post("/account/second-factor", {"password": PASSWORD})
    assert '<svg viewBox="0 0' in begun.text
    assert "JBSW Y3DP EHPK 3PXP" in begun.text
    assert enrolling.canned.sent("POST", _FACTOR) == [{"password": PASSWORD}]
    enrolling.canned.answer("POST", f"{_FACTOR}/confirm", CodeWrong("Type it again."))
    wrong = await page.post("/account/second-factor/confirm", {"uri": _URI, "code": "0"})
    assert wrong.status_code == 422
    assert "That is not the code" in wrong.text
    assert '<svg viewBox="0 0' in wrong.text
    enrolling.canned.answer("POST", f"{_FACTOR}/confirm", {"recovery_codes": ["abcd-efgh"]})
    enrolling.people["osei"].must_enrol = False
    done = await page.post("/account/second-factor/confirm", {"uri": _URI, "code": "123456"})
    assert "abcd-efgh" in done.text
    assert done.headers["cache-control"] == "no-store"
    assert enrolling.refreshes == 1
    assert (await page.get("/")).headers["location"] == "/records"


async def test_who_has_a_passkey_alone_makes_recovery_codes_that_are_shown_once(
    page: Page, double: Double
) -> None:
    await page.sign_in()
    standing = {
        "confirmed_at": None, "required": False, "recovery_codes_left": 0, "passkeys": 1
    }  # fmt: skip
    key = {
        "passkey_id": "key-1", "name": "Blue key", "is_synced": False,
        "created_at": "2026-11-24T12:00:00+00:00", "used_at": None,
    }  # fmt: skip
    double.canned.answer("GET", _FACTOR, standing)
    double.canned.answer("GET", "/v1/me/passkeys", {"items": [key], "next_cursor": None})
    double.canned.answer("GET", "/v1/sign-in-ways", {"passkeys": True, "providers": []})
    shown = (await page.get("/account/passkeys")).text
    assert 'action="/account/second-factor/recovery-codes"' in shown
    assert "only an administrator can let you in" in shown
    codes = f"{_FACTOR}/recovery-codes"
    double.canned.answer("POST", codes, {"recovery_codes": ["abcd-efgh"]})
    made = await page.post("/account/second-factor/recovery-codes", {"password": ""})
    assert "abcd-efgh" in made.text
    assert made.headers["cache-control"] == "no-store"
    assert double.canned.sent("POST", codes) == [{}]
    double.canned.answer("POST", codes, CodeWrong("Type your password."))
    refused = await page.post("/account/second-factor/recovery-codes", {"password": "x"})
    assert "Type your password." in refused.text
    assert 'id="codes" open' in refused.text


def test_a_qr_code_brings_nothing_that_the_pages_rules_forbid() -> None:
    drawn = qr_code(_URI)
    assert drawn.startswith("<svg")
    for foreign in ("style=", "<style", "<script", "http", "href"):
        assert foreign not in drawn


async def test_a_changed_password_ends_the_session_here_too(page: Page, double: Double) -> None:
    await page.sign_in()
    double.canned.answer("POST", "/v1/me/password")
    form = {"present": PASSWORD, "new": "violet-otter-93-violet", "again": "violet-otter-93-violet"}
    answer = await page.post("/account/password", form)
    assert answer.headers["location"] == "/sign-in?why=changed"
    assert (await page.get("/board")).status_code == 303
    assert double.canned.sent("POST", "/v1/me/password")[0]["new"] == form["new"]
