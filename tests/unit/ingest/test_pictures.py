"""Pictures are decoded to their last byte, and masks are burned in."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st

from alpr_ingest.pictures import PictureLimits, burn_in, prepare
from alpr_ingest.refusals import FrameTooLarge, NotAJpeg, PictureTruncated, TooManyPixels

LIMITS = PictureLimits(max_bytes=4 * 1024 * 1024, max_pixels=50_000_000)
SQUARE = ((0.25, 0.25), (0.5, 0.25), (0.5, 0.5), (0.25, 0.5))


def noise(height: int = 240, width: int = 320) -> np.ndarray:
    rough = np.random.default_rng(7).integers(0, 255, (height, width, 3), np.uint8)
    blurred: np.ndarray = cv2.GaussianBlur(rough, (0, 0), 2)
    return blurred


JPEG = simplejpeg.encode_jpeg(noise(), 90)
_, _ENCODED = cv2.imencode(".jpg", noise(), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
PROGRESSIVE = _ENCODED.tobytes()


def test_without_masks_the_bytes_stay_as_they_are() -> None:
    prepared = prepare(JPEG, (), LIMITS)
    assert prepared.jpeg == JPEG
    assert (prepared.size.width, prepared.size.height) == (320, 240)


@pytest.mark.parametrize("jpeg", [JPEG, PROGRESSIVE], ids=["baseline", "progressive"])
@pytest.mark.parametrize("masks", [(), (SQUARE,)], ids=["unmasked", "masked"])
def test_a_picture_with_a_missing_tail_and_an_end_marker_is_truncated(
    jpeg: bytes, masks: tuple[tuple[tuple[float, float], ...], ...]
) -> None:
    with pytest.raises(PictureTruncated):
        prepare(jpeg[: len(jpeg) * 2 // 3] + b"\xff\xd9", masks, LIMITS)


def test_a_picture_damaged_in_the_middle_is_refused() -> None:
    damaged = bytearray(JPEG)
    damaged[len(JPEG) // 2 : len(JPEG) // 2 + 60] = b"U" * 60
    with pytest.raises(PictureTruncated):
        prepare(bytes(damaged), (), LIMITS)


def test_headers_without_a_picture_are_refused() -> None:
    start = JPEG.index(b"\xff\xda")
    with pytest.raises((NotAJpeg, PictureTruncated)):
        prepare(JPEG[:start] + b"\xff\xd9", (), LIMITS)


def test_too_many_pixels_are_refused_before_anything_is_decoded() -> None:
    # 65,000 × 65,000 pixels would be 12 GiB; the header alone says so.
    start = JPEG.index(b"\xff\xc0")
    huge = bytearray(JPEG)
    huge[start + 5 : start + 9] = (65_000).to_bytes(2, "big") * 2
    with pytest.raises(TooManyPixels):
        prepare(bytes(huge), (SQUARE,), LIMITS)


def test_a_grey_picture_can_be_masked() -> None:
    grey = simplejpeg.encode_jpeg(noise()[:, :, :1].copy(), 90, "GRAY", "Gray")
    pixels = simplejpeg.decode_jpeg(prepare(grey, (SQUARE,), LIMITS).jpeg)
    assert pixels[90, 120].max() < 8


@pytest.mark.policy("131.6-3a")
def test_a_mask_is_black_inside_and_leaves_the_rest_alone() -> None:
    white = simplejpeg.encode_jpeg(np.full((240, 320, 3), 200, np.uint8), 95)
    prepared = prepare(white, (SQUARE,), LIMITS)
    pixels = simplejpeg.decode_jpeg(prepared.jpeg)
    assert pixels[60:121, 80:161].max() < 16
    assert pixels[:48].min() > 180
    assert pixels[:, 176:].min() > 180
    assert prepared.jpeg != white


def test_nothing_of_the_original_travels_beside_the_masked_picture() -> None:
    thumbnail = b"Exif\0\0 a small copy of the picture"
    carried = (
        JPEG[:2] + b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail + JPEG[2:]
    )
    assert thumbnail in prepare(carried, (), LIMITS).jpeg
    assert thumbnail not in prepare(carried, (SQUARE,), LIMITS).jpeg


def test_a_masked_picture_does_not_outgrow_the_limit() -> None:
    rough = np.random.default_rng(3).integers(0, 255, (600, 800, 3), np.uint8)
    small = simplejpeg.encode_jpeg(rough, 60)
    limits = PictureLimits(max_bytes=len(small) * 5 // 4, max_pixels=50_000_000)
    assert len(prepare(small, (SQUARE,), limits).jpeg) <= limits.max_bytes


def test_a_picture_that_no_masking_makes_small_enough_is_refused() -> None:
    # Kafka would never take it, and every frame behind it would wait for that.
    rough = np.random.default_rng(3).integers(0, 255, (600, 800, 3), np.uint8)
    small = simplejpeg.encode_jpeg(rough, 20)
    with pytest.raises(FrameTooLarge, match="masked"):
        prepare(small, (SQUARE,), PictureLimits(len(small), 50_000_000))
    assert prepare(small, (), PictureLimits(len(small), 50_000_000)).jpeg == small


FRACTION = st.floats(0, 1)


@settings(max_examples=60, deadline=None)
@given(
    polygon=st.lists(st.tuples(FRACTION, FRACTION), min_size=3, max_size=6),
    height=st.integers(16, 90),
    width=st.integers(16, 90),
)
def test_every_pixel_in_a_polygon_is_black(
    polygon: list[tuple[float, float]], height: int, width: int
) -> None:
    pixels = np.full((height, width, 3), 255, np.uint8)
    burn_in(pixels, [tuple(polygon)])
    exposed = inside_even_odd(polygon, height, width) & pixels.any(axis=2)
    assert not exposed.any(), np.argwhere(exposed)


def inside_even_odd(polygon: list[tuple[float, float]], height: int, width: int) -> np.ndarray:
    """Which pixels' centres lie in the polygon, by counting the edges to their right."""
    y, x = np.mgrid[:height, :width] + 0.5
    inside = np.zeros((height, width), bool)
    corners = [(a * width, b * height) for a, b in polygon]
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        # Only where the edge crosses a row: a level one never does, however far it would reach.
        row = (y1 > y) != (y2 > y)
        inside[row] ^= x[row] < (x2 - x1) * ((y[row] - y1) / (y2 - y1)) + x1
    return inside
