"""How well plates are read on labelled pictures, by the product's own recognizer."""

import csv
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from alpr_common.errors import AlprError
from alpr_common.plates import normalize
from alpr_recognizer.domain import PictureUnreadable, PlateBox, ReadingLimits, Sighting
from alpr_recognizer.recognition import Recognizer, Stages

LEAST_OVERLAP = 0.3
WIDTH_BANDS = ((0, 70), (70, 100), (100, 160), (160, 1_000_000))
_CALIBRATION_BINS = 10


class NotLabelled(AlprError):
    title = "The folder holds no labelled pictures"


@dataclass(frozen=True)
class Label:
    """One row of labels.csv: a picture and the plate marked in it."""

    file: str
    region: str
    text: str
    box: PlateBox


@dataclass(frozen=True)
class Outcome:
    """What was read where the label is."""

    label: Label
    sighting: Sighting | None
    """The plate whose box covers the label best (IoU >= 0.3); None when there is none."""
    is_accepted: bool
    """Whether it passed the limits, so that the product would report it."""
    milliseconds: float
    stages: dict[str, float]
    others: int
    """Accepted plates elsewhere in the picture (many pictures show more than the marked one)."""

    @property
    def text(self) -> str:
        return self.sighting.reading.text if self.sighting and self.is_accepted else ""

    @property
    def is_exact(self) -> bool:
        return self.text == self.label.text

    @property
    def is_exact_folded(self) -> bool:
        return _fold(self.text) == _fold(self.label.text)


def _fold(text: str) -> str:
    return text.replace("O", "0")


def read_labels(folder: Path) -> list[Label]:
    """The labels of a folder; raises `NotLabelled` naming what is missing."""
    path = folder / "labels.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row.get("text") and row.get("x1")]
        return [
            Label(
                row["file"],
                row.get("region") or "all",
                normalize(row["text"]),
                PlateBox(*(float(row[k]) for k in ("x1", "y1", "x2", "y2"))),
            )
            for row in rows
        ]
    except FileNotFoundError as error:
        raise NotLabelled(
            f"{path} does not exist. It needs the columns file, x1, y1, x2, y2 (pixels), text "
            "and, optionally, region."
        ) from error
    except (KeyError, ValueError) as error:
        raise NotLabelled(f"{path} cannot be used: {error!r}") from error


def evaluate_picture(
    recognizer: Recognizer, limits: ReadingLimits, folder: Path, label: Label
) -> Outcome:
    """Read one whole picture; time is from the JPEG's bytes to the readings."""
    jpeg = (folder / label.file).read_bytes()
    stages = Stages()
    started = time.perf_counter()
    (shown,) = recognizer.recognise([jpeg], stages)
    milliseconds = (time.perf_counter() - started) * 1000
    sightings = () if isinstance(shown, PictureUnreadable) else shown.sightings
    at_label = [s for s in sightings if s.box.overlap(label.box) >= LEAST_OVERLAP]
    best = max(at_label, key=lambda s: s.box.overlap(label.box), default=None)
    accepted = [s for s in sightings if limits.accept(s.reading)]
    return Outcome(
        label,
        best,
        best is not None and limits.accept(best.reading),
        milliseconds,
        {name: seconds * 1000 for name, seconds in stages.seconds.items()},
        sum(s is not best for s in accepted),
    )


@dataclass(frozen=True)
class Figures:
    """Shares 0..1 over `pictures` pictures."""

    pictures: int
    detected: float
    exact: float
    exact_o_is_0: float
    character_error_rate: float
    calibration_error: float
    """Expected calibration error of the text confidence, over accepted readings."""
    brier: float
    other_plates: int
    by_width: dict[str, dict[str, float]] = field(default_factory=dict)


def figures(outcomes: Sequence[Outcome]) -> Figures:
    """The figures of some pictures (at least one)."""
    count = len(outcomes)
    errors = sum(edit_distance(o.text, o.label.text) for o in outcomes)
    ece, brier = calibration(
        [
            (o.sighting.reading.confidence, o.is_exact_folded)
            for o in outcomes
            if o.sighting is not None and o.is_accepted
        ]
    )
    return Figures(
        count,
        sum(o.sighting is not None for o in outcomes) / count,
        sum(o.is_exact for o in outcomes) / count,
        sum(o.is_exact_folded for o in outcomes) / count,
        errors / max(1, sum(len(o.label.text) for o in outcomes)),
        ece,
        brier,
        sum(o.others for o in outcomes),
        _by_width(outcomes),
    )


def _by_width(outcomes: Sequence[Outcome]) -> dict[str, dict[str, float]]:
    out = {}
    for low, high in WIDTH_BANDS:
        some = [o for o in outcomes if low <= o.label.box.width < high]
        if some:
            name = f"{low}-{high} px" if high < WIDTH_BANDS[-1][1] else f"{low} px and more"
            out[name] = {
                "pictures": len(some),
                "exact": sum(o.is_exact for o in some) / len(some),
                "exact_o_is_0": sum(o.is_exact_folded for o in some) / len(some),
            }
    return out


def calibration(pairs: Sequence[tuple[float, bool]]) -> tuple[float, float]:
    """Expected calibration error (ten bins) and Brier score of (confidence, was right)."""
    if not pairs:
        return 0.0, 0.0
    confidences = np.array([c for c, _ in pairs])
    right = np.array([float(r) for _, r in pairs])
    bins = np.minimum((confidences * _CALIBRATION_BINS).astype(int), _CALIBRATION_BINS - 1)
    ece = sum(
        abs(float(confidences[bins == b].mean() - right[bins == b].mean()))
        * float((bins == b).mean())
        for b in np.unique(bins)
    )
    return ece, float(((confidences - right) ** 2).mean())


def report(recognizer: Recognizer, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Everything, as JSON: figures per region and together, times, models."""
    regions = sorted({o.label.region for o in outcomes})
    groups = {r: [o for o in outcomes if o.label.region == r] for r in regions}
    stages = sorted({name for o in outcomes for name in o.stages})
    return {
        "detector": recognizer.detector.name,
        "reader": recognizer.reader.name,
        "regions": {r: asdict(figures(some)) for r, some in groups.items()},
        "all": asdict(figures(outcomes)),
        "milliseconds": percentiles(o.milliseconds for o in outcomes),
        "stages_milliseconds": {
            name: percentiles(o.stages.get(name, 0.0) for o in outcomes) for name in stages
        },
    }


def percentiles(values: Iterable[float]) -> dict[str, float]:
    array = np.array(list(values))
    return {
        "p50": round(float(np.percentile(array, 50)), 2),
        "p95": round(float(np.percentile(array, 95)), 2),
    }


def edit_distance(a: str, b: str) -> int:
    """Insertions, deletions and substitutions between two texts."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        corner, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (x != y))
    return row[-1]
