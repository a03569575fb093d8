"""Reading and coding pictures; a file that is no picture is an error, never a None."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""BGR [height, width, 3] or grey [height, width]."""

Fractions = tuple[float, float, float, float]
"""x1, y1, x2, y2 of a piece, as parts of the picture's width and height."""


class NotAPicture(RuntimeError):
    """A file or buffer that cannot be decoded."""


def read_picture(path: Path, *, grey: bool = False) -> Picture:
    """The picture at `path`. Raises NotAPicture."""
    return decode(np.fromfile(path, np.uint8), grey=grey, name=str(path))


def decode(coded: npt.NDArray[np.uint8], *, grey: bool = False, name: str = "buffer") -> Picture:
    """The picture in a coded buffer. Raises NotAPicture."""
    image = cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR)
    if image is None:
        raise NotAPicture(name)
    return np.asarray(image, np.uint8)


def through_jpeg(image: Picture, quality: int) -> Picture:
    """The picture after JPEG compression."""
    _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return decode(np.asarray(coded, np.uint8), grey=image.ndim == 2)


def part(image: Picture, piece: Fractions) -> Picture:
    """That piece of the picture."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (round(f * n) for f, n in zip(piece, (width, height) * 2, strict=True))
    return image[y1 : max(y1 + 1, y2), x1 : max(x1 + 1, x2)]
