"""Training views for the detector: real scenes and negatives, with plates pasted or exchanged."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from alpr_training.pictures import decode, read_picture, through_jpeg
from alpr_training.pool import Crop, Pool, Scene
from alpr_training.synth.press import Press

BgrImage = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float32]
"""[n, 4] x1, y1, x2, y2 in px."""
GREY = 114


@dataclass(frozen=True)
class View:
    image: BgrImage
    boxes: Boxes


class Views:
    """View number n of a seed is always the same picture."""

    def __init__(self, seed: int, pool: Pool | None, press: Press, size: int) -> None:
        self._seed = seed
        self._size = size
        self._press = press
        self._scenes = [_Stored(s) for s in pool.scenes if s.boxes] if pool else []
        self._negatives = [_Stored(s) for s in pool.negatives] if pool else []
        self._crops: list[Crop] = list(pool.crops) if pool else []

    def view(self, number: int) -> View:
        """One square view: BGR uint8 [size, size, 3] and the boxes of its plates."""
        rng = np.random.default_rng([self._seed, 11, number])
        pick = rng.random()
        if self._scenes and pick < 0.6:
            image, boxes = self._scenes[int(rng.integers(len(self._scenes)))].load()
            if rng.random() < 0.45:
                image = image.copy()
                boxes = np.array([
                    self._exchange(image, box, rng)
                    if box[2] - box[0] > 24 and rng.random() < 0.7
                    else box
                    for box in boxes
                ])  # fmt: skip
        elif self._negatives:
            image, boxes = self._negatives[int(rng.integers(len(self._negatives)))].load()
        else:
            image, boxes = _invented(rng), np.zeros((0, 4), np.float32)
        view = self._frame(image, boxes, rng)
        pasted = 0
        if not len(boxes) and pick < 0.88:
            pasted = int(rng.integers(1, 4))
        elif rng.random() < 0.25:
            pasted = 1
        for _ in range(pasted):
            view = self._paste(view, rng)
        return View(_expose(view.image, rng), view.boxes)

    def _plate(self, rng: np.random.Generator) -> BgrImage:
        if self._crops and rng.random() < 0.55:
            crop = self._crops[int(rng.integers(len(self._crops)))]
            return read_picture(crop.path)
        return self._press.plate(rng).image

    def _exchange(
        self, image: BgrImage, box: npt.NDArray[np.float32], rng: np.random.Generator
    ) -> npt.NDArray[np.float32]:
        """Put another plate where a real one is, keeping the vehicle around it; returns its box.

        That box is exact, where the real plates' labels are often loose.
        """
        plate = self._plate(rng)
        width, height = float(box[2] - box[0]), float(box[3] - box[1])
        aspect = plate.shape[1] / plate.shape[0]
        if not 0.6 < (width / max(height, 1)) / aspect < 1.6:
            return box
        corners = np.array(
            [(box[0], box[1]), (box[2], box[1]), (box[2], box[3]), (box[0], box[3])], np.float32
        )
        corners += rng.normal(0, 0.02, (4, 2)).astype(np.float32) * (width, height)
        _warp_in(image, plate, corners, rng)
        edge = np.array([image.shape[1], image.shape[0]], np.float32)
        low, high = np.maximum(corners.min(0), 0), np.minimum(corners.max(0), edge)
        return np.concatenate([low, high]).astype(np.float32)

    def _paste(self, view: View, rng: np.random.Generator) -> View:
        """Add a plate anywhere that no plate is yet."""
        plate = self._plate(rng)
        size = self._size
        aspect = plate.shape[1] / plate.shape[0]
        width = float(np.exp(rng.uniform(np.log(18), np.log(240))))
        width *= 1.3 if aspect > 3 else 1.0
        height = width / aspect * rng.uniform(0.85, 1.15)
        if width > size * 0.9 or height > size * 0.6:
            return view
        x = rng.uniform(0, size - width)
        y = rng.uniform(0, size - height)
        angle = np.clip(rng.normal(0, 5), -22, 22) * np.pi / 180
        corners = _corners(x, y, width, height, angle, rng)
        low, high = corners.min(0), corners.max(0)
        box = np.array([[low[0], low[1], high[0], high[1]]], np.float32)
        if low.min() < 0 or high.max() > size or _touches(box[0], view.boxes):
            return view
        image = view.image.copy()
        if rng.random() < 0.6:
            _bumper(image, box[0], rng)
        _warp_in(image, plate, corners, rng)
        return View(image, np.concatenate([view.boxes, box]))

    def _frame(self, image: BgrImage, boxes: Boxes, rng: np.random.Generator) -> View:
        """Scale and cut a square view so that its plate is as large as the detector will see it."""
        size = self._size
        rows, columns = image.shape[:2]
        anchor: npt.NDArray[np.float32] | None = None
        if len(boxes) and rng.random() < 0.9:
            anchor = boxes[int(rng.integers(len(boxes)))]
            wanted = float(np.exp(rng.uniform(np.log(18), np.log(290))))
            scale = np.clip(wanted / max(4.0, float(anchor[2] - anchor[0])), 0.2, 2.2)
            scale = max(scale, 0.3 * size / max(rows, columns))
        else:
            scale = size / max(rows, columns) * rng.uniform(0.8, 2.2)
        if anchor is not None:
            middle = (anchor[:2] + anchor[2:]) / 2 * scale
            corner = middle - rng.uniform(0.15, 0.85, 2) * size
            if rng.random() < 0.75:  # rather more of the scene than grey padding
                span = np.array([columns, rows]) * scale - size
                corner = np.clip(corner, np.minimum(span, 0), np.maximum(span, 0))
        else:
            span = np.array([columns, rows]) * scale - size
            corner = rng.uniform(np.minimum(span, 0), np.maximum(span, 0) + 1e-6)
        stretch = np.exp(rng.normal(0, 0.06))
        matrix = np.array(
            [[scale * stretch, 0, -corner[0] * stretch], [0, scale / stretch, -corner[1]]]
        )
        interpolation = cv2.INTER_LINEAR
        if scale < 0.6:  # enough smoothing that shrinking does not alias
            shrunk = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            matrix[0, 0], matrix[1, 1] = stretch, 1 / stretch
            image_out = cv2.warpAffine(shrunk, matrix, (size, size), flags=interpolation,
                                       borderValue=(GREY,) * 3)  # fmt: skip
            boxes = boxes * np.float32(scale)
        else:
            image_out = cv2.warpAffine(image, matrix, (size, size), flags=interpolation,
                                       borderValue=(GREY,) * 3)  # fmt: skip
        moved = boxes * np.array([matrix[0, 0], matrix[1, 1]] * 2, np.float32) + np.array(
            [matrix[0, 2], matrix[1, 2]] * 2, np.float32
        )
        return _clip(image_out, moved.astype(np.float32), size, rng)


class _Stored:
    """A scene kept as its JPEG bytes: decoding is cheaper than memory."""

    def __init__(self, scene: Scene) -> None:
        self._coded = np.fromfile(scene.path, np.uint8)
        self._boxes = np.array(scene.boxes, np.float32).reshape(-1, 4)

    def load(self) -> tuple[BgrImage, Boxes]:
        return decode(self._coded), self._boxes


def _clip(image: BgrImage, boxes: Boxes, size: int, rng: np.random.Generator) -> View:
    kept: list[npt.NDArray[np.float32]] = []
    for box in boxes:
        inside = np.clip(box, 0, size)
        area = max(1e-3, float((box[2] - box[0]) * (box[3] - box[1])))
        seen = float((inside[2] - inside[0]) * (inside[3] - inside[1])) / area
        if seen >= 0.6 and inside[2] - inside[0] >= 9:
            kept.append(inside)
        elif seen > 0 and inside[2] - inside[0] > 1:
            # Neither a plate to find nor a proof that here is none: take it out of the picture.
            x1, y1, x2, y2 = (int(v) for v in inside)
            image[y1 : y2 + 1, x1 : x2 + 1] = int(rng.integers(40, 200))
    return View(image, np.array(kept, np.float32).reshape(-1, 4))


def _corners(
    x: float, y: float, width: float, height: float, angle: float, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    corners += rng.normal(0, 0.03, (4, 2)) * (width * 0.6, height)
    if rng.random() < 0.3:
        squeeze = rng.uniform(0.6, 1.0)  # seen from the side
        corners[:, 0] *= squeeze
        corners[:, 1] += corners[:, 0] * rng.normal(0, 0.12)
    middle = corners.mean(0)
    offset = corners - middle
    cosine, sine = np.cos(angle), np.sin(angle)
    turned = np.stack(
        [offset[:, 0] * cosine - offset[:, 1] * sine, offset[:, 0] * sine + offset[:, 1] * cosine],
        axis=1,
    )
    placed: npt.NDArray[np.float32] = (turned + middle + (x, y)).astype(np.float32)
    return placed


def _touches(box: npt.NDArray[np.float32], boxes: Boxes) -> bool:
    if not len(boxes):
        return False
    apart = (
        (boxes[:, 0] > box[2] + 4)
        | (boxes[:, 2] < box[0] - 4)
        | (boxes[:, 1] > box[3] + 4)
        | (boxes[:, 3] < box[1] - 4)
    )
    return not bool(apart.all())


def _bumper(image: BgrImage, box: npt.NDArray[np.float32], rng: np.random.Generator) -> None:
    """Flat bodywork, grille or shadow around a pasted plate."""
    width, height = box[2] - box[0], box[3] - box[1]
    grow = rng.uniform(0.02, 0.9, 4)
    x1, y1 = int(box[0] - grow[0] * width), int(box[1] - grow[1] * height)
    x2, y2 = int(box[2] + grow[2] * width), int(box[3] + grow[3] * height)
    paint = tuple(float(v) for v in np.clip(rng.uniform(5, 235) + rng.uniform(-30, 30, 3), 0, 255))
    cv2.rectangle(image, (x1, y1), (x2, y2), paint, -1)
    if rng.random() < 0.5:
        darker = tuple(v * 0.6 for v in paint)
        for level in np.linspace(y1, y2, int(rng.integers(2, 7))):
            cv2.line(image, (x1, int(level)), (x2, int(level)), darker, 1)


def _warp_in(
    image: BgrImage, plate: BgrImage, corners: npt.NDArray[np.float32], rng: np.random.Generator
) -> None:
    """Blend `plate` into the quadrilateral, with the sharpness and light of its surroundings."""
    rows, columns = image.shape[:2]
    low = np.floor(corners.min(0)).astype(int) - 2
    high = np.ceil(corners.max(0)).astype(int) + 3
    x1, y1 = max(0, int(low[0])), max(0, int(low[1]))
    x2, y2 = min(columns, int(high[0])), min(rows, int(high[1]))
    if x2 - x1 < 4 or y2 - y1 < 3:
        return
    span = corners.max(0) - corners.min(0)
    scale = float(span[0]) / plate.shape[1]
    if scale < 0.7:
        plate = cv2.resize(plate, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = plate.shape[:2]
    source = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    matrix = cv2.getPerspectiveTransform(source, corners - np.array([x1, y1], np.float32))
    target = (x2 - x1, y2 - y1)
    lit = np.clip(plate.astype(np.float32) * rng.uniform(0.45, 1.15) + rng.uniform(-25, 25), 0, 255)
    warped = cv2.warpPerspective(lit, matrix, target, flags=cv2.INTER_LINEAR)
    cover = cv2.warpPerspective(
        np.full((height, width), 1, np.float32), matrix, target, flags=cv2.INTER_LINEAR
    )
    if rng.random() < 0.5:
        sigma = rng.uniform(0.3, 1.2)
        warped = cv2.GaussianBlur(warped, (0, 0), sigma)
        cover = cv2.GaussianBlur(cover, (0, 0), min(0.7, sigma))
    area = image[y1:y2, x1:x2]
    area[:] = (area * (1 - cover[..., None]) + warped * cover[..., None]).astype(np.uint8)


def _invented(rng: np.random.Generator) -> BgrImage:
    """A background of rectangles and lines, for when there is no pool."""
    image = np.full((480, 640, 3), rng.integers(0, 256, 3), np.uint8)
    for _ in range(25):
        paint = tuple(int(v) for v in rng.integers(0, 256, 3))
        x, y = int(rng.integers(640)), int(rng.integers(480))
        end = (x + int(rng.integers(5, 200)), y + int(rng.integers(5, 150)))
        cv2.rectangle(image, (x, y), end, paint, -1 if rng.random() < 0.7 else 2)
    return image


def _expose(image: BgrImage, rng: np.random.Generator) -> BgrImage:
    """Colour, light, mirror and compression; grey at random, as all negatives are grey."""
    if rng.random() < 0.4:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        image = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    elif rng.random() < 0.6:
        gains = rng.uniform(0.75, 1.25, 3).astype(np.float32)
        image = np.clip(image * gains, 0, 255).astype(np.uint8)
    if rng.random() < 0.7:
        table = np.arange(256, dtype=np.float32)
        table = 255 * (table / 255) ** np.exp(rng.normal(0, 0.35))
        table = (table - 128) * rng.uniform(0.6, 1.25) + 128 + rng.uniform(-35, 35)
        image = cv2.LUT(image, np.clip(table, 0, 255).astype(np.uint8))
    if rng.random() < 0.2:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.4))
    if rng.random() < 0.25:
        noise = rng.standard_normal(image.shape, dtype=np.float32) * rng.uniform(2, 12)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        quality = int(rng.integers(25, 90))
        image = through_jpeg(image, quality)
    return image
