"""The passes of all cameras in this process's partitions, and their checkpoints."""

import heapq
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from aiokafka import TopicPartition

from alpr_common.kafka import Received
from alpr_recognizer.association import PassRules
from alpr_recognizer.checkpoints import PassSnapshot, Snapshot, camera_digest, decode, encode
from alpr_recognizer.domain import PictureUnreadable, Reading, ReadingLimits, Sighting
from alpr_recognizer.tracking import CameraPasses, EmissionRules, Pass, SeenFrame

log = structlog.get_logger()

_REMEMBERED_FRAMES = 4096
_REMEMBERED_CAMERAS = 4096
_LOOKED_AT = 400


@dataclass(frozen=True)
class Due:
    """A pass whose read has to go out, and what its votes amount to."""

    of: Pass
    reading: Reading
    partition: TopicPartition


class PartitionPasses:
    """One partition: a function of its frames in order, plus what was emitted when."""

    def __init__(self, make_camera: Callable[[], CameraPasses], metadata: str) -> None:
        self._make_camera = make_camera
        self._cameras: OrderedDict[bytes, CameraPasses] = OrderedDict()
        self._open: dict[bytes, CameraPasses] = {}
        """Cameras with passes that are not out: what has to be looked at between frames."""
        self._checkpoint: tuple[int, str] | None = None
        """The last answer, until something changes."""
        self._frames: OrderedDict[UUID, None] = OrderedDict()
        self.next_offset: int | None = None
        self.refused: dict[int, PictureUnreadable] = {}
        """Frames of the batch in hand that are not pictures, by offset."""
        self.last_arrived_ms = 0
        self._dead_letter_offset = -1
        snapshot = decode(metadata)
        self._emitted = set(snapshot.emitted)
        for one in reversed(snapshot.passes):
            self._restore(one, snapshot.offset)

    def _restore(self, one: PassSnapshot, committed: int) -> None:
        known = Pass(
            one.first_frame_id or UUID(int=0), one.position, committed - 1, one.began_ms,
            one.place, 0, is_emitted=one.is_emitted,
        )  # fmt: skip
        known.history.append((committed - 1, one.place))
        self._camera(one.camera).passes.append(known)

    def _camera(self, digest: bytes) -> CameraPasses:
        camera = self._cameras.get(digest)
        if camera is None:
            camera = self._cameras[digest] = self._make_camera()
            if len(self._cameras) > _REMEMBERED_CAMERAS:
                self._forget_a_camera()
        self._cameras.move_to_end(digest)
        return camera

    def _forget_a_camera(self) -> None:
        for digest, camera in self._cameras.items():
            if not camera.has_open:
                del self._cameras[digest]
                return

    def is_new(self, offset: int) -> bool:
        """Whether the frame there has not been taken in yet (a batch tried again has been)."""
        return self.next_offset is None or offset >= self.next_offset

    def refuse(self, offset: int, error: PictureUnreadable) -> None:
        self.refused[offset] = error
        self.next_offset = offset + 1
        self._checkpoint = None

    def dead_lettered(self, offset: int) -> None:
        """A message without a frame; earlier ones of its batch may still be on their way here."""
        self._dead_letter_offset = max(self._dead_letter_offset, offset)
        self._checkpoint = None

    def observe(self, seen: SeenFrame, sightings: Sequence[Sighting]) -> bool:
        """Take a frame in; False for one whose copy was taken in before."""
        self.next_offset = seen.offset + 1
        self._checkpoint = None
        self.last_arrived_ms = max(self.last_arrived_ms, seen.arrived_ms)
        frame_id = seen.frame.frame_id
        if frame_id in self._frames:
            return False
        self._frames[frame_id] = None
        if len(self._frames) > _REMEMBERED_FRAMES:
            self._frames.popitem(last=False)
        digest = camera_digest(seen.frame.camera_id)
        camera = self._camera(digest)
        camera.observe(seen, sightings, self._emitted)
        if camera.has_open:
            self._open[digest] = camera
        return True

    def end_quiet(self, quiet_seconds: float, now: float, caught_up: bool) -> None:
        arrived_ms = self.last_arrived_ms - round(quiet_seconds * 1000)
        taken_at = now - quiet_seconds if caught_up else 0.0
        for camera in self._open.values():
            camera.end_quiet(arrived_ms, taken_at)

    def due(self) -> list[tuple[Pass, Reading]]:
        """Reads that have to go out now."""
        found = [due for camera in self._open.values() for due in camera.due()]
        self._close()
        return found

    def _close(self) -> None:
        settled = [digest for digest, camera in self._open.items() if not camera.has_open]
        for digest in settled:
            del self._open[digest]
            self._checkpoint = None

    def emitted(self, known: Pass) -> None:
        """Its read is out."""
        known.settle(emitted=True)
        self._checkpoint = None
        self._emitted.add((known.first_offset, known.position))

    @property
    def open_passes(self) -> int:
        return sum(p.is_open for camera in self._open.values() for p in camera.passes)

    def checkpoint(self) -> tuple[int, str] | None:
        """Offset and metadata to commit, asked between batches; None before the first message."""
        if self._checkpoint is not None:
            return self._checkpoint
        if self._dead_letter_offset >= (self.next_offset or 0):
            self.next_offset = self._dead_letter_offset + 1
        if self.next_offset is None:
            return None
        self.refused = {o: e for o, e in self.refused.items() if o >= self.next_offset}
        holds = [
            p.hold_offset
            for camera in self._open.values()
            for p in camera.passes
            if p.hold_offset is not None
        ]
        offset = min(holds, default=self.next_offset)
        self._emitted = {e for e in self._emitted if e[0] >= offset}
        snapshot = Snapshot(offset, self._snapshots(offset), tuple(sorted(self._emitted)))
        self._checkpoint = offset, encode(snapshot)
        return self._checkpoint

    def _snapshots(self, offset: int) -> tuple[PassSnapshot, ...]:
        """Passes as they were before `offset`, the likeliest to go on first; no more than fit."""
        found: list[tuple[tuple[int, int], int, PassSnapshot]] = []
        for age, (digest, camera) in enumerate(reversed(self._cameras.items())):
            if len(found) >= _LOOKED_AT:
                break
            newest = max((p.place.seen_ms for p in camera.passes), default=0)
            for known in camera.passes:
                known.forget_before(offset)
                place = known.place_before(offset)
                if place is None:
                    continue
                identity = None if known.is_emitted else known.first_frame_id
                one = PassSnapshot(digest, place, known.began_ms, identity, known.position)
                # How far behind its camera's newest pass first, then how long the camera is silent.
                rank = (-((newest - place.seen_ms) // 3000), -age)
                found.append((rank, len(found), one))
        return tuple(one for _, _, one in heapq.nlargest(150, found))


class Passes:
    """Implements `alpr_common.kafka.Checkpoints` for the frames topic."""

    def __init__(self, rules: PassRules, limits: ReadingLimits, emission: EmissionRules) -> None:
        self._make_camera = lambda: CameraPasses(rules, limits, emission)
        self._partitions: dict[TopicPartition, PartitionPasses] = {}

    def assigned(self, metadata: Mapping[TopicPartition, str]) -> None:
        for partition, text in metadata.items():
            self._partitions[partition] = PartitionPasses(self._make_camera, text)

    def revoked(self, partitions: set[TopicPartition]) -> None:
        for partition in partitions:
            self._partitions.pop(partition, None)

    def dead_lettered(self, partition: TopicPartition, offset: int) -> None:
        if partition in self._partitions:
            self._partitions[partition].dead_lettered(offset)

    def offsets(self) -> Mapping[TopicPartition, tuple[int, str]]:
        found = {tp: p.checkpoint() for tp, p in self._partitions.items()}
        return {tp: checkpoint for tp, checkpoint in found.items() if checkpoint is not None}

    def of(self, received: Received) -> PartitionPasses:
        """The partition that a message came from."""
        key = TopicPartition(received.topic, received.partition)
        if key not in self._partitions:
            self._partitions[key] = PartitionPasses(self._make_camera, "")
        return self._partitions[key]

    def end_quiet(
        self, quiet_seconds: float, now: float, highwater: Callable[[TopicPartition], int | None]
    ) -> None:
        """End passes none of whose frames came for `quiet_seconds`.

        Measured on Kafka's clock against what arrived after them in the same partition, so that a
        consumer that lags ends nothing early; on the monotonic clock (`now`) where it has caught
        up, which `highwater` tells.
        """
        for key, partition in self._partitions.items():
            newest = highwater(key)
            reached = partition.next_offset
            caught_up = newest is not None and reached is not None and reached >= newest
            partition.end_quiet(quiet_seconds, now, caught_up)

    def due(self) -> list[Due]:
        return [
            Due(known, reading, key)
            for key, partition in self._partitions.items()
            for known, reading in partition.due()
        ]

    def emitted(self, due: Due) -> None:
        """Its read is out: Kafka acknowledged it."""
        if due.partition in self._partitions:
            self._partitions[due.partition].emitted(due.of)

    @property
    def open_passes(self) -> int:
        return sum(p.open_passes for p in self._partitions.values())
