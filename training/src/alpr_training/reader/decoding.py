"""From the reader's logits to texts with a probability per character."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alpr_training.plate_art import JURISDICTIONS
from alpr_training.plate_art.glyphs import CHARSET

BLANK = 0
JURISDICTION_CODES = tuple(JURISDICTIONS)
Logits = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Reading:
    text: str
    probabilities: tuple[float, ...]
    """One per character, after the temperature."""

    @property
    def confidence(self) -> float:
        """Geometric mean of the characters' probabilities; 0 for an empty text."""
        if not self.probabilities:
            return 0.0
        return float(np.exp(np.mean(np.log(np.maximum(self.probabilities, 1e-9)))))


def softmax(logits: Logits, temperature: float = 1.0) -> Logits:
    """Over the last axis."""
    scaled = logits / temperature
    raised = np.exp(scaled - scaled.max(-1, keepdims=True))
    out: Logits = raised / raised.sum(-1, keepdims=True)
    return out


def read(logits: Logits, temperature: float = 1.0) -> Reading:
    """Best-path CTC of one crop's [T, C] logits; a character's probability is its peak's."""
    probabilities = softmax(logits, temperature)
    path = probabilities.argmax(-1)
    chars: list[str] = []
    peaks: list[float] = []
    before = BLANK
    for step, number in enumerate(path):
        value = float(probabilities[step, number])
        if number != BLANK and number != before:
            chars.append(CHARSET[number - 1])
            peaks.append(value)
        elif number != BLANK:
            peaks[-1] = max(peaks[-1], value)
        before = number
    return Reading("".join(chars), tuple(peaks))
