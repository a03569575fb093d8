"""The registry tells when a camera was last heard, forgets a heading, and refuses blind masks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alpr_common.policy import Role
from tests.integration.ingest.ingest_under_test import OTHERS, IngestUnderTest
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration
SQUARE = [[0.1, 0.1], [0.4, 0.1], [0.4, 0.4], [0.1, 0.4]]
BOW_TIE = [[0.1, 0.1], [0.9, 0.9], [0.9, 0.1], [0.1, 0.9]]


async def last_frame_at(ingest: IngestUnderTest, camera_id: str) -> datetime | None:
    path, headers = f"/v1/cameras/{camera_id}", ingest.token(Role.OFFICER)
    told = (await ingest.http.get(path, headers=headers)).json()["last_frame_at"]
    return None if told is None else datetime.fromisoformat(told)


async def test_the_registry_tells_when_the_last_frame_was_taken_from_a_camera(
    ingest: IngestUnderTest,
) -> None:
    camera, silent = await ingest.camera("heard"), await ingest.camera("never-heard")
    registered = await ingest.http.get("/v1/cameras/heard", headers=ingest.token())
    assert registered.json()["last_frame_at"] is None
    started_at = datetime.now(UTC)
    hours_ago = (started_at - timedelta(hours=2)).isoformat()
    for _ in range(3):
        assert (
            await camera.send_patiently(None, **{"Alpr-Captured-At": hours_ago})
        ).status_code == 202
    assert (await silent.send_patiently(b"no picture")).status_code == 415

    async def is_told() -> bool:
        told = await last_frame_at(ingest, "heard")
        return told is not None and started_at <= told <= datetime.now(UTC)

    await eventually(is_told, 40, what="the time of the frame, by our clock, is in the registry")
    assert await last_frame_at(ingest, "never-heard") is None
    listed = await ingest.http.get(
        "/v1/cameras", params={"cursor": "hear", "limit": 1}, headers=ingest.token()
    )
    assert listed.json()["items"][0]["last_frame_at"] is not None
    after = (await ingest.http.get("/v1/cameras/heard", headers=ingest.token())).json()
    assert after["updated_at"] == registered.json()["updated_at"], "nobody has changed the camera"
    others = ingest.token(agency=OTHERS)
    assert (await ingest.http.get("/v1/cameras/heard", headers=others)).status_code == 404


async def test_what_ingest_has_noted_is_written_when_it_ends(ingest: IngestUnderTest) -> None:
    camera = await ingest.camera("last-words")
    second = ingest.services.start("ingest", instance="leaving")
    here = str(ingest.http.base_url)
    ingest.http.base_url = second.url
    try:
        assert (await camera.send_patiently()).status_code == 202
    finally:
        ingest.http.base_url = here
    second.terminate()

    async def is_told() -> bool:
        return await last_frame_at(ingest, "last-words") is not None

    await eventually(is_told, 30)


async def test_a_heading_is_taken_away_and_frames_carry_none_from_then_on(
    ingest: IngestUnderTest,
) -> None:
    camera = await ingest.camera("turned", heading_degrees=90)
    path, headers = "/v1/cameras/turned", ingest.token()
    renamed = await ingest.http.put(path, json={"name": "Turned"}, headers=headers)
    assert renamed.json()["heading_degrees"] == 90, "left out, it stays"
    cleared = await ingest.http.put(path, json={"heading_degrees": None}, headers=headers)
    assert cleared.status_code == 200
    assert cleared.json()["heading_degrees"] is None
    assert cleared.json()["name"] == "Turned"
    kept = await ingest.http.put(path, json={"name": None, "latitude": None}, headers=headers)
    assert (kept.json()["name"], kept.json()["latitude"]) == ("Turned", 41.78)
    assert (await camera.send_patiently()).status_code == 202
    ((frame, _),) = (await ingest.on_kafka())["turned"]
    assert frame.heading_degrees is None
    again = await ingest.http.put(path, json={"heading_degrees": 0}, headers=headers)
    assert again.json()["heading_degrees"] == 0


@pytest.mark.policy("131.6-3a")
async def test_masks_that_cross_themselves_are_refused_and_those_before_stay(
    ingest: IngestUnderTest,
) -> None:
    new = await ingest.register("crossing", privacy_masks=[SQUARE, BOW_TIE])
    assert (new.status_code, new.json()["clause"]) == (422, "131.6-3a")
    assert new.json()["type"] == "urn:alpr:problem:mask-crosses-itself"
    assert "Mask 2 of 2: its side from corner 1 meets the one from corner 3" in new.json()["detail"]
    assert (new.json()["mask"], new.json()["sides"]) == (2, [1, 3])
    path, headers = "/v1/cameras/crossing", ingest.token(Role.SUPERVISOR)
    assert (await ingest.http.get(path, headers=headers)).status_code == 404
    await ingest.camera("crossing", privacy_masks=[SQUARE])
    change = {"name": "y", "privacy_masks": [BOW_TIE], "expected_privacy_masks": [SQUARE]}
    refused = await ingest.http.put(path, json=change, headers=headers)
    assert (refused.status_code, refused.json()["clause"]) == (422, "131.6-3a")
    kept = (await ingest.http.get(path, headers=headers)).json()
    assert (kept["privacy_masks"], kept["name"]) == ([SQUARE], "crossing")
