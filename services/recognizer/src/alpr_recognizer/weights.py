"""Which implementation serves which weights: the shipped ones, or what the settings name."""

from pathlib import Path
from typing import Any

from alpr_recognizer.domain import ReadingLimits, WeightsRefused
from alpr_recognizer.models import DetectorConfig, PlateDetector, PlateReader, inference_threads
from alpr_recognizer.onnx_models import Hardware, OnnxDetector, OnnxReader, fixed_input_size
from alpr_recognizer.recognition import Recognizer
from alpr_recognizer.settings import Settings
from alpr_recognizer.slot_reader import SlotReader

_THIRD_PARTY_THRESHOLD = 0.4


def load_recognizer(settings: Settings) -> Recognizer:
    """Load and check the weights that the settings name; raises `WeightsRefused`."""
    return Recognizer(
        load_detector(settings),
        load_reader(settings),
        decode_threads=settings.decode_threads,
        narrowest_plate_px=settings.narrowest_plate_px,
    )


def limits_of(settings: Settings, own: ReadingLimits) -> ReadingLimits:
    """What counts as a plate: the reader's own limits, unless the settings say otherwise."""
    shortest, least = settings.shortest_text, settings.least_confidence
    return ReadingLimits(
        own.shortest if shortest is None else shortest,
        least_confidence=own.least_confidence if least is None else least,
    )


def load_detector(settings: Settings) -> PlateDetector:
    """The detector that the settings name; raises `WeightsRefused`."""
    path = settings.detector or settings.common.models_folder / "detector"
    hardware, threshold = _hardware(settings), settings.detector_threshold
    if path.is_dir():
        if settings.engine == "torch":
            return _detector(_torch().TorchDetector.shipped(path, hardware, threshold))
        return OnnxDetector.shipped(path, hardware, threshold)
    return third_party_detector(path, hardware, threshold)


def load_reader(settings: Settings) -> PlateReader:
    """The reader that the settings name; raises `WeightsRefused`."""
    path = settings.reader or settings.common.models_folder / "reader"
    hardware = _hardware(settings)
    if path.is_dir():
        if settings.engine == "torch":
            return _reader(_torch().EasyOcrReader.shipped(path, hardware))
        return OnnxReader(path, hardware)
    return third_party_reader(path, hardware)


def _hardware(settings: Settings) -> Hardware:
    return Hardware(settings.device, inference_threads(settings.threads))


def _torch() -> Any:
    """The GPU extra's module; raises `WeightsRefused` where the extra is not installed."""
    try:
        from alpr_recognizer import torch_models
    except ImportError as error:
        raise WeightsRefused(
            "These weights need the GPU extra (torch, ultralytics, easyocr): install "
            f"requirements/gpu.txt, or set the engine to onnx. ({error})"
        ) from error
    return torch_models


def third_party_detector(path: Path, hardware: Hardware, threshold: float | None) -> PlateDetector:
    """A YOLO .pt or .onnx, or a fast-alpr detector .onnx."""
    _must_exist(path)
    if path.suffix == ".pt":
        config = _guessed_detector(path, (640, 640))
        return _detector(_torch().TorchDetector(path, path.stem, config, hardware, threshold))
    if path.suffix == ".onnx":
        config = _guessed_detector(path, fixed_input_size(path, hardware) or (640, 640))
        return OnnxDetector(path, path.stem, config, hardware, threshold)
    raise WeightsRefused(f"{path} is neither a model folder nor a .pt or .onnx file.")


def third_party_reader(path: Path, hardware: Hardware) -> PlateReader:
    """An EasyOCR network's .pth beside its .py and .yaml, or a fast-alpr OCR .onnx beside its
    config yaml."""
    _must_exist(path)
    if path.suffix == ".pth":
        return _reader(
            _torch().EasyOcrReader(path, path.parent, path.stem, path.stem, None, hardware)
        )
    if path.suffix == ".onnx":
        return SlotReader(path, hardware)
    raise WeightsRefused(f"{path} is neither a model folder nor a .pth or .onnx file.")


def _guessed_detector(path: Path, size: tuple[int, int]) -> DetectorConfig:
    return DetectorConfig(
        version=path.stem, sha256={}, input_size=size, score_threshold=_THIRD_PARTY_THRESHOLD
    )


def _detector(detector: PlateDetector) -> PlateDetector:
    """Where the checker cannot look: the extra is not installed where it runs."""
    return detector


def _reader(reader: PlateReader) -> PlateReader:
    return reader


def _must_exist(path: Path) -> None:
    if not path.exists():
        raise WeightsRefused(f"{path} does not exist.")
