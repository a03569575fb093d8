"""Killed anywhere and started again, the recognizer tells the same reads as if it never died."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from aiokafka import TopicPartition

from alpr_common.errors import Outage
from alpr_common.messages.read import Read
from alpr_common.topics import Topic
from alpr_recognizer.association import PassRules
from alpr_recognizer.domain import PictureUnreadable, ReadingLimits
from alpr_recognizer.handlers import Line, emit_due, recognise_frames
from alpr_recognizer.passes import Passes
from alpr_recognizer.tracking import EmissionRules
from tests.unit.recognizer.scenes import NOON, Shown, TellingRecognizer, drive_by, message, sighting

PARTITIONS = 2


class Killed(Exception):
    """SIGKILL, at one step."""


@dataclass
class World:
    """Kafka and the object store: what survives the process."""

    frames: dict[int, list[Shown]]
    committed: dict[TopicPartition, tuple[int, str]] = field(default_factory=dict)
    reads: list[Read] = field(default_factory=list)
    pictures: set[str] = field(default_factory=set)
    dead_letters: set[tuple[int, int]] = field(default_factory=set)
    unread_pictures: list[str] = field(default_factory=list)


@dataclass
class Fate:
    """Counts steps and kills, or takes the servers away, at chosen ones."""

    kill_at: frozenset[int] = frozenset()
    outage_at: frozenset[int] = frozenset()
    step: int = 0

    def next(self) -> None:
        self.step += 1
        if self.step in self.kill_at:
            raise Killed
        if self.step in self.outage_at:
            raise Outage("made to be away")

    def next_surely(self) -> None:
        """A step at which there is no outage to be had."""
        self.step += 1
        if self.step in self.kill_at:
            raise Killed

    def commit(self, world: World, offsets: Mapping[TopicPartition, tuple[int, str]]) -> None:
        """Killed before, or after, the commit; never in the middle of one partition's."""
        self.next_surely()
        for key, (offset, text) in offsets.items():
            assert offset >= world.committed.get(key, (0, ""))[0], "what is committed stays so"
            assert len(text) <= 4096
            world.committed[key] = (offset, text)
        self.next_surely()


def partition_key(partition: int) -> TopicPartition:
    return TopicPartition("alpr.frames.v1", partition)


class Process:
    """One life of the recognizer: the consume loop's order of doing things, step by step."""

    def __init__(self, world: World, fate: Fate, rng: random.Random, clock: list[float]) -> None:
        self._world, self._fate, self._rng, self._clock = world, fate, rng, clock
        self.passes = Passes(PassRules(), ReadingLimits(), EmissionRules(confidence=0.97))
        self._line = Line(
            recognizer=TellingRecognizer(),  # type: ignore[arg-type]
            passes=self.passes,
            put_picture=self._put,
            publish=self._publish,
            jurisdiction_threshold=0.8,
            now=lambda: datetime.now(UTC),
            monotonic=lambda: clock[0],
        )
        keys = [partition_key(p) for p in world.frames]
        self.passes.assigned({k: world.committed.get(k, (0, ""))[1] for k in keys})
        self._next = {p: world.committed.get(partition_key(p), (0, ""))[0] for p in world.frames}

    async def _put(self, key: str, jpeg: bytes) -> None:
        self._fate.next()
        self._world.pictures.add(key)

    async def _publish(self, topic: Topic, key: str, value: bytes) -> None:
        self._fate.next()
        read = Read.from_bytes(value)
        assert read.match_key == key
        if not {read.frame_object, read.plate_object} <= self._world.pictures:
            self._world.unread_pictures.append(str(read.read_id))
        self._world.reads.append(read)

    async def run(self) -> None:
        """Until everything is consumed and every pass is out; raises Killed."""
        idle_rounds = 0
        while idle_rounds < 3:
            partition, batch = self._fetch()
            if batch:
                await self._retrying(partition, batch)
                self._next[partition] += len(batch)
            self._clock[0] += 0.4 if not batch else 0.01
            self.passes.end_quiet(0.7, self._clock[0], self._highwater)
            await self._until_served(lambda: emit_due(self._line))
            self._fate.commit(self._world, self.passes.offsets())
            waiting = any(self._next[p] < len(f) for p, f in self._world.frames.items())
            done = not waiting and not self.passes.open_passes
            idle_rounds = idle_rounds + 1 if done else 0

    def _fetch(self) -> tuple[int, list[Shown]]:
        waiting = [p for p, frames in self._world.frames.items() if self._next[p] < len(frames)]
        if not waiting or self._rng.random() < 0.1:
            return 0, []
        partition = self._rng.choice(waiting)
        start = self._next[partition]
        return partition, self._world.frames[partition][start : start + self._rng.randint(1, 6)]

    async def _retrying(self, partition: int, batch: list[Shown]) -> None:
        start = self._next[partition]
        hands = [message(s, start + i, partition) for i, s in enumerate(batch)]
        try:
            await self._until_served(lambda: recognise_frames(hands, self._line))
        except PictureUnreadable:
            for hand in hands:
                try:
                    await self._until_served(lambda hand=hand: recognise_frames([hand], self._line))
                except PictureUnreadable:
                    self._fate.next_surely()
                    self._world.dead_letters.add((partition, hand.received.offset))

    async def _until_served(self, action: object) -> None:
        while True:
            try:
                await action()  # type: ignore[operator]
                return
            except Outage:
                continue

    def _highwater(self, key: TopicPartition) -> int:
        return len(self._world.frames[key.partition])


def cut_short(shown: list[Shown], rng: random.Random) -> list[Shown]:
    """The same pass before which posts stand: of some frames the plate's one half is left, or both
    halves apart."""
    out = []
    for one in shown:
        (whole,) = one.sightings or ()
        x, y, half = whole.box.x1, whole.box.y1, len(whole.reading.text) // 2
        text, confidence = whole.reading.text, whole.reading.confidence
        pieces = [
            sighting(text[:half], x, y, confidence, width=45),
            sighting(text[half:], x + 55, y, confidence, width=45),
        ]
        seen = rng.choice([[whole], [whole], pieces, pieces[:1], pieces[1:]])
        out.append(Shown(one.camera_id, one.at_seconds, seen, one.arrived_seconds))
    return out


def street(seed: int) -> dict[int, list[Shown]]:
    """A few minutes before several cameras: clear, poor, half hidden and unreadable plates, a
    parked vehicle, frames that come late, broken pictures."""
    rng = random.Random(seed)
    letters = "ABCDEFGHJKLMNPRSTUVWXYZ"
    frames: dict[int, list[Shown]] = {}
    for partition in range(PARTITIONS):
        shown: list[Shown] = []
        for number in range(4):
            camera = f"cam-{partition}-{number}"
            at = rng.uniform(0, 2)
            for _ in range(5):
                text = "".join(rng.choices(letters, k=3)) + f"{rng.randrange(10000):04}"
                confidence = rng.choice([0.35, 0.6, 0.8, 0.95, 0.99, 0.02])
                vehicle = drive_by(
                    camera, text, at, rng.randint(1, 9), confidence=confidence,
                    y=rng.uniform(100, 600), speed_px=rng.uniform(100, 1200),
                )  # fmt: skip
                shown += cut_short(vehicle, rng) if rng.random() < 0.3 else vehicle
                at += rng.uniform(1.2, 9)
            if number == 0:
                shown += [
                    Shown(camera, 30 + t * 1.0, [sighting("PARKED1", 500, 50, 0.7)])
                    for t in range(25)
                ]
            if number == 1:
                shown += [
                    Shown(s.camera_id, s.at_seconds - 7200, s.sightings, s.at_seconds + 0.03)
                    for s in drive_by(camera, "LATE123", 5, 6, confidence=0.6)
                ]
            shown += [Shown(camera, rng.uniform(0, 40), None) for _ in range(2)]
        shown.sort(key=lambda s: s.at_seconds if s.arrived_seconds is None else s.arrived_seconds)
        frames[partition] = shown
    return frames


async def told(seed: int, kills: int, outages: int = 0) -> World:
    """What the world has seen when the feed is through, after that many deaths."""
    world = World(street(seed))
    rng = random.Random(seed * 1000 + kills)
    fates = [Fate() for _ in range(kills)]
    for fate in fates:
        fate.kill_at = frozenset({rng.randint(1, 260)})
        fate.outage_at = frozenset(rng.sample(range(1, 260), outages))
    fates.append(Fate())
    clock = [1000.0]
    for fate in fates:
        try:
            await Process(world, fate, rng, clock).run()
        except Killed:
            clock[0] += 5
    return world


def passes_in(world: World) -> set[str]:
    return {str(read.read_id) for read in world.reads}


@pytest.mark.parametrize("seed", range(8))
async def test_killed_at_any_step_no_read_is_lost_and_none_is_made_twice(seed: int) -> None:
    undisturbed = await told(seed, kills=0)
    disturbed = await told(seed, kills=6, outages=12)
    assert passes_in(disturbed) == passes_in(undisturbed)
    assert disturbed.dead_letters == undisturbed.dead_letters
    assert disturbed.unread_pictures == [], "pictures are stored before their read goes out"


async def test_without_deaths_every_read_goes_out_once() -> None:
    world = await told(3, kills=0)
    ids = [read.read_id for read in world.reads]
    assert len(ids) == len(set(ids))
    assert len(ids) > 15
    assert len(world.dead_letters) == 2 * 4 * PARTITIONS


async def test_a_death_between_publishing_and_committing_repeats_the_id_not_the_pass() -> None:
    repeated = 0
    for seed in range(4):
        world = await told(seed, kills=6)
        repeated += len(world.reads) - len(passes_in(world))
        by_pass = {(r.camera_id, r.first_captured_at, r.plate): r.read_id for r in world.reads}
        for read in world.reads:
            assert by_pass[(read.camera_id, read.first_captured_at, read.plate)] == read.read_id
    assert repeated > 0, "the kills never hit that gap: the test proves nothing"


async def test_offsets_are_kept_back_for_a_pass_that_is_not_out() -> None:
    world = World({0: drive_by("cam", "AB1234", 0, frames=2, confidence=0.35)})
    process = Process(world, Fate(), random.Random(1), [0.0])
    hands = [message(s, i) for i, s in enumerate(world.frames[0])]
    await recognise_frames(hands, process._line)
    assert process.passes.offsets()[partition_key(0)] == (0, "")
    process.passes.end_quiet(0.7, 10.0, process._highwater)
    await emit_due(process._line)
    offset, metadata = process.passes.offsets()[partition_key(0)]
    assert offset == 2
    assert metadata, "the pass may go on: a successor has to know it"
    assert world.reads[0].captured_at >= NOON


async def test_a_rebalance_in_mid_pass_is_like_a_death() -> None:
    shown = drive_by("cam", "AB1234", 0, frames=8, confidence=0.99)
    world = World({0: shown[:3]})
    clock = [0.0]
    await Process(world, Fate(), random.Random(1), clock).run()
    world.frames[0] = shown
    await Process(world, Fate(), random.Random(2), clock).run()
    assert [r.plate for r in world.reads] == ["AB1234"]


async def test_a_dead_letter_moves_the_offset_on_but_not_past_frames_of_its_batch() -> None:
    world = World({0: drive_by("cam", "AB1234", 0, frames=1, confidence=0.99)})
    process = Process(world, Fate(), random.Random(1), [0.0])
    process.passes.dead_lettered(partition_key(0), 1)
    await recognise_frames([message(world.frames[0][0], 0)], process._line)
    assert [r.plate for r in world.reads] == ["AB1234"]
    assert process.passes.offsets()[partition_key(0)][0] == 2


async def test_a_busy_partition_commits_what_fits_and_is_quick_about_it() -> None:
    shown = [s for c in range(150) for s in drive_by(f"cam-{c}", "AB1234", c * 0.01, frames=2)]
    shown.sort(key=lambda s: s.at_seconds)
    world = World({0: shown})
    process = Process(world, Fate(), random.Random(1), [0.0])
    await process.run()
    assert len(passes_in(world)) == 150
    offset, metadata = world.committed[partition_key(0)]
    assert offset == len(shown)
    assert 1000 < len(metadata) <= 4096
