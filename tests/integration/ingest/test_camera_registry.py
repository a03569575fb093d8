"""Cameras: who registers them, what that is worth, and how soon a change counts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import httpx
import numpy as np
import pytest
import simplejpeg

from alpr_common.messages.audit import AuditRecord
from alpr_common.policy import Role
from alpr_common.topics import AUDIT
from tests.integration.ingest.ingest_under_test import (
    OTHERS,
    IngestUnderTest,
    picture,
)
from tests.support.topics import everything
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration
LEFT_HALF = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]


async def test_a_frame_is_on_kafka_when_it_is_acknowledged(ingest: IngestUnderTest) -> None:
    camera = await ingest.camera("first", heading_degrees=90)
    jpeg = picture(77)
    response = await camera.send_patiently(jpeg)
    assert response.status_code == 202
    ((frame, received),) = (await ingest.on_kafka())["first"]
    assert received.value == jpeg
    assert received.key == b"first"
    assert (frame.agency_id, frame.latitude, frame.heading_degrees) == ("IL0222900", 41.78, 90)
    assert str(frame.frame_id) == response.json()["frame_id"]
    assert b"-" in received.headers["traceparent"]


@pytest.mark.policy("131.6-3a")
async def test_masks_are_burned_into_what_is_on_kafka(ingest: IngestUnderTest) -> None:
    camera = await ingest.camera("masked", privacy_masks=[LEFT_HALF])
    assert (await camera.send_patiently(picture(200))).status_code == 202
    ((frame, received),) = (await ingest.on_kafka())["masked"]
    pixels = simplejpeg.decode_jpeg(received.value)
    assert pixels.shape[:2] == (frame.height, frame.width) == (240, 320)
    assert pixels[:, :161].max() < 16
    assert np.abs(pixels[:, 176:].astype(int) - 200).max() < 6


@pytest.mark.policy("131.6-3a")
async def test_of_people_who_change_the_same_masks_at_once_one_is_taken_and_the_others_are_told(
    ingest: IngestUnderTest,
) -> None:
    await ingest.camera("contested", privacy_masks=[LEFT_HALF])
    path, headers = "/v1/cameras/contested", ingest.token(Role.SUPERVISOR)

    async def add(corner: float) -> httpx.Response:
        masks = [LEFT_HALF, [[corner, 0], [1, 0], [1, 1]]]
        change = {"privacy_masks": masks, "expected_privacy_masks": [LEFT_HALF]}
        return await ingest.http.put(path, json=change, headers=headers)

    answers = await asyncio.gather(*(add(0.5 + 0.01 * number) for number in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    (taken,) = [answer.json() for answer in answers if answer.status_code == 200]
    refused = next(answer.json() for answer in answers if answer.status_code == 409)
    assert refused["type"] == "urn:alpr:problem:masks-changed-meanwhile"
    assert refused["title"] == "Somebody else changed the masks meanwhile"
    assert refused["clause"] == "131.6-3a"
    assert "It has 2 masks now" in refused["detail"]
    kept = (await ingest.http.get(path, headers=headers)).json()
    assert kept["privacy_masks"] == taken["privacy_masks"]
    change = {"privacy_masks": [], "expected_privacy_masks": kept["privacy_masks"]}
    assert (await ingest.http.put(path, json=change, headers=headers)).status_code == 200
    change = {"privacy_masks": [LEFT_HALF], "expected_privacy_masks": []}
    assert (await ingest.http.put(path, json=change, headers=headers)).status_code == 200
    whatever = await ingest.http.put(path, json={"privacy_masks": []}, headers=headers)
    assert whatever.json()["privacy_masks"] == []


@pytest.mark.policy("131.6-3a")
async def test_an_unattested_camera_is_refused_until_somebody_attests(
    ingest: IngestUnderTest,
) -> None:
    camera = await ingest.camera("unattested", attestation=None)
    refused = await camera.send_patiently()
    assert (refused.status_code, refused.json()["clause"]) == (403, "131.6-3a")
    attested = await ingest.http.put(
        "/v1/cameras/unattested",
        json={"attestation": {"site_description": "a road", "exposed_to_public_view": True}},
        headers=ingest.token(Role.SUPERVISOR),
    )
    assert attested.json()["attestation"]["attested_by"] == "Deputy Chief Ray"
    assert (await camera.send_patiently()).status_code == 202


async def test_a_renewed_credential_counts_at_once(ingest: IngestUnderTest) -> None:
    camera = await ingest.camera("renewed")
    assert (await camera.send_patiently()).status_code == 202
    old = camera.credential
    renewed = await ingest.http.post("/v1/cameras/renewed/credential", headers=ingest.token())
    camera.credential = renewed.json()["credential"]
    assert (await camera.send_patiently()).status_code == 202
    camera.credential = old
    assert (await camera.send_patiently()).status_code == 401


async def test_a_retired_camera_sends_no_more(ingest: IngestUnderTest) -> None:
    camera = await ingest.camera("retired")
    assert (await camera.send_patiently()).status_code == 202
    for _ in range(2):
        retired = await ingest.http.post("/v1/cameras/retired/retire", headers=ingest.token())
        assert retired.status_code == 200
    assert (await camera.send_patiently()).json()["type"] == "urn:alpr:problem:camera-retired"


async def test_a_change_made_by_another_process_counts_within_seconds(
    ingest: IngestUnderTest,
) -> None:
    camera = await ingest.camera("elsewhere")
    assert (await camera.send_patiently()).status_code == 202
    second = ingest.services.start("ingest", instance="second")
    async with httpx.AsyncClient(base_url=second.url, timeout=30) as http:
        retired = await http.post("/v1/cameras/elsewhere/retire", headers=ingest.token())
        assert retired.status_code == 200
    second.terminate()

    async def is_refused() -> bool:
        return (await camera.send_patiently()).status_code == 403

    await eventually(is_refused, 30, interval_seconds=0.2)


@pytest.mark.parametrize("role", [Role.OFFICER, Role.CSO, Role.DISPATCHER, Role.AUDITOR])
async def test_officers_may_look_at_the_registry_but_not_change_it(
    ingest: IngestUnderTest, role: Role
) -> None:
    headers = ingest.token(role)
    assert (await ingest.http.get("/v1/cameras", headers=headers)).status_code == 200
    form = {"camera_id": "x", "name": "x", "latitude": 1, "longitude": 2}
    refused = await ingest.http.post("/v1/cameras", json=form, headers=headers)
    assert refused.status_code == 403


async def test_nobody_sees_the_registry_without_signing_in(ingest: IngestUnderTest) -> None:
    assert (await ingest.http.get("/v1/cameras")).status_code == 401


async def test_another_agency_neither_sees_nor_takes_nor_changes_a_camera(
    ingest: IngestUnderTest,
) -> None:
    await ingest.camera("ours")
    others = ingest.token(agency=OTHERS)
    listed = (await ingest.http.get("/v1/cameras", headers=others)).json()["items"]
    assert "ours" not in [camera["camera_id"] for camera in listed]
    assert (await ingest.http.get("/v1/cameras/ours", headers=others)).status_code == 404
    form = {"camera_id": "ours", "name": "x", "latitude": 1, "longitude": 2}
    taken = await ingest.http.post("/v1/cameras", json=form, headers=others)
    assert taken.status_code == 409
    for change in ("retire", "credential"):
        answer = await ingest.http.post(f"/v1/cameras/ours/{change}", headers=others)
        assert answer.status_code == 404
    answer = await ingest.http.put("/v1/cameras/ours", json={"name": "y"}, headers=others)
    assert answer.status_code == 404


async def test_the_list_is_walked_page_by_page(ingest: IngestUnderTest) -> None:
    for number in range(5):
        await ingest.register(f"page-{number}")
    headers, seen = ingest.token(), list[str]()
    cursor: str | None = "page-"
    while cursor is not None:
        page = await ingest.http.get(
            "/v1/cameras", params={"cursor": cursor, "limit": 2}, headers=headers
        )
        seen += [camera["camera_id"] for camera in page.json()["items"]]
        cursor = page.json()["next_cursor"]
    assert [s for s in seen if s.startswith("page-")] == [f"page-{n}" for n in range(5)]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize(
    "fields",
    [
        {"camera_id": "../etc"},
        {"camera_id": "a/b"},
        {"camera_id": ""},
        {"latitude": None, "longitude": None},
        {"latitude": 91},
        {"privacy_masks": [[[0, 0], [1, 1]]]},
        {"privacy_masks": [[[0, 0], [1, 1], [0, 1.5]]]},
        {"kind": "drone"},
        {"heading_degrees": 360},
        {"expected_privacy_masks": []},
    ],
)
async def test_a_camera_that_makes_no_sense_is_not_registered(
    ingest: IngestUnderTest, fields: dict[str, object]
) -> None:
    form = {"camera_id": "nonsense", **fields}
    assert (await ingest.register(**form)).status_code == 422  # type: ignore[arg-type]


async def test_what_people_do_to_cameras_is_told_to_the_log(ingest: IngestUnderTest) -> None:
    await ingest.camera("logged")
    await ingest.http.put("/v1/cameras/logged", json={"name": "new"}, headers=ingest.token())
    await ingest.http.post("/v1/cameras/logged/credential", headers=ingest.token())
    await ingest.http.post("/v1/cameras/logged/retire", headers=ingest.token())

    async def actions() -> list[str]:
        found = await everything(ingest.services.stack.kafka_bootstrap_servers, AUDIT)
        records = [AuditRecord.from_bytes(r.value or b"") for r in found]
        ours = [r for r in records if r.subject == "camera:logged"]
        assert all(r.person_name == "Deputy Chief Ray" for r in ours)
        return [r.action for r in ours]

    expected = [
        "camera.registered", "camera.changed", "camera.credential.renewed", "camera.retired"
    ]  # fmt: skip

    async def told() -> bool:
        return await actions() == expected

    await eventually(told, 60, interval_seconds=0.3)


async def test_no_credential_can_be_found_in_the_database(ingest: IngestUnderTest) -> None:
    camera = await ingest.camera("secret")
    shown = await ingest.http.get("/v1/cameras/secret", headers=ingest.token())
    secret = camera.credential.rpartition(".")[2]
    assert secret not in shown.text
    assert "credential" not in shown.json()


@pytest.mark.parametrize("framing", ["Content-Length: 1073741824", "Transfer-Encoding: chunked"])
async def test_an_endless_picture_is_refused_and_the_connection_ended(
    ingest: IngestUnderTest, framing: str
) -> None:
    camera = await ingest.camera(f"endless-{framing[:7]}")
    now = datetime.now(UTC).isoformat()
    reader, writer = await asyncio.open_connection("127.0.0.1", ingest.http.base_url.port)
    writer.write(
        f"POST /v1/frames HTTP/1.1\r\nHost: ingest\r\nAuthorization: Camera {camera.credential}"
        f"\r\nAlpr-Captured-At: {now}\r\nAlpr-Sent-At: {now}\r\n{framing}\r\n\r\n".encode()
    )
    given = 0

    async def send_on() -> None:
        nonlocal given
        block = b"\xff\xd8" * 32768
        piece = b"10000\r\n" + block + b"\r\n" if "chunked" in framing else block
        while given < 512 * 1024**2:
            writer.write(piece)
            await writer.drain()
            given += len(block)

    sending = asyncio.create_task(send_on())
    answer = await asyncio.wait_for(reader.readuntil(b"}"), 60)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()
    assert b"4194304" in answer
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(sending, 60)
    assert given < 64 * 1024**2
    writer.close()


async def test_a_picture_slightly_over_the_limit_gets_its_answer(ingest: IngestUnderTest) -> None:
    camera = await ingest.camera("slightly")
    before = await ingest.metric('alpr_frames_refused_total{reason="frame-too-large"}')
    for size in (4 * 1024**2 + 1, 6 * 1024**2):
        assert (await camera.send_patiently(b"\xff\xd8" + bytes(size - 2))).status_code == 413
    after = await ingest.metric('alpr_frames_refused_total{reason="frame-too-large"}')
    assert after == before + 2
