"""The press: endless different synthetic plates, front view and clean, each with its truth."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from alpr_training.pictures import read_picture
from alpr_training.plate_art import (
    JURISDICTIONS,
    UNKNOWN,
    Jurisdiction,
    Look,
    draw_plate,
    ordinary_look,
    plain,
    serial,
)
from alpr_training.plate_art.canvas import Paint
from alpr_training.pool import us_text
from alpr_training.synth.lettering import lettering_stock, small_stock

BgrImage = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class PressedPlate:
    image: BgrImage
    text: str
    jurisdiction: str


_FAMILY_SHARES = {"us": 0.36, "eu": 0.4, "br": 0.18, "ar": 0.02, "other": 0.04}
_EU_COMMON = {"D": 6, "F": 4, "I": 4, "GB": 4, "E": 3, "NL": 3, "PL": 3, "CZ": 3, "A": 2, "B": 2,
              "CH": 2, "HR": 2, "SLO": 2, "SK": 3, "H": 2, "S": 2, "N": 2, "RO": 2}  # fmt: skip


class Press:
    """Makes plates; the same seed makes the same plates in the same order."""

    def __init__(self, seed: int, templates: Path | None = None) -> None:
        rng = np.random.default_rng([seed, 1])
        self._letterings = {
            family: lettering_stock(rng, family, 70) for family in (*_FAMILY_SHARES, "gb")
        }
        self._small = small_stock(rng, 24)
        self._designs = _load_designs(templates)
        self._by_family: dict[str, list[Jurisdiction]] = {}
        for entry in JURISDICTIONS.values():
            repeat = _EU_COMMON.get(entry.code[3:], 1) if entry.family == "eu" else 1
            self._by_family.setdefault(entry.family, []).extend([entry] * repeat)

    def plate(self, rng: np.random.Generator) -> PressedPlate:
        """One clean plate; `rng` alone decides which."""
        shares = list(_FAMILY_SHARES.values())
        family = list(_FAMILY_SHARES)[int(rng.choice(len(shares), p=shares))]
        entries = self._by_family[family]
        entry = entries[int(rng.integers(len(entries)))]
        text = serial(entry, rng, vanity=0.16 if family == "us" else 0.04)
        if family == "eu" and rng.random() < 0.06:
            other = self._by_family["eu"]
            text = serial(other[int(rng.integers(len(other)))], rng)
        look = self._look(entry, rng)
        image = draw_plate(text, entry, look, rng)
        if rng.random() < 0.3:
            _weather(image, rng)
        truth = plain(text)
        return PressedPlate(
            image, us_text(truth) if family == "us" else truth, entry.code or UNKNOWN
        )

    def _look(self, entry: Jurisdiction, rng: np.random.Generator) -> Look:
        if rng.random() < 0.08:
            return ordinary_look(entry)  # the demonstration's plates must be read as well
        stock = self._letterings[entry.family]
        background: BgrImage | None = None
        designs = self._designs.get(entry.code)
        if designs and rng.random() < 0.6:
            background = designs[int(rng.integers(len(designs)))]
        paper, ink = _colours(entry, rng)
        if background is not None:
            paper_level = float(background[30:90].mean())
            ink = _against(paper_level, rng)
        return Look(
            stock[int(rng.integers(len(stock)))],
            self._small[int(rng.integers(len(self._small)))],
            background,
            paper,
            ink,
            variety=1.0,
        )


def _load_designs(folder: Path | None) -> dict[str, list[BgrImage]]:
    designs: dict[str, list[BgrImage]] = {}
    if folder is None or not folder.is_dir():
        return designs
    for path in sorted(folder.glob("*.jpg")):
        small = cv2.resize(read_picture(path), (200, 100), interpolation=cv2.INTER_AREA)
        designs.setdefault(f"US-{path.stem[:2].upper()}", []).append(small)
    return designs


def _against(paper_level: float, rng: np.random.Generator) -> Paint:
    if paper_level > 120:
        level = rng.uniform(0, paper_level * 0.55)
    else:
        level = rng.uniform(min(250.0, paper_level + 90), 255)
    b, g, r = np.clip(level + rng.uniform(-45, 45, 3), 0, 255)
    return float(b), float(g), float(r)


def _colours(entry: Jurisdiction, rng: np.random.Generator) -> tuple[Paint, Paint]:
    if rng.random() < 0.4:
        shift = rng.uniform(-40, 10, 3)
        paper = np.clip(np.array(entry.background) + shift, 0, 255)
        ink = np.clip(np.array(entry.ink) + rng.uniform(-15, 50, 3), 0, 255)
        return (
            (float(paper[0]), float(paper[1]), float(paper[2])),
            (float(ink[0]), float(ink[1]), float(ink[2])),
        )
    dark_paper = {"us": 0.15, "br": 0.45, "ar": 0.7}.get(entry.family, 0.06)
    level = rng.uniform(10, 100) if rng.random() < dark_paper else rng.uniform(140, 255)
    b, g, r = np.clip(level + rng.uniform(-35, 35, 3), 0, 255)
    return (float(b), float(g), float(r)), _against(level, rng)


def _weather(image: BgrImage, rng: np.random.Generator) -> None:
    """Mud, scratches and peeled paint, in place."""
    height, width = image.shape[:2]
    for _ in range(int(rng.integers(1, 6))):
        paint = tuple(float(v) for v in rng.uniform(20, 230, 3))
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        if rng.random() < 0.6:
            axes = (int(rng.integers(1, 9)), int(rng.integers(1, 6)))
            cv2.ellipse(image, centre, axes, float(rng.uniform(0, 180)), 0, 360, paint, -1)
        else:
            end = (int(centre[0] + rng.integers(-40, 41)), int(centre[1] + rng.integers(-25, 26)))
            cv2.line(image, centre, end, paint, int(rng.integers(1, 3)), cv2.LINE_AA)
