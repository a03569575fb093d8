"""Decoding and masking: the only code that touches pixels. It runs in threads of its own."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from alpr_ingest.domain import Polygon
from alpr_ingest.jpeg import Size, size_of
from alpr_ingest.refusals import FrameTooLarge, NotAJpeg, PictureTruncated

# Visually lossless first; the lower ones only where the picture would outgrow its limit.
_QUALITIES = (95, 90, 80, 65)


@dataclass(frozen=True)
class Picture:
    """A picture that decodes to its end, masked."""

    jpeg: bytes
    size: Size


@dataclass(frozen=True)
class PictureLimits:
    max_bytes: int
    max_pixels: int


class PictureThreads:
    """Examines pictures beside the event loop (libjpeg and OpenCV release the interpreter)."""

    def __init__(self, threads: int, limits: PictureLimits) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="picture")
        self._limits = limits

    async def prepare(self, jpeg: bytes, masks: Sequence[Polygon]) -> Picture:
        """`prepare` in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, prepare, jpeg, masks, self._limits)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def prepare(jpeg: bytes, masks: Sequence[Polygon], limits: PictureLimits) -> Picture:
    """The picture as it may leave this service: whole, within the limits, masks burned in.

    Without masks the bytes stay as they are. Raises `NotAJpeg`, `PictureTruncated`,
    `TooManyPixels` (before anything is decoded) or `FrameTooLarge` (masked, it has outgrown the
    limit: Kafka would never take it).
    """
    size = size_of(jpeg, limits.max_pixels)
    if not masks:
        # An eighth of the size: every byte is still read, which is what shows a broken tail.
        _decode(jpeg, "GRAY", eighth=True)
        return Picture(jpeg, size)
    pixels = _decode(jpeg, "RGB")
    burn_in(pixels, masks)
    return Picture(_encode(pixels, limits.max_bytes), Size(pixels.shape[1], pixels.shape[0]))


def burn_in(pixels: npt.NDArray[np.uint8], masks: Sequence[Polygon]) -> None:
    """Blacken, in place, every pixel of `pixels` (height × width × 3) that a polygon touches.

    Polygons are fractions of width and height of the stored pixel grid.
    """
    height, width = pixels.shape[:2]
    for polygon in masks:
        corners = np.array([[x * (width - 1), y * (height - 1)] for x, y in polygon])
        points = np.rint(corners).astype(np.int32).reshape(-1, 1, 2)
        cv2.fillPoly(pixels, [points], (0, 0, 0))
        # The outline, three pixels wide: rounding must never uncover what the polygon covers.
        cv2.polylines(pixels, [points], isClosed=True, color=(0, 0, 0), thickness=3)


def _decode(jpeg: bytes, colours: str, *, eighth: bool = False) -> npt.NDArray[np.uint8]:
    least = 1 if eighth else 0
    try:
        pixels: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(
            jpeg, colours, min_height=least, min_width=least, strict=True
        )
    except ValueError as error:
        what = str(error)
        if "extraneous bytes" in what:  # harmless, and common among cameras' encoders
            return _decode_tolerant(jpeg, colours, least)
        if "remature end" in what or "orrupt" in what:
            raise PictureTruncated(
                f"The picture is damaged or its end is missing: {what}. Send it whole."
            ) from error
        raise NotAJpeg(f"The picture cannot be decoded: {what}.") from error
    return pixels


def _decode_tolerant(jpeg: bytes, colours: str, least: int) -> npt.NDArray[np.uint8]:
    pixels: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(
        jpeg, colours, min_height=least, min_width=least, strict=False
    )
    return pixels


def _encode(pixels: npt.NDArray[np.uint8], max_bytes: int) -> bytes:
    for quality in _QUALITIES:
        jpeg = bytes(simplejpeg.encode_jpeg(pixels, quality, "RGB", "420"))
        if len(jpeg) <= max_bytes:
            return jpeg
    raise FrameTooLarge(
        f"The picture has {len(jpeg)} bytes once it is masked and encoded again; it may have "
        f"{max_bytes}. Send fewer pixels.",
        limit_bytes=max_bytes,
    )
