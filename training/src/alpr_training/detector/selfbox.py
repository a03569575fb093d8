"""Plates that nobody marked in the pool's train scenes, found and read by the models in training.

The pool leaves many small plates unboxed; trained on as background they teach the detector to miss.
A box is added only where the reader is sure of a plausible text.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from alpr_training.geometry import overlaps
from alpr_training.pictures import read_picture
from alpr_training.pool import Pool, Scene
from alpr_training.shipped import ShippedModels

LEAST_CONFIDENCE = 0.9
TEXT_LENGTHS = range(5, 9)


def self_box(models: ShippedModels, pool: Pool, listing: Path) -> int:
    """Write the added boxes of each train scene to `listing`; returns how many there are."""
    added: dict[str, list[list[float]]] = {}
    for scene in pool.scenes:
        marked = np.array(scene.boxes, np.float32).reshape(-1, 4)
        for found in models.find(read_picture(scene.path)):
            sure = found.reading.confidence >= LEAST_CONFIDENCE
            known = len(marked) and float(overlaps(found.box, marked).max()) > 0.05
            if sure and not known and len(found.reading.text) in TEXT_LENGTHS:
                box = [round(float(v), 1) for v in found.box]
                added.setdefault(scene.path.name, []).append(box)
    listing.parent.mkdir(parents=True, exist_ok=True)
    listing.write_text(json.dumps(added), encoding="utf-8")
    return sum(len(boxes) for boxes in added.values())


def with_self_boxes(pool: Pool, listing: Path) -> Pool:
    """The pool with the boxes that `self_box` added; unchanged when it has not run."""
    if not listing.exists():
        return pool
    added = json.loads(listing.read_text(encoding="utf-8"))
    return replace(pool, scenes=tuple(_merged(s, added.get(s.path.name, [])) for s in pool.scenes))


def _merged(scene: Scene, boxes: list[list[float]]) -> Scene:
    extra = tuple((b[0], b[1], b[2], b[3]) for b in boxes)
    return replace(scene, boxes=scene.boxes + extra, texts=scene.texts + ("",) * len(extra))
