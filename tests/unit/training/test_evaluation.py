"""Scoring whole pictures."""

import numpy as np
import pytest

from alpr_training.geometry import grow, letterbox, overlaps

pytest.importorskip("onnxruntime", reason="evaluation runs the exported models with onnxruntime")

from alpr_training.plate_art.glyphs import CHARSET
from alpr_training.reader.decoding import read, softmax


def test_a_box_overlaps_itself_fully_and_a_far_one_not_at_all() -> None:
    box = np.array([10, 10, 30, 20], np.float32)
    boxes = np.array([[10, 10, 30, 20], [20, 10, 40, 20], [50, 50, 60, 60]], np.float32)
    assert overlaps(box, boxes) == pytest.approx([1.0, 1 / 3, 0.0])


def test_a_grown_box_stays_inside_the_picture() -> None:
    box = np.array([2, 2, 102, 52], np.float32)
    assert grow(box, 0.1, (60, 200)) == (0, 0, 112, 57)


def test_a_picture_keeps_its_aspect_in_the_letterbox() -> None:
    picture = np.full((100, 400, 3), 200, np.uint8)
    padded, scale = letterbox(picture, (96, 320))
    assert scale == pytest.approx(0.8)
    assert padded[79, 0, 0] == 200
    assert padded[80, 0, 0] == 114


def test_repeated_characters_need_a_blank_between_them() -> None:
    logits = np.full((6, len(CHARSET) + 1), -8.0, np.float32)
    for step, char in enumerate("11.122"):
        number = 0 if char == "." else CHARSET.index(char) + 1
        logits[step, number] = 8.0
    reading = read(logits)
    assert reading.text == "112"
    assert len(reading.probabilities) == 3
    assert reading.confidence > 0.99


def test_a_higher_temperature_is_less_sure() -> None:
    logits = np.array([[2.0, 0.0, -1.0]], np.float32)
    assert softmax(logits, 2.0).max() < softmax(logits).max()
