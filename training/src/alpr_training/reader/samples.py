"""Training samples for the reader: synthetic plates and pool crops, mixed by fixed shares."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from alpr_training.pictures import Picture, read_picture
from alpr_training.plate_art.glyphs import CHARSET
from alpr_training.pool import Crop, Pool
from alpr_training.reader.decoding import JURISDICTION_CODES
from alpr_training.reader.network import HEIGHT, WIDTH
from alpr_training.synth.camera import Shot, reader_crop
from alpr_training.synth.press import Press

SIZE = (HEIGHT, WIDTH)
NO_JURISDICTION = -100
_SOURCE_SHARES = {
    "openalpr-us-crops": 0.17,
    "openalpr-br-crops": 0.08,
    "openalpr-br-synth": 0.01,
    "openalpr-eu2-crops": 0.035,
    "cnn-ocr-lp-ar-crops": 0.015,
}
"""What part of the samples comes from which texted pool source; the rest is synthetic."""


@dataclass(frozen=True)
class Batch:
    crops: Tensor
    """[B, 1, H, W] in -1..1."""
    targets: Tensor
    """Class numbers of all texts, end to end."""
    lengths: Tensor
    texts: list[str]
    jurisdictions: Tensor
    """Class numbers; NO_JURISDICTION where nobody knows."""


class Samples:
    """Batch number n of a seed is always the same pictures."""

    def __init__(
        self, seed: int, pool: Pool | None, templates: Path | None,
        extra: tuple[tuple[Crop, ...], float] = ((), 0.0),
    ) -> None:  # fmt: skip
        """`extra`: further texted crops (such as self-labelled ones) and their share."""
        self._seed = seed
        self._press = Press(seed, templates)
        self._real: list[tuple[float, list[tuple[Picture, Crop]]]] = []
        crops = pool.crops if pool else ()
        for source, share in _SOURCE_SHARES.items():
            texted = [c for c in crops if c.source == source and c.text]
            if texted:
                self._real.append((share, _pictures(texted)))
        if extra[0]:
            self._real.append((extra[1], _pictures(extra[0])))

    def batch(self, number: int, size: int) -> Batch:
        rng = np.random.default_rng([self._seed, 7, number])
        pictures: list[Picture] = []
        texts: list[str] = []
        codes: list[str | None] = []
        real_share = sum(share for share, _ in self._real)
        while len(pictures) < size:
            pick = float(rng.random())
            if pick < real_share:
                image, crop = self._real_crop(pick, rng)
                pictures.append(reader_crop(image, SIZE, Shot(synthetic=False), rng))
                texts.append(crop.text)
                codes.append(crop.jurisdiction)
            else:
                # Two shots of each pressed plate: pressing costs more than photographing.
                plate = self._press.plate(rng)
                for _ in range(min(2, size - len(pictures))):
                    pictures.append(reader_crop(plate.image, SIZE, Shot(synthetic=True), rng))
                    texts.append(plate.text)
                    codes.append(plate.jurisdiction)
        return collate(pictures, texts, codes)

    def _real_crop(self, pick: float, rng: np.random.Generator) -> tuple[Picture, Crop]:
        for share, crops in self._real:
            if pick < share:
                return crops[int(rng.integers(len(crops)))]
            pick -= share
        return self._real[-1][1][0]


def _pictures(crops: Sequence[Crop]) -> list[tuple[Picture, Crop]]:
    """Each crop once, but four times where the letter O must be told from 0: such are rare."""
    loaded = [(read_picture(c.path), c) for c in crops]
    return loaded + 3 * [pair for pair in loaded if "O" in pair[1].text]


def to_input(pictures: list[Picture]) -> Tensor:
    """Grey uint8 crops of one size to the network's input range -1..1."""
    return torch.from_numpy(np.stack(pictures))[:, None].float() / 127.5 - 1


def collate(pictures: list[Picture], texts: list[str], codes: list[str | None]) -> Batch:
    targets = [CHARSET.index(char) + 1 for text in texts for char in text]
    numbers = [
        JURISDICTION_CODES.index(code) if code in JURISDICTION_CODES else NO_JURISDICTION
        for code in codes
    ]
    return Batch(
        to_input(pictures),
        torch.tensor(targets, dtype=torch.long),
        torch.tensor([len(t) for t in texts], dtype=torch.long),
        texts,
        torch.tensor(numbers, dtype=torch.long),
    )
