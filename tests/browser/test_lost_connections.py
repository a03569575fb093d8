"""Requests that get lost on the way: who is told of which."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route, expect

from tests.browser.support.person import Person, person_at
from tests.browser.support.rest_double import PASSWORD, Double
from tests.browser.support.serving import Served

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

NOW = "2026-11-24T12:00:00+00:00"
ID = "5a06ce26-6935-4ca7-83b0-d0e69349e69e"
MAKING: dict[str, Any] = {
    "package_id": ID, "from": NOW, "to": NOW, "state": "preparing", "step": "records",
    "progress": 0.42, "failure": None, "asked_at": NOW, "prepared_at": None,
    "prepared_by": "Kwame Osei", "files": [], "summary": None,
}  # fmt: skip


class Lost:
    """A stretch of the way on which requests get lost, and how many did."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, route: Route) -> None:
        self.count += 1
        await route.abort("connectionfailed")


@pytest_asyncio.fixture(loop_scope="module")
async def auditor(chromium: Browser, console: Served, double: Double) -> AsyncIterator[Person]:
    """The auditor, whose audit is being prepared."""
    double.canned.answer("GET", f"/v1/audit/packages/{ID}", MAKING)
    double.canned.answer("GET", "/v1/searches", {"items": [], "next_cursor": None})
    async with person_at(chromium, console.url) as person:
        await person.sign_in("osei", PASSWORD, f"/audit/{ID}")
        await expect(person.page.get_by_text("Reading the records")).to_be_visible()
        yield person
        # htmx names the requests that got lost.
        assert all(fault.startswith("htmx:") for fault in person.faults), person.faults
        person.faults.clear()


async def test_nobody_is_told_of_a_look_that_the_page_takes_by_itself_and_it_looks_again(
    auditor: Person, double: Double
) -> None:
    address, lost = f"**/audit/{ID}/progress", Lost()
    await auditor.page.route(address, lost)
    for _ in range(2):
        async with auditor.page.expect_event("requestfailed"):
            pass
    assert lost.count >= 2
    await expect(auditor.page.locator("#told")).to_be_hidden()
    await auditor.page.unroute(address)
    failed = MAKING | {"state": "failed", "step": None, "failure": "Its object store was away."}
    double.canned.answer("GET", f"/v1/audit/packages/{ID}", failed)
    await expect(auditor.page.get_by_text("Its object store was away.")).to_be_visible()


async def test_who_asked_for_something_is_told_that_no_answer_came(auditor: Person) -> None:
    await auditor.goes_to("/records")
    await auditor.page.route("**/records?*", Lost())
    async with auditor.page.expect_event("requestfailed"):
        await auditor.page.evaluate("document.querySelector('form.filter').requestSubmit()")
    told = auditor.page.locator("#told")
    await expect(told).to_contain_text("no answer came. Try again.")
    await expect(told).not_to_contain_text("taken")
