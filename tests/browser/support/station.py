"""The people of an agency at its console."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

from playwright.async_api import Browser, StorageState, expect

from tests.browser.support.person import Person, person_at
from tests.browser.support.real import PASSWORD, Agency


def local(at: datetime) -> str:
    """A time as it is typed into the console's fields."""
    return at.astimezone(ZoneInfo("America/Chicago")).strftime("%Y-%m-%dT%H:%M")


class Station:
    """The people of an agency, each signed in once."""

    def __init__(self, chromium: Browser, agency: Agency) -> None:
        self.chromium = chromium
        self.agency = agency
        self._sessions: dict[str, StorageState] = {}

    @asynccontextmanager
    async def at(self, username: str, path: str) -> AsyncIterator[Person]:
        url, session = self.agency.console_url, self._sessions.get(username)
        async with person_at(self.chromium, url, session=session) as person:
            if session is None:
                await person.sign_in(username, PASSWORD, path)
                await expect(person.page.locator(".bar-name")).to_be_visible()
            else:
                await person.goes_to(path)
            yield person
            self._sessions[username] = await person.page.context.storage_state()
