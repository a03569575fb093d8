"""A vehicle from behind, with its plate: drawn with OpenCV at the size that the scene needs."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from alpr_training.plate_art import render_plate

Picture = npt.NDArray[np.uint8]
Paint = tuple[float, float, float]

_PAINTS: tuple[Paint, ...] = (
    (58, 54, 52),
    (182, 184, 186),
    (236, 236, 234),
    (120, 62, 30),
    (44, 36, 138),
    (74, 92, 70),
    (142, 128, 112),
)
# A US plate is 12 in wide and a car about 71 in: the plate is a sixth of the body.
_PLATE_SHARE = {"US": 0.205, "BR": 0.24, "EU": 0.285}
_SUPERSAMPLE = 2


@dataclass(frozen=True)
class VehicleLook:
    """What stays the same during one pass."""

    plate: Picture
    plate_share: float
    paint: Paint
    tall: bool
    tilt_degrees: float

    @classmethod
    def random(cls, plate: str, jurisdiction: str, rng: np.random.Generator) -> "VehicleLook":
        """A vehicle with that plate; everything else is drawn from `rng`."""
        picture = render_plate(plate, jurisdiction, height_px=160, rng=rng)
        share = _PLATE_SHARE.get(jurisdiction.partition("-")[0], 0.285)
        return cls(
            plate=picture,
            plate_share=share,
            paint=_PAINTS[int(rng.integers(len(_PAINTS)))],
            tall=bool(rng.random() < 0.35),
            tilt_degrees=float(rng.normal(0, 0.7)),
        )


def draw_vehicle(
    picture: Picture,
    look: VehicleLook,
    ground: tuple[float, float],
    width: float,
    *,
    lights_on: bool,
) -> None:
    """Draw it standing on `ground` (centre of its shadow, px), `width` px wide, into `picture`."""
    height = width * (1.02 if look.tall else 0.80)
    scale = width * _SUPERSAMPLE
    canvas = np.zeros((int(height * _SUPERSAMPLE * 1.08), int(scale), 4), np.uint8)
    _body(canvas, look, lights_on)
    _mount_plate(canvas, look)
    centre = (canvas.shape[1] / 2, canvas.shape[0] / 2)
    turn = cv2.getRotationMatrix2D(centre, look.tilt_degrees, 1 / _SUPERSAMPLE)
    size = (int(width * 1.1), int(height * 1.16))
    turn[:, 2] += np.array([size[0] / 2 - centre[0], size[1] / 2 - centre[1]])
    shrunk = cv2.warpAffine(canvas, turn, size, flags=cv2.INTER_AREA)
    _shadow(picture, ground, width)
    _blend(picture, shrunk, (ground[0] - size[0] / 2, ground[1] - size[1] * 0.95))


def _body(canvas: npt.NDArray[np.uint8], look: VehicleLook, lights_on: bool) -> None:
    """The shell in fractions of its own box, so that any size looks alike."""
    paint = np.array(look.paint)
    roof = 0.05 if look.tall else 0.08
    belt = 0.40 if look.tall else 0.44
    dark, light = paint * 0.55, np.clip(paint * 1.18 + 16, 0, 255)
    _fill(canvas, [(0.08, 0.72), (0.08, 0.97), (0.26, 0.97), (0.26, 0.72)], (22, 22, 22))
    _fill(canvas, [(0.74, 0.72), (0.74, 0.97), (0.92, 0.97), (0.92, 0.72)], (22, 22, 22))
    cabin = [(0.20, roof + 0.02), (0.27, roof), (0.73, roof), (0.80, roof + 0.02)]
    _fill(canvas, [*cabin, (0.92, belt + 0.03), (0.08, belt + 0.03)], light)
    glass = [(0.245, roof + 0.06), (0.755, roof + 0.06), (0.85, belt), (0.15, belt)]
    _fill(canvas, glass, (64, 56, 50))
    _fill(
        canvas, [(0.25, roof + 0.07), (0.5, roof + 0.07), (0.36, belt), (0.16, belt)], (92, 84, 78)
    )
    _fill(canvas, [(0.06, belt + 0.02), (0.94, belt + 0.02), (0.98, 0.58), (0.97, 0.86),
                   (0.03, 0.86), (0.02, 0.58)], paint)  # fmt: skip
    _fill(canvas, [(0.06, belt + 0.02), (0.94, belt + 0.02), (0.95, belt + 0.06),
                   (0.05, belt + 0.06)], light)  # fmt: skip
    _fill(canvas, [(0.03, 0.79), (0.97, 0.79), (0.95, 0.91), (0.05, 0.91)], dark)
    lamp = (70, 70, 245) if lights_on else (46, 40, 176)
    for mirror in (False, True):
        shape = [(0.035, 0.50), (0.20, 0.51), (0.17, 0.62), (0.035, 0.63)]
        _fill(canvas, [(1 - x, y) for x, y in shape] if mirror else shape, lamp)
    _fill(canvas, [(0.28, 0.53), (0.72, 0.53), (0.70, 0.765), (0.30, 0.765)], paint * 0.82)


def _mount_plate(canvas: npt.NDArray[np.uint8], look: VehicleLook) -> None:
    rows, columns = canvas.shape[:2]
    width = int(columns * look.plate_share)
    height = int(width * look.plate.shape[0] / look.plate.shape[1])
    sized = cv2.resize(look.plate, (width, height), interpolation=cv2.INTER_AREA)
    x, y = (columns - width) // 2, int(rows * 0.655) - height // 2
    border = max(2, width // 60)
    canvas[y - border : y + height + border, x - border : x + width + border, :3] = 28
    canvas[y : y + height, x : x + width, :3] = sized
    canvas[y - border : y + height + border, x - border : x + width + border, 3] = 255


def _fill(
    canvas: npt.NDArray[np.uint8],
    shape: list[tuple[float, float]],
    paint: npt.NDArray[np.float64] | Paint,
) -> None:
    rows, columns = canvas.shape[:2]
    points = np.array([(x * columns, y * rows) for x, y in shape]).astype(np.int32)
    bgr = [float(v) for v in np.clip(np.asarray(paint, float), 0, 255)]
    cv2.fillPoly(canvas, [points], (*bgr, 255.0), cv2.LINE_AA)


def _shadow(picture: Picture, ground: tuple[float, float], width: float) -> None:
    overlay = picture.copy()
    centre = (int(ground[0]), int(ground[1] - width * 0.01))
    cv2.ellipse(
        overlay, centre, (int(width * 0.53), int(width * 0.055)), 0, 0, 360, (20, 20, 20), -1
    )
    cv2.addWeighted(overlay, 0.55, picture, 0.45, 0, dst=picture)


def _blend(picture: Picture, layer: npt.NDArray[np.uint8], corner: tuple[float, float]) -> None:
    x, y = int(corner[0]), int(corner[1])
    x0, y0 = max(0, x), max(0, y)
    x1 = min(picture.shape[1], x + layer.shape[1])
    y1 = min(picture.shape[0], y + layer.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    part = layer[y0 - y : y1 - y, x0 - x : x1 - x].astype(np.float32)
    cover = part[..., 3:] / 255
    area = picture[y0:y1, x0:x1].astype(np.float32)
    picture[y0:y1, x0:x1] = np.clip(area * (1 - cover) + part[..., :3] * cover, 0, 255)
