"""Somebody at the console: what they do and see, in a page of a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Locator, Page, StorageState, expect

# A refusal is an answer with a status of its own, which Chromium also logs as an error.
_EXPECTED = (
    "Failed to load resource",
    "Response Status Error Code",
    "The AudioContext was not allowed to start",
)


class Person:
    """One page of one person."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda message: self._note(message.type, message.text))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not text.startswith(_EXPECTED):
            self.faults.append(text)

    async def goes_to(self, path: str) -> None:
        await self.page.goto(self.url + path)

    async def sign_in(self, username: str, password: str, path: str = "/board") -> None:
        await self.goes_to(path)
        await self.page.get_by_label("User name").fill(username)
        await self.page.get_by_label("Password").fill(password)
        await self.page.get_by_role("button", name="Sign in").click()

    async def is_live(self) -> None:
        await expect(self.page.locator("#live")).to_have_attribute("data-state", "live")

    def row(self, plate: str) -> Locator:
        return self.page.locator(".row").filter(has_text=plate)

    @property
    def alert(self) -> Locator:
        return self.page.locator("article.alert")

    @property
    def refusal(self) -> Locator:
        return self.page.locator(".refusal")

    async def opens(self, plate: str) -> None:
        await self.row(plate).get_by_role("link").click()
        await expect(self.alert).to_contain_text(plate)

    async def presses(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)

    async def looked(self) -> None:
        """Both pictures are really there."""
        for kind in ("plate", "frame"):
            image = self.page.locator(f".picture-{kind} img")
            await expect(image).to_be_visible()
            await expect(image).to_have_js_property("complete", True)
            assert await image.evaluate("image => image.naturalWidth") > 0, f"no {kind} picture"

    async def marks_the_page(self) -> None:
        """Leave a mark that a reload would wipe out."""
        await self.page.evaluate("window.notReloaded = true")

    async def was_not_reloaded(self) -> bool:
        return bool(await self.page.evaluate("window.notReloaded === true"))


@asynccontextmanager
async def person_at(
    chromium: Browser, url: str, *, width: int = 1440, height: int = 900, touch: bool = False,
    session: StorageState | None = None,
) -> AsyncIterator[Person]:  # fmt: skip
    """A fresh browser profile (with a session's cookies, if one is given); at the end it must have
    reported no fault of the page."""
    options: dict[str, Any] = {"viewport": {"width": width, "height": height}}
    if session is not None:
        options["storage_state"] = session
    if touch:
        options |= {"has_touch": True, "is_mobile": True, "device_scale_factor": 2}
    context = await chromium.new_context(**options)
    context.set_default_timeout(60_000)
    try:
        person = Person(await context.new_page(), url)
        yield person
        assert not person.faults, "\n".join(person.faults)
    finally:
        await context.close()
