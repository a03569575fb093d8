"""What voting over a pass's frames gives over single frames, on drawn passes in poor conditions.

    python -m bench.voting --json [--passes 24] [--frames 6]

Each pass is drawn, then shrunk, blurred and made noisy anew per frame, as a distant or cheap camera
would see it. `single_frame` is the share of frames read exactly, `surest_frame` the share of passes
whose surest single frame is, `voted` the share of passes whose one read is.
"""

import argparse
import json
import random
import sys
from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg

from alpr_local.demo.scenes import LIGHTS, Pass, render_pass
from alpr_recognizer.domain import PictureUnreadable, Sighting
from alpr_recognizer.recognition import Recognizer
from alpr_recognizer.settings import Settings
from alpr_recognizer.voting import Votes
from alpr_recognizer.weights import load_recognizer

_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"


@dataclass
class Count:
    frames: int = 0
    frames_right: int = 0
    passes: int = 0
    surest_right: int = 0
    voted_right: int = 0


def poor(jpeg: bytes, rng: np.random.Generator, factor: float) -> bytes:
    """The frame at fewer pixels, out of focus, noisy, and compressed harder."""
    picture = simplejpeg.decode_jpeg(jpeg, "RGB")
    height, width = picture.shape[:2]
    small = cv2.resize(
        picture, (round(width * factor), round(height * factor)), interpolation=cv2.INTER_AREA
    )
    small = cv2.GaussianBlur(small, (0, 0), float(rng.uniform(0.4, 1.1)))
    noisy = small + rng.normal(0, rng.uniform(4, 14), small.shape)
    out = np.clip(noisy, 0, 255).astype(np.uint8)
    coded: bytes = simplejpeg.encode_jpeg(out, quality=int(rng.integers(35, 75)), colorspace="RGB")
    return coded


def largest(recognizer: Recognizer, jpeg: bytes) -> Sighting | None:
    (shown,) = recognizer.recognise([jpeg])
    if isinstance(shown, PictureUnreadable) or not shown.sightings:
        return None
    return max(shown.sightings, key=lambda s: s.box.width * s.box.score)


def measured(recognizer: Recognizer, passes: int, frames: int) -> Count:
    """Draw, spoil, read and vote; the same passes every time."""
    chance = random.Random(7)
    count = Count()
    for number in range(passes):
        plate = "".join(chance.choices(_LETTERS, k=2)) + f"{chance.randrange(100_000):05}"
        light = LIGHTS[number % len(LIGHTS)]
        rng = np.random.default_rng(number)
        votes, surest = Votes(), None
        for jpeg in render_pass(Pass(plate, "US-IL", light, number, frames=frames)):
            seen = largest(recognizer, poor(jpeg, rng, float(rng.uniform(0.34, 0.5))))
            count.frames += 1
            if seen is None:
                continue
            count.frames_right += seen.reading.text == plate
            votes.add(seen.reading)
            if surest is None or seen.reading.confidence > surest.confidence:
                surest = seen.reading
        count.passes += 1
        count.surest_right += surest is not None and surest.text == plate
        count.voted_right += votes.consensus().text == plate
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--passes", type=int, default=24)
    parser.add_argument("--frames", type=int, default=6)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    recognizer = load_recognizer(Settings())
    count = measured(recognizer, options.passes, options.frames)
    figures = {
        "passes": count.passes,
        "frames": count.frames,
        "single_frame": round(count.frames_right / count.frames, 3),
        "surest_frame": round(count.surest_right / count.passes, 3),
        "voted": round(count.voted_right / count.passes, 3),
        "reader": recognizer.reader.name,
    }
    if options.json:
        json.dump(figures, sys.stdout, indent=1)
        print()
    else:
        for name, value in figures.items():
            print(f"{name:<14} {value}")


if __name__ == "__main__":
    main()
