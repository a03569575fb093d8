"""Whole pictures through the shipped models: detection and reading by region and plate width."""

import csv
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from alpr_training.geometry import overlaps
from alpr_training.pictures import Picture, read_picture
from alpr_training.pool import Crop, Pool
from alpr_training.reader.decoding import JURISDICTION_CODES, read, softmax
from alpr_training.shipped import ShippedModels
from alpr_training.synth.camera import fit

READER_SIZE = (48, 160)
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


def found_in_scenes(models: ShippedModels, pool: Pool) -> dict[str, float]:
    """Of the plates marked in the pool's val scenes: the share found at IoU >= 0.5, all and those
    at least 24 px wide in the detector's input; boxes found where none is marked, per picture."""
    scenes = pool.of_split("val").scenes
    long_side = float(models.detector_config["long_side"])
    found = total = wide_found = wide = extra = 0
    for scene in scenes:
        picture = read_picture(scene.path)
        scale = long_side / max(picture.shape[:2])
        boxes = models.detect(picture)
        hits = 0
        for truth in np.array(scene.boxes, np.float32):
            hit = bool(len(boxes)) and float(overlaps(truth, boxes).max()) >= 0.5
            large = bool((truth[2] - truth[0]) * scale >= 24)
            total += 1
            found += hit
            hits += hit
            wide += large
            wide_found += hit and large
        extra += max(0, len(boxes) - hits)
    return {
        "recall": round(found / max(1, total), 3),
        "recall_24px": round(wide_found / max(1, wide), 3),
        "unmarked_per_picture": round(extra / max(1, len(scenes)), 3),
    }


def read_crops(models: ShippedModels, crops: list[tuple[Picture, Crop]]) -> dict[str, float]:
    """Exact texts and jurisdictions of val crops by source; and, of the US answers above the
    jurisdiction threshold, the share that is right."""
    threshold = float(models.reader_config["jurisdiction_threshold"])
    temperature = float(models.reader_config["jurisdiction_temperature"])
    counts: dict[str, list[int]] = {}
    sure: list[bool] = []
    for start in range(0, len(crops), 64):
        part = crops[start : start + 64]
        characters, jurisdictions = models.logits([picture for picture, _ in part])
        probabilities = softmax(jurisdictions, temperature)
        for (_, crop), one, states in zip(part, characters, probabilities, strict=True):
            name = crop.source.removeprefix("openalpr-").removesuffix("-crops")
            tally = counts.setdefault(name, [0, 0, 0])
            right = JURISDICTION_CODES[int(states.argmax())] == crop.jurisdiction
            tally[0] += 1
            tally[1] += read(one).text.replace("O", "0") == crop.text.replace("O", "0")
            tally[2] += right
            if name == "us" and states.max() >= threshold:
                sure.append(right)
    figures: dict[str, float] = {}
    for name, (total, exact, state) in counts.items():
        figures[f"{name}_exact_o_is_0"] = round(exact / total, 3)
        figures[f"{name}_jurisdiction"] = round(state / total, 3)
    us_total = counts.get("us", [0])[0]
    figures["us_sure_share"] = round(len(sure) / max(1, us_total), 3)
    figures["us_sure_right"] = round(sum(sure) / max(1, len(sure)), 3)
    return figures


def val_crops(pool: Pool) -> list[tuple[Picture, Crop]]:
    """Grey crops of the val split with a text, fitted as the recognizer fits them."""
    return [
        (fit(read_picture(crop.path, grey=True), READER_SIZE), crop)
        for crop in pool.of_split("val").crops
        if crop.text
    ]
