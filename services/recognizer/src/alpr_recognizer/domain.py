"""What the recognizer talks about: plates seen in one picture, and what their texts may be."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from alpr_common.errors import AlprError, MalformedMessage
from alpr_common.plates import MAX_LENGTH

Floats = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]

CHARSET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""The characters of normalized plate texts, in the order of every probability column."""

_LEAST_ALTERNATIVE = 0.005


class PictureUnreadable(MalformedMessage):
    title = "The picture cannot be decoded"


class WeightsRefused(AlprError):
    """Weights that are absent, are not what their configuration says, or do not fit this code."""

    title = "The model's weights cannot be used"


@dataclass(frozen=True, slots=True)
class PlateBox:
    """Where a plate is, in pixels of the whole picture, and how sure the detector is (0..1)."""

    x1: float
    y1: float
    x2: float
    y2: float
    score: float = 1.0

    @property
    def width(self) -> float:
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        return self.y2 - self.y1

    def _shared(self, other: "PlateBox") -> float:
        wide = min(self.x2, other.x2) - max(self.x1, other.x1)
        high = min(self.y2, other.y2) - max(self.y1, other.y1)
        return wide * high if wide > 0 and high > 0 else 0.0

    def overlap(self, other: "PlateBox") -> float:
        """Intersection over union, 0..1."""
        both = self._shared(other)
        return both / max(1e-9, self.width * self.height + other.width * other.height - both)

    def covered(self, other: "PlateBox") -> float:
        """Intersection over the smaller of the two, 0..1: 1 when one lies in the other."""
        smaller = min(self.width * self.height, other.width * other.height)
        return self._shared(other) / max(1e-9, smaller)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one plate crop, or the crops of one pass together, may say.

    `probabilities` [len(text), 36] holds, per position, the posterior of every character of
    `CHARSET` given the rest of the text. `confidence` is the probability that the whole text is
    right, `length_certainty` that it has this many characters.
    """

    text: str
    confidence: float
    probabilities: Floats
    length_certainty: float = 1.0
    jurisdictions: dict[str, float] = field(default_factory=dict)
    """Probability per jurisdiction code; empty when the reader does not tell."""
    extent: tuple[float, float] | None = None
    """Where one line of text begins and ends, as parts of the crop's width; None when the reader
    does not tell."""

    def alternatives(self, position: int, most: int = 4) -> list[tuple[str, float]]:
        """Other characters considered at `position`, most probable first."""
        row = self.probabilities[position]
        order = np.argsort(row)[::-1]
        return [
            (CHARSET[i], float(row[i]))
            for i in order[: most + 1]
            if CHARSET[i] != self.text[position] and row[i] >= _LEAST_ALTERNATIVE
        ][:most]


NO_READING = Reading("", 0.0, np.zeros((0, len(CHARSET))))


@dataclass(frozen=True, slots=True)
class Sighting:
    """One plate in one picture."""

    box: PlateBox
    reading: Reading


@dataclass(frozen=True)
class ReadingLimits:
    """What counts as a plate. Anything else is refused rather than reported as a doubtful read."""

    shortest: int = 3
    longest: int = MAX_LENGTH
    least_confidence: float = 0.5
    """Per character: the geometric mean, so that long texts are not held to more than short."""

    def accept(self, reading: Reading) -> bool:
        length = len(reading.text)
        return (
            self.shortest <= length <= self.longest
            and reading.confidence ** (1 / length) >= self.least_confidence
        )


def likeliest_jurisdiction(reading: Reading, least_probability: float) -> tuple[str | None, float]:
    """The jurisdiction when it is at least this probable, else None; and its probability."""
    if not reading.jurisdictions:
        return None, 0.0
    code, probability = max(reading.jurisdictions.items(), key=lambda pair: pair[1])
    return (code if probability >= least_probability else None), min(1.0, probability)
