"""A camera from its registration to its retirement, over real services."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import numpy as np
import pytest
import pytest_asyncio
import simplejpeg
from playwright.async_api import Browser, Page, expect

from alpr_common.topics import FRAMES
from alpr_local.processes import Services
from tests.browser.support.real import Agency, agency_on
from tests.browser.support.station import Station
from tests.support.topics import everything
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.browser,
    pytest.mark.e2e,
    pytest.mark.integration,
    pytest.mark.timeout(600),  # of the first: starting everything on a busy machine too
    pytest.mark.asyncio(loop_scope="module"),
]

_WITHIN_SECONDS = 30
"""Of a change that ingest heeds within seconds."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def agency(services: Services) -> AsyncIterator[Agency]:
    async with agency_on(services) as opened:
        await opened.hires("reyes", "D/C Alma Reyes", "administrator")
        await opened.hires("osei", "Kwame Osei", "auditor")
        yield opened


async def sends(agency: Agency, credential: str) -> httpx.Response:
    """One grey frame, taken now."""
    jpeg = simplejpeg.encode_jpeg(np.full((240, 320, 3), 200, np.uint8), 90)
    now = datetime.now(UTC).isoformat()
    headers = {
        "Authorization": f"Camera {credential}", "Content-Type": "image/jpeg",
        "Alpr-Captured-At": now, "Alpr-Sent-At": now,
    }  # fmt: skip
    async with httpx.AsyncClient(base_url=agency.services.url("ingest"), timeout=30) as http:
        return await http.post("/v1/frames", content=jpeg, headers=headers)


async def answers(agency: Agency, credential: str, status: int) -> None:
    async def so() -> bool:
        return (await sends(agency, credential)).status_code == status

    await eventually(so, _WITHIN_SECONDS, what=f"frames are answered with {status}")


async def shown_credential(page: Page) -> str:
    return (await page.locator("#credential").inner_text()).strip()


@pytest.mark.policy("131.6-3a", "131.7-1a")
async def test_a_camera_sends_with_what_the_page_showed_until_the_page_ends_it(
    chromium: Browser, agency: Agency
) -> None:
    station = Station(chromium, agency)
    camera_id = f"elm-{uuid4().hex[:8]}"  # ids are never used again, not by a second try either
    async with station.at("reyes", "/new-camera") as reyes:
        page = reyes.page
        await page.get_by_label("Id for good").fill(camera_id)
        await page.get_by_label("Name", exact=True).fill("Elm Street, westbound")
        await page.get_by_label("Latitude").fill("41.84")
        await page.get_by_label("Longitude").fill("-87.95")
        await page.get_by_role("button", name="Add a rectangle").click()
        await page.get_by_role("button", name="Register the camera").click()
        await expect(page.locator("main")).to_contain_text("Its frames are refused until somebody")
        first = await shown_credential(page)
        refused = await sends(agency, first)
        assert (refused.status_code, refused.json()["clause"]) == (403, "131.6-3a")
        await page.get_by_role("link", name="Attest it").click()
        await page.get_by_label("The site").fill("Public roadway, Elm Street at York Road")
        await page.get_by_label("D/C Alma Reyes, attest this").check()
        await page.get_by_role("button", name="Sign the attestation").click()
        await expect(page.locator(".facts-list")).to_contain_text("D/C Alma Reyes")
        await answers(agency, first, 202)
        servers = agency.services.stack.kafka_bootstrap_servers
        frame, *_ = await eventually(
            lambda: everything(servers, FRAMES), _WITHIN_SECONDS, what="the frame is on the topic"
        )
        pixels = simplejpeg.decode_jpeg(frame.value)
        assert pixels[100:140, 132:188].max() < 16, "the rectangle in the middle is black"
        assert pixels[:80].min() > 180

        await page.get_by_text("Make a new credential").click()
        await page.get_by_label("The old credential stops working at once").check()
        await page.get_by_role("button", name="Make it").click()
        second = await shown_credential(page)
        await answers(agency, first, 401)
        assert (await sends(agency, second)).status_code == 202

        await reyes.goes_to(f"/cameras/{camera_id}")
        await page.get_by_text("Withdraw it").click()
        await page.get_by_role("button", name="Withdraw the attestation").click()
        await expect(page.locator(".standing")).to_have_text("not attested: refused")
        await answers(agency, second, 403)

        await page.get_by_text("Retire the camera").click()
        await page.get_by_label("Type its id").fill(camera_id)
        await page.get_by_role("button", name="Retire it for good").click()
        await expect(page.locator(".standing")).to_have_text("retired")
        await reyes.goes_to("/new-camera")
        await page.get_by_label("Id for good").fill(camera_id)
        await page.get_by_label("Mobile").check()
        await page.get_by_role("button", name="Register the camera").click()
        await expect(reyes.refusal).to_contain_text("A camera with this id is registered already")
    async with station.at("osei", f"/cameras/{camera_id}") as osei:
        await expect(osei.page.locator(".facts-list")).to_contain_text("Said not to be exposed")
        await expect(osei.page.locator("main form")).to_have_count(0)
        await osei.goes_to("/records")
        await osei.page.get_by_label("What").select_option(label="Registered a camera")
        await expect(osei.page.locator(".record").first).to_contain_text("D/C Alma Reyes")
        await expect(osei.page.locator(".record").first).to_contain_text(camera_id)


async def test_while_ingest_is_away_the_page_says_so(chromium: Browser, agency: Agency) -> None:
    agency.services.get("ingest").terminate()
    async with Station(chromium, agency).at("reyes", "/cameras") as reyes:
        await expect(reyes.refusal).to_contain_text("that takes the cameras' frames cannot be")
