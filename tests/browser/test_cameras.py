"""The camera registry in a real browser: masks drawn by pointer, by keys, by touch, and as text."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, FilePayload, Locator, Page, Route, expect

from alpr_ingest.domain import Attestation, Camera, CameraKind, Place, Polygon
from tests.browser.support.person import Person, person_at
from tests.browser.support.rest_double import PASSWORD, Double
from tests.browser.support.serving import Served
from tests.browser.support.sightings import AGENCY

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SQUARE: Polygon = ((0.2, 0.2), (0.4, 0.2), (0.4, 0.4), (0.2, 0.4))
ELM = Camera(
    "elm-street", AGENCY, "Elm Street, westbound", CameraKind.FIXED, Place(41.84, -87.95), 270.0,
    Attestation("Public roadway", True, "Sgt. Morgan Hale", NOW), (SQUARE,), b"\0" * 32, NOW, NOW,
    None,
)  # fmt: skip


@pytest.fixture
def elm(double: Double) -> Camera:
    double.cameras["elm-street"] = ELM
    return ELM


@pytest_asyncio.fixture(loop_scope="module")
async def reyes(chromium: Browser, console: Served, double: Double) -> AsyncIterator[Person]:
    """The administrator at a desk, signed in, at the list of cameras."""
    async with person_at(chromium, console.url) as person:
        await person.sign_in("reyes", PASSWORD, "/cameras")
        await expect(person.page.get_by_role("heading", name="Cameras")).to_be_visible()
        yield person


def a_picture(width: int = 640, height: int = 360, *, turned: bool = False) -> FilePayload:
    """A JPEG of a camera's view; `turned`: its EXIF asks for a quarter turn."""
    image, out = Image.new("RGB", (width, height), (70, 90, 110)), io.BytesIO()
    exif = Image.Exif()
    if turned:
        exif[0x0112] = 6
    image.save(out, "JPEG", exif=exif)
    return {"name": "view.jpg", "mimeType": "image/jpeg", "buffer": out.getvalue()}


def stage(page: Page) -> Locator:
    return page.locator("[data-mask-stage]")


async def spot(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a fraction of the picture is on the screen."""
    await stage(page).evaluate("stage => stage.scrollIntoView({ block: 'center' })")
    box = await stage(page).bounding_box()
    assert box is not None
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


async def clicks(page: Page, *corners: tuple[float, float]) -> None:
    for corner in corners:
        await page.mouse.click(*await spot(page, *corner))


async def saves(page: Page) -> None:
    await page.get_by_role("button", name="Save the masks").click()
    await expect(page.locator(".done-well")).to_contain_text("Saved.")


def corners(double: Double, mask: int = 0) -> list[tuple[float, float]]:
    return list(double.cameras["elm-street"].privacy_masks[mask])


@pytest.mark.policy("131.6-3a")
async def test_a_camera_is_registered_with_a_mask_drawn_over_a_picture_that_never_leaves(
    reyes: Person, double: Double
) -> None:
    page, sent = reyes.page, []
    await page.get_by_role("link", name="Register a camera").click()
    await page.get_by_label("Id for good").fill("elm-street")
    await page.get_by_label("Latitude").fill("41.84")
    await page.get_by_label("Longitude").fill("-87.95")
    page.on("request", lambda request: sent.append(request))
    await page.locator("[data-mask-file]").set_input_files(a_picture())
    await expect(page.locator("[data-mask-picture]")).to_be_visible()
    await page.get_by_role("button", name="Draw a mask").click()
    await clicks(page, (0.1, 0.1), (0.5, 0.1), (0.5, 0.6), (0.1, 0.1))
    await expect(page.locator("polygon")).to_have_count(1)
    assert not [request.url for request in sent if request.post_data_buffer], "nothing is sent yet"
    await page.get_by_label("The site").fill("Public roadway, Elm Street at York Road")
    await page.get_by_label("D/C Alma Reyes, attest this").check()
    await page.get_by_role("button", name="Register the camera").click()
    await expect(page.locator("#credential")).to_contain_text("elm-street.")
    (form,) = [request.post_data_buffer for request in sent if request.post_data_buffer]
    assert b"camera_id=elm-street" in form
    assert b"view.jpg" not in form
    camera = double.cameras["elm-street"]
    assert camera.is_attested
    assert [pytest.approx(c, abs=0.005) for c in ((0.1, 0.1), (0.5, 0.1), (0.5, 0.6))] == [
        *camera.privacy_masks[0]
    ]


async def test_the_credential_is_copied_and_not_shown_again(reyes: Person, elm: Camera) -> None:
    page = reyes.page
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await reyes.goes_to("/cameras/elm-street")
    await page.get_by_text("Make a new credential").click()
    await page.get_by_role("button", name="Make it").click()
    await expect(reyes.refusal).to_contain_text("It still works.")
    await page.get_by_label("The old credential stops working at once").check()
    await page.get_by_role("button", name="Make it").click()
    shown = (await page.locator("#credential").inner_text()).strip()
    await page.get_by_role("button", name="Copy it").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == shown
    await page.get_by_role("link", name="I have it in place").click()
    await expect(page.locator("#retire")).to_be_visible()
    assert shown not in await page.content()


async def test_a_mask_is_drawn_changed_and_undone_with_keys_alone(
    reyes: Person, double: Double, elm: Camera
) -> None:
    page = reyes.page
    await reyes.goes_to("/cameras/elm-street")
    await page.get_by_role("button", name="Draw a mask").focus()
    await reyes.presses("Enter", "Enter")  # begins, and sets a corner at the cross, in the middle
    await reyes.presses(*["ArrowRight"] * 10, "Enter", *["ArrowDown"] * 10, " ", "Backspace", " ")
    await page.get_by_role("button", name="Close the mask").focus()
    await reyes.presses("Enter")
    await expect(page.locator("polygon")).to_have_count(2)
    await expect(page.locator("[data-mask-warning]")).to_have_text("Not saved yet.")
    handle = page.get_by_role("button", name="Mask 2, corner 3")
    await handle.focus()
    await reyes.presses("ArrowLeft", "Shift+ArrowUp")
    await expect(handle).to_be_focused()
    await expect(handle).to_have_attribute("aria-label", re.compile(r": 0\.59 across, 0\.599 down"))
    await reyes.presses("Delete")  # an area needs three
    await expect(page.locator(".mask-corner")).to_have_count(3)
    await page.get_by_role("button", name="A corner after corner 3 of mask 2").press("Enter")
    await expect(page.get_by_label("Mask 2, corner 4, across")).to_be_focused()
    await page.get_by_label("Mask 2, corner 4, across").fill("0.45")
    await page.get_by_label("Mask 2, corner 4, down").fill("0.6")
    await reyes.presses("Enter")  # sends nothing
    await page.get_by_role("button", name="Remove corner 1 of mask 2").press("Enter")
    await page.get_by_role("button", name="Undo").press("Enter")
    await expect(page.locator(".mask-corner")).to_have_count(4)
    await saves(page)
    assert corners(double) == list(SQUARE)
    assert corners(double, 1) == [(0.5, 0.5), (0.6, 0.5), (0.59, 0.599), (0.45, 0.6)]


async def test_a_rectangle_is_added_and_escape_gives_a_drawing_up(
    reyes: Person, double: Double, elm: Camera
) -> None:
    page = reyes.page
    await reyes.goes_to("/cameras/elm-street")
    await page.get_by_role("button", name="Draw a mask").click()
    await clicks(page, (0.1, 0.1), (0.5, 0.1))
    await reyes.presses("Escape")
    await expect(page.locator("polyline")).to_have_count(0)
    await expect(page.get_by_role("button", name="Draw a mask")).to_be_focused()
    await page.get_by_role("button", name="Add a rectangle").click()
    await expect(page.get_by_role("button", name="Mask 2, corner 1")).to_be_focused()
    await page.get_by_role("button", name="Remove mask 1").click()
    await saves(page)
    assert len(double.cameras["elm-street"].privacy_masks) == 1
    assert corners(double)[0] == (0.4, 0.4)


async def test_corners_are_dragged_new_ones_from_between_and_the_mask_stays_chosen(
    reyes: Person, double: Double, elm: Camera
) -> None:
    page = reyes.page
    await reyes.goes_to("/cameras/elm-street")
    await clicks(page, (0.3, 0.3))
    await expect(page.locator(".mask-corner")).to_have_count(4)
    for start, end in (((0.2, 0.2), (0.1, 0.1)), ((0.4, 0.3), (0.8, 0.3))):
        await page.mouse.move(*await spot(page, *start))
        await page.mouse.down()
        await page.mouse.move(*await spot(page, *end), steps=3)
        await page.mouse.up()
    await expect(page.locator(".mask-corner")).to_have_count(5)
    await saves(page)
    expected = [(0.1, 0.1), (0.4, 0.2), (0.8, 0.3), (0.4, 0.4), (0.2, 0.4)]
    assert corners(double) == [pytest.approx(corner, abs=0.005) for corner in expected]


async def test_a_thumb_drags_a_corner_and_the_page_stays_where_it_is(
    chromium: Browser, console: Served, double: Double, elm: Camera
) -> None:
    async with person_at(chromium, console.url, width=390, height=844, touch=True) as reyes:
        page = reyes.page
        await reyes.sign_in("reyes", PASSWORD, "/cameras/elm-street")
        await page.get_by_role("button", name="Mask 1: 4 corners").tap()
        await expect(page.locator(".mask-corner")).to_have_count(4)
        start = await spot(page, 0.2, 0.2)
        before = await page.evaluate("scrollY")
        touch = await page.context.new_cdp_session(page)
        for kind, points in (
            ("touchStart", [start]),
            *(("touchMove", [(start[0] - step, start[1] - 2 * step)]) for step in (4, 12, 20)),
            ("touchEnd", []),
        ):
            await touch.send(
                "Input.dispatchTouchEvent",
                {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]},
            )
        assert await page.evaluate("scrollY") == before
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, "nothing reaches beyond the screen"
        await saves(page)
    assert corners(double)[0][0] < 0.17
    assert corners(double)[1:] == list(SQUARE[1:])


async def test_a_picture_is_shown_as_it_is_stored_not_as_its_exif_turns_it(
    reyes: Person, elm: Camera
) -> None:
    page = reyes.page
    await reyes.goes_to("/cameras/elm-street")
    picture = page.locator("[data-mask-picture]")
    for turned in (False, True):
        await page.locator("[data-mask-file]").set_input_files(a_picture(turned=turned))
        await expect(picture).to_be_visible()
        assert await picture.evaluate("canvas => [canvas.width, canvas.height]") == [640, 360]
        await page.get_by_role("button", name="Plain grid again").click()
        await expect(picture).to_be_hidden()
    no_picture: FilePayload = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"none"}
    await page.locator("[data-mask-file]").set_input_files(no_picture)
    await expect(page.get_by_text("This file is no picture")).to_be_visible()


@pytest.mark.policy("131.6-3a")
async def test_the_text_of_the_masks_draws_and_what_it_cannot_mean_is_named_on_the_spot(
    reyes: Person, double: Double, elm: Camera
) -> None:
    page = reyes.page
    await reyes.goes_to("/cameras/elm-street")
    await page.get_by_text("The masks as text").click()
    text = page.locator("[name=masks]")
    await expect(text).to_have_value("0.2,0.2 0.4,0.2 0.4,0.4 0.2,0.4")
    await text.fill("0,0 1,0 1.5,1")
    await expect(page.locator("[data-mask-text-problem]")).to_contain_text("outside the picture")
    await expect(stage(page)).to_have_attribute("inert", "")
    await page.get_by_role("button", name="Save the masks").click()
    await expect(reyes.refusal).to_contain_text("corner 3 (1.5,1) lies outside the picture")
    await expect(reyes.refusal).to_contain_text("131.6-3a")
    await expect(text).to_have_value("0,0 1,0 1.5,1")
    await text.fill("0.1,0.1 0.9,0.9 0.9,0.1 0.1,0.9")
    await expect(page.locator("polygon")).to_have_count(1)
    await expect(page.locator("[data-mask-warning]")).to_contain_text("Mask 1 crosses itself")
    await page.get_by_role("button", name="Save the masks").click()
    await expect(reyes.refusal).to_contain_text("A privacy mask crosses itself")
    await expect(reyes.refusal).to_contain_text("131.6-3a")
    await expect(text).to_have_value("0.1,0.1 0.9,0.9 0.9,0.1 0.1,0.9")
    assert corners(double) == list(SQUARE)
    await page.get_by_text("The masks as text").click()
    await text.fill("0.1,0.1 0.9,0.1 0.9,0.9 0.1,0.9")
    await expect(page.locator("[data-mask-warning]")).to_have_text("Not saved yet.")
    await saves(page)
    assert corners(double)[2] == (0.9, 0.9)


async def test_a_mask_that_nobody_closed_is_saved_with_the_others(
    reyes: Person, double: Double, elm: Camera
) -> None:
    page = reyes.page
    await reyes.goes_to("/cameras/elm-street")
    await page.get_by_role("button", name="Draw a mask").click()
    await clicks(page, (0.6, 0.6), (0.9, 0.6), (0.9, 0.9))
    await saves(page)
    assert len(double.cameras["elm-street"].privacy_masks) == 2


async def test_a_colleagues_masks_are_shown_before_they_are_replaced(
    reyes: Person, double: Double, elm: Camera
) -> None:
    page = reyes.page
    await reyes.goes_to("/cameras/elm-street")
    theirs: Polygon = ((0.0, 0.0), (0.1, 0.0), (0.1, 0.1))
    double.cameras["elm-street"] = replace(elm, privacy_masks=(SQUARE, theirs))
    await page.get_by_role("button", name="Add a rectangle").click()
    await page.get_by_role("button", name="Save the masks").click()
    await expect(reyes.refusal).to_contain_text("Somebody else changed the masks meanwhile")
    await page.get_by_text("The masks as they are now").click()
    await expect(page.locator("pre")).to_contain_text("0,0 0.1,0 0.1,0.1")
    await expect(page.locator("polygon")).to_have_count(2)
    await saves(page)
    assert corners(double, 1)[0] == (0.4, 0.4)


async def test_what_was_typed_before_the_scripts_came_is_where_the_drawing_begins(
    reyes: Person, double: Double, elm: Camera
) -> None:
    page = reyes.page
    asked_for, may_come = asyncio.Event(), asyncio.Event()

    async def comes_late(route: Route) -> None:
        asked_for.set()
        await may_come.wait()
        await route.continue_()

    await page.route("**/masks.js*", comes_late)
    await page.goto(f"{reyes.url}/cameras/elm-street", wait_until="commit")
    await expect(page.locator("polygon")).to_have_count(1)  # drawn without them
    await page.locator("[name=masks]").fill("0,0 1,0 1,1\n0,0 0.5,0 0.5,0.5")
    await asked_for.wait()
    may_come.set()
    await expect(page.locator("polygon")).to_have_count(2)
    await expect(page.locator("[name=masks]")).to_be_focused()
    await saves(page)
    assert corners(double, 1) == [(0, 0), (0.5, 0), (0.5, 0.5)]


async def test_without_scripts_the_masks_are_a_text_and_everything_else_works(
    chromium: Browser, console: Served, double: Double, elm: Camera
) -> None:
    context = await chromium.new_context(java_script_enabled=False)
    try:
        reyes = Person(await context.new_page(), console.url)
        page = reyes.page
        await reyes.sign_in("reyes", PASSWORD, "/cameras/elm-street")
        await expect(page.locator("polygon")).to_have_count(1)
        await expect(page.get_by_role("button", name="Draw a mask")).to_be_hidden()
        await page.locator("[name=masks]").fill("0,0 0.5,0 0.5,0.5")
        await saves(page)
        await page.get_by_text("Retire the camera").click()
        await page.get_by_label("Type its id").fill("elm-street")
        await page.get_by_role("button", name="Retire it for good").click()
        await expect(page.locator(".done-well")).to_contain_text("The camera is retired.")
    finally:
        await context.close()
    assert corners(double) == [(0, 0), (0.5, 0), (0.5, 0.5)]
    assert double.cameras["elm-street"].retired_at is not None
