"""Boxes and paddings that training and evaluation share. Boxes are x1, y1, x2, y2 in px."""

import cv2
import numpy as np
import numpy.typing as npt

Box = npt.NDArray[np.float32]


def letterbox(
    image: npt.NDArray[np.uint8], size: tuple[int, int]
) -> tuple[npt.NDArray[np.uint8], float]:
    """Fit into (height, width) at the top left, grey 114 elsewhere; also returns the scale."""
    scale = min(size[0] / image.shape[0], size[1] / image.shape[1])
    width, height = round(image.shape[1] * scale), round(image.shape[0] * scale)
    out = np.full((*size, 3), 114, np.uint8)
    out[:height, :width] = cv2.resize(
        image, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    return out, scale


def overlaps(box: Box, boxes: Box) -> Box:
    """IoU of one box with each of `boxes` [n, 4]."""
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[2:4], boxes[:, 2:4])
    inner = np.clip(high - low, 0, None).prod(1)
    mine = (box[2] - box[0]) * (box[3] - box[1])
    theirs = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    shared: Box = inner / np.maximum(mine + theirs - inner, 1e-6)
    return shared


def grow(box: Box, margin: float, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The box grown by `margin` of its own width and height on each side, inside the picture."""
    dx, dy = margin * (box[2] - box[0]), margin * (box[3] - box[1])
    x1, y1 = max(0, int(np.floor(box[0] - dx))), max(0, int(np.floor(box[1] - dy)))
    x2 = min(shape[1], int(np.ceil(box[2] + dx)))
    y2 = min(shape[0], int(np.ceil(box[3] + dy)))
    return min(x1, shape[1] - 2), min(y1, shape[0] - 2), max(x2, x1 + 2), max(y2, y1 + 2)
