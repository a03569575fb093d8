"""Detector and reader on ONNX Runtime, on the CPU or through CUDA. The default."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from alpr_recognizer.ctc import log_softmax, read_ctc
from alpr_recognizer.domain import Image, PlateBox, Reading, WeightsRefused
from alpr_recognizer.models import DetectorConfig, ReaderConfig, load_config
from alpr_recognizer.pictures import fit, grey, letterbox

Tensor = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Hardware:
    """Where inference runs. `threads` of one inference on the CPU."""

    device: str = "cpu"
    threads: int = 1


def open_session(path: Path, hardware: Hardware) -> Any:
    """An ONNX Runtime session; raises `WeightsRefused` for a file that is no model, or when CUDA
    was asked for and this build has none."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = hardware.threads
    options.inter_op_num_threads = 1
    # Waiting threads sleep: other services share the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = ["CPUExecutionProvider"]
    if hardware.device == "cuda":
        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise WeightsRefused(
                "CUDA was asked for, but this ONNX Runtime has no CUDA provider: install "
                "onnxruntime-gpu instead of onnxruntime, or set the device to cpu."
            )
        providers = ["CUDAExecutionProvider", *providers]
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:
        # ONNX Runtime's errors have no common base and no stable names.
        raise WeightsRefused(f"{path} is no ONNX model that can be run: {error}") from error


class OnnxDetector:
    """A YOLO detector with an end-to-end head: boxes come out, no suppression is needed."""

    def __init__(
        self, folder: Path, hardware: Hardware, threshold: float | None = None, batch: int = 4
    ) -> None:
        config = load_config(folder, DetectorConfig, "detector.onnx")
        self._session = open_session(folder / "detector.onnx", hardware)
        self._input = self._session.get_inputs()[0]
        self._config = config
        self.name = f"{folder.name} {config.version}"
        side = config.long_side
        self.input_size = config.input_size if side is None else (side, side)
        self._threshold = config.score_threshold if threshold is None else threshold
        self._batch = batch if not isinstance(self._input.shape[0], int) else 1

    def find(self, pictures: Sequence[Image]) -> list[list[PlateBox]]:
        """As `PlateDetector` promises; pictures of one input size share batches."""
        found: list[list[PlateBox]] = [[] for _ in pictures]
        by_size: dict[tuple[int, int], list[int]] = {}
        for index, picture in enumerate(pictures):
            by_size.setdefault(self._config.size_for(picture), []).append(index)
        for size, indices in by_size.items():
            for start in range(0, len(indices), self._batch):
                some = indices[start : start + self._batch]
                placed = [letterbox(pictures[i], size) for i in some]
                rows = self.infer(to_tensor([image for image, *_ in placed]))
                for i, (_, scale, left, top), row in zip(some, placed, rows, strict=True):
                    boxes = boxes_from_rows(row[:, :5], self._threshold, scale, left, top)
                    found[i] = within(boxes, pictures[i])
        return found

    def infer(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] RGB 0..1 to [B, N, 6]: x1, y1, x2, y2 (input pixels), score, class."""
        rows: Tensor = self._session.run(None, {self._input.name: images})[0]
        return rows


class OnnxReader:
    """A CTC reader with a jurisdiction head."""

    def __init__(self, folder: Path, hardware: Hardware, batch: int = 16) -> None:
        self._config = load_config(folder, ReaderConfig, "reader.onnx")
        self._session = open_session(folder / "reader.onnx", hardware)
        self._outputs = [o.name for o in self._session.get_outputs()]
        self._batch = batch
        self.name = f"{folder.name} {self._config.version}"
        self.crop_margin = self._config.crop_margin
        self.jurisdiction_threshold = self._config.jurisdiction_threshold
        self.limits = self._config.limits

    def read(self, crops: Sequence[Image]) -> list[Reading]:
        out: list[Reading] = []
        for start in range(0, len(crops), self._batch):
            logits, states = self.infer(
                reader_tensor(crops[start : start + self._batch], self._config)
            )
            out += readings(logits, states, self._config)
        return out

    def infer(self, crops: Tensor) -> tuple[Tensor, Tensor | None]:
        """[B, 1, H, W] in -1..1 to character logits [B, T, C] and jurisdiction logits [B, J]."""
        got = dict(zip(self._outputs, self._session.run(None, {"crops": crops}), strict=True))
        return got["logits"], got.get("jurisdiction")


def to_tensor(images: Sequence[Image]) -> Tensor:
    """RGB uint8 pictures of one size as [B, 3, H, W] in 0..1."""
    stacked = np.stack(images).transpose(0, 3, 1, 2)
    out: Tensor = np.ascontiguousarray(stacked, np.float32)
    out *= np.float32(1 / 255)
    return out


def reader_tensor(crops: Sequence[Image], config: ReaderConfig) -> Tensor:
    """Crops as the CTC reader's input [B, 1, H, W] in -1..1."""
    keep = config.resize == "keep_aspect_pad"
    fitted = [fit(grey(c), config.height, config.width, keep) for c in crops]
    return np.stack(fitted)[:, None].astype(np.float32) / np.float32(127.5) - np.float32(1)


def readings(logits: Tensor, states: Tensor | None, config: ReaderConfig) -> list[Reading]:
    """What [B, T, C] character logits and [B, J] jurisdiction logits (or None) say."""
    out = []
    for index, rows in enumerate(logits):
        reading = read_ctc(rows.astype(np.float64), config.temperature, config.charset)
        if states is not None and config.jurisdictions:
            scaled = states[index].astype(np.float64) / config.jurisdiction_temperature
            shares = np.exp(log_softmax(scaled)).tolist()
            codes = dict(zip(config.jurisdictions, shares, strict=True))
            reading = Reading(
                reading.text, reading.confidence, reading.probabilities,
                reading.length_certainty, codes,
            )  # fmt: skip
        out.append(reading)
    return out


def boxes_from_rows(
    rows: Tensor, threshold: float, scale: float, left: int, top: int
) -> list[PlateBox]:
    """[N, 5] x1, y1, x2, y2, score in letterbox pixels, as boxes of the picture, best first."""
    kept = rows[rows[:, 4] >= threshold]
    kept = kept[np.argsort(-kept[:, 4])]
    corners = (kept[:, :4] - np.array([left, top, left, top], np.float32)) / np.float32(scale)
    return [
        PlateBox(float(x1), float(y1), float(x2), float(y2), float(score))
        for (x1, y1, x2, y2), score in zip(corners, kept[:, 4], strict=True)
    ]


def within(boxes: Sequence[PlateBox], picture: Image) -> list[PlateBox]:
    """Boxes cut to the picture, empty ones dropped."""
    height, width = picture.shape[:2]
    cut = [
        PlateBox(max(0.0, b.x1), max(0.0, b.y1), min(width, b.x2), min(height, b.y2), b.score)
        for b in boxes
    ]
    return [b for b in cut if b.width >= 1 and b.height >= 1]
