"""Pictures behave alike in a folder and in a bucket of an S3 server (a process of its own)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from alpr_common.errors import Outage
from alpr_common.objects import ObjectNotFound, Pictures, day_prefix, held_key
from alpr_local.errors import InstallFailed
from alpr_local.s3_server import S3Server, s3_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

AGENCY = "IL0222900"
DAY = day_prefix(AGENCY, date(2026, 5, 4))
JPEG = b"\xff\xd8" + bytes(range(256)) * 2000 + b"\xff\xd9"


def answers(server: S3Server) -> bool:
    try:
        return httpx.get(f"{server.url}/moto-api/data.json", trust_env=False).is_success
    except httpx.TransportError:
        return False


def make_bucket(server: S3Server, name: str) -> None:
    httpx.put(f"{server.url}/{name}", trust_env=False, timeout=60).raise_for_status()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    try:
        with s3_server(tmp_path_factory.mktemp("s3")) as started:
            wait_until(lambda: answers(started), 60, what="the S3 server answers")
            yield started
    except InstallFailed as error:
        pytest.skip(f"needs an S3 server: {error}")


@pytest.fixture
def bucket(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    name = f"pictures-{uuid4().hex[:12]}"
    make_bucket(server, name)
    return name


@pytest.fixture(params=["folder", "bucket"])
def pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Pictures:
    if request.param == "folder":
        return Pictures.at((tmp_path / "store").as_uri())
    return Pictures.at(f"s3://{request.getfixturevalue('bucket')}/alpr")


async def listed(pictures: Pictures, prefix: str) -> list[str]:
    return sorted([key async for keys in pictures.keys(prefix, batch_size=2) for key in keys])


async def test_what_is_put_is_got_back_and_put_again_replaces_itself(pictures: Pictures) -> None:
    key = f"{DAY}cam-1/a.jpg"
    for _ in range(2):
        await pictures.put(key, JPEG)
        assert await pictures.get(key) == JPEG
    assert await listed(pictures, DAY) == [key]


async def test_a_picture_that_is_not_there_is_not_found(pictures: Pictures) -> None:
    with pytest.raises(ObjectNotFound):
        await pictures.get(f"{DAY}cam-1/none.jpg")


@pytest.mark.policy("131.5-c")
async def test_a_held_picture_outlives_its_day(pictures: Pictures) -> None:
    key = f"{DAY}cam-1/held.jpg"
    assert not await pictures.hold(key), "there is nothing to hold"
    await pictures.put(key, JPEG)
    for _ in range(2):
        assert await pictures.hold(key)
    await pictures.delete([key])
    assert await pictures.hold(key), "the copy is there already"
    assert await pictures.get(key) == JPEG
    await pictures.delete([held_key(key)])
    with pytest.raises(ObjectNotFound):
        await pictures.get(key)


@pytest.mark.policy("131.7-1d")
async def test_a_day_is_listed_and_deleted_alone_however_often(pictures: Pictures) -> None:
    mine = [f"{DAY}cam-{n}/{m}.jpg" for n in range(3) for m in range(3)]
    others = [f"{AGENCY}/2026/05/05/cam-0/a.jpg", "IL0000000/2026/05/04/cam-0/a.jpg"]
    await asyncio.gather(*(pictures.put(key, JPEG) for key in [*mine, *others]))
    assert await listed(pictures, DAY) == sorted(mine)
    assert sorted(await pictures.folders(f"{AGENCY}/2026/05/")) == ["04", "05"]
    for _ in range(2):
        await pictures.delete([*mine, f"{DAY}cam-9/never.jpg"])
        assert await listed(pictures, DAY) == []
    for key in others:
        assert await pictures.get(key) == JPEG
    assert await pictures.folders("IL9999999/") == []


async def test_names_with_signs_that_addresses_use_are_kept_apart(pictures: Pictures) -> None:
    keys = [f"{DAY}cam 1/a+b.jpg", f"{DAY}cam 1/a%2Bb.jpg", f"{DAY}{quote('kamera-ä')}/a.jpg"]
    for n, key in enumerate(keys):
        await pictures.put(key, bytes([n]))
    assert [await pictures.get(key) for key in keys] == [b"\x00", b"\x01", b"\x02"]
    assert await listed(pictures, DAY) == sorted(keys)


async def test_a_bucket_that_does_not_exist_is_an_outage(bucket: str) -> None:
    elsewhere = Pictures.at(f"s3://{bucket}-gone/alpr")
    with pytest.raises(Outage):
        await elsewhere.put(f"{DAY}cam-1/a.jpg", JPEG)


@pytest.mark.timeout(300)
async def test_a_server_that_went_away_is_an_outage_and_what_comes_later_is_stored(
    server: S3Server, bucket: str
) -> None:
    pictures = Pictures.at(f"s3://{bucket}/alpr")
    await pictures.put(f"{DAY}cam-1/a.jpg", JPEG)
    server.kill()
    with pytest.raises(Outage):
        await pictures.get(f"{DAY}cam-1/a.jpg")
    server.start()
    await asyncio.to_thread(wait_until, lambda: answers(server), 60, what="it is back")
    await asyncio.to_thread(make_bucket, server, bucket)
    await pictures.put(f"{DAY}cam-1/b.jpg", JPEG)
    assert await pictures.get(f"{DAY}cam-1/b.jpg") == JPEG
