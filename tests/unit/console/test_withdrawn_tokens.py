"""A token that a change of role or training withdrew is renewed once, and the call made again."""

from __future__ import annotations

import json

import pytest

from alpr_common.policy import Role
from tests.browser.support.rest_double import Double
from tests.unit.console.conftest import Page

pytestmark = pytest.mark.policy("131.6-2")


async def signed_in(page: Page, double: Double, username: str = "rivera") -> None:
    """Signed in, and changed since."""
    await page.sign_in(username)
    double.stale_tokens.update(double.issued)


async def test_the_page_comes_with_new_tokens_and_the_new_role(page: Page, double: Double) -> None:
    await signed_in(page, double)
    double.people["rivera"].role = Role.SUPERVISOR
    answer = await page.get("/hotlist")
    assert answer.status_code == 200
    assert double.refreshes == 1
    assert any("alpr-session=" in c for c in answer.headers.get_list("set-cookie"))
    assert 'href="/approvals"' in answer.text
    assert (await page.get("/hotlist")).status_code == 200
    assert double.refreshes == 1, "the new token counts"


async def test_what_was_sent_is_sent_again_once(page: Page, double: Double) -> None:
    await signed_in(page, double, "hale")
    double.canned.answer("POST", "/v1/holds/5a06ce26-6935-4ca7-83b0-d0e69349e69e/release", {})
    path = "/holds/5a06ce26-6935-4ca7-83b0-d0e69349e69e/release"
    answer = await page.post(path, {"reason": "The case is closed"})
    assert answer.status_code == 303
    assert len(double.canned.asked) == 1
    assert double.refreshes == 1


async def test_a_session_that_has_ended_asks_to_sign_in(page: Page, double: Double) -> None:
    await signed_in(page, double)
    double.refresh_tokens.clear()
    answer = await page.get("/hotlist")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?why=expired")


async def test_a_new_token_that_is_refused_too_asks_to_sign_in(page: Page, double: Double) -> None:
    await page.sign_in()
    double.stale_tokens = _Everything()
    answer = await page.get("/hotlist")
    assert answer.headers["location"].startswith("/sign-in?why=expired")
    assert double.refreshes == 1, "once, not for ever"


class _Everything(set[str]):
    def __contains__(self, token: object) -> bool:
        return token != ""


async def test_a_refused_stream_is_opened_with_a_new_token_that_reaches_the_browser(
    page: Page, double: Double
) -> None:
    await signed_in(page, double)
    double.refuses_streams = True  # so that the stream ends by itself
    answer = await page.get("/board/stream")
    assert double.refreshes == 1
    assert any("alpr-session=" in c for c in answer.headers.get_list("set-cookie"))
    assert json.loads(answer.text.split("data: ")[1].split("\n")[0])["status"] == 503


async def test_a_stream_of_an_ended_session_says_so(page: Page, double: Double) -> None:
    await signed_in(page, double)
    double.refresh_tokens.clear()
    answer = await page.get("/board/stream")
    assert "event: trouble" in answer.text
    assert json.loads(answer.text.split("data: ")[1].split("\n")[0])["status"] == 401
