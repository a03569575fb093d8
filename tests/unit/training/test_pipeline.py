# ruff: noqa: E402 - what is imported late is what may be missing
"""The whole pipeline, tiny: train both models a few steps, stop, resume, export, read."""

from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.gpu, pytest.mark.slow]

pytest.importorskip("torch", reason="training needs torch (requirements/gpu.txt)")
pytest.importorskip("ultralytics", reason="training needs ultralytics (requirements/gpu.txt)")
pytest.importorskip("PIL", reason="fonts are read with Pillow (requirements/gpu.txt)")

import torch

from alpr_training.detector.train import train as train_detector
from alpr_training.export import export_detector, export_reader
from alpr_training.loop import Plan
from alpr_training.reader.decoding import JURISDICTION_CODES, read
from alpr_training.reader.samples import Samples
from alpr_training.reader.selflabel import settled_text
from alpr_training.reader.train import train as train_reader
from alpr_training.shipped import ShippedModels
from alpr_training.synth.lettering import FontsMissing, plate_fonts
from alpr_training.synth.press import Press
from alpr_training.synth.scene import Views

CALIBRATION = {
    "temperature": 1.0,
    "jurisdiction_temperature": 1.0,
    "jurisdiction_threshold": 0.9,
    "text_confidence_threshold": 0.0,
    "shortest_text": 0,
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        plate_fonts()
    except FontsMissing as missing:
        pytest.skip(str(missing))
    folder = tmp_path_factory.mktemp("pipeline")
    for steps in (2, 3):  # the second call resumes the first
        reader = train_reader(
            Plan(folder / "reader-run", 3, until=steps), Samples(1, None, None), None, batch=4
        )
        views = Views(1, None, Press(1), 160)
        detector = train_detector(Plan(folder / "detector-run", steps), views, None, batch=2)
    export_reader(reader, folder / "models" / "reader", CALIBRATION)
    export_detector(detector, folder / "models" / "detector", score_threshold=0.0)
    return folder


def test_a_stopped_run_continues_where_it_was(models: Path) -> None:
    kept = torch.load(models / "reader-run" / "last.pt", weights_only=True)
    assert kept["step"] == 3


def test_the_detector_answers_end_to_end_at_any_size_and_batch(models: Path) -> None:
    shipped = ShippedModels(models / "models")
    for batch, height, width in ((1, 384, 640), (2, 320, 320)):
        images = np.zeros((batch, 3, height, width), np.float32)
        rows = shipped._detector.run(None, {"images": images})[0]
        assert rows.shape[0] == batch
        assert rows.shape[2] == 6


def test_whole_pictures_go_through_the_exported_models(models: Path) -> None:
    shipped = ShippedModels(models / "models")
    picture = np.random.default_rng(1).integers(0, 255, (240, 400, 3)).astype(np.uint8)
    for found in shipped.find(picture)[:5]:
        assert 0 <= found.score <= 1
        assert found.jurisdiction in JURISDICTION_CODES


def test_easyocr_loads_the_reader_and_answers_as_the_onnx_file_does(
    models: Path, tmp_path: Path
) -> None:
    easyocr = pytest.importorskip("easyocr", reason="needs easyocr (requirements/gpu.txt)")
    folder = models / "models" / "reader"
    (tmp_path / "plates.pth").write_bytes((folder / "reader.pth").read_bytes())
    engine = easyocr.Reader(
        ["en"], gpu=False, detector=False, recog_network="plates", download_enabled=False,
        model_storage_directory=str(tmp_path), verbose=False, quantize=False,
        user_network_directory=str(folder / "easyocr"),
    )  # fmt: skip
    crop = np.random.default_rng(2).integers(0, 255, (48, 160)).astype(np.uint8)
    expected = read(ShippedModels(models / "models").logits([crop])[0][0]).text
    tensor = torch.from_numpy(crop)[None, None].float() / 127.5 - 1
    with torch.no_grad():
        logits = engine.recognizer.eval()(tensor, "")
    assert read(logits.numpy()[0]).text == expected


def test_self_labels_do_not_teach_the_letter_o_as_zero() -> None:
    assert settled_text("0ZC8400", brazilian=True) == "OZC8400"
    assert settled_text("AB12345", brazilian=True) == ""
    assert settled_text("GET0UT", brazilian=False) == "GETOUT"
    assert settled_text("BA3020Z", brazilian=False) == ""
    assert settled_text("WN0605", brazilian=False) == "WN0605"
