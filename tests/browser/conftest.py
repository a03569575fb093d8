"""A real headless Chromium, and the console over the double for what real services do seldom."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from alpr_local import browser as local_browser
from tests.browser.support.console import console_on
from tests.browser.support.person import Person, person_at
from tests.browser.support.rest_double import PASSWORD, Double
from tests.browser.support.serving import Served, served

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


# Deadlines, not durations: a busy machine is no failure.
expect.set_options(timeout=40_000)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    executable = local_browser.executable()
    if executable is None:
        pytest.skip("needs Chromium: `make install` gets it, or says how")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=str(executable), args=list(_ARGUMENTS)
        )
        yield browser
        await browser.close()


@pytest.fixture(scope="module")
def module_double() -> Double:
    return Double()


@pytest.fixture(scope="module")
def api(module_double: Double) -> Iterator[Served]:
    with served(module_double.app) as running:
        yield running


@pytest.fixture(scope="module")
def console(
    module_double: Double, api: Served, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("console")
    with console_on(module_double, api.url, folder, heartbeat_seconds=0.5) as running:
        yield running


@pytest.fixture
def double(module_double: Double, api: Served) -> Double:
    module_double.forget()
    return module_double


@pytest_asyncio.fixture(loop_scope="module")
async def officer(chromium: Browser, console: Served, double: Double) -> AsyncIterator[Person]:
    """Officer Rivera at a desk, signed in, with the board open."""
    async with person_at(chromium, console.url) as person:
        await person.sign_in("rivera", PASSWORD)
        await person.is_live()
        yield person


@pytest_asyncio.fixture(loop_scope="module")
async def on_patrol(chromium: Browser, console: Served, double: Double) -> AsyncIterator[Person]:
    """Officer Rivera with a phone."""
    async with person_at(chromium, console.url, width=390, height=844, touch=True) as person:
        await person.sign_in("rivera", PASSWORD)
        await person.is_live()
        yield person
