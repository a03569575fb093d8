"""Readers of the fast-alpr family: a fixed number of slots, each one character or padding."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import yaml  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alpr_recognizer.ctc import log_softmax
from alpr_recognizer.domain import (
    CHARSET,
    NO_READING,
    Floats,
    Image,
    Reading,
    ReadingLimits,
    WeightsRefused,
)
from alpr_recognizer.onnx_models import Hardware, open_session
from alpr_recognizer.pictures import fit, grey

_BATCH = 16


class SlotConfig(BaseModel):
    """The plate config yaml that such a model comes with."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    max_plate_slots: int = Field(gt=0)
    alphabet: str
    pad_char: str = Field(min_length=1, max_length=1)
    img_height: int = Field(gt=0)
    img_width: int = Field(gt=0)
    keep_aspect_ratio: bool = False
    image_color_mode: str = "grayscale"
    padding_color: int | tuple[int, int, int] = 114
    plate_regions: tuple[str, ...] = ()


class SlotReader:
    """Implements `PlateReader`; slots x alphabet out of uint8 pictures [B, H, W, channels]."""

    crop_margin = 0.0
    jurisdiction_threshold = 0.8
    limits = ReadingLimits()

    def __init__(self, path: Path, hardware: Hardware) -> None:
        """`path` is the .onnx; its config yaml lies beside it. Raises `WeightsRefused`."""
        self._config = _config_beside(path)
        self._session = open_session(path, hardware)
        self._input = self._session.get_inputs()[0].name
        self.name = path.stem

    def read(self, crops: Sequence[Image]) -> list[Reading]:
        """As `PlateReader` promises."""
        out: list[Reading] = []
        for start in range(0, len(crops), _BATCH):
            pictures = np.stack([self._fitted(c) for c in crops[start : start + _BATCH]])
            slots, regions = self._sorted_out(self._session.run(None, {self._input: pictures}))
            for index, rows in enumerate(slots):
                states = None if regions is None else regions[index]
                out.append(read_slots(rows, self._config, states))
        return out

    def _fitted(self, crop: Image) -> Image:
        config = self._config
        wanted = grey(crop) if config.image_color_mode == "grayscale" else crop
        if config.keep_aspect_ratio:
            wanted = _padded(wanted, config)
        else:
            wanted = cv2.resize(
                wanted, (config.img_width, config.img_height), interpolation=cv2.INTER_LINEAR
            ).astype(np.uint8)
        return wanted[:, :, None] if wanted.ndim == 2 else wanted

    def _sorted_out(self, outputs: Sequence[Floats]) -> tuple[Floats, Floats | None]:
        """The slots' probabilities [B, slots, alphabet] and, if there, the regions' [B, R]."""
        config = self._config
        size = config.max_plate_slots * len(config.alphabet)
        slots: Floats | None = None
        regions: Floats | None = None
        for output in outputs:
            flat = np.asarray(output, np.float64).reshape(len(output), -1)
            if flat.shape[1] == size:
                slots = _shares(flat.reshape(len(flat), config.max_plate_slots, -1))
            elif config.plate_regions and flat.shape[1] == len(config.plate_regions):
                regions = _shares(flat)
        if slots is None:
            raise WeightsRefused(
                f"{self.name} answers with {[list(np.shape(o)) for o in outputs]}; its config says "
                f"{config.max_plate_slots} slots of {len(config.alphabet)} characters."
            )
        return slots, regions


def read_slots(rows: Floats, config: SlotConfig, regions: Floats | None = None) -> Reading:
    """The reading in [slots, alphabet] probabilities."""
    pad = config.alphabet.index(config.pad_char)
    columns = np.array([CHARSET.find(c.upper()) for c in config.alphabet])
    text, confidence, certainty, kept = "", 1.0, 1.0, []
    for row in rows:
        best = int(row.argmax())
        confidence *= float(row[best])
        certainty *= float(row[pad] if best == pad else 1 - row[pad])
        if columns[best] < 0:
            continue
        own = np.zeros(len(CHARSET))
        np.add.at(own, columns[columns >= 0], row[columns >= 0])
        kept.append(own / max(1e-12, own.sum()))
        text += CHARSET[columns[best]]
    if not text:
        return NO_READING
    states: dict[str, float] = {}
    if regions is not None:
        states = dict(zip(config.plate_regions, map(float, regions), strict=True))
    return Reading(text, confidence, np.array(kept), certainty, states)


def _shares(values: Floats) -> Floats:
    """As they are when they are probabilities already, else by softmax."""
    if values.min() >= 0 and np.allclose(values.sum(axis=-1), 1, atol=1e-2):
        return values
    out: Floats = np.exp(log_softmax(values))
    return out


def _padded(image: Image, config: SlotConfig) -> Image:
    height, width = config.img_height, config.img_width
    scale = min(height / image.shape[0], width / image.shape[1])
    inner_h = max(1, round(image.shape[0] * scale))
    inner_w = max(1, round(image.shape[1] * scale))
    colour = config.padding_color
    if image.ndim == 2 and not isinstance(colour, int):
        colour = colour[0]
    out: Image = np.full((height, width, *image.shape[2:]), colour, np.uint8)
    top, left = (height - inner_h) // 2, (width - inner_w) // 2
    out[top : top + inner_h, left : left + inner_w] = fit(image, inner_h, inner_w, False)
    return out


def _config_beside(path: Path) -> SlotConfig:
    """The yaml beside the .onnx: of its own name, or the only one there."""
    names = [path.with_suffix(s) for s in (".yaml", ".yml")]
    found = [p for p in names if p.is_file()]
    found = found or sorted([*path.parent.glob("*.yaml"), *path.parent.glob("*.yml")])
    if len(found) != 1:
        raise WeightsRefused(
            f"Beside {path} there must be its plate config: {path.stem}.yaml, or one .yaml alone."
        )
    try:
        config = SlotConfig.model_validate(yaml.safe_load(found[0].read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError, OSError) as error:
        raise WeightsRefused(f"{found[0]} is no plate config: {error}") from error
    if config.pad_char not in config.alphabet:
        raise WeightsRefused(f"{found[0]}: pad_char {config.pad_char!r} is not in the alphabet.")
    return config
