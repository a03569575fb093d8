"""The training pool's labels, with the faults its README names taken care of.

US labels write 0 for both the letter O and zero, as their plates do; so does every US text here.
Regions become jurisdiction codes; what no single jurisdiction stands for becomes None.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from alpr_training.pictures import Fractions
from alpr_training.plate_art import JURISDICTIONS

_WRONG_TEXTS = {"ASK3990": "MBK3990"}
_PLACEHOLDERS = {"0", "SAMPLE", "ANYTEXT"}


@dataclass(frozen=True)
class Crop:
    """One picture of one plate."""

    path: Path
    source: str
    split: str
    text: str
    """Empty when unknown."""
    jurisdiction: str | None
    inner: Fractions | None = None
    """Where the plate lies, as fractions of the picture, when its surroundings are shown too."""

    @property
    def key(self) -> str:
        """Names the crop among all sources."""
        return f"{self.source}/{self.path.name}"

    @property
    def writes_o_as_0(self) -> bool:
        """US labels do, so that a 0 there may be either on the plate."""
        return self.source == "openalpr-us-crops"


@dataclass(frozen=True)
class Scene:
    """One picture with the boxes (x1, y1, x2, y2 in px) of the plates somebody marked in it."""

    path: Path
    source: str
    split: str
    boxes: tuple[tuple[float, float, float, float], ...]
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Pool:
    crops: tuple[Crop, ...]
    scenes: tuple[Scene, ...]
    negatives: tuple[Scene, ...]

    def of_split(self, split: str) -> "Pool":
        """Only the pictures of one split, `train` or `val`."""
        return Pool(
            tuple(c for c in self.crops if c.split == split),
            tuple(s for s in self.scenes if s.split == split),
            tuple(n for n in self.negatives if n.split == split),
        )


def load_pool(folder: Path) -> Pool:
    """Read `folder`/labels.csv. Raises FileNotFoundError when the pool is not there."""
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    crops = [_crop(folder, row) for row in rows if row["kind"].startswith("crop")]
    grouped: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        if row["kind"] in ("scene", "negative"):
            grouped.setdefault(row["file"], []).append(row)
    scenes = [_scene(folder, group) for group in grouped.values() if group[0]["kind"] == "scene"]
    negatives = [
        _scene(folder, group) for group in grouped.values() if group[0]["kind"] == "negative"
    ]
    return Pool(tuple(crops), tuple(scenes), tuple(negatives))


def _crop(folder: Path, row: dict[str, str]) -> Crop:
    return Crop(
        folder / row["file"],
        row["source"],
        row["split"],
        usable_text(row["text"], row["region"]),
        jurisdiction_of(row["region"]),
    )


def _scene(folder: Path, rows: list[dict[str, str]]) -> Scene:
    boxed = [row for row in rows if row["x1"]]
    boxes = tuple((float(r["x1"]), float(r["y1"]), float(r["x2"]), float(r["y2"])) for r in boxed)
    texts = tuple(usable_text(r["text"], r["region"]) for r in boxed)
    return Scene(folder / rows[0]["file"], rows[0]["source"], rows[0]["split"], boxes, texts)


def usable_text(text: str, region: str) -> str:
    """The label as a training target, or "" when it cannot be one."""
    text = re.sub(r"[^A-Z0-9]", "", _WRONG_TEXTS.get(text, text).upper())
    if text in _PLACEHOLDERS:
        return ""
    return us_text(text) if region.startswith("us") else text


def us_text(text: str) -> str:
    """US plates show one shape for O and 0, and the pool calls it 0."""
    return text.replace("O", "0")


def jurisdiction_of(region: str) -> str | None:
    """ "us-il" → "US-IL", "eu-pl" → "EU-PL", "br" → "BR"; None where the label names no one."""
    code = region.upper()
    return code if code in JURISDICTIONS else None
