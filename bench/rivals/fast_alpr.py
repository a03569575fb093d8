"""fast-alpr (PyPI), where the package is installed and its weights are already in its cache."""

import importlib
import importlib.util
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import cv2

from alpr_recognizer.domain import PlateBox
from alpr_recognizer.evaluation import Label
from bench.rivals import Answer, NotInstalled, Seen

_DETECTOR = "yolo-v9-s-608-license-plate-end2end"
_READER = "cct-s-v2-global-model"
_CACHES = (
    Path.home() / ".cache" / "open-image-models" / _DETECTOR,
    Path.home() / ".cache" / "fast-plate-ocr" / _READER,
)


def run(folder: Path, labels: Sequence[Label]) -> tuple[str, list[Answer]]:
    if importlib.util.find_spec("fast_alpr") is None:
        raise NotInstalled("the package fast-alpr is not installed")
    missing = [str(path) for path in _CACHES if not path.is_dir()]
    if missing:
        # It would fetch them: a bench never downloads.
        raise NotInstalled(f"fast-alpr's weights are not at hand: {', '.join(missing)}")
    engine = importlib.import_module("fast_alpr").ALPR(
        detector_model=_DETECTOR, ocr_model=_READER, ocr_device="cpu"
    )
    answers = []
    for label in labels:
        started = time.perf_counter()
        found = engine.predict(cv2.imread(str(folder / label.file)))
        took = (time.perf_counter() - started) * 1000
        seen = []
        for one in found:
            box = one.detection.bounding_box
            text = one.ocr.text if one.ocr else ""
            seen.append(Seen(text, PlateBox(box.x1, box.y1, box.x2, box.y2)))
        answers.append(Answer(tuple(seen), took))
    return version("fast-alpr"), answers
