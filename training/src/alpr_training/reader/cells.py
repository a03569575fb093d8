"""Where a real plate's characters stand, so that training can exchange them.

The pool's real plates are few, and the reader soon knows their texts by heart. Exchanging a plate's
letters with one another, and its digits likewise, makes new texts in real lettering, light and dirt
that still keep to the jurisdiction's order of letters and digits.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from alpr_training.pictures import Picture, part, read_picture
from alpr_training.plate_art.glyphs import CHARSET
from alpr_training.pool import Crop
from alpr_training.reader.decoding import Logits
from alpr_training.reader.network import WIDTH, ReaderNetwork
from alpr_training.reader.samples import SIZE, Cells, to_input
from alpr_training.synth.camera import fit

_LEAST_CHARACTER = 0.3
"""A character seen with less than this probability where it should stand is not placed."""
_LEAST_COLUMNS = 2
_QUIET = 0.8
"""Ink between two characters, of the plate's mean: above this they touch and stay together."""


def find_cells(weights: dict[str, torch.Tensor], crops: Sequence[Crop], folder: Path) -> Path:
    """Write `folder`/cells.json: the cells of every texted one-line crop that has clear ones."""
    torch.set_num_threads(1)
    network = ReaderNetwork()
    network.load_state_dict(weights)
    network.eval()
    found: dict[str, list[float]] = {}
    for crop in crops:
        whole = read_picture(crop.path, grey=True)
        left, right = 0.0, 1.0
        grey = whole
        if crop.inner is not None:
            left, right = crop.inner[0], crop.inner[2]
            grey = part(whole, crop.inner)
        with torch.no_grad():
            logits = network(to_input([fit(grey, SIZE)]))[0].log_softmax(-1).numpy()[0]
        cells = cells_of(grey, logits, crop.text)
        if cells is not None:
            found[crop.key] = [round(left + edge * (right - left), 4) for edge in cells]
    path = folder / "cells.json"
    path.write_text(json.dumps(found, indent=0), encoding="utf-8")
    return path


def load_cells(folder: Path) -> dict[str, Cells]:
    """What `find_cells` wrote; nothing when it has not run."""
    path = folder / "cells.json"
    if not path.exists():
        return {}
    found: dict[str, list[float]] = json.loads(path.read_text(encoding="utf-8"))
    return {key: tuple(edges) for key, edges in found.items()}


def cells_of(grey: Picture, log_probabilities: Logits, text: str) -> Cells | None:
    """Edges of the characters' cells from left to right, len(text) + 1 fractions of the width;
    None for two lines, or where characters are unsure or touch."""
    steps = _placed(log_probabilities, text)
    if steps is None:
        return None
    columns = WIDTH // 4
    places = [step % columns for step in steps]
    apart = np.diff(places)
    if len(places) < 2 or apart.min() < _LEAST_COLUMNS:
        return None
    centres = (np.array(places) + 0.5) / columns * grey.shape[1]
    half = float(np.median(np.diff(centres))) / 2
    middles = [centres[0] - half, *((centres[1:] + centres[:-1]) / 2), centres[-1] + half]
    height, width = grey.shape
    band = cv2.GaussianBlur(grey[height // 4 : max(height // 4 + 2, height * 4 // 5)], (0, 0), 0.8)
    ink = np.abs(np.diff(band.astype(np.float32), axis=1)).mean(axis=0)
    edges: list[float] = []
    for number, middle in enumerate(middles):
        low, high = int(max(0, middle - 0.6 * half)), int(min(width - 2, middle + 0.6 * half))
        if high <= low:
            return None
        quietest = low + int(ink[low : high + 1].argmin())
        if 0 < number < len(text) and ink[quietest] > _QUIET * ink.mean():
            return None
        edges.append((quietest + 1) / width)
    return tuple(edges) if min(np.diff(edges)) > 0.02 else None


def _placed(log_probabilities: Logits, text: str) -> list[int] | None:
    """The step of each character on this text's likeliest CTC path; None when any is unsure."""
    labels = [0]
    for char in text:
        labels += [CHARSET.index(char) + 1, 0]
    emitted = log_probabilities[:, labels]
    count, states = emitted.shape
    score = np.full(states, -np.inf)
    score[:2] = emitted[0, :2]
    back = np.zeros((count, states), int)
    for step in range(1, count):
        options = np.full((3, states), -np.inf)
        options[0] = score
        options[1, 1:] = score[:-1]
        for state in range(3, states, 2):
            if labels[state] != labels[state - 2]:
                options[2, state] = score[state - 2]
        back[step] = options.argmax(axis=0)
        score = options.max(axis=0) + emitted[step]
    state = states - 1 if score[-1] >= score[-2] else states - 2
    best: dict[int, int] = {}
    for step in range(count - 1, -1, -1):
        known = best.get(state)
        if state % 2 and (known is None or emitted[step, state] > emitted[known, state]):
            best[state] = step
        state -= int(back[step, state])
    places = [best.get(2 * i + 1) for i in range(len(text))]
    if any(p is None or emitted[p, 2 * i + 1] < np.log(_LEAST_CHARACTER)
           for i, p in enumerate(places)):  # fmt: skip
        return None
    return [p for p in places if p is not None]
