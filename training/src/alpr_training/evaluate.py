"""Whole pictures through the shipped models: detection and reading by region and plate width."""

import csv
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from alpr_training.geometry import overlaps
from alpr_training.pictures import read_picture
from alpr_training.pool import Pool
from alpr_training.shipped import ShippedModels

WIDTH_BANDS = ((0, 70), (70, 100), (100, 160), (160, 100_000))


@dataclass
class Tally:
    pictures: int = 0
    found: int = 0
    strict: int = 0
    folded: int = 0
    edits: int = 0
    characters: int = 0
    by_band: dict[str, list[int]] = field(default_factory=dict)
    errors: list[tuple[str, str, str]] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """Shares of the pictures."""
        total = max(1, self.pictures)
        return {
            "pictures": self.pictures,
            "found": round(self.found / total, 4),
            "strict": round(self.strict / total, 4),
            "o_is_0": round(self.folded / total, 4),
            "character_error_rate": round(self.edits / max(1, self.characters), 4),
            "strict_by_width": {k: f"{v[1]}/{v[0]}" for k, v in sorted(self.by_band.items())},
        }


def evaluate(models: ShippedModels, folder: Path) -> dict[str, Any]:
    """Read every picture of `folder`/labels.csv; a read counts at IoU >= 0.3 with the label."""
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    tallies: dict[str, Tally] = {}
    millis: list[float] = []
    for row in rows:
        picture = read_picture(folder / row["file"])
        began = time.perf_counter()
        found = models.find(picture)
        millis.append((time.perf_counter() - began) * 1000)
        truth = np.array([float(row[k]) for k in ("x1", "y1", "x2", "y2")], np.float32)
        at_label = [f for f in found if float(overlaps(truth, f.box[None])[0]) >= 0.3]
        best = max(at_label, key=lambda f: f.score, default=None)
        text = best.reading.text if best else ""
        for name in (row["region"], "all"):
            _count(tallies.setdefault(name, Tally()), row, truth, best is not None, text)
    out: dict[str, Any] = {name: tally.figures() for name, tally in tallies.items()}
    out["ms_p50"] = round(float(np.percentile(millis, 50)), 1)
    out["ms_p95"] = round(float(np.percentile(millis, 95)), 1)
    out["errors"] = {name: t.errors for name, t in tallies.items() if name != "all"}
    return out


def _count(tally: Tally, row: dict[str, str], truth: np.ndarray, found: bool, text: str) -> None:
    tally.pictures += 1
    tally.found += found
    right = text == row["text"]
    tally.strict += right
    tally.folded += text.replace("O", "0") == row["text"].replace("O", "0")
    tally.edits += edit_distance(text, row["text"])
    tally.characters += len(row["text"])
    width = float(truth[2] - truth[0])
    band = next(f"{low:03d}-{high}" for low, high in WIDTH_BANDS if low <= width < high)
    tally.by_band.setdefault(band, [0, 0])
    tally.by_band[band][0] += 1
    tally.by_band[band][1] += right
    if not right:
        tally.errors.append((row["text"], text, f"{width:.0f}px"))


def false_reads(models: ShippedModels, pool: Pool) -> dict[str, int]:
    """Reads in the pool's val pictures that show no plate."""
    negatives = pool.of_split("val").negatives
    count = 0
    for scene in negatives:
        count += len(models.find(read_picture(scene.path)))
    return {"pictures": len(negatives), "false_reads": count}


def edit_distance(left: str, right: str) -> int:
    """Levenshtein distance."""
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        before, row = row, [i]
        for j, b in enumerate(right, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b)))
    return row[-1]
