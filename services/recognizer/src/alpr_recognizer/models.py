"""What every detector and reader promises, and the folders that shipped weights come in."""

import hashlib
import json
import os
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alpr_recognizer.domain import (
    CHARSET,
    Image,
    PlateBox,
    Reading,
    ReadingLimits,
    WeightsRefused,
)


class PlateDetector(Protocol):
    """Finds plates. Safe to call from one thread at a time."""

    @property
    def name(self) -> str:
        """Name and version of the weights, for the read."""

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) that pictures are shrunk into; they need not be larger."""

    def find(self, pictures: Sequence[Image]) -> list[list[PlateBox]]:
        """Per RGB picture its plates, in that picture's pixels, best first."""


class PlateReader(Protocol):
    """Reads plate crops. Safe to call from one thread at a time."""

    @property
    def name(self) -> str:
        """Name and version of the weights, for the read."""

    @property
    def crop_margin(self) -> float:
        """Room that it wants around the box, as a part of width and height, on each side."""

    @property
    def jurisdiction_threshold(self) -> float:
        """From this probability on a jurisdiction is stated, by its own calibration."""

    @property
    def limits(self) -> ReadingLimits:
        """What counts as a plate, by its own calibration."""

    def read(self, crops: Sequence[Image]) -> list[Reading]:
        """Per RGB crop what it says; an empty text when nothing."""


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str
    kind: str = ""
    sha256: str | dict[str, str]
    """Of the .onnx file, or per file, by its path in the folder."""


class DetectorConfig(_Config):
    """models/detector/config.json."""

    kind: str = "yolo-end-to-end"
    input_size: tuple[int, int]
    """(height, width), where the size is fixed."""
    score_threshold: float = Field(ge=0, le=1)
    long_side: int | None = Field(default=None, gt=0)
    """Where it is not: every picture's longer side becomes this long, ..."""
    dynamic_size_multiple: int = Field(default=32, gt=0)
    """... and both sides are padded to a multiple of this."""

    def size_for(self, picture: Image) -> tuple[int, int]:
        """(height, width) of the input that this picture is fitted into."""
        if self.long_side is None:
            return self.input_size
        step = self.dynamic_size_multiple
        scale = self.long_side / max(picture.shape[:2])
        high, wide = (step * max(1, ceil(round(n * scale) / step)) for n in picture.shape[:2])
        return high, wide


class ReaderConfig(_Config):
    """models/reader/config.json."""

    kind: Literal["ctc"]
    height: int = Field(gt=0)
    width: int = Field(gt=0)
    charset: str = CHARSET
    jurisdictions: tuple[str, ...] = ()
    crop_margin: float = 0.0
    resize: Literal["stretch", "keep_aspect_pad"] = "stretch"
    is_width_free: bool = False
    """The width follows the longest crop (EasyOCR's networks)."""
    steps_per_row: int | None = Field(default=None, gt=0)
    """Where rows of the plate are laid end to end: how many steps cross its width."""
    temperature: float = Field(default=1.0, gt=0)
    jurisdiction_temperature: float = Field(default=1.0, gt=0)
    jurisdiction_threshold: float = Field(default=0.8, ge=0, le=1)
    text_confidence_threshold: float = Field(default=0.5, ge=0, le=1)
    """Geometric mean over the characters, below which it is no plate."""
    shortest_text: int = Field(default=3, ge=1)

    @property
    def limits(self) -> ReadingLimits:
        return ReadingLimits(self.shortest_text, least_confidence=self.text_confidence_threshold)


C = TypeVar("C", bound=_Config)


def load_config(folder: Path, kind: type[C], *needed: str) -> C:
    """The folder's config.json, after the files in `needed` were checked against its hashes.

    Raises `WeightsRefused` naming the file and what is wrong with it.
    """
    path = folder / "config.json"
    try:
        config = kind.model_validate(json.loads(path.read_text()))
    except FileNotFoundError as error:
        raise WeightsRefused(f"{folder} holds no config.json: it is no model folder.") from error
    except (ValidationError, ValueError, OSError) as error:
        raise WeightsRefused(f"{path} cannot be used: {error}") from error
    for name in needed:
        _check(folder, name, config)
    return config


def _check(folder: Path, name: str, config: _Config) -> None:
    path = folder / name
    if isinstance(config.sha256, str):
        expected = config.sha256 if path.suffix == ".onnx" else None
    else:
        expected = config.sha256.get(name)
    if not path.is_file():
        raise WeightsRefused(f"{path} is missing.")
    if expected is None:
        raise WeightsRefused(f"{folder / 'config.json'} states no sha256 of {name}.")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise WeightsRefused(
            f"{path} is not the file that its config.json describes: sha256 is {found}, "
            f"{expected} was expected. Fetch the file again, or train and export anew."
        )


def inference_threads(wanted: int) -> int:
    """`wanted`, or the cores that this process may use, at most 4, when 0."""
    return wanted or min(4, len(os.sched_getaffinity(0)))
