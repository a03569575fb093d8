"""One text out of the readings of a pass: votes by summed log-probabilities per character.

Readings of different length are laid beside each other by edit alignment; a column of the
alignment is a character or nothing at all. Frames of one pass err alike (same dirt, same glare), so
n of them count as the square root of n independent ones.
"""

import numpy as np

from alpr_recognizer.domain import CHARSET, Floats, Reading

_SYMBOLS = len(CHARSET) + 1
_GAP = len(CHARSET)
_FLOOR = 1e-4
_LEAST_DOUBT_OF_LENGTH = 0.01


class Votes:
    """Sums readings; `consensus` says what they amount to."""

    def __init__(self) -> None:
        self._columns: list[Floats] = []
        self._count = 0
        self._jurisdictions: dict[str, float] = {}
        self._only: Reading | None = None

    @property
    def count(self) -> int:
        return self._count

    def add(self, reading: Reading) -> None:
        """Take one frame's reading in; one without text says nothing and is not counted."""
        if not reading.text:
            return
        doubt = min(0.5, max(_LEAST_DOUBT_OF_LENGTH, 1.0 - reading.length_certainty))
        rows = [_log_row(p, doubt) for p in reading.probabilities]
        absent = _log_absent(doubt)
        merged: list[Floats] = []
        for column, row in _aligned(self._columns, rows, self._count):
            old = _absent_for(self._count) if column is None else self._columns[column]
            merged.append(old + (absent if row is None else rows[row]))
        self._columns = merged
        for code, probability in reading.jurisdictions.items():
            before = self._jurisdictions.get(code, 0.0)
            self._jurisdictions[code] = before + float(np.log(max(probability, _FLOOR)))
        self._count += 1
        self._only = reading if self._count == 1 else None

    def consensus(self) -> Reading:
        """The voted reading; its confidence is the product over its columns."""
        if self._only is not None:
            return self._only
        scale = self._count**-0.5 if self._count else 1.0
        text, confidence, kept = "", 1.0, []
        length_certainty = 1.0
        for column in self._columns:
            symbols = _softmax(column * scale)
            best = int(symbols.argmax())
            confidence *= float(symbols[best])
            length_certainty *= float(symbols[_GAP] if best == _GAP else 1 - symbols[_GAP])
            if best != _GAP:
                text += CHARSET[best]
                kept.append(symbols[:_GAP] / max(1e-12, 1 - float(symbols[_GAP])))
        rows = np.array(kept) if kept else np.zeros((0, len(CHARSET)))
        confidence = confidence if text else 0.0
        return Reading(text, confidence, rows, length_certainty, self._voted_jurisdictions(scale))

    def _voted_jurisdictions(self, scale: float) -> dict[str, float]:
        if not self._jurisdictions:
            return {}
        shares = _softmax(np.array(list(self._jurisdictions.values())) * scale)
        return dict(zip(self._jurisdictions, map(float, shares), strict=True))


def _absent_for(frames: int) -> Floats:
    """The column that `frames` earlier readings would have made by not having it."""
    return frames * _log_absent(_LEAST_DOUBT_OF_LENGTH * 5)


def _log_row(probabilities: Floats, doubt: float) -> Floats:
    row = np.empty(_SYMBOLS)
    row[:_GAP] = probabilities * (1 - doubt)
    row[_GAP] = doubt
    logs: Floats = np.log(np.maximum(row, _FLOOR))
    return logs


def _log_absent(doubt: float) -> Floats:
    # How likely the reader is to miss a character, whichever it is: no distribution over them.
    row = np.full(_SYMBOLS, doubt)
    row[_GAP] = 1 - doubt
    logs: Floats = np.log(row)
    return logs


def _softmax(logs: Floats) -> Floats:
    shifted = np.exp(logs - logs.max())
    out: Floats = shifted / shifted.sum()
    return out


def _aligned(
    columns: list[Floats], rows: list[Floats], count: int
) -> list[tuple[int | None, int | None]]:
    """Pairs (column, row) in order; None where one side has no counterpart."""
    if not columns:
        return [(None, j) for j in range(len(rows))]
    shares = np.array([_softmax(c / max(1, count)) for c in columns])
    if_any = np.array([_softmax(c[:_GAP] / max(1, count)) for c in columns])
    cost = 1.0 - if_any @ np.array([_softmax(r[:_GAP]) for r in rows]).T
    n, m = cost.shape
    # A column that already holds mostly "nothing" is cheap to leave without a counterpart.
    leave = 0.6 * (1.0 - shares[:, _GAP])
    best = np.zeros((n + 1, m + 1))
    best[1:, 0] = np.cumsum(leave)
    best[0, 1:] = 0.6 * np.arange(1, m + 1)
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            best[i, j] = min(
                best[i - 1, j - 1] + cost[i - 1, j - 1],
                best[i - 1, j] + leave[i - 1],
                best[i, j - 1] + 0.6,
            )
    pairs: list[tuple[int | None, int | None]] = []
    i, j = n, m
    while i or j:
        if i and j and np.isclose(best[i, j], best[i - 1, j - 1] + cost[i - 1, j - 1]):
            pairs.append((i := i - 1, j := j - 1))
        elif i and np.isclose(best[i, j], best[i - 1, j] + leave[i - 1]):
            pairs.append((i := i - 1, None))
        else:
            pairs.append((None, j := j - 1))
    return pairs[::-1]
