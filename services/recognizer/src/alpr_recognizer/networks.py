"""What detectors and readers share whichever runtime computes them: batches, tensors, outputs."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from alpr_recognizer.ctc import ctc_candidates, extent, log_softmax
from alpr_recognizer.domain import Image, PlateBox, Reading, WeightsRefused
from alpr_recognizer.models import DetectorConfig, ReaderConfig
from alpr_recognizer.pictures import fit, grey, letterbox
from alpr_recognizer.syntax import likeliest

Tensor = npt.NDArray[np.float32]

_SUPPRESSION_OVERLAP = 0.5


class YoloDetector(ABC):
    """Implements `PlateDetector` over `infer`."""

    def __init__(self, name: str, config: DetectorConfig, threshold: float | None, batch: int):
        self.name = name
        self.config = config
        side = config.long_side
        self.input_size = config.input_size if side is None else (side, side)
        self._threshold = config.score_threshold if threshold is None else threshold
        self._batch = batch

    @abstractmethod
    def infer(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] RGB 0..1 to the network's own output."""

    def find(self, pictures: Sequence[Image]) -> list[list[PlateBox]]:
        """As `PlateDetector` promises; pictures of one input size share batches."""
        found: list[list[PlateBox]] = [[] for _ in pictures]
        by_size: dict[tuple[int, int], list[int]] = {}
        for index, picture in enumerate(pictures):
            by_size.setdefault(self.config.size_for(picture), []).append(index)
        for size, indices in by_size.items():
            for start in range(0, len(indices), self._batch):
                some = indices[start : start + self._batch]
                placed = [letterbox(pictures[i], size) for i in some]
                output = self.infer(to_tensor([image for image, *_ in placed]))
                rows = rows_of(output, len(some), self._threshold)
                for i, (_, scale, left, top), row in zip(some, placed, rows, strict=True):
                    boxes = boxes_from_rows(row, self._threshold, scale, left, top)
                    found[i] = within(boxes, pictures[i])
        return found


class CtcReader(ABC):
    """Implements `PlateReader` over `infer`."""

    def __init__(self, name: str, config: ReaderConfig, batch: int = 16) -> None:
        self.name = name
        self.config = config
        self.crop_margin = config.crop_margin
        self.jurisdiction_threshold = config.jurisdiction_threshold
        self.limits = config.limits
        self._batch = batch

    @abstractmethod
    def infer(self, crops: Tensor) -> tuple[Tensor, Tensor | None]:
        """[B, 1, H, W] in -1..1 to character logits [B, T, C] and, where the network has that
        head, jurisdiction logits [B, J]."""

    def read(self, crops: Sequence[Image]) -> list[Reading]:
        """As `PlateReader` promises."""
        out: list[Reading] = []
        for start in range(0, len(crops), self._batch):
            some = crops[start : start + self._batch]
            logits, states = self.infer(reader_tensor(some, self.config))
            out += readings(logits, states, self.config)
        return out


def rows_of(output: Tensor, count: int, threshold: float) -> list[Tensor]:
    """Per picture [N, 5]: x1, y1, x2, y2 in input pixels, score; from any known kind of output.

    - [B, N, 6] end-to-end: corners, score, class
    - [n, 7] end-to-end of the fast-alpr family: picture, corners, class, score
    - [B, 4 + classes, anchors] raw: centre, size, class scores; overlapping ones are suppressed
    """
    if output.ndim == 2 and output.shape[1] == 7:
        kept = np.concatenate([output[:, 1:5], output[:, 6:7]], axis=1)
        return [kept[output[:, 0].astype(int) == i] for i in range(count)]
    if output.ndim == 3 and output.shape[2] == 6:
        return [row[:, :5] for row in output]
    if output.ndim == 3 and 5 <= output.shape[1] < output.shape[2]:
        return [_suppressed(raw, threshold) for raw in output]
    raise WeightsRefused(
        f"The detector's output of shape {list(output.shape)} is of no known kind."
    )


def _suppressed(raw: Tensor, threshold: float) -> Tensor:
    scores = raw[4:].max(axis=0)
    kept = scores >= threshold
    centre, size, scores = raw[:2, kept].T, raw[2:4, kept].T, scores[kept]
    corners = centre - size / 2
    boxes = np.concatenate([corners, size], axis=1)
    order = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), threshold, _SUPPRESSION_OVERLAP)
    chosen = np.array(order, int).reshape(-1)
    rows: Tensor = np.concatenate(
        [corners[chosen], (corners + size)[chosen], scores[chosen, None]], axis=1
    ).astype(np.float32)
    return rows


def to_tensor(images: Sequence[Image]) -> Tensor:
    """RGB uint8 pictures of one size as [B, 3, H, W] in 0..1."""
    stacked = np.stack(images).transpose(0, 3, 1, 2)
    out: Tensor = np.ascontiguousarray(stacked, np.float32)
    out *= np.float32(1 / 255)
    return out


def reader_tensor(crops: Sequence[Image], config: ReaderConfig) -> Tensor:
    """Crops as the CTC reader's input [B, 1, H, W] in -1..1."""
    keep = config.resize == "keep_aspect_pad"
    width = config.width
    if keep and config.is_width_free:
        # EasyOCR's own rule: as many squares as the longest crop needs.
        width = config.height * max(-(-c.shape[1] // c.shape[0]) for c in crops)
    fitted = [fit(grey(c), config.height, width, keep) for c in crops]
    return np.stack(fitted)[:, None].astype(np.float32) / np.float32(127.5) - np.float32(1)


def readings(logits: Tensor, states: Tensor | None, config: ReaderConfig) -> list[Reading]:
    """What [B, T, C] character logits and [B, J] jurisdiction logits (or None) say."""
    out = []
    for index, rows in enumerate(logits):
        candidates = ctc_candidates(rows.astype(np.float64), config.temperature, config.charset)
        if states is not None and config.jurisdictions:
            scaled = states[index].astype(np.float64) / config.jurisdiction_temperature
            shares = np.exp(log_softmax(scaled)).tolist()
            codes = dict(zip(config.jurisdictions, shares, strict=True))
            candidates = [replace(candidate, jurisdictions=codes) for candidate in candidates]
        chosen = likeliest(candidates)
        if config.steps_per_row is not None:
            chosen = replace(chosen, extent=extent(rows, config.steps_per_row))
        out.append(chosen)
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
