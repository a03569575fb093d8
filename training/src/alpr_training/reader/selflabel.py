"""Texts for the pool's untexted plates, read by the reader in training and kept only when sure.

Only train pictures. A text is kept when several differently shifted cuts of the plate are read
alike and every character is near certain: what remains teaches real lettering, light and dirt that
no drawing has.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from alpr_training.geometry import grow
from alpr_training.pictures import Fractions, Picture, part, read_picture
from alpr_training.pool import Crop, Pool, Scene
from alpr_training.reader.cells import find_cells
from alpr_training.reader.decoding import Reading, read
from alpr_training.reader.network import ReaderNetwork
from alpr_training.reader.samples import SIZE, to_input
from alpr_training.synth.camera import fit

_CUTS = ((0.0, 0.0), (0.07, 0.04), (0.03, 0.1))
"""Room left around the plate, as fractions of its width and height."""
_SURROUNDINGS = 0.3
"""What is kept around a plate of a scene, as a part of its width and height."""
NARROWEST_PX = 56
LEAST_PROBABILITY = 0.7
LEAST_AGREEING = 3


def self_label(weights: dict[str, torch.Tensor], pool: Pool, folder: Path) -> Path:
    """Write sure plates as pictures with `labels.json` into `folder`; returns that file."""
    torch.set_num_threads(1)
    network = ReaderNetwork()
    network.load_state_dict(weights)
    network.eval()
    folder.mkdir(parents=True, exist_ok=True)
    labels: list[dict[str, Any]] = []
    for number, plate in enumerate(_untexted(pool)):
        reading = _consensus(network, plate.cut())
        if reading is None:
            continue
        name = f"{number:05d}.png"
        cv2.imwrite(str(folder / name), plate.picture)
        labels.append(
            {"file": name, "text": reading.text, "source": plate.source, "inner": plate.inner}
        )
    listing = folder / "labels.json"
    listing.write_text(json.dumps(labels, indent=0), encoding="utf-8")
    texted = [crop for crop in pool.crops if crop.text]
    find_cells(weights, [*texted, *load_self_labels(folder)], folder)
    return listing


def load_self_labels(folder: Path) -> tuple[Crop, ...]:
    """The plates that `self_label` wrote; none when it has not run."""
    listing = folder / "labels.json"
    if not listing.exists():
        return ()
    crops: list[Crop] = []
    for row in json.loads(listing.read_text(encoding="utf-8")):
        text = settled_text(row["text"], brazilian="-br-" in row["source"])
        if text:
            inner = tuple(row["inner"]) if row.get("inner") else None
            source = f"self-{row['source']}"
            crops.append(Crop(folder / row["file"], source, "train", text, None, inner))
    return tuple(crops)


def settled_text(text: str, *, brazilian: bool) -> str:
    """The text where O and 0 cannot have been confused, else "".

    The reader first learns O as 0 from the US labels; it must not teach itself that elsewhere.
    Brazil's serials say which is which; elsewhere a 0 among letters is an O,
    and one between a digit and a letter is not believed.
    """
    if brazilian:
        if not re.fullmatch(r"[A-Z0]{3}[0-9O]{4}", text):
            return ""
        return text[:3].replace("0", "O") + text[3:].replace("O", "0")
    text = re.sub(r"(?<![0-9])0(?=[A-Z])", "O", text)
    return "" if re.search(r"0[A-Z]", text) else text


@dataclass(frozen=True)
class _Untexted:
    """A plate that nobody has read yet; `inner` as in `Crop`."""

    picture: Picture
    source: str
    inner: Fractions | None = None

    def cut(self) -> Picture:
        """The plate alone."""
        return self.picture if self.inner is None else part(self.picture, self.inner)


def _untexted(pool: Pool) -> list[_Untexted]:
    """US crops without a text are sample plates that say so."""
    crops = [c for c in pool.crops if not c.text and not c.writes_o_as_0]
    out = [_Untexted(read_picture(c.path), c.source) for c in crops]
    for scene in pool.scenes:
        out += _plates_of(scene)
    return out


def _plates_of(scene: Scene) -> list[_Untexted]:
    boxes = [b for b in scene.boxes if b[2] - b[0] >= NARROWEST_PX]
    if not boxes:
        return []
    image = read_picture(scene.path)
    out: list[_Untexted] = []
    for box in boxes:
        x1, y1, x2, y2 = grow(np.array(box, np.float32), _SURROUNDINGS, image.shape[:2])
        wide, high = x2 - x1, y2 - y1
        inner = ((box[0] - x1) / wide, (box[1] - y1) / high,
                 (box[2] - x1) / wide, (box[3] - y1) / high)  # fmt: skip
        out.append(_Untexted(image[y1:y2, x1:x2].copy(), scene.source, inner))
    return out


def _consensus(network: torch.nn.Module, picture: Picture) -> Reading | None:
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.uint8)
    height, width = grey.shape
    cuts: list[Picture] = []
    for across, down in _CUTS:
        dx, dy = round(across * width), round(down * height)
        padded = cv2.copyMakeBorder(grey, dy, dy, dx, dx, cv2.BORDER_REPLICATE)
        cuts.append(fit(padded.astype(np.uint8), SIZE))
    with torch.no_grad():
        logits = network(to_input(cuts))[0].numpy()
    readings = [read(one) for one in logits]
    text, count = Counter(r.text for r in readings).most_common(1)[0]
    if count < LEAST_AGREEING or not 4 <= len(text) <= 9:
        return None
    best = max((r for r in readings if r.text == text), key=lambda r: r.confidence)
    return best if min(best.probabilities) >= LEAST_PROBABILITY else None
