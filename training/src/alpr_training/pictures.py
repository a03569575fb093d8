"""Reading and coding pictures; a file that is no picture is an error, never a None."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""BGR [height, width, 3] or grey [height, width]."""


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
