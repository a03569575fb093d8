"""A JPEG's bytes are judged before anybody decodes them."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st

from alpr_ingest.jpeg import Size, size_of
from alpr_ingest.refusals import NotAJpeg, PictureTruncated, TooManyPixels

MAX_PIXELS = 50_000_000
JPEG = simplejpeg.encode_jpeg(np.full((48, 64, 3), 90, np.uint8), 90)
WIDTHS = st.integers(1, 65535)
SEGMENTS = st.lists(
    st.tuples(st.sampled_from([0xE0, 0xE1, 0xE2, 0xEF, 0xFE, 0xDB, 0xC4]), st.binary(max_size=200)),
    max_size=6,
)


def segment(marker: int, payload: bytes, fill: int = 0) -> bytes:
    length = (len(payload) + 2).to_bytes(2, "big")
    return b"\xff" * fill + bytes([0xFF, marker]) + length + payload


def frame_header(width: int, height: int, marker: int = 0xC0) -> bytes:
    payload = b"\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + b"\x01\x01\x11\x00"
    return segment(marker, payload)


def picture(*segments: bytes, tail: bytes = b"\xff\xd9") -> bytes:
    return b"\xff\xd8" + b"".join(segments) + tail


def test_the_size_of_a_real_picture_is_known_from_its_header() -> None:
    assert size_of(JPEG, MAX_PIXELS) == Size(64, 48)


@given(width=WIDTHS, height=WIDTHS, before=SEGMENTS, fill=st.integers(0, 3))
def test_the_size_is_found_behind_any_segments(
    width: int, height: int, before: list[tuple[int, bytes]], fill: int
) -> None:
    others = [segment(marker, payload, fill) for marker, payload in before]
    data = picture(*others, frame_header(width, height))
    assert size_of(data, width * height) == Size(width, height)


@given(width=WIDTHS, height=WIDTHS, limit=st.integers(1, 65535**2))
def test_a_picture_is_refused_exactly_when_it_has_more_pixels_than_the_limit(
    width: int, height: int, limit: int
) -> None:
    data = picture(frame_header(width, height))
    if width * height > limit:
        with pytest.raises(TooManyPixels) as refusal:
            size_of(data, limit)
        assert refusal.value.extra["limit_pixels"] == limit
    else:
        assert size_of(data, limit).pixels <= limit


@given(data=st.binary(max_size=2000))
def test_any_bytes_are_either_sized_or_refused(data: bytes) -> None:
    for body in (data, b"\xff\xd8" + data, b"\xff\xd8\xff" + data):
        # Any other error fails the test.
        with contextlib.suppress(NotAJpeg, PictureTruncated, TooManyPixels):
            assert size_of(body, MAX_PIXELS).pixels > 0


@given(kept=st.integers(2, len(JPEG) - 1))
def test_a_picture_cut_anywhere_is_truncated(kept: int) -> None:
    with pytest.raises(PictureTruncated):
        size_of(JPEG[:kept], MAX_PIXELS)


@pytest.mark.parametrize("marker", [0xC4, 0xC8, 0xCC])
def test_a_table_is_not_taken_for_a_frame_header(marker: int) -> None:
    data = picture(segment(marker, bytes(9)), frame_header(7, 5))
    assert size_of(data, MAX_PIXELS) == Size(7, 5)


def test_a_thumbnail_does_not_stand_in_for_the_picture() -> None:
    thumbnail = segment(0xE1, b"Exif\0\0" + picture(frame_header(16, 16)))
    assert size_of(picture(thumbnail, frame_header(640, 480)), MAX_PIXELS) == Size(640, 480)


@pytest.mark.parametrize("tail", [b"\xff\xd9\0\0\0", b"\xff\xd9\r\n", b"\xff\xd9\xff\xff"])
def test_padding_after_the_end_is_no_truncation(tail: bytes) -> None:
    assert size_of(picture(frame_header(3, 3), tail=tail), MAX_PIXELS) == Size(3, 3)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GIF89a", id="another format"),
        pytest.param(b"\x89PNG\r\n\x1a\n", id="png"),
        pytest.param(picture(frame_header(0, 10)), id="no width"),
        pytest.param(picture(frame_header(10, 0)), id="no height"),
        pytest.param(picture(segment(0xC0, b"\x08")), id="short frame header"),
        pytest.param(b"\xff\xd8\xff\xe0\x00\x01", id="impossible length"),
        pytest.param(picture(segment(0xDA, b"123456")), id="data before a size"),
        pytest.param(b"\xff\xd8rubbish", id="rubbish"),
    ],
)
def test_what_is_no_jpeg_is_refused(data: bytes) -> None:
    with pytest.raises(NotAJpeg):
        size_of(data, MAX_PIXELS)


def test_a_picture_made_to_be_decoded_for_ever_is_refused() -> None:
    scans = segment(0xDA, b"123456") * 101
    with pytest.raises(NotAJpeg, match="scans"):
        size_of(picture(frame_header(5000, 5000), scans), MAX_PIXELS)
