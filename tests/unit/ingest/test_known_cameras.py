"""Cameras are known from memory: quickly current, and let in while PostgreSQL is away."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from alpr_common.errors import Outage
from alpr_ingest.domain import Camera, CameraKind, Place, new_credential
from alpr_ingest.known_cameras import KnownCameras
from alpr_ingest.refusals import WrongCredential

NOW = datetime(2026, 5, 4, tzinfo=UTC)


class Registry:
    """Cameras in a dictionary, which can be away or slow, and counts the questions."""

    def __init__(self) -> None:
        self.cameras: dict[str, Camera] = {}
        self.away = False
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    def register(self, camera_id: str) -> str:
        credential, digest = new_credential(camera_id)
        self.cameras[camera_id] = Camera(
            camera_id, "IL0222900", camera_id, CameraKind.FIXED, Place(1, 2), None, None, (),
            digest, NOW, NOW, None,
        )  # fmt: skip
        return credential

    async def load(self, camera_id: str) -> Camera | None:
        self.asked += 1
        if self.away:
            raise Outage("PostgreSQL went away")
        await self.gate.wait()
        return self.cameras.get(camera_id)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def known(registry: Registry, clock: Clock) -> KnownCameras:
    return KnownCameras(registry.load, clock, fresh_seconds=2, outage_seconds=3600)


async def test_a_known_camera_is_asked_for_once_in_two_seconds(
    known: KnownCameras, registry: Registry, clock: Clock
) -> None:
    credential = registry.register("a")
    for _ in range(50):
        assert (await known.authenticate(credential)).camera_id == "a"
    assert registry.asked == 1
    clock.now += 2.1
    await known.authenticate(credential)
    assert registry.asked == 2


async def test_many_frames_at_once_ask_once(known: KnownCameras, registry: Registry) -> None:
    credential = registry.register("a")
    registry.gate.clear()
    waiting = [asyncio.create_task(known.authenticate(credential)) for _ in range(20)]
    await asyncio.sleep(0)
    registry.gate.set()
    await asyncio.gather(*waiting)
    assert registry.asked == 1


async def test_a_wrong_secret_and_an_unknown_camera_are_refused_alike(
    known: KnownCameras, registry: Registry
) -> None:
    registry.register("a")
    refusals = []
    for credential in ("a.wrong", "nobody.wrong"):
        with pytest.raises(WrongCredential) as refusal:
            await known.authenticate(credential)
        refusals.append(refusal.value.detail)
    assert refusals[0] == refusals[1]


async def test_a_renewed_credential_works_at_once_and_the_old_one_ends_within_seconds(
    known: KnownCameras, registry: Registry, clock: Clock
) -> None:
    old = registry.register("a")
    await known.authenticate(old)
    clock.now += 0.5
    new = registry.register("a")
    assert (await known.authenticate(new)).camera_id == "a"
    with pytest.raises(WrongCredential):
        await known.authenticate(old)


async def test_a_retirement_is_seen_within_two_seconds(
    known: KnownCameras, registry: Registry, clock: Clock
) -> None:
    credential = registry.register("a")
    await known.authenticate(credential)
    registry.cameras["a"] = replace(registry.cameras["a"], retired_at=NOW)
    clock.now += 2.1
    assert (await known.authenticate(credential)).retired_at == NOW


async def test_a_change_made_here_is_seen_at_once(known: KnownCameras, registry: Registry) -> None:
    credential = registry.register("a")
    await known.authenticate(credential)
    registry.cameras["a"] = replace(registry.cameras["a"], name="new")
    known.forget("a")
    assert (await known.authenticate(credential)).name == "new"


async def test_known_cameras_are_let_in_while_postgres_is_away(
    known: KnownCameras, registry: Registry, clock: Clock
) -> None:
    credential = registry.register("a")
    await known.authenticate(credential)
    registry.away = True
    clock.now += 600
    asked = registry.asked
    for _ in range(10):
        assert (await known.authenticate(credential)).camera_id == "a"
    assert registry.asked == asked + 1, "an absent server is not asked for every frame"


async def test_a_server_that_hangs_holds_a_known_camera_up_only_briefly(
    known: KnownCameras, registry: Registry, clock: Clock
) -> None:
    credential = registry.register("a")
    await known.authenticate(credential)
    registry.gate.clear()
    clock.now += 10
    async with asyncio.timeout(20):
        assert (await known.authenticate(credential)).camera_id == "a"
    registry.gate.set()


async def test_the_outage_does_not_last_for_ever(
    known: KnownCameras, registry: Registry, clock: Clock
) -> None:
    credential = registry.register("a")
    await known.authenticate(credential)
    registry.away = True
    clock.now += 3601
    with pytest.raises(Outage):
        await known.authenticate(credential)


async def test_an_unknown_camera_is_told_to_try_again_while_postgres_is_away(
    known: KnownCameras, registry: Registry
) -> None:
    credential = registry.register("a")
    registry.away = True
    with pytest.raises(Outage):
        await known.authenticate(credential)


async def test_a_credential_that_may_be_new_is_not_refused_while_postgres_is_away(
    known: KnownCameras, registry: Registry, clock: Clock
) -> None:
    await known.authenticate(registry.register("a"))
    new = registry.register("a")
    registry.away = True
    clock.now += 5
    with pytest.raises(Outage):
        await known.authenticate(new)
    registry.away = False
    clock.now += 5
    assert (await known.authenticate(new)).camera_id == "a"
