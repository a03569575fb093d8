"""Choosing thresholds and the temperature on the pool's val split."""

from pathlib import Path

import numpy as np
import torch

from alpr_training.evaluate import val_crops
from alpr_training.export import trained_weights
from alpr_training.pictures import read_picture
from alpr_training.pool import Crop, Pool
from alpr_training.reader.decoding import JURISDICTION_CODES, read, softmax
from alpr_training.reader.network import ReaderNetwork
from alpr_training.reader.samples import SIZE, to_input
from alpr_training.synth.camera import Shot, reader_crop

TEXT_CONFIDENCE_THRESHOLD = 0.7
"""From here on val plates put into val scenes are read right more often than wrong (0.65 to 0.7: 1
of 3, 0.7 to 0.8: 8 of 12); no val negative comes above 0.36."""
SHORTEST_TEXT = 3


def calibrate(checkpoint: Path, pool: Pool) -> dict[str, float]:
    """Temperature (least log loss of single characters) and the jurisdiction threshold (the least
    that leaves at least 97 % of the answers above it right), on val crops as they are and as a
    distant camera would see them."""
    network = ReaderNetwork()
    network.load_state_dict(trained_weights(checkpoint)[0])
    network.eval()
    plain = val_crops(pool)
    rng = np.random.default_rng(5)
    distant = [
        (reader_crop(read_picture(crop.path), SIZE, Shot(False), rng), crop) for _, crop in plain
    ]
    both = plain + distant
    with torch.no_grad():
        parts = [
            network(to_input([p for p, _ in both[i : i + 64]])) for i in range(0, len(both), 64)
        ]
    characters = np.concatenate([p[0].numpy() for p in parts])
    states = np.concatenate([p[1].numpy() for p in parts])
    crops = [crop for _, crop in both]
    state_temperature = _jurisdiction_temperature(states, crops)
    return {
        "temperature": _temperature(characters, crops),
        "jurisdiction_temperature": state_temperature,
        "jurisdiction_threshold": _jurisdiction_threshold(states / state_temperature, crops),
        "text_confidence_threshold": TEXT_CONFIDENCE_THRESHOLD,
        "shortest_text": SHORTEST_TEXT,
    }


def _temperature(logits: np.ndarray, crops: list[Crop]) -> float:
    best, least = 1.0, np.inf
    for temperature in np.arange(0.6, 3.01, 0.1):
        losses: list[float] = []
        for one, crop in zip(logits, crops, strict=True):
            reading = read(one, float(temperature))
            if len(reading.text) != len(crop.text):
                continue
            for char, true, p in zip(reading.text, crop.text, reading.probabilities, strict=True):
                losses.append(-np.log(max(1e-6, p if char == true else 1 - p)))
        loss = float(np.mean(losses)) if losses else np.inf
        if loss < least:
            best, least = float(temperature), loss
    return round(best, 2)


def _jurisdiction_temperature(logits: np.ndarray, crops: list[Crop]) -> float:
    known = [
        (one, JURISDICTION_CODES.index(crop.jurisdiction))
        for one, crop in zip(logits, crops, strict=True)
        if crop.jurisdiction and crop.jurisdiction.startswith("US")
    ]
    rows = np.array([one for one, _ in known])
    truths = np.array([truth for _, truth in known])

    def loss(temperature: float) -> float:
        chosen = softmax(rows, temperature)[np.arange(len(truths)), truths]
        return float(-np.log(np.maximum(chosen, 1e-9)).mean())

    return round(float(min(np.arange(0.6, 3.01, 0.1), key=loss)), 2)


def _jurisdiction_threshold(logits: np.ndarray, crops: list[Crop]) -> float:
    known = [
        (float(p.max()), JURISDICTION_CODES[int(p.argmax())] == crop.jurisdiction)
        for p, crop in zip(softmax(logits), crops, strict=True)
        if crop.jurisdiction and crop.jurisdiction.startswith("US")
    ]
    for threshold in np.arange(0.4, 0.991, 0.01):
        right = [ok for p, ok in known if p >= threshold]
        if right and np.mean(right) >= 0.97:
            return round(float(threshold), 2)
    return 0.99
