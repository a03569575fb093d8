"""One text out of the readings of a pass: votes by summed log-probabilities per character.

How much a frame says is known from its own confidence, which is calibrated: a blurred, distant or
half hidden plate is read with less. So each reading weighs by its confidence beside the surest
one's. Where one frame is sharp and many are not, the sharp one decides; where all are alike, all.
Frames of one pass err alike (same dirt, same glare), so n of them count as the square root of n
independent ones.

Readings of different length are laid beside the surest by edit alignment; a column of the alignment
is a character or nothing at all. A reading without a character says little about whether it is
there: a post, glare or a box drawn too narrow takes it from a frame that is otherwise read surely.
"""

from dataclasses import dataclass

import numpy as np

from alpr_recognizer.domain import CHARSET, NO_READING, Floats, Reading

_SYMBOLS = len(CHARSET) + 1
_GAP = len(CHARSET)
_LEAVE = 0.6
"""What leaving a character without a counterpart costs, where an exchanged one costs 1."""


@dataclass(frozen=True)
class VotingRules:
    """How readings add up. Chosen on drawn passes and degraded pictures of real plates."""

    by_confidence: float = 2.0
    """A reading's weight: its share of the surest one's confidence, to this power; 0: all alike."""
    in_common: float = 0.5
    """The sum of n equal readings is divided by n to this power; 0: independent, 1: the same."""
    least_weight: float = 0.01
    """Beside the surest, less is not worth laying it beside the others."""
    most: int = 10
    """So many of the surest readings vote."""
    floor: float = 1e-3
    """No reading rules a character out further than this."""
    missing: float = 0.1
    """How often a frame lacks a character that is there; more where the reader doubts its own
    length."""


class Votes:
    """Collects readings; `consensus` says what they amount to: a function of the readings and
    their order alone."""

    def __init__(self, rules: VotingRules = VotingRules()) -> None:
        self._rules = rules
        self._readings: list[Reading] = []
        self._voted: Reading | None = None
        self.count = 0
        """Readings with a text that were added."""

    def add(self, reading: Reading) -> None:
        """Take one frame's reading in; one without text says nothing and is not counted."""
        if not reading.text:
            return
        self.count += 1
        self._voted = None
        self._readings.append(reading)
        self._readings.sort(key=lambda r: -r.confidence)
        del self._readings[self._rules.most :]

    @property
    def agreeing(self) -> int:
        """How many of the voting readings say what the consensus says."""
        text = self.consensus().text
        return sum(r.text == text for r in self._readings)

    def consensus(self) -> Reading:
        """The voted reading; its confidence is the product over its columns. `NO_READING` when
        nothing was added."""
        if self._voted is None:
            self._voted = _voted(self._readings, self._rules)
        return self._voted


def _voted(readings: list[Reading], rules: VotingRules) -> Reading:
    """`readings`: surest first."""
    if not readings:
        return NO_READING
    most = max(readings[0].confidence, 1e-9)
    weights = [(max(r.confidence, 1e-9) / most) ** rules.by_confidence for r in readings]
    voting = [(r, w) for r, w in zip(readings, weights, strict=True) if w >= rules.least_weight]
    if len(voting) == 1:
        return readings[0]
    columns = _Columns(rules)
    for reading, weight in voting:
        columns.add(reading, weight)
    scale = columns.weight**-rules.in_common
    return columns.reading(scale, _jurisdictions(voting, scale, rules.floor))


class _Columns:
    """The readings so far, laid beside each other."""

    def __init__(self, rules: VotingRules) -> None:
        self._rules = rules
        self._sums: list[Floats] = []
        """Per column the weighted sum of log-probabilities [37]."""
        self._shares: list[Floats] = []
        """Per column the weighted sum of probabilities [37], for the alignment."""
        self.weight = 0.0

    def add(self, reading: Reading, weight: float) -> None:
        # That the text has another length is one doubt, not one for each of its characters.
        doubt = max(self._rules.floor, 1.0 - reading.length_certainty)
        surplus = min(0.5, doubt / len(reading.text))
        rows = np.empty((len(reading.text), _SYMBOLS))
        rows[:, :_GAP] = reading.probabilities * (1 - surplus)
        rows[:, _GAP] = surplus
        logs = np.log(np.maximum(rows, self._rules.floor))
        pairs = _aligned(self._shares, self.weight, reading.probabilities)
        absent = self._absent(doubt)
        sums: list[Floats] = []
        shares: list[Floats] = []
        for column, row in pairs:
            if column is None:
                before, share = self.weight * self._absent(0.0), self.weight * _NOTHING
            else:
                before, share = self._sums[column], self._shares[column]
            sums.append(before + weight * (absent if row is None else logs[row]))
            shares.append(share + weight * (_NOTHING if row is None else rows[row]))
        self._sums, self._shares = sums, shares
        self.weight += weight

    def _absent(self, doubt: float) -> Floats:
        """What a reading without a character says of it: no distribution over characters."""
        missing = min(0.5, max(self._rules.missing, doubt / 2))
        row = np.full(_SYMBOLS, np.log(missing))
        row[_GAP] = np.log(1 - missing)
        return row

    def reading(self, scale: float, jurisdictions: dict[str, float]) -> Reading:
        text, confidence, length_certainty = "", 1.0, 1.0
        kept = []
        for column in self._sums:
            symbols = _softmax(column * scale)
            best = int(symbols.argmax())
            confidence *= float(symbols[best])
            length_certainty *= float(symbols[_GAP] if best == _GAP else 1 - symbols[_GAP])
            if best != _GAP:
                text += CHARSET[best]
                kept.append(symbols[:_GAP] / max(1e-12, 1 - float(symbols[_GAP])))
        if not text:
            return NO_READING
        return Reading(text, confidence, np.array(kept), length_certainty, jurisdictions)


_NOTHING = np.eye(_SYMBOLS)[_GAP]


def _jurisdictions(
    voting: list[tuple[Reading, float]], scale: float, floor: float
) -> dict[str, float]:
    codes = dict.fromkeys(code for reading, _ in voting for code in reading.jurisdictions)
    if not codes:
        return {}
    sums = [
        sum(w * np.log(max(r.jurisdictions.get(code, 0.0), floor)) for r, w in voting)
        for code in codes
    ]
    return dict(zip(codes, map(float, _softmax(np.array(sums) * scale)), strict=True))


def _softmax(logs: Floats) -> Floats:
    shifted = np.exp(logs - logs.max())
    out: Floats = shifted / shifted.sum()
    return out


def _aligned(
    shares: list[Floats], weight: float, rows: Floats
) -> list[tuple[int | None, int | None]]:
    """Pairs (column, row) in order; None where one side has no counterpart."""
    if not shares:
        return [(None, j) for j in range(len(rows))]
    columns = np.array(shares)
    any_character = columns[:, :_GAP].sum(axis=1, keepdims=True)
    cost = (1.0 - columns[:, :_GAP] / np.maximum(1e-9, any_character) @ rows.T).tolist()
    # A column that already holds mostly "nothing" is cheap to leave without a counterpart.
    leave = (_LEAVE * (1.0 - columns[:, _GAP] / weight)).tolist()
    n, m = len(columns), len(rows)
    best = [[_LEAVE * j for j in range(m + 1)]] + [[0.0] * (m + 1) for _ in range(n)]
    for i in range(1, n + 1):
        best[i][0] = best[i - 1][0] + leave[i - 1]
        for j in range(1, m + 1):
            best[i][j] = min(
                best[i - 1][j - 1] + cost[i - 1][j - 1],
                best[i - 1][j] + leave[i - 1],
                best[i][j - 1] + _LEAVE,
            )
    pairs: list[tuple[int | None, int | None]] = []
    i, j = n, m
    while i or j:
        if i and j and best[i][j] == best[i - 1][j - 1] + cost[i - 1][j - 1]:
            pairs.append((i := i - 1, j := j - 1))
        elif i and best[i][j] == best[i - 1][j] + leave[i - 1]:
            pairs.append((i := i - 1, None))
        else:
            pairs.append((None, j := j - 1))
    return pairs[::-1]
