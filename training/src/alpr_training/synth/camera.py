"""The camera: what distance, angle, light and compression do to a plate before it is read."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from alpr_training.pictures import Fractions, through_jpeg

GreyImage = npt.NDArray[np.uint8]
FloatImage = npt.NDArray[np.float32]
Corner = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Shot:
    """How hard a plate is photographed."""

    synthetic: bool
    """Clean drawings need every fault; real crops bring their own."""
    narrowest_px: float = 42.0
    widest_px: float = 260.0


def reader_crop(
    plate: npt.NDArray[np.uint8],
    size: tuple[int, int],
    shot: Shot,
    rng: np.random.Generator,
    *,
    inner: Fractions | None = None,
    textures: Sequence[GreyImage] = (),
) -> GreyImage:
    """A detector's crop of the photographed plate: grey uint8 [height, width] = `size`.

    The plate lies a little turned, sheared and off-centre in a loose or tight box, as detectors cut
    it; then come capture at few pixels, blur, light, noise and compression. `inner` is the plate
    itself, as fractions of the picture, when that shows what is around it; else `textures` (or
    nothing but bars) fill the room of a loose box.
    """
    grey = _grey(plate, rng)
    if shot.synthetic and rng.random() < 0.25:
        _dealer_frame(grey, rng)
    height, width = grey.shape
    box = inner or (0.0, 0.0, 1.0, 1.0)
    low = np.array([box[0] * width, box[1] * height], np.float32)
    high = np.array([box[2] * width, box[3] * height], np.float32)
    placed = _place(grey, (low, high), shot, textures, rng)
    small = _capture(placed, max(8, round(float(high[0] - low[0]))), shot, rng)
    lit = _light(small, shot, rng)
    return _develop(lit, size, rng)


def _grey(plate: npt.NDArray[np.uint8], rng: np.random.Generator) -> FloatImage:
    if plate.ndim == 2:
        return plate.astype(np.float32)
    if rng.random() < 0.5:
        weights = np.array([0.114, 0.587, 0.299], np.float32)
    else:
        weights = rng.dirichlet([1.2, 2.0, 1.6]).astype(np.float32)
    grey: FloatImage = cv2.transform(plate.astype(np.float32), weights[None])
    return grey


def _dealer_frame(grey: FloatImage, rng: np.random.Generator) -> None:
    height, width = grey.shape
    paint = float(rng.uniform(0, 220))
    for edge in range(2):
        thick = int(height * rng.uniform(0.03, 0.12))
        if rng.random() < 0.7:
            rows = slice(0, thick) if edge == 0 else slice(height - thick, height)
            grey[rows] = paint
    side = int(width * rng.uniform(0.0, 0.025))
    grey[:, :side] = paint
    grey[:, width - side :] = paint


def _surroundings(
    shape: tuple[int, int], textures: Sequence[GreyImage], rng: np.random.Generator
) -> FloatImage:
    height, width = shape
    if textures and rng.random() < 0.5:
        texture = textures[int(rng.integers(len(textures)))]
        side = int(rng.integers(24, min(texture.shape)))
        top = int(rng.integers(texture.shape[0] - side + 1))
        left = int(rng.integers(texture.shape[1] - side + 1))
        canvas: FloatImage = cv2.resize(
            texture[top : top + side, left : left + side].astype(np.float32), (width, height)
        )
        return canvas
    canvas = np.full(shape, rng.uniform(0, 230), np.float32)
    for _ in range(int(rng.integers(0, 4))):
        level = float(rng.uniform(0, 255))
        if rng.random() < 0.5:
            top = int(rng.integers(height))
            canvas[top : top + int(rng.integers(2, max(3, height // 2)))] = level
        else:
            left = int(rng.integers(width))
            canvas[:, left : left + int(rng.integers(2, max(3, width // 3)))] = level
    return canvas


def _holder(width: int, rng: np.random.Generator) -> list[tuple[int, float]]:
    """Rims of a plate holder around the plate, from the inside out: thickness in px and grey.

    They lie in the room a loose box leaves, where upright edges look like 1, I or J.
    """
    rims = int(rng.integers(1, 4))
    return [
        (max(1, round(width * rng.uniform(0.006, 0.035))), float(rng.uniform(0, 255)))
        for _ in range(rims)
    ]


def _place(
    grey: FloatImage, plate: tuple[Corner, Corner], shot: Shot, textures: Sequence[GreyImage],
    rng: np.random.Generator,
) -> FloatImage:  # fmt: skip
    origin, (width, height) = plate[0], (plate[1] - plate[0]).tolist()
    is_bare = grey.shape[1] - width < 1
    strength = 1.0 if shot.synthetic else 0.6
    holder = _holder(round(width), rng) if is_bare and rng.random() < 0.4 * strength else []
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    moved = corners + rng.normal(0, 0.018 * strength, (4, 2)) * (width * 0.7, height)
    angle = np.clip(rng.normal(0, 3.2 * strength), -10, 10) * np.pi / 180
    shear = rng.normal(0, 0.09 * strength)
    centre = np.array([width / 2, height / 2])
    offset = moved - centre
    cosine, sine = np.cos(angle), np.sin(angle)
    moved = np.stack(
        [
            offset[:, 0] * cosine - offset[:, 1] * sine + offset[:, 1] * shear,
            offset[:, 0] * sine + offset[:, 1] * cosine,
        ],
        axis=1,
    )
    low, high = moved.min(0), moved.max(0)
    span = high - low
    # Left, top, right, bottom room around the plate, as fractions; negative cuts into it.
    room = np.concatenate([rng.normal(0.06, 0.06, 2), rng.normal(0.06, 0.07, 2)])
    room = np.clip(room, -0.045, 0.28)[[0, 2, 1, 3]]
    target = moved - low + span * room[:2]
    out_size = np.maximum(8, np.round(span * (1 + room[:2] + room[2:]))).astype(int)
    corners = corners + origin
    for thick, paint in holder:
        grey = cv2.copyMakeBorder(grey, *(thick,) * 4, cv2.BORDER_CONSTANT, value=paint)
        corners = corners + thick
    matrix = cv2.getPerspectiveTransform(corners, target.astype(np.float32))
    shape = (int(out_size[1]), int(out_size[0]))
    if not shot.synthetic and (not is_bare or rng.random() < 0.4):
        replicated: FloatImage = cv2.warpPerspective(
            grey, matrix, shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return replicated
    around = _surroundings(shape, textures, rng)
    out: FloatImage = cv2.warpPerspective(
        grey, matrix, shape[::-1], dst=around, flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )  # fmt: skip
    return out


def _capture(
    image: FloatImage, plate_width: int, shot: Shot, rng: np.random.Generator
) -> FloatImage:
    """Bring the picture to the resolution a camera would have seen the plate at."""
    height, width = image.shape
    long_plate = width / height > 3.0
    narrow = shot.narrowest_px * (1.6 if long_plate else 1.0)
    widest = shot.widest_px * (1.3 if long_plate else 1.0)
    if not shot.synthetic:
        widest = max(narrow + 1, min(widest, float(plate_width)))
    seen = float(np.exp(rng.uniform(np.log(narrow), np.log(widest))))
    if not shot.synthetic and rng.random() < 0.35:
        seen = float(plate_width)
    scale = seen / plate_width
    if rng.random() < (0.4 if shot.synthetic else 0.2):
        sigma = rng.uniform(0.3, 1.25) / max(scale, 0.2)
        image = cv2.GaussianBlur(image, (0, 0), min(sigma, 5.0))
    if rng.random() < (0.12 if shot.synthetic else 0.06):
        length = int(rng.integers(2, 8))
        kernel = np.zeros((length, length), np.float32)
        if rng.random() < 0.6:
            kernel[length // 2] = 1 / length
        else:
            kernel[:, length // 2] = 1 / length
        image = cv2.filter2D(image, -1, kernel)
    target = (max(12, round(width * scale)), max(8, round(height * scale)))
    shrinking = scale < 1
    sharp = rng.random() < 0.15
    out: FloatImage = cv2.resize(
        image, target,
        interpolation=(cv2.INTER_LINEAR if sharp else cv2.INTER_AREA) if shrinking
        else cv2.INTER_LINEAR,
    )  # fmt: skip
    return out


def _light(image: FloatImage, shot: Shot, rng: np.random.Generator) -> FloatImage:
    height, width = image.shape
    if rng.random() < 0.3:
        across = np.linspace(-1, 1, width, dtype=np.float32)[None] * rng.uniform(-1, 1)
        down = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * rng.uniform(-1, 1)
        ramp = (across + down).astype(np.float32)
        if rng.random() < 0.5:
            shade = np.where(ramp > rng.uniform(-0.5, 0.5), rng.uniform(0.4, 0.9), 1.0)
            image = image * shade.astype(np.float32)
        else:
            image = (image * (1 + 0.35 * ramp)).astype(np.float32)
    if rng.random() < 0.06:
        # A headlight or the sun mirrored in one spot.
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        columns = np.arange(width, dtype=np.float32)[None] - x
        rows = np.arange(height, dtype=np.float32)[:, None] - y
        spread = rng.uniform(0.05, 0.3) * width
        glow = np.exp(-(columns**2 + rows**2) / (2 * spread**2))
        image = (image + rng.uniform(60, 200) * glow).astype(np.float32)
    contrast = rng.uniform(0.4, 1.25) if shot.synthetic else rng.uniform(0.65, 1.3)
    middle = float(image.mean())
    image = ((image - middle) * contrast + middle + rng.uniform(-45, 45)).astype(np.float32)
    if rng.random() < 0.3:
        image = (255 * np.clip(image / 255, 0, 1) ** rng.uniform(0.5, 2.0)).astype(np.float32)
    return image


def _develop(image: FloatImage, size: tuple[int, int], rng: np.random.Generator) -> GreyImage:
    if rng.random() < 0.2:
        image = image + rng.uniform(0.4, 1.6) * (image - cv2.GaussianBlur(image, (0, 0), 1.1))
    if rng.random() < 0.55:
        noise = rng.standard_normal(image.shape, dtype=np.float32)
        image = image + noise * np.float32(rng.uniform(1, 11))
    grey = np.clip(image, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        quality = int(rng.integers(30, 96))
        grey = through_jpeg(grey, quality)
    return fit(grey, size)


def fit(grey: GreyImage, size: tuple[int, int]) -> GreyImage:
    """Stretch to (height, width) the way the recognizer does."""
    shrinking = grey.shape[1] > size[1] and grey.shape[0] > size[0]
    out: GreyImage = cv2.resize(
        grey, size[::-1], interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    )
    return out
