"""Training samples for the reader: synthetic plates and pool crops, mixed by fixed shares."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
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
_EXCHANGED = 0.55
"""How often a real plate whose cells are known has its characters exchanged."""
Cells = tuple[float, ...]
"""Edges of a plate's characters from left to right, as fractions of its width."""


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
    is_folded: Tensor
    """[B] bool: the text writes 0 for what may be the letter O, as US labels do."""


@dataclass(frozen=True)
class Sample:
    """One text to learn from."""

    picture: Picture
    text: str
    jurisdiction: str | None
    is_folded: bool


@dataclass(frozen=True)
class _Real:
    """A plate of the pool, decoded, with what is known of it."""

    picture: Picture
    crop: Crop
    cells: Cells | None


class Samples:
    """Batch number n of a seed is always the same pictures."""

    def __init__(
        self, seed: int, pool: Pool | None, templates: Path | None,
        extra: tuple[tuple[Crop, ...], float] = ((), 0.0),
        cells: dict[str, Cells] | None = None,
    ) -> None:  # fmt: skip
        """`extra`: further texted crops (such as self-labelled ones) and their share; `cells`:
        where the characters of some crops stand, by `source/file name`."""
        self._seed = seed
        self._press = Press(seed, templates)
        self._real: list[tuple[float, list[_Real]]] = []
        self._textures = _textures(pool)
        crops = pool.crops if pool else ()
        for source, share in _SOURCE_SHARES.items():
            texted = [c for c in crops if c.source == source and c.text]
            if texted:
                self._real.append((share, _decoded(texted, cells or {})))
        if extra[0]:
            self._real.append((extra[1], _decoded(extra[0], cells or {})))

    def batch(self, number: int, size: int) -> Batch:
        rng = np.random.default_rng([self._seed, 7, number])
        samples: list[Sample] = []
        real_share = sum(share for share, _ in self._real)
        while len(samples) < size:
            pick = float(rng.random())
            if pick < real_share:
                samples.append(self._photographed(self._real_plate(pick, rng), rng))
            else:
                # Two shots of each pressed plate: pressing costs more than photographing.
                plate = self._press.plate(rng)
                folded = plate.jurisdiction.startswith("US-")
                for _ in range(min(2, size - len(samples))):
                    shot = reader_crop(
                        plate.image, SIZE, Shot(synthetic=True), rng, textures=self._textures
                    )
                    samples.append(Sample(shot, plate.text, plate.jurisdiction, folded))
        return collate(samples)

    def _photographed(self, real: _Real, rng: np.random.Generator) -> Sample:
        crop = real.crop
        picture, text, jurisdiction = real.picture, crop.text, crop.jurisdiction
        if real.cells and rng.random() < _EXCHANGED:
            picture, text = exchanged(picture, text, real.cells, rng)
            if crop.writes_o_as_0:
                jurisdiction = None  # the state's name was cut apart with the characters
        shot = reader_crop(
            picture, SIZE, Shot(synthetic=False), rng, inner=crop.inner, textures=self._textures
        )
        return Sample(shot, text, jurisdiction, crop.writes_o_as_0)

    def _real_plate(self, pick: float, rng: np.random.Generator) -> _Real:
        for share, plates in self._real:
            if pick < share:
                return plates[int(rng.integers(len(plates)))]
            pick -= share
        return self._real[-1][1][0]


def exchanged(
    picture: Picture, text: str, cells: Cells, rng: np.random.Generator
) -> tuple[Picture, str]:
    """The plate with its letters in another order, and its digits; and what it then says."""
    order = np.arange(len(text))
    for kind in (str.isdigit, str.isalpha):
        places = np.array([i for i, char in enumerate(text) if kind(char)], int)
        order[places] = rng.permutation(places)
    edges = [round(edge * picture.shape[1]) for edge in cells]
    parts = [picture[:, : edges[0]]]
    parts += [picture[:, edges[i] : edges[i + 1]] for i in order]
    parts.append(picture[:, edges[-1] :])
    return np.concatenate(parts, axis=1), "".join(text[i] for i in order)


def _textures(pool: Pool | None) -> list[Picture]:
    """Grey pieces of the world for what a loose box shows around a plate."""
    if pool is None:
        return []
    found = [read_picture(n.path, grey=True) for n in pool.negatives]
    return [cv2.resize(f, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for f in found]


def _decoded(crops: Sequence[Crop], cells: dict[str, Cells]) -> list[_Real]:
    """Each crop once, but four times where the letter O must be told from 0: such are rare."""
    loaded = [_Real(read_picture(c.path), c, cells.get(c.key)) for c in crops]
    return loaded + 3 * [r for r in loaded if "O" in r.crop.text]


def to_input(pictures: list[Picture]) -> Tensor:
    """Grey uint8 crops of one size to the network's input range -1..1."""
    return torch.from_numpy(np.stack(pictures))[:, None].float() / 127.5 - 1


def collate(samples: Sequence[Sample]) -> Batch:
    texts = [sample.text for sample in samples]
    targets = [CHARSET.index(char) + 1 for text in texts for char in text]
    numbers = [
        JURISDICTION_CODES.index(s.jurisdiction)
        if s.jurisdiction in JURISDICTION_CODES
        else NO_JURISDICTION
        for s in samples
    ]
    return Batch(
        to_input([sample.picture for sample in samples]),
        torch.tensor(targets, dtype=torch.long),
        torch.tensor([len(t) for t in texts], dtype=torch.long),
        texts,
        torch.tensor(numbers, dtype=torch.long),
        torch.tensor([sample.is_folded for sample in samples]),
    )
