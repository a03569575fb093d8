"""Decoding, cropping and fitting."""

import dataclasses

import numpy as np
import pytest
import simplejpeg

from alpr_recognizer.domain import Image, PictureUnreadable, PlateBox
from alpr_recognizer.pictures import Picture, crop, crop_jpeg, fit, letterbox
from alpr_recognizer.recognition import Recognizer


def a_jpeg(width: int, height: int) -> bytes:
    ramp = np.linspace(0, 255, width, dtype=np.uint8)[None, :, None]
    image = np.ascontiguousarray(np.broadcast_to(ramp, (height, width, 3)))
    coded: bytes = simplejpeg.encode_jpeg(image, colorspace="RGB")
    return coded


def test_an_ordinary_picture_is_decoded_once_and_whole() -> None:
    picture = Picture(a_jpeg(1920, 1080), (384, 640))
    assert picture.overview.shape == (1080, 1920, 3)
    assert picture.whole is picture.overview
    assert picture.overview_scale == 1


def test_a_huge_picture_is_decoded_small_first_and_whole_when_asked_for() -> None:
    picture = Picture(a_jpeg(4000, 3000), (640, 640))
    assert 640 <= picture.overview.shape[1] < 2000
    assert picture.overview_scale == pytest.approx(4000 / picture.overview.shape[1])
    assert picture.whole.shape == (3000, 4000, 3)


@pytest.mark.parametrize("cut", [0, 10, 700])
def test_what_is_no_whole_jpeg_is_refused(cut: int) -> None:
    with pytest.raises(PictureUnreadable):
        Picture(a_jpeg(640, 480)[:cut], (384, 640))


def test_a_crop_has_room_around_the_box_but_stays_within_the_picture() -> None:
    image: Image = np.zeros((100, 200, 3), np.uint8)
    assert crop(image, PlateBox(50, 40, 150, 60), 0.1).shape == (24, 120, 3)
    assert crop(image, PlateBox(0, 90, 100, 100), 0.1).shape == (11, 110, 3)
    assert crop(image, PlateBox(199, 99, 300, 300), 0).shape == (1, 1, 3)


def test_the_plates_own_picture_shows_a_little_of_the_vehicle() -> None:
    coded = crop_jpeg(a_jpeg(640, 480), PlateBox(100, 100, 200, 140))
    height, width, *_ = simplejpeg.decode_jpeg_header(coded)
    assert (width, height) == (150, 60)


def test_a_letterbox_keeps_the_aspect_and_says_where_the_picture_lies() -> None:
    image: Image = np.full((720, 1280, 3), 200, np.uint8)
    boxed, scale, left, top = letterbox(image, (640, 640))
    assert (scale, left, top) == (0.5, 0, 140)
    assert (boxed[:140] == 114).all()
    assert (boxed[140:500] == 200).all()


def test_fitting_stretches_or_keeps_the_aspect_and_repeats_the_last_column() -> None:
    image: Image = np.full((20, 40, 3), 50, np.uint8)
    image[:, -1] = 90
    assert fit(image, 48, 160, keep_aspect=False).shape == (48, 160, 3)
    kept = fit(image, 20, 100, keep_aspect=True)
    assert kept.shape == (20, 100, 3)
    assert (kept[:, 40:] == 90).all()
    assert (fit(image, 20, 100, keep_aspect=True, fill=7)[:, 40:] == 7).all()


class _Detector:
    """Finds what it is told to, in overview pixels."""

    name = "told 1"
    input_size = (640, 640)

    def __init__(self, boxes: list[PlateBox]) -> None:
        self._boxes = boxes

    def find(self, pictures: object) -> list[list[PlateBox]]:
        return [list(self._boxes) for _ in pictures]  # type: ignore[attr-defined]


class _Reader:
    name = "told 1"
    crop_margin = 0.0
    jurisdiction_threshold = 0.5

    def __init__(self, texts: list[tuple[str, float]]) -> None:
        self._texts = texts
        self.shapes: list[tuple[int, ...]] = []

    def read(self, crops: list[Image]) -> list[object]:
        from tests.unit.recognizer.scenes import reading

        self.shapes += [c.shape for c in crops]
        return [reading(text, confidence) for text, confidence in self._texts[: len(crops)]]


def recognised(
    boxes: list[PlateBox], texts: list[tuple[str, float]], size: tuple[int, int] = (640, 480)
) -> tuple[list[str], _Reader]:
    reader = _Reader(texts)
    recognizer = Recognizer(_Detector(boxes), reader, narrowest_plate_px=16)  # type: ignore[arg-type]
    (shown,) = recognizer.recognise([a_jpeg(*size)])
    recognizer.close()
    return [s.reading.text for s in shown.sightings], reader  # type: ignore[union-attr]


def test_crops_for_the_reader_come_from_the_whole_picture() -> None:
    overview = Picture(a_jpeg(4000, 3000), (640, 640)).overview.shape[1]
    box = PlateBox(overview / 4, 100, overview / 2, 150)
    _, reader = recognised([box], [("AB1234", 0.9)], (4000, 3000))
    assert reader.shapes[0][1] == pytest.approx(1000, abs=2)


def test_a_box_within_another_is_the_same_plate() -> None:
    boxes = [PlateBox(100, 100, 200, 150, 0.9), PlateBox(105, 120, 170, 148, 0.5)]
    assert recognised(boxes, [("AB1234", 0.9)])[0] == ["AB1234"]


def test_boxes_that_overlap_and_read_alike_are_one_plate_the_better_read() -> None:
    boxes = [PlateBox(100, 100, 200, 150, 0.9), PlateBox(170, 100, 270, 150, 0.8)]
    assert recognised(boxes, [("3B1234", 0.5), ("AB1234", 0.9)])[0] == ["AB1234"]
    assert recognised(boxes, [("AB1234", 0.5), ("XY987", 0.9)])[0] == ["AB1234", "XY987"]


def test_plates_are_told_from_left_to_right_and_tiny_ones_not_at_all() -> None:
    boxes = [PlateBox(400, 10, 500, 50, 0.9), PlateBox(20, 300, 120, 340, 0.8),
             PlateBox(300, 300, 310, 305, 0.8)]  # fmt: skip
    assert recognised(boxes, [("LEFT1", 0.9), ("RIGHT1", 0.9)])[0] == ["LEFT1", "RIGHT1"]


class _LooseReader(_Reader):
    """Sees its text in the middle half of the crop, and better when looked at closely."""

    def read(self, crops: list[Image]) -> list[object]:
        from tests.unit.recognizer.scenes import reading

        self.shapes += [c.shape for c in crops]
        text, confidence = self._texts[min(len(self.shapes), len(self._texts)) - 1]
        return [dataclasses.replace(reading(text, confidence), extent=(0.25, 0.75))]


@pytest.mark.parametrize(
    ("looks", "told", "widths"),
    [
        ([("1AB1234", 0.4), ("AB1234", 0.8)], "AB1234", [200, 112]),
        ([("AB1234", 0.6), ("B1234", 0.3)], "AB1234", [200, 112]),
        ([("AB1234", 0.95)], "AB1234", [200]),
        ([("AB1234", 0.001)], "AB1234", [200]),
    ],
)
def test_a_doubtful_text_is_looked_at_again_closely_and_the_surer_look_counts(
    looks: list[tuple[str, float]], told: str, widths: list[int]
) -> None:
    reader = _LooseReader(looks)
    recognizer = Recognizer(_Detector([PlateBox(100, 100, 300, 150, 0.9)]), reader)  # type: ignore[arg-type]
    (shown,) = recognizer.recognise([a_jpeg(640, 480)])
    recognizer.close()
    assert [s.reading.text for s in shown.sightings] == [told]  # type: ignore[union-attr]
    assert [shape[1] for shape in reader.shapes] == widths
