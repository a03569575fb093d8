"""What voting over a pass's frames gives over single frames, on drawn passes in poor conditions.

    python -m bench.voting --json [--passes 24] [--frames 7] [--seed 7] [--conditions glare,motion]
                           [--readings FILE]

Per condition (`bench/_poor_passes.py`), of the plates that passed: `single_frame` is the share of
frames read exactly; `surest_frame` the share of plates whose surest single frame is; `alike` the
share whose readings, voting with equal weight, are; `voted` the share whose readings, voting as in
the product, are: from all frames, where the plate is known to be. `reported` is what the product
makes of the same frames: it finds out itself which plates are one vehicle, and does not wait for
the end when it is sure. Shares of plates have their 95 % interval (Wilson).

`--readings` keeps what was read in a file, or takes it from there: another rule can be tried on the
same readings without the models.
"""

import argparse
import json
import pickle
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2

from alpr_common.messages.frame import Frame
from alpr_recognizer.association import PassRules
from alpr_recognizer.domain import NO_READING, PictureUnreadable, PlateBox, Reading, Sighting
from alpr_recognizer.evaluation import calibration
from alpr_recognizer.passes import PartitionPasses
from alpr_recognizer.recognition import Recognizer
from alpr_recognizer.settings import Settings
from alpr_recognizer.tracking import CameraPasses, EmissionRules, SeenFrame
from alpr_recognizer.voting import Votes, VotingRules
from alpr_recognizer.weights import load_recognizer
from bench._poor_passes import CONDITIONS, Box, drawn_pass

_NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
_LEAST_OVERLAP = 0.15
"""A box cut by glare or a post still is this plate's."""
_QUIET_SECONDS = 0.7


@dataclass(frozen=True)
class ReadFrame:
    """What the models saw in one frame, and where its plates are."""

    at_seconds: float
    size: tuple[int, int]
    boxes: tuple[Box | None, ...]
    sightings: tuple[Sighting, ...]


@dataclass(frozen=True)
class ReadPass:
    condition: str
    plates: tuple[str, ...]
    frames: tuple[ReadFrame, ...]


@dataclass
class Tally:
    """Counts of one condition. Pairs are (confidence, was right)."""

    frames: list[bool] = field(default_factory=list)
    surest: list[tuple[float, bool]] = field(default_factory=list)
    alike: list[tuple[float, bool]] = field(default_factory=list)
    voted: list[tuple[float, bool]] = field(default_factory=list)
    reported: list[bool] = field(default_factory=list)
    reads: list[tuple[float, bool]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)


def read_passes(
    recognizer: Recognizer, conditions: Iterable[str], seed: int, passes: int, frames: int
) -> list[ReadPass]:
    """Draw and read; the same passes every time."""
    out = []
    for condition in conditions:
        for number in range(passes):
            drawn = drawn_pass(condition, seed, number, frames)
            shown = recognizer.recognise([f.jpeg for f in drawn.frames])
            read = []
            for frame, one in zip(drawn.frames, shown, strict=True):
                assert not isinstance(one, PictureUnreadable)
                size = (one.width, one.height)
                read.append(ReadFrame(frame.at_seconds, size, frame.boxes, one.sightings))
            out.append(ReadPass(condition, drawn.plates, tuple(read)))
        print(f"  {condition}: read", file=sys.stderr)
    return out


def tallied(passes: Sequence[ReadPass], product: Callable[[], CameraPasses]) -> Tally:
    out = Tally()
    for one in passes:
        reads = _reported(one, product)
        out.reads += [(confidence, text in one.plates) for text, confidence, _ in reads]
        for index, plate in enumerate(one.plates):
            _count_plate(out, plate, _readings(one, index))
            times = [at for text, _, at in reads if text == plate]
            out.reported.append(bool(times))
            began = next(f.at_seconds for f in one.frames if f.boxes[index] is not None)
            out.waits += [at - began for at in times[:1]]
    return out


def _count_plate(out: Tally, plate: str, readings: Sequence[Reading]) -> None:
    out.frames += [r.text == plate for r in readings]
    for rules, pairs in ((VotingRules(), out.voted), (VotingRules(by_confidence=0), out.alike)):
        votes = Votes(rules)
        for reading in readings:
            votes.add(reading)
        voted = votes.consensus()
        pairs.append((voted.confidence, voted.text == plate))
    surest = max(readings, key=lambda r: r.confidence, default=NO_READING)
    out.surest.append((surest.confidence, surest.text == plate))


def _readings(one: ReadPass, index: int) -> list[Reading]:
    """Of one plate, one per frame that it is in; `NO_READING` where it was not found."""
    found = []
    for frame in one.frames:
        box = frame.boxes[index]
        if box is None:
            continue
        at_box = [s for s in frame.sightings if s.box.overlap(PlateBox(*box)) >= _LEAST_OVERLAP]
        best = max(at_box, key=lambda s: s.reading.confidence, default=None)
        found.append(best.reading if best is not None else NO_READING)
    return found


def _reported(one: ReadPass, product: Callable[[], CameraPasses]) -> list[tuple[str, float, float]]:
    """The product's reads: text, confidence, seconds after the pass's camera began."""
    partition = PartitionPasses(product, "")
    reads: list[tuple[str, float, float]] = []

    def emit(now: float) -> None:
        for known, voted in partition.due():
            reads.append((voted.text, voted.confidence, now))
            partition.emitted(known)

    now = 0.0
    for offset, frame in enumerate(one.frames):
        now = frame.at_seconds
        captured_at = _NOON + timedelta(seconds=now)
        message = Frame(
            frame_id=Frame.id_of("bench", captured_at), agency_id="bench", camera_id="bench",
            captured_at=captured_at, received_at=captured_at, latitude=0, longitude=0,
            width=frame.size[0], height=frame.size[1],
        )  # fmt: skip
        arrived_ms = round(captured_at.timestamp() * 1000)
        partition.observe(SeenFrame(message, b"", offset, arrived_ms, now), frame.sightings)
        emit(now)
    partition.end_quiet(_QUIET_SECONDS, now + _QUIET_SECONDS + 0.05, caught_up=True)
    emit(now + _QUIET_SECONDS + 0.05)
    return reads


def figures(tally: Tally) -> dict[str, Any]:
    wrong = sum(not is_right for _, is_right in tally.reads)
    sure = [is_right for confidence, is_right in tally.voted if confidence >= 0.98]
    return {
        "plates": len(tally.voted),
        "frames": len(tally.frames),
        "single_frame": round(sum(tally.frames) / max(1, len(tally.frames)), 3),
        "surest_frame": share([is_right for _, is_right in tally.surest]),
        "alike": share([is_right for _, is_right in tally.alike]),
        "voted": share([is_right for _, is_right in tally.voted]),
        "reported": share(tally.reported),
        "wrong_reads_per_plate": round(wrong / max(1, len(tally.voted)), 3),
        "seconds_to_read": round(sum(tally.waits) / max(1, len(tally.waits)), 2),
        "calibration_error": {
            "surest_frame": round(calibration(tally.surest)[0], 3),
            "voted": round(calibration(tally.voted)[0], 3),
            "reads": round(calibration(tally.reads)[0], 3),
        },
        "voted_from_98_percent_on": {"plates": len(sure), "wrong": len(sure) - sum(sure)},
    }


def share(right: Sequence[bool]) -> dict[str, float]:
    """The share that is right, with its 95 % Wilson interval."""
    count, z = max(1, len(right)), 1.96
    part = sum(right) / count
    middle = (part + z * z / 2 / count) / (1 + z * z / count)
    half = (part * (1 - part) / count + z * z / 4 / count**2) ** 0.5 * z / (1 + z * z / count)
    return {
        "share": round(part, 3),
        "from": round(max(0.0, middle - half), 3),
        "to": round(min(1.0, middle + half), 3),
    }


def together(tallies: Iterable[Tally]) -> Tally:
    out = Tally()
    for one in tallies:
        for name, values in vars(one).items():
            getattr(out, name).extend(values)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--passes", type=int, default=24)
    parser.add_argument("--frames", type=int, default=7)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--conditions", default=",".join(CONDITIONS))
    parser.add_argument("--readings", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    recognizer = load_recognizer(Settings())
    if options.readings is not None and options.readings.exists():
        passes: list[ReadPass] = pickle.loads(options.readings.read_bytes())
    else:
        passes = read_passes(
            recognizer, options.conditions.split(","), options.seed, options.passes, options.frames
        )
        if options.readings is not None:
            options.readings.write_bytes(pickle.dumps(passes))
    limits = recognizer.reader.limits
    product = lambda: CameraPasses(PassRules(), limits, EmissionRules())  # noqa: E731
    names = list(dict.fromkeys(one.condition for one in passes))
    tallies = {n: tallied([p for p in passes if p.condition == n], product) for n in names}
    found = {
        "reader": recognizer.reader.name,
        **figures(together(tallies.values())),
        "conditions": {name: figures(tally) for name, tally in tallies.items()},
    }
    if options.json:
        json.dump(found, sys.stdout, indent=1)
        print()
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    shares = ("surest_frame", "alike", "voted", "reported")
    print(f"{'':10} plates  single" + "".join(f"{s:>20}" for s in shares) + "  wrong  seconds")
    for name, one in {**found["conditions"], "together": found}.items():
        cells = "".join(
            f"{one[s]['share']:8.3f} {one[s]['from']:.3f}-{one[s]['to']:.3f}" for s in shares
        )
        print(
            f"{name:10} {one['plates']:6} {one['single_frame']:7.3f}{cells}"
            f"  {one['wrong_reads_per_plate']:5.3f}  {one['seconds_to_read']:7.2f}"
        )
    print("calibration error:", found["calibration_error"])


if __name__ == "__main__":
    main()
