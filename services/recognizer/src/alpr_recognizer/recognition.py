"""From pictures to plates with their readings: decode, find, read, in batches over all pictures."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from alpr_recognizer.association import similarity
from alpr_recognizer.domain import PictureUnreadable, PlateBox, Reading, Sighting
from alpr_recognizer.models import PlateDetector, PlateReader
from alpr_recognizer.pictures import Picture, crop

_SAME_PLATE_OVERLAP = 0.5
_SAME_PLATE_COVERED = 0.7
_SAME_PLATE_LIKENESS = 0.6
_SURE = 0.7
_HOPELESS = 0.005
_TEXT_ROOM = 0.06
"""On each side of the text, of its width: what plates have (these three: on pool val pictures)."""


@dataclass(frozen=True)
class Recognised:
    """What one picture shows, left to right."""

    sightings: tuple[Sighting, ...]
    width: int
    height: int


@dataclass
class Stages:
    """Seconds spent on a batch, and its sizes."""

    seconds: dict[str, float] = field(default_factory=dict)
    pictures: int = 0
    crops: int = 0

    def add(self, stage: str, since: float) -> float:
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - since
        return now


class Recognizer:
    """Detector and reader together. Call it from one thread at a time."""

    def __init__(
        self,
        detector: PlateDetector,
        reader: PlateReader,
        *,
        decode_threads: int = 2,
        narrowest_plate_px: float = 0,
    ) -> None:
        self.detector, self.reader = detector, reader
        self._narrowest_px = narrowest_plate_px
        self._decoders = ThreadPoolExecutor(decode_threads, "decode")

    def recognise(
        self, jpegs: Sequence[bytes], stages: Stages | None = None
    ) -> list[Recognised | PictureUnreadable]:
        """Per picture its plates, or why it cannot be decoded. Boxes are in whole pixels."""
        stages = stages if stages is not None else Stages()
        started = time.perf_counter()
        decoded = list(self._decoders.map(self._decoded, jpegs))
        pictures = [p for p in decoded if isinstance(p, Picture)]
        started = stages.add("decode", started)
        found = self.detector.find([p.overview for p in pictures]) if pictures else []
        boxes = [self._distinct(b, p.overview_scale) for b, p in zip(found, pictures, strict=True)]
        started = stages.add("detect", started)
        # A large picture is decoded whole only when something was found in it.
        margin = self.reader.crop_margin
        crops = [
            np.ascontiguousarray(crop(p.whole, b, margin))
            for p, bs in zip(pictures, boxes, strict=True)
            for b in bs
        ]
        started = stages.add("crop", started)
        looks = [(p, b) for p, bs in zip(pictures, boxes, strict=True) for b in bs]
        read = self.reader.read(crops) if crops else []
        readings = iter(self._looked_again(looks, read, stages))
        stages.add("read", started)
        stages.pictures += len(pictures)
        stages.crops += len(crops)
        shown = iter(
            Recognised(_merged([Sighting(b, next(readings)) for b in bs]), p.width, p.height)
            for p, bs in zip(pictures, boxes, strict=True)
        )
        return [d if isinstance(d, PictureUnreadable) else next(shown) for d in decoded]

    def _looked_again(
        self, looks: Sequence[tuple[Picture, PlateBox]], readings: list[Reading], stages: Stages
    ) -> list[Reading]:
        """Doubtful texts read once more from a box drawn around the text that was found, which a
        loose or cut box of the detector was not; of the two the surer."""
        again = [
            (i, _around(box, readings[i].extent, self.reader.crop_margin))
            for i, (_, box) in enumerate(looks)
            if _HOPELESS <= readings[i].confidence < _SURE
        ]
        refined = [(i, box) for i, box in again if box is not None]
        if not refined:
            return readings
        crops = [np.ascontiguousarray(crop(looks[i][0].whole, box, 0.0)) for i, box in refined]
        stages.crops += len(crops)
        out = list(readings)
        for (i, _), second in zip(refined, self.reader.read(crops), strict=True):
            if second.confidence > out[i].confidence:
                out[i] = second
        return out

    def _decoded(self, jpeg: bytes) -> Picture | PictureUnreadable:
        try:
            return Picture(jpeg, self.detector.input_size)
        except PictureUnreadable as error:
            return error

    def _distinct(self, boxes: Sequence[PlateBox], scale: float) -> list[PlateBox]:
        """In whole pixels, left to right; of boxes that are one plate the best."""
        kept: list[PlateBox] = []
        for box in boxes:
            whole = PlateBox(
                box.x1 * scale, box.y1 * scale, box.x2 * scale, box.y2 * scale, box.score
            )
            if whole.width >= self._narrowest_px and not any(
                whole.overlap(k) >= _SAME_PLATE_OVERLAP or whole.covered(k) >= _SAME_PLATE_COVERED
                for k in kept
            ):
                kept.append(whole)
        return sorted(kept, key=lambda b: (b.x1, b.y1))

    def close(self) -> None:
        self._decoders.shutdown(wait=False, cancel_futures=True)


def _around(box: PlateBox, extent: tuple[float, float] | None, margin: float) -> PlateBox | None:
    """The box as wide as the text in its crop, with a little room; None when nobody knows."""
    if extent is None:
        return None
    left, width = box.x1 - margin * box.width, (1 + 2 * margin) * box.width
    begin, end = left + extent[0] * width, left + extent[1] * width
    room = _TEXT_ROOM * (end - begin)
    return PlateBox(begin - room, box.y1, end + room, box.y2, box.score)


def _merged(sightings: Sequence[Sighting]) -> tuple[Sighting, ...]:
    """Of boxes that overlap and say nearly the same the one that is read best: one plate."""
    kept: list[Sighting] = []
    for one in sorted(sightings, key=lambda s: -s.reading.confidence):
        if not any(
            one.box.covered(k.box) > 0
            and similarity(one.reading.text, k.reading.text) >= _SAME_PLATE_LIKENESS
            for k in kept
        ):
            kept.append(one)
    return tuple(sorted(kept, key=lambda s: (s.box.x1, s.box.y1)))
