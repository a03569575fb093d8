"""Weights of other projects, by setting: tiny files that the tests write themselves."""

from pathlib import Path

import numpy as np
import pytest

from alpr_recognizer.domain import CHARSET, Image, WeightsRefused
from alpr_recognizer.networks import rows_of
from alpr_recognizer.onnx_models import Hardware
from alpr_recognizer.settings import Settings
from alpr_recognizer.slot_reader import SlotConfig, read_slots
from alpr_recognizer.weights import load_detector, load_reader, load_recognizer
from tests.unit.recognizer.tiny_onnx import constant_detector, constant_slots

ALPHABET = CHARSET + "_"
PICTURE: Image = np.full((360, 640, 3), 90, np.uint8)
HERE = Hardware("cpu", 1)


def slots_saying(text: str, slots: int = 9, sure: float = 0.95) -> np.ndarray:
    rows = np.full((1, slots, len(ALPHABET)), (1 - sure) / (len(ALPHABET) - 1), np.float32)
    for index in range(slots):
        rows[0, index, ALPHABET.index(text[index] if index < len(text) else "_")] = sure
    return rows


def plate_config(folder: Path, **changes: object) -> None:
    fields = {
        "max_plate_slots": 9, "alphabet": f"'{ALPHABET}'", "pad_char": "'_'", "img_height": 64,
        "img_width": 128, "keep_aspect_ratio": "false", "image_color_mode": "grayscale",
    } | changes  # fmt: skip
    (folder / "ocr.yaml").write_text("\n".join(f"{k}: {v}" for k, v in fields.items()))


def test_a_yolo_detector_with_an_end_to_end_head(tmp_path: Path) -> None:
    rows = np.array([[[160, 180, 260, 220, 0.9, 0], [1, 1, 9, 9, 0.1, 0]]], np.float32)
    path = constant_detector(tmp_path / "any.onnx", rows, (360, 640))
    (boxes,) = load_detector(Settings(detector=path)).find([PICTURE])
    assert [(b.x1, b.y1, b.x2, b.y2) for b in boxes] == [(160, 180, 260, 220)]


def test_a_raw_yolo_detector_has_its_overlapping_boxes_suppressed(tmp_path: Path) -> None:
    raw = np.zeros((1, 5, 40), np.float32)
    raw[0, :, 3] = (200, 200, 100, 40, 0.7)
    raw[0, :, 4] = (203, 201, 100, 40, 0.9)
    raw[0, :, 5] = (500, 100, 80, 30, 0.6)
    path = constant_detector(tmp_path / "raw.onnx", raw, (360, 640))
    (boxes,) = load_detector(Settings(detector=path)).find([PICTURE])
    assert [(round(b.x1), round(b.x2), round(b.score, 1)) for b in boxes] == [
        (153, 253, 0.9),
        (460, 540, 0.6),
    ]


def test_a_detector_of_the_fast_alpr_family(tmp_path: Path) -> None:
    rows = np.array([[0, 160, 180, 260, 220, 0, 0.9], [0, 10, 10, 60, 30, 0, 0.2]], np.float32)
    path = constant_detector(tmp_path / "yolo-v9-s-640-end2end.onnx", rows, (640, 640))
    (boxes,) = load_detector(Settings(detector=path)).find([PICTURE])
    # 360 rows in the middle of 640: 140 of padding above.
    assert [(b.x1, b.y1, b.x2, b.y2) for b in boxes] == [(160, 40, 260, 80)]


def test_the_pictures_of_a_batch_get_their_own_rows() -> None:
    flat = np.array([[1, 1, 1, 2, 2, 0, 0.9], [0, 3, 3, 4, 4, 0, 0.8]], np.float32)
    first, second = rows_of(flat, 2, 0.5)
    assert first.tolist() == [[3, 3, 4, 4, np.float32(0.8)]]
    assert second.tolist() == [[1, 1, 2, 2, np.float32(0.9)]]


def test_an_output_of_no_known_kind_is_refused() -> None:
    with pytest.raises(WeightsRefused, match="no known kind"):
        rows_of(np.zeros((1, 2, 3, 4), np.float32), 1, 0.5)


@pytest.mark.parametrize(("mode", "channels"), [("grayscale", 1), ("rgb", 3)])
def test_an_ocr_of_the_fast_alpr_family(tmp_path: Path, mode: str, channels: int) -> None:
    plate_config(tmp_path, image_color_mode=mode)
    path = constant_slots(tmp_path / "ocr.onnx", slots_saying("AB1234"), 64, 128, channels)
    (reading,) = load_reader(Settings(reader=path)).read([PICTURE])
    assert reading.text == "AB1234"
    assert reading.confidence == pytest.approx(0.95**9, rel=1e-3)
    assert reading.probabilities.sum(axis=1) == pytest.approx(np.ones(6))


def test_flat_logits_and_kept_aspect_are_understood(tmp_path: Path) -> None:
    plate_config(tmp_path, keep_aspect_ratio="true")
    flat = np.log(slots_saying("XY98")).reshape(1, -1)
    path = constant_slots(tmp_path / "ocr.onnx", flat, 64, 128)
    (reading,) = load_reader(Settings(reader=path)).read([PICTURE])
    assert reading.text == "XY98"


def test_detector_and_reader_of_others_work_together(tmp_path: Path) -> None:
    import simplejpeg

    rows = np.array([[0, 160, 320, 260, 360, 0, 0.9]], np.float32)
    detector = constant_detector(tmp_path / "detector.onnx", rows, (640, 640))
    (tmp_path / "ocr").mkdir()
    plate_config(tmp_path / "ocr")
    reader = constant_slots(tmp_path / "ocr" / "m.onnx", slots_saying("AB1234"), 64, 128)
    recognizer = load_recognizer(Settings(detector=detector, reader=reader))
    (shown,) = recognizer.recognise([simplejpeg.encode_jpeg(PICTURE, colorspace="RGB")])
    assert [s.reading.text for s in shown.sightings] == ["AB1234"]  # type: ignore[union-attr]
    assert recognizer.reader.name == "m"


def test_a_region_that_the_model_tells_becomes_the_jurisdiction() -> None:
    config = SlotConfig(
        max_plate_slots=9, alphabet=ALPHABET, pad_char="_", img_height=64, img_width=128,
        plate_regions=("Brazil", "Germany"),
    )  # fmt: skip
    regions = np.array([0.1, 0.9])
    reading = read_slots(slots_saying("AB1234")[0].astype(np.float64), config, regions)
    assert reading.jurisdictions == {"Brazil": 0.1, "Germany": 0.9}


def test_padding_alone_says_nothing() -> None:
    config = SlotConfig(
        max_plate_slots=9, alphabet=ALPHABET, pad_char="_", img_height=64, img_width=128
    )
    assert read_slots(slots_saying("")[0].astype(np.float64), config).text == ""


def test_a_model_that_is_not_what_its_config_says_is_refused(tmp_path: Path) -> None:
    plate_config(tmp_path, max_plate_slots=7)
    path = constant_slots(tmp_path / "ocr.onnx", slots_saying("AB1234"), 64, 128)
    with pytest.raises(WeightsRefused, match="7 slots"):
        load_reader(Settings(reader=path)).read([PICTURE])


def test_an_ocr_without_its_config_is_refused(tmp_path: Path) -> None:
    path = constant_slots(tmp_path / "ocr.onnx", slots_saying("AB1234"), 64, 128)
    with pytest.raises(WeightsRefused, match="plate config"):
        load_reader(Settings(reader=path))


@pytest.mark.parametrize("name", ["absent.onnx", "absent", "absent.pt"])
def test_weights_that_are_not_there_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsRefused, match="does not exist"):
        load_detector(Settings(detector=tmp_path / name))


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"not a model")
    with pytest.raises(WeightsRefused, match="no ONNX model"):
        load_detector(Settings(detector=tmp_path / "no.onnx"))
    (tmp_path / "no.txt").write_text("?")
    with pytest.raises(WeightsRefused, match="neither"):
        load_reader(Settings(reader=tmp_path / "no.txt"))
