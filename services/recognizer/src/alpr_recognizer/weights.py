"""Which implementation serves which weights: the shipped ones, or what the settings name."""

from pathlib import Path

from alpr_recognizer.domain import ReadingLimits, WeightsRefused
from alpr_recognizer.models import PlateDetector, PlateReader, inference_threads
from alpr_recognizer.onnx_models import Hardware, OnnxDetector, OnnxReader
from alpr_recognizer.recognition import Recognizer
from alpr_recognizer.settings import Settings


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
    hardware = _hardware(settings)
    if path.is_dir() and settings.engine == "onnx":
        return OnnxDetector(path, hardware, settings.detector_threshold)
    raise WeightsRefused(f"{path}: no detector weights of a known kind.")


def load_reader(settings: Settings) -> PlateReader:
    """The reader that the settings name; raises `WeightsRefused`."""
    path = settings.reader or settings.common.models_folder / "reader"
    hardware = _hardware(settings)
    if path.is_dir() and settings.engine == "onnx":
        return OnnxReader(path, hardware)
    raise WeightsRefused(f"{path}: no reader weights of a known kind.")


def _hardware(settings: Settings) -> Hardware:
    return Hardware(settings.device, inference_threads(settings.threads))


def _missing(path: Path) -> WeightsRefused:
    return WeightsRefused(f"{path} does not exist.")
