"""The shipped models run with onnxruntime: what calibration and evaluation look through."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime

from alpr_training.geometry import grow, letterbox
from alpr_training.reader.decoding import JURISDICTION_CODES, Reading, read, softmax
from alpr_training.synth.camera import fit

BgrImage = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Found:
    """One plate of one picture."""

    box: npt.NDArray[np.float32]
    score: float
    reading: Reading
    jurisdiction: str
    jurisdiction_probability: float


def _session(path: Path, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class ShippedModels:
    """Detector and reader of `folder` (models/)."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self.detector_config = _config(folder / "detector")
        self.reader_config = _config(folder / "reader")
        self._detector = _session(folder / "detector" / "detector.onnx", threads)
        self._reader = _session(folder / "reader" / "reader.onnx", threads)

    def detect(self, picture: BgrImage) -> npt.NDArray[np.float32]:
        """Boxes and scores, [n, 5] in px of the picture, over the score threshold."""
        long_side = int(self.detector_config["long_side"])
        scale = long_side / max(picture.shape[:2])
        sides = [32 * round(np.ceil(side * scale / 32)) for side in picture.shape[:2]]
        padded, scale = letterbox(picture, (sides[0], sides[1]))
        tensor = padded[None, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255
        rows = self._detector.run(None, {"images": tensor})[0][0]
        rows = rows[rows[:, 4] >= float(self.detector_config["score_threshold"])]
        found: npt.NDArray[np.float32] = rows[:, :5].copy()
        found[:, :4] /= scale
        return found

    def logits(
        self, crops: list[npt.NDArray[np.uint8]]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Raw outputs for grey crops of the reader's size."""
        tensor = np.stack(crops)[:, None].astype(np.float32) / 127.5 - 1
        characters, jurisdictions = self._reader.run(None, {"crops": tensor})
        return characters, jurisdictions

    def crop(
        self, grey: npt.NDArray[np.uint8], box: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.uint8]:
        """The reader's input for one box."""
        x1, y1, x2, y2 = grow(box[:4], float(self.reader_config["crop_margin"]), grey.shape[:2])
        size = (int(self.reader_config["height"]), int(self.reader_config["width"]))
        return fit(grey[y1:y2, x1:x2], size)

    def find(self, picture: BgrImage) -> list[Found]:
        """All plates read in one picture that the text threshold lets through."""
        boxes = self.detect(picture)
        if not len(boxes):
            return []
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.uint8)
        characters, jurisdictions = self.logits([self.crop(grey, box) for box in boxes])
        state_temperature = float(self.reader_config["jurisdiction_temperature"])
        out: list[Found] = []
        for box, one, states in zip(
            boxes, characters, softmax(jurisdictions, state_temperature), strict=True
        ):
            reading = read(one, float(self.reader_config["temperature"]))
            if reading.confidence < float(self.reader_config["text_confidence_threshold"]):
                continue
            if len(reading.text) < int(self.reader_config["shortest_text"]):
                continue
            best = int(states.argmax())
            out.append(
                Found(
                    box[:4], float(box[4]), reading, JURISDICTION_CODES[best], float(states[best])
                )
            )
        return out


def _config(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config
