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
from alpr_training.plate_art.glyphs import CHARSET
from alpr_training.reader.cells import cells_of
from alpr_training.reader.decoding import JURISDICTION_CODES, read
from alpr_training.reader.samples import Samples, exchanged
from alpr_training.reader.selflabel import settled_text
from alpr_training.reader.train import either_o_or_0
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


def test_in_us_texts_a_zero_may_be_either_and_elsewhere_it_may_not() -> None:
    zero, letter = CHARSET.index("0") + 1, CHARSET.index("O") + 1
    likely = torch.full((2, 1, len(CHARSET) + 1), -9.0)
    likely[:, 0, zero], likely[:, 0, letter] = np.log(0.2), np.log(0.7)
    after = either_o_or_0(likely, torch.tensor([True, False]))
    assert after[0, 0, zero].exp().item() == pytest.approx(0.9)
    assert torch.equal(after[1], likely[1])


def test_characters_are_exchanged_with_their_pixels_and_among_their_kind() -> None:
    picture = np.repeat(np.arange(60, dtype=np.uint8)[None] // 10, 8, axis=0)
    cells = tuple(i / 60 for i in (10, 20, 30, 40, 50))
    for seed in range(5):
        after, text = exchanged(picture, "AB12", cells, np.random.default_rng(seed))
        stood = [int(after[0, place]) - 1 for place in (15, 25, 35, 45)]
        assert "".join("AB12"[i] for i in stood) == text
        assert text[:2].isalpha()
        assert text[2:].isdigit()
        assert after.shape == picture.shape


def test_cells_lie_between_the_characters_and_two_lines_have_none() -> None:
    grey = np.full((48, 160), 220, np.uint8)
    for centre in (30, 60, 90, 120):
        grey[12:38, centre - 8 : centre + 8] = 20
    likely = np.full((80, len(CHARSET) + 1), -9.0, np.float32)
    likely[:, 0] = -0.01
    for step, character in zip((7, 14, 22, 29), "AB12", strict=True):
        likely[step] = -9
        likely[step, CHARSET.index(character) + 1] = -0.01
    cells = cells_of(grey, likely, "AB12")
    assert cells is not None
    inner = [edge * 160 for edge in cells[1:-1]]
    assert all(low < edge < high for edge, low, high in zip(inner, (38, 68, 98), (52, 82, 112),
                                                            strict=True))  # fmt: skip
    assert cells_of(grey, np.roll(likely, 25, axis=0), "AB12") is None
