"""Street scenes drawn by the demo itself: vehicles passing, readable plates, different light.

A camera on a pole looks down a road at the backs of vehicles driving away. No third-party picture
is shipped, and every pass is the same for the same seed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from alpr_local.demo.vehicle import Paint, VehicleLook, draw_vehicle

Picture = npt.NDArray[np.uint8]
"""BGR, [height, width, 3]."""

WIDTH, HEIGHT = 1280, 720
_HORIZON = 250
_VANISHING = (650, _HORIZON)
_JPEG_QUALITY = 88


@dataclass(frozen=True)
class Light:
    """How a place looks at a time of day."""

    name: str
    sky_top: Paint
    sky_low: Paint
    ground: Paint
    road: Paint
    exposure: float
    noise: float
    grey: bool = False
    rain: bool = False


DAY = Light("day", (214, 170, 120), (235, 222, 205), (92, 122, 104), (112, 110, 108), 1.0, 2.0)
OVERCAST = Light(
    "rain", (178, 170, 164), (196, 192, 188), (86, 100, 92), (92, 92, 92), 0.92, 3.5, rain=True
)
DUSK = Light("dusk", (96, 58, 40), (92, 132, 214), (44, 48, 46), (62, 58, 58), 0.72, 5.0)
NIGHT = Light(
    "infrared", (16, 16, 16), (26, 26, 26), (30, 30, 30), (38, 38, 38), 0.8, 6.0, grey=True
)
LIGHTS = (DAY, DUSK, OVERCAST, NIGHT)


@dataclass(frozen=True)
class Pass:
    """One vehicle driving through one camera's view."""

    plate: str
    jurisdiction: str
    light: Light
    seed: int
    frames: int = 8


def render_pass(vehicle_pass: Pass) -> Iterator[bytes]:
    """The pass's frames as JPEG bytes, 1280x720, in order; the plate is 150 down to 80 px wide."""
    rng = np.random.default_rng(vehicle_pass.seed)
    background = _background(vehicle_pass.light, rng)
    look = VehicleLook.random(vehicle_pass.plate, vehicle_pass.jurisdiction, rng)
    lane = float(rng.choice([-0.42, 0.42]) + rng.uniform(-0.04, 0.04))
    for step in range(vehicle_pass.frames):
        along = step / max(1, vehicle_pass.frames - 1)
        picture = background.copy()
        _place(picture, look, lane, along, vehicle_pass.light)
        yield _expose(picture, vehicle_pass.light, rng)


def empty_road(light: Light, seed: int) -> bytes:
    """A frame with nobody in it."""
    rng = np.random.default_rng(seed)
    return _expose(_background(light, rng), light, rng)


def _background(light: Light, rng: np.random.Generator) -> Picture:
    picture = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    mix = np.linspace(0, 1, _HORIZON, dtype=np.float32)[:, None, None]
    picture[:_HORIZON] = np.array(light.sky_top) * (1 - mix) + np.array(light.sky_low) * mix
    picture[_HORIZON:] = light.ground
    canvas = np.clip(picture, 0, 255).astype(np.uint8)
    _skyline(canvas, light, rng)
    _road(canvas, light)
    texture = rng.normal(0, 5, (HEIGHT // 2, WIDTH // 2)).astype(np.float32)
    grain = cv2.resize(texture, (WIDTH, HEIGHT))[..., None]
    grain[:_HORIZON] *= 0.15
    grained: Picture = np.clip(canvas + grain, 0, 255).astype(np.uint8)
    return grained


def _skyline(canvas: Picture, light: Light, rng: np.random.Generator) -> None:
    """Houses and trees along the horizon: something for the detector to say no to."""
    shade = np.array(light.ground) * 0.62
    x = 0
    while x < WIDTH:
        width, height = int(rng.integers(50, 150)), int(rng.integers(26, 105))
        tone = shade * rng.uniform(0.75, 1.3) + rng.uniform(0, 14)
        paint = tuple(float(v) for v in np.clip(tone, 0, 255))
        if rng.random() < 0.4:
            for _ in range(6):
                centre = (x + int(rng.integers(0, width)), _HORIZON - int(rng.integers(4, height)))
                cv2.circle(canvas, centre, int(rng.integers(16, 34)), paint, -1, cv2.LINE_AA)
        else:
            cv2.rectangle(canvas, (x, _HORIZON - height), (x + width, _HORIZON + 6), paint, -1)
            lit = tuple(float(v) for v in np.clip(tone * 1.5 + 14, 0, 255))
            for window_x in range(x + 8, x + width - 10, 18):
                for window_y in range(_HORIZON - height + 9, _HORIZON - 10, 19):
                    if rng.random() < 0.6:
                        cv2.rectangle(
                            canvas, (window_x, window_y), (window_x + 8, window_y + 10), lit, -1
                        )
        x += width


def _road(canvas: Picture, light: Light) -> None:
    edge = [(-520, HEIGHT), (WIDTH + 520, HEIGHT), (_VANISHING[0] + 14, _HORIZON)]
    outline = np.array([*edge, (_VANISHING[0] - 14, _HORIZON)], np.int32)
    cv2.fillPoly(canvas, [outline], light.road, cv2.LINE_AA)
    line = tuple(float(min(255, v * 1.9 + 24)) for v in light.road)
    for side in (-0.93, 0.93):
        a, b = _on_road(side, 0.0), _on_road(side, 1.0)
        cv2.line(canvas, a, b, line, 4, cv2.LINE_AA)
    for start in np.arange(0.02, 0.98, 0.12):
        a, b = _on_road(0.0, float(start)), _on_road(0.0, float(start + 0.05))
        cv2.line(canvas, a, b, line, max(1, int(9 * (1 - start))), cv2.LINE_AA)


def _on_road(across: float, along: float) -> tuple[int, int]:
    """Pixel of a place on the road: across -1..1 (kerb to kerb), along 0 (near) to 1 (far)."""
    depth = 1 / (1 + 3.2 * along)
    y = _HORIZON + (HEIGHT - _HORIZON) * depth * 1.02
    half = (WIDTH / 2 + 520) * depth
    return int(_VANISHING[0] + across * half), int(y)


def _place(picture: Picture, look: VehicleLook, lane: float, along: float, light: Light) -> None:
    """Draw the vehicle where it is on the road; nearer is larger."""
    near, far = 590.0, 330.0
    width = near + (far - near) * along
    ground_x = _VANISHING[0] + lane * (560 - 220 * along)
    ground_y = 705 - 165 * along
    draw_vehicle(picture, look, (ground_x, ground_y), width, lights_on=light is not DAY)


def _expose(picture: Picture, light: Light, rng: np.random.Generator) -> bytes:
    exposed = picture.astype(np.float32) * light.exposure
    if light.rain:
        _rain(exposed, rng)
    if light.grey:
        exposed = np.repeat(exposed @ np.array([[0.114], [0.587], [0.299]]), 3, axis=2)
    exposed += rng.normal(0, light.noise, (HEIGHT, WIDTH, 1))
    jpeg = cv2.imencode(
        ".jpg",
        np.clip(exposed, 0, 255).astype(np.uint8),
        [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY],
    )[1]
    return jpeg.tobytes()


def _rain(picture: npt.NDArray[np.float32], rng: np.random.Generator) -> None:
    streaks = np.zeros(picture.shape[:2], np.uint8)
    for x, y in rng.integers((0, 0), (WIDTH, HEIGHT), (260, 2)):
        cv2.line(streaks, (int(x), int(y)), (int(x) - 4, int(y) + 18), 60, 1, cv2.LINE_AA)
    picture += streaks[..., None].astype(np.float32) * 0.5
