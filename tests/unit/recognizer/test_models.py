"""The shipped weights: two implementations of the two protocols, and that they are the same."""

import importlib.util
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from alpr_local.demo.scenes import DAY, DUSK, NIGHT, Pass, empty_road, render_pass
from alpr_local.folders import repository
from alpr_recognizer.domain import Image, PictureUnreadable, WeightsRefused
from alpr_recognizer.models import DetectorConfig, load_config
from alpr_recognizer.networks import CtcReader, YoloDetector, reader_tensor, rows_of, to_tensor
from alpr_recognizer.onnx_models import Hardware, OnnxDetector, OnnxReader
from alpr_recognizer.pictures import Picture, crop, letterbox
from alpr_recognizer.recognition import Recognised, Recognizer
from alpr_recognizer.settings import Settings
from alpr_recognizer.weights import load_detector, load_reader, load_recognizer

MODELS = repository() / "models"
HARDWARE = Hardware("cpu", 1)
PASSES = (
    Pass("BG73914", "US-IL", DAY, 1, frames=3),
    Pass("KLN482", "US-CA", DUSK, 3, frames=3),
    Pass("FM68915", "US-IL", NIGHT, 4, frames=3),
)

pytestmark = pytest.mark.skipif(
    not (MODELS / "reader" / "config.json").exists(), reason="needs the shipped models"
)


def needs_torch() -> None:
    for name in ("torch", "ultralytics", "easyocr"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs the GPU extra (requirements/gpu.txt): {name} is not installed")


@pytest.fixture(scope="module")
def frames() -> list[tuple[str, bytes]]:
    """Plates and the second frame of their pass."""
    return [(p.plate, list(render_pass(p))[1]) for p in PASSES]


@pytest.fixture(scope="module", params=["onnx", pytest.param("torch", marks=pytest.mark.gpu)])
def recognizer(request: pytest.FixtureRequest) -> Iterator[Recognizer]:
    if request.param == "torch":
        needs_torch()
    loaded = load_recognizer(Settings(engine=request.param, threads=1))
    yield loaded
    loaded.close()


class TestDetectorAndReader:
    """What both implementations promise."""

    def test_plates_in_a_street_are_found_and_read(
        self, recognizer: Recognizer, frames: list[tuple[str, bytes]]
    ) -> None:
        shown = recognizer.recognise([jpeg for _, jpeg in frames])
        for (plate, _), one in zip(frames, shown, strict=True):
            assert isinstance(one, Recognised)
            assert plate in [s.reading.text for s in one.sightings]

    def test_a_batch_reads_what_single_pictures_read(
        self, recognizer: Recognizer, frames: list[tuple[str, bytes]]
    ) -> None:
        jpegs = [jpeg for _, jpeg in frames]
        together = recognizer.recognise(jpegs)
        for (plate, jpeg), one in zip(frames, together, strict=True):
            (alone,) = recognizer.recognise([jpeg])
            assert isinstance(one, Recognised)
            assert isinstance(alone, Recognised)
            (a,) = [s for s in alone.sightings if s.reading.text == plate]
            (b,) = [s for s in one.sightings if s.reading.text == plate]
            assert a.box.overlap(b.box) > 0.95
            assert a.reading.confidence == pytest.approx(b.reading.confidence, abs=0.02)

    def test_every_position_is_a_distribution_and_the_confidence_a_probability(
        self, recognizer: Recognizer, frames: list[tuple[str, bytes]]
    ) -> None:
        (shown,) = recognizer.recognise([frames[0][1]])
        assert isinstance(shown, Recognised)
        reading = shown.sightings[0].reading
        assert reading.probabilities.shape == (len(reading.text), 36)
        assert reading.probabilities.sum(axis=1) == pytest.approx(np.ones(len(reading.text)))
        assert 0 < reading.confidence <= 1
        assert sum(reading.jurisdictions.values()) == pytest.approx(1)

    def test_an_empty_road_and_a_broken_picture_between_others_do_no_harm(
        self, recognizer: Recognizer, frames: list[tuple[str, bytes]]
    ) -> None:
        empty = empty_road(DAY, 5)
        shown = recognizer.recognise([b"no JPEG", empty, frames[0][1], frames[0][1][:5000]])
        assert isinstance(shown[0], PictureUnreadable)
        assert isinstance(shown[1], Recognised)
        accepted = [s for s in shown[1].sightings if recognizer.reader.limits.accept(s.reading)]
        assert accepted == []
        assert isinstance(shown[2], Recognised)
        assert frames[0][0] in [s.reading.text for s in shown[2].sightings]
        assert isinstance(shown[3], PictureUnreadable)

    def test_no_picture_is_no_work(self, recognizer: Recognizer) -> None:
        assert recognizer.recognise([]) == []


@pytest.mark.gpu
def test_onnx_and_originals_find_the_same_boxes(frames: list[tuple[str, bytes]]) -> None:
    needs_torch()
    original = load_detector(Settings(engine="torch", threads=1))
    exported = load_detector(Settings(threads=1))
    assert isinstance(original, YoloDetector)
    assert isinstance(exported, OnnxDetector)
    for _, jpeg in frames:
        picture = Picture(jpeg, exported.input_size).overview
        padded, *_ = letterbox(picture, exported.config.size_for(picture))
        tensor = to_tensor([padded])
        theirs, ours = (rows_of(d.infer(tensor), 1, 0.0)[0] for d in (original, exported))
        theirs, ours = (r[r[:, 4] >= 0.2] for r in (theirs, ours))
        assert len(theirs) == len(ours) > 0
        for a, b in zip(
            theirs[np.argsort(-theirs[:, 4])], ours[np.argsort(-ours[:, 4])], strict=True
        ):
            assert a[:4] == pytest.approx(b[:4], abs=0.5), "half a pixel of the input"
            assert a[4] == pytest.approx(b[4], abs=0.01)


def probabilities(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(raised / raised.sum(-1, keepdims=True))


@pytest.mark.gpu
def test_onnx_and_originals_give_the_same_probabilities(frames: list[tuple[str, bytes]]) -> None:
    needs_torch()
    original = load_reader(Settings(engine="torch", threads=1))
    exported = load_reader(Settings(threads=1))
    assert isinstance(original, CtcReader)
    assert isinstance(exported, OnnxReader)
    detector = load_detector(Settings(threads=1))
    crops: list[Image] = []
    for _, jpeg in frames:
        picture = Picture(jpeg, detector.input_size).whole
        crops += [crop(picture, b, exported.crop_margin) for b in detector.find([picture])[0]]
    assert len(crops) >= len(frames)
    tensor = reader_tensor(crops, exported.config)
    for theirs, ours in zip(original.infer(tensor), exported.infer(tensor), strict=True):
        assert theirs is not None
        assert ours is not None
        # Both files round weights to half precision, ONNX after normalisation is folded in: logits
        # of some 15 move by hundredths. A wrong export moves the probabilities by far more.
        assert np.abs(probabilities(theirs) - probabilities(ours)).max() < 0.03
        assert np.corrcoef(theirs.ravel(), ours.ravel())[0, 1] > 0.9999
    for a, b in zip(original.read(crops), exported.read(crops), strict=True):
        assert a.text == b.text
        assert a.confidence == pytest.approx(b.confidence, abs=0.03)


@pytest.mark.gpu
def test_an_easyocr_network_of_others_is_read_with_its_own_charset(tmp_path: Path) -> None:
    needs_torch()
    import torch

    (tmp_path / "tiny.py").write_text(
        "import torch\n"
        "class Model(torch.nn.Module):\n"
        "    def __init__(self, num_class, says):\n"
        "        super().__init__()\n"
        "        self.bias = torch.nn.Parameter(torch.zeros(len(says), num_class))\n"
        "    def forward(self, x, text=None):\n"
        "        return self.bias[None].expand(len(x), -1, -1) + 0 * x.mean()\n"
    )
    (tmp_path / "tiny.yaml").write_text(
        "network_params: {says: [1, 1, 1, 1, 1]}\nimgH: 32\nlang_list: [en]\n"
        "character_list: ABC123\n"
    )
    bias = torch.zeros(5, 7)
    for step, column in enumerate([1, 0, 2, 4, 6]):  # A - B 1 3
        bias[step, column] = 9.0
    torch.save({"module.bias": bias}, tmp_path / "tiny.pth")
    reader = load_reader(Settings(reader=tmp_path / "tiny.pth", engine="torch", threads=1))
    (reading,) = reader.read([np.full((40, 160, 3), 90, np.uint8)])
    assert reading.text == "AB13"
    assert reading.confidence > 0.9


@pytest.mark.gpu
def test_a_pt_detector_of_others_loads_by_setting(frames: list[tuple[str, bytes]]) -> None:
    needs_torch()
    detector = load_detector(Settings(detector=MODELS / "detector" / "detector.pt", threads=1))
    picture = Picture(frames[0][1], detector.input_size).whole
    assert len(detector.find([picture])[0]) >= 1


def test_torch_is_imported_by_one_module_alone() -> None:
    source = repository() / "services" / "recognizer" / "src"
    importing = [
        p.name
        for p in sorted(source.rglob("*.py"))
        if any(f"import {n}" in p.read_text() for n in ("torch", "easyocr"))
        or "from ultralytics" in p.read_text()
    ]
    # weights.py imports our module of that name, not torch.
    assert [n for n in importing if n != "weights.py"] == ["torch_models.py"]


def test_without_the_extra_the_torch_engine_says_what_to_install() -> None:
    if importlib.util.find_spec("torch") is not None:
        pytest.skip("the GPU extra is installed here")
    with pytest.raises(WeightsRefused, match=r"requirements/gpu\.txt"):
        load_detector(Settings(engine="torch"))


def copied(folder: str, to: Path) -> Path:
    shutil.copytree(MODELS / folder, to / folder)
    return to / folder


def test_weights_with_another_hash_are_refused_by_name(tmp_path: Path) -> None:
    folder = copied("detector", tmp_path)
    with (folder / "detector.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(WeightsRefused, match=r"detector\.onnx is not the file .* sha256"):
        OnnxDetector.shipped(folder, HARDWARE)


def test_a_missing_file_or_config_is_refused_by_name(tmp_path: Path) -> None:
    folder = copied("reader", tmp_path)
    (folder / "reader.onnx").unlink()
    with pytest.raises(WeightsRefused, match=r"reader\.onnx is missing"):
        OnnxReader(folder, HARDWARE)
    (folder / "config.json").unlink()
    with pytest.raises(WeightsRefused, match=r"no config\.json"):
        OnnxReader(folder, HARDWARE)


def test_a_config_of_another_kind_is_refused(tmp_path: Path) -> None:
    folder = copied("reader", tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"kind": "attention"}))
    with pytest.raises(WeightsRefused, match="cannot be used"):
        OnnxReader(folder, HARDWARE)


def test_a_file_that_the_config_does_not_vouch_for_is_refused(tmp_path: Path) -> None:
    folder = copied("detector", tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"sha256": {}}))
    with pytest.raises(WeightsRefused, match="states no sha256"):
        OnnxDetector.shipped(folder, HARDWARE)


def test_cuda_where_there_is_none_is_refused_clearly() -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("there is a CUDA provider here")
    with pytest.raises(WeightsRefused, match="onnxruntime-gpu"):
        load_detector(Settings(device="cuda"))


def test_the_input_size_follows_the_picture() -> None:
    config = load_config(MODELS / "detector", DetectorConfig)
    if config.long_side is None:
        pytest.skip("this detector has a fixed size")
    side = config.long_side
    wide = config.size_for(np.zeros((1080, 1920, 3), np.uint8))
    tall = config.size_for(np.zeros((1920, 1080, 3), np.uint8))
    assert wide == tall[::-1]
    assert wide[1] == side
    assert wide[0] % config.dynamic_size_multiple == 0
