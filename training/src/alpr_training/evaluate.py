"""Whole pictures through the shipped models: detection and reading by region and plate width."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from alpr_common.settings import CommonSettings
from alpr_recognizer.domain import ReadingLimits
from alpr_recognizer.evaluation import evaluate_picture, read_labels, report
from alpr_recognizer.models import ReaderConfig
from alpr_recognizer.networks import readings
from alpr_recognizer.recognition import Recognised, Recognizer
from alpr_recognizer.settings import Settings
from alpr_recognizer.weights import limits_of, load_recognizer
from alpr_training.geometry import overlaps
from alpr_training.pictures import Picture, read_picture
from alpr_training.pool import Crop, Pool
from alpr_training.reader.decoding import JURISDICTION_CODES, softmax
from alpr_training.shipped import ShippedModels
from alpr_training.synth.camera import fit

READER_SIZE = (48, 160)


def load_product(models: Path) -> tuple[Recognizer, ReadingLimits]:
    """The recognizer as it ships, with these model folders, and what it counts as a plate."""
    cv2.setNumThreads(1)
    settings = Settings(common=CommonSettings(models_folder=models))
    recognizer = load_recognizer(settings)
    return recognizer, limits_of(settings, recognizer.reader.limits)


def evaluate(models: Path, folder: Path) -> dict[str, Any]:
    """What `alpr evaluate` reports of `folder`/labels.csv; and, as `errors`, every wrong read."""
    recognizer, limits = load_product(models)
    outcomes = [
        evaluate_picture(recognizer, limits, folder, label) for label in read_labels(folder)
    ]
    wrong = [
        (o.label.region, o.label.text, o.text, f"{o.label.box.width:.0f}px")
        for o in outcomes
        if not o.is_exact
    ]
    return {**report(recognizer, outcomes), "errors": wrong}


def false_reads(models: Path, pool: Pool) -> dict[str, int]:
    """Reads that the product reports in the pool's val pictures that show no plate."""
    recognizer, limits = load_product(models)
    negatives = pool.of_split("val").negatives
    count = 0
    for scene in negatives:
        (shown,) = recognizer.recognise([scene.path.read_bytes()])
        if isinstance(shown, Recognised):
            count += sum(limits.accept(seen.reading) for seen in shown.sightings)
    return {"pictures": len(negatives), "false_reads": count}


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
    config = ReaderConfig.model_validate(models.reader_config)
    threshold, temperature = config.jurisdiction_threshold, config.jurisdiction_temperature
    counts: dict[str, list[int]] = {}
    sure: list[bool] = []
    for start in range(0, len(crops), 64):
        part = crops[start : start + 64]
        characters, jurisdictions = models.logits([picture for picture, _ in part])
        probabilities = softmax(jurisdictions, temperature)
        read = readings(characters, jurisdictions, config)
        for (_, crop), one, states in zip(part, read, probabilities, strict=True):
            name = crop.source.removeprefix("openalpr-").removesuffix("-crops")
            tally = counts.setdefault(name, [0, 0, 0])
            right = JURISDICTION_CODES[int(states.argmax())] == crop.jurisdiction
            tally[0] += 1
            tally[1] += one.text.replace("O", "0") == crop.text.replace("O", "0")
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
