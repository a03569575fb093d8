"""What the pages of cameras tell: when one was last heard, which masks are refused, no heading."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.browser.support.rest_double import Double
from tests.unit.console.conftest import Page
from tests.unit.console.test_camera_pages import BOW_TIE, MASK, NEW, place_form, registered

HEARD_AT = datetime(2026, 5, 4, 15, 0, tzinfo=UTC)


async def test_the_list_and_the_page_of_a_camera_tell_when_it_was_last_heard(
    page: Page, double: Double
) -> None:
    await page.sign_in("reyes")
    await registered(page)
    assert '<td data-label="Last frame">never</td>' in (await page.get("/cameras")).text
    assert "<dt>Last frame</dt><dd>never</dd>" in (await page.get("/cameras/elm-street")).text
    heard = replace(double.cameras["elm-street"], last_frame_at=HEARD_AT)
    double.cameras["elm-street"] = heard
    for path in ("/cameras", "/cameras/elm-street"):
        shown = (await page.get(path)).text
        assert 'datetime="2026-05-04T15:00:00.000+00:00"' in shown
        assert "data-age>4 May 2026 10:00:00 CDT</time>" in shown


async def test_a_heading_that_is_emptied_is_taken_away(page: Page, double: Double) -> None:
    await page.sign_in("reyes")
    await registered(page)
    answer = await page.post("/cameras/elm-street/place", place_form(heading_degrees=" "))
    assert answer.headers["location"] == "/cameras/elm-street?done=place#place"
    assert double.camera_changes == [{"heading_degrees": None}]
    assert double.cameras["elm-street"].heading_degrees is None
    assert "<dt>Looks</dt><dd>not stated</dd>" in (await page.get("/cameras/elm-street")).text
    none = place_form(heading_degrees="", was_heading_degrees="")
    assert "nothing" in (await page.post("/cameras/elm-street/place", none)).headers["location"]


@pytest.mark.policy("131.6-3a")
async def test_a_mask_that_crosses_itself_is_refused_beside_what_was_drawn(
    page: Page, double: Double
) -> None:
    await page.sign_in("reyes")
    new = await page.post("/cameras", {**NEW, "masks": f"{MASK}\n{BOW_TIE}"})
    assert new.status_code == 422
    assert "Mask 2 of 2" in new.text
    assert not double.cameras
    await registered(page)
    path = "/cameras/elm-street/masks"
    refused = await page.post(path, {"masks": BOW_TIE, "was_masks": MASK})
    assert refused.status_code == 422
    assert "A privacy mask crosses itself" in refused.text
    assert '<span class="clause">131.6-3a</span>' in refused.text
    assert f">{BOW_TIE}</textarea>" in refused.text
    assert len(double.cameras["elm-street"].privacy_masks[0]) == 4


async def test_a_mask_of_earlier_days_that_crosses_itself_is_pointed_out(
    page: Page, double: Double
) -> None:
    await page.sign_in("reyes")
    await registered(page)
    bow_tie = ((0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9))
    double.cameras["elm-street"] = replace(double.cameras["elm-street"], privacy_masks=(bow_tie,))
    shown = (await page.get("/cameras/elm-street")).text
    assert "mask 1 crosses itself: what overlaps is not covered" in shown
    renamed = await page.post("/cameras/elm-street/place", place_form(name="Elm"))
    assert renamed.status_code == 303, "other changes do not wait for it"
