"""Vehicle passes in poor conditions, drawn: what a distant, cheap, shaken or dazzled camera sees.

Every pass is the same for the same condition, seed and number. How poor a pass is, is drawn once
per pass, and around that once per frame: frames of one pass have their faults in common.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from alpr_common.plates import normalize
from alpr_local.demo.scenes import HEIGHT, LIGHTS, NIGHT, WIDTH, Light, empty_road
from alpr_local.demo.vehicle import VehicleLook, draw_vehicle
from alpr_training.plate_art import JURISDICTIONS, serial

Picture = npt.NDArray[np.uint8]
"""RGB, [height, width, 3]."""
Box = tuple[float, float, float, float]
Rng = np.random.Generator

FRAMES_PER_SECOND = 5
_CODES = ("US-IL", "US-IL", "US-IN", "US-WI", "US-MI", "US-OH", "US-CA", "US-NY", "EU-D", "BR")
_PLATE_ABOVE_GROUND = 0.3546
"""Of the vehicle's height, its middle; as `draw_vehicle` mounts it."""
_CHARACTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"


@dataclass(frozen=True)
class Fault:
    """What is wrong with one plate in one frame; lengths in parts of the plate's width."""

    plate_px: float
    blur_px: float = 0.6
    motion: float = 0.0
    noise: float = 5.0
    quality: int = 60
    glare: tuple[float, float, float] | None = None
    """Where along the plate (0..1), how wide, how strong (1: white)."""
    hidden: float | None = None
    """Where along the plate a post as wide as a character stands before it (0..1)."""
    drawn_larger: int = 2
    """Drawn this many times larger than the camera's pixels: 2 makes 640x360, 1 1280x720."""


@dataclass(frozen=True)
class DrawnFrame:
    """One frame, seconds after the pass's camera began."""

    jpeg: bytes
    at_seconds: float
    boxes: tuple[Box | None, ...]
    """Per plate of the pass where it is (x1, y1, x2, y2 in px); None where it is not in view."""


@dataclass(frozen=True)
class DrawnPass:
    """What one camera sees while these plates pass; one plate unless vehicles are close by."""

    condition: str
    number: int
    plates: tuple[str, ...]
    frames: tuple[DrawnFrame, ...]


def spoilt(picture: Picture, box: Box, fault: Fault, rng: Rng) -> Picture:
    """The plate at `box` (x1, y1, x2, y2) hidden or dazzled, then the whole picture smeared and
    noisy."""
    x1, y1, x2, y2 = box
    out = picture.astype(np.float32)
    width, height = x2 - x1, y2 - y1
    if fault.hidden is not None:
        left = x1 + fault.hidden * width - 0.055 * width
        tone = float(rng.uniform(20, 120))
        out[:, max(0, round(left)) : max(0, round(left + 0.11 * width))] = tone
    if fault.glare is not None:
        along, spread, strength = fault.glare
        rows, columns = np.mgrid[: out.shape[0], : out.shape[1]].astype(np.float32)
        away = ((columns - (x1 + along * width)) / (spread * width)) ** 2
        away += ((rows - (y1 + y2) / 2) / max(1.0, 0.8 * height)) ** 2
        out += 255 * strength * np.exp(-away / 2)[..., None]
    if fault.motion * width > 1:
        out = cv2.filter2D(np.clip(out, 0, 255), -1, _smear(fault.motion * width, rng))
    if fault.blur_px > 0:
        out = cv2.GaussianBlur(np.clip(out, 0, 255), (0, 0), fault.blur_px)
    noisy = out + rng.normal(0, fault.noise, out.shape)
    clipped: Picture = np.clip(noisy, 0, 255).astype(np.uint8)
    return clipped


def _smear(length: float, rng: Rng) -> npt.NDArray[np.float32]:
    """A line of that many pixels, nearly level: what a vehicle's or camera's motion does."""
    size = 2 * int(np.ceil(length / 2)) + 1
    kernel = np.zeros((size, size), np.float32)
    middle, slope = size // 2, float(rng.uniform(-0.25, 0.25))
    for step in np.linspace(-length / 2, length / 2, 4 * size):
        kernel[round(middle + step * slope), round(middle + step)] += 1
    smear: npt.NDArray[np.float32] = kernel / kernel.sum()
    return smear


Faults = Callable[[Rng, int], list[Fault]]
"""What is wrong in each of so many frames of one pass."""


def _clear(rng: Rng, frames: int) -> list[Fault]:
    width = float(rng.uniform(80, 130))
    return [Fault(width * (1 - 0.03 * i), 0.3, noise=3, quality=85) for i in range(frames)]


def _distant(rng: Rng, frames: int) -> list[Fault]:
    """Few pixels, out of focus, noisy."""
    width, noise = float(rng.uniform(34, 62)), float(rng.uniform(4, 12))
    return [
        Fault(
            width * (1 - 0.02 * i), float(rng.uniform(0.4, 1.1)), noise=noise,
            quality=int(rng.integers(35, 75)),
        )
        for i in range(frames)
    ]  # fmt: skip


def _approach(rng: Rng, frames: int) -> list[Fault]:
    """From 40 to 200 px."""
    blur, noise = float(rng.uniform(0.5, 1.1)), float(rng.uniform(4, 10))
    return [
        Fault(float(w), blur, float(rng.uniform(0, 0.04)), noise, drawn_larger=1)
        for w in np.geomspace(40, 200, frames)
    ]


def _motion(rng: Rng, frames: int) -> list[Fault]:
    """Most frames smeared by up to a character, one or two sharp."""
    width = float(rng.uniform(60, 105))
    sharp = set(rng.choice(frames, size=int(rng.integers(1, 3)), replace=False).tolist())
    return [
        Fault(width, 0.5, float(rng.uniform(0, 0.02) if i in sharp else rng.uniform(0.05, 0.13)))
        for i in range(frames)
    ]


def _glare(rng: Rng, frames: int) -> list[Fault]:
    plain = replace(_distant(rng, 1)[0], plate_px=float(rng.uniform(48, 85)))
    return [
        replace(
            plain,
            glare=(float(rng.uniform(0.05, 0.95)), float(rng.uniform(0.08, 0.2)),
                   float(rng.uniform(0.7, 1.6))) if rng.random() < 0.6 else None,
        )
        for _ in range(frames)
    ]  # fmt: skip


def _hidden(rng: Rng, frames: int) -> list[Fault]:
    """A post hides a character in most frames: the same one a while, then another or none."""
    plain = replace(_distant(rng, 1)[0], plate_px=float(rng.uniform(48, 85)))
    along, speed = float(rng.uniform(-0.1, 1.0)), float(rng.choice([0.0, 0.03, 0.12]))
    share = float(rng.uniform(0.5, 0.85))
    return [
        replace(plain, hidden=along + speed * i if rng.random() < share else None)
        for i in range(frames)
    ]


def _two(rng: Rng, frames: int) -> list[Fault]:
    return [replace(f, plate_px=f.plate_px * 1.1) for f in _distant(rng, frames)]


CONDITIONS: dict[str, Faults] = {
    "clear": _clear,
    "distant": _distant,
    "approach": _approach,
    "motion": _motion,
    "glare": _glare,
    "hidden": _hidden,
    "two": _two,
}
"""`two`: two vehicles, side by side or the second half a second behind the first."""


def drawn_pass(condition: str, seed: int, number: int, frames: int) -> DrawnPass:
    """One pass; frames are 640x360 with plates of 30 to 130 px (`approach`: 1280x720, to 200)."""
    rng = np.random.default_rng([seed, list(CONDITIONS).index(condition), number])
    light = LIGHTS[int(rng.integers(len(LIGHTS)))]
    code = str(rng.choice(_CODES))
    drawn = _serial(code, rng)
    texts = [drawn]
    if condition == "two":
        texts.append(_neighbour(drawn, code, rng))
    looks = [VehicleLook.random(text, code, rng) for text in texts]
    lanes = [float(rng.uniform(-0.25, 0.25))] if len(looks) == 1 else [-0.45, 0.45]
    drift = float(rng.uniform(-0.06, 0.06))
    lag = 0
    if condition == "two" and number % 2:
        lanes, lag = [0.0, 0.0], frames + 2
    faults = CONDITIONS[condition](rng, frames)
    road = simplejpeg.decode_jpeg(empty_road(light, int(rng.integers(1 << 30))), "BGR")
    shots = []
    for step in range(frames + lag):
        shown = [i for i in range(len(looks)) if i * lag <= step < frames + i * lag]
        since = step % lag if lag else step
        fault = faults[min(since, frames - 1)]
        ways = {i: lanes[i] + drift * (since - frames / 2) for i in shown}
        boxes = {i: _stand(looks[i], way, fault) for i, way in ways.items()}
        picture = road.copy()
        for i, way in ways.items():
            _draw(picture, looks[i], way, fault)
        jpeg = _exposed(picture, list(boxes.values()), fault, light, rng)
        seen = tuple(boxes.get(i) for i in range(len(looks)))
        shots.append(DrawnFrame(jpeg, step / FRAMES_PER_SECOND, seen))
    return DrawnPass(condition, number, tuple(normalize(t) for t in texts), tuple(shots))


def _serial(code: str, rng: Rng) -> str:
    """A plate of that jurisdiction without the letters O and I: nobody, with any number of frames,
    can tell them from 0 and 1 where the typeface draws them alike."""
    while True:
        drawn = serial(JURISDICTIONS[code], rng)
        if not set("OI") & set(drawn) and len(normalize(drawn)) >= 4:
            return drawn


def _neighbour(drawn: str, code: str, rng: Rng) -> str:
    """Another plate; every second time one that differs in a single character."""
    if rng.random() < 0.5:
        return _serial(code, rng)
    places = [i for i, c in enumerate(drawn) if c.isalnum()]
    at = int(rng.choice(places))
    others = "0123456789" if drawn[at].isdigit() else _CHARACTERS
    return drawn[:at] + str(rng.choice([c for c in others if c != drawn[at]])) + drawn[at + 1 :]


def _ground(look: VehicleLook, lane: float, fault: Fault) -> tuple[tuple[float, float], float]:
    """Where the vehicle stands in the 1280x720 drawing, and how wide it is there."""
    width = fault.plate_px * fault.drawn_larger / look.plate_share
    low = HEIGHT * 0.55 + _height(look, width) * 0.55
    return (WIDTH * (0.5 + lane * 0.6), min(HEIGHT * 0.93, low)), width


def _height(look: VehicleLook, width: float) -> float:
    return width * (1.02 if look.tall else 0.80)


def _draw(picture: Picture, look: VehicleLook, lane: float, fault: Fault) -> None:
    ground, width = _ground(look, lane, fault)
    draw_vehicle(picture, look, ground, width, lights_on=True)


def _stand(look: VehicleLook, lane: float, fault: Fault) -> Box:
    """The plate's box in the camera's pixels."""
    (x, low), width = _ground(look, lane, fault)
    y = low - _PLATE_ABOVE_GROUND * _height(look, width)
    half = fault.plate_px * fault.drawn_larger / 2
    tall = half * look.plate.shape[0] / look.plate.shape[1]
    x1, y1, x2, y2 = (v / fault.drawn_larger for v in (x - half, y - tall, x + half, y + tall))
    return x1, y1, x2, y2


def _exposed(picture: Picture, boxes: Sequence[Box], fault: Fault, light: Light, rng: Rng) -> bytes:
    """The camera's JPEG of a 1280x720 drawing (BGR)."""
    if fault.drawn_larger > 1:
        size = (WIDTH // fault.drawn_larger, HEIGHT // fault.drawn_larger)
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    exposed = np.clip(picture[..., ::-1] * light.exposure, 0, 255).astype(np.uint8)
    if light is NIGHT:
        exposed = np.repeat(cv2.cvtColor(exposed, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    out = spoilt(exposed, boxes[0] if boxes else (0, 0, 1, 1), fault, rng)
    coded: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(out), quality=fault.quality, colorspace="RGB"
    )
    return coded
