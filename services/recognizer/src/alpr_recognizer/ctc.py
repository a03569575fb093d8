"""From a CTC reader's logits to a text with honest probabilities.

The text comes from a prefix beam search. Its confidence is the exact probability of that text
(all alignments summed), and each position's posterior is exact too: the probability of the text
with that one character replaced, for every character, from one forward and one backward pass.
"""

import numpy as np

from alpr_recognizer.domain import CHARSET, Floats, Reading

_BEAMS = 8
_LEAST_STEP_PROBABILITY = 1e-3
_LEAST_CANDIDATE = 0.02
"""A text of another length is considered from this part of the best one's probability on."""
_HOPELESS = 0.3
"""Per character: what is no plate is often read as something; its other lengths are no matter."""
_FEWEST_PLACED = 4
_BLANK = 0
_SURE_BLANK = 0.9999


def log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    out: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return out


def read_ctc(logits: Floats, temperature: float, charset: str) -> Reading:
    """The reading in [T, 1 + len(charset)] logits (class 0 is CTC's blank).

    `temperature` calibrates them. Characters outside A-Z and 0-9 in `charset` vanish from the
    text, as they do from every normalized plate.
    """
    return ctc_candidates(logits, temperature, charset)[0]


def ctc_candidates(logits: Floats, temperature: float, charset: str) -> list[Reading]:
    """At least one reading, best first: the likeliest text, and those of another length that are
    in real doubt. (Of the same length are the `probabilities` of the first.)"""
    steps = np.exp(log_softmax(logits.astype(np.float64) / temperature))
    steps = _without_sure_blanks(_folded(steps, charset))
    texts = beam_search(steps)
    total = sum(p for _, p in texts) or 1.0
    of_length: dict[int, float] = {}
    best_of_length: dict[int, tuple[str, float]] = {}
    for text, probability in texts:
        of_length[len(text)] = of_length.get(len(text), 0.0) + probability / total
        best_of_length.setdefault(len(text), (text, probability))
    best, most = texts[0]
    least = _LEAST_CANDIDATE * most if most >= _HOPELESS ** len(best) else most
    return [
        _reading(steps, text, probability, of_length[len(text)])
        for text, probability in best_of_length.values()
        if text == best or probability >= least
    ]


def extent(logits: Floats, steps_per_row: int) -> tuple[float, float] | None:
    """Where a line of at least four characters begins and ends, as parts of the crop's width: half
    a character's distance beyond the outermost peaks. None for fewer, or for two rows."""
    best = logits.argmax(axis=-1)
    begins = np.flatnonzero((best != _BLANK) & (np.append(_BLANK, best[:-1]) != best))
    peaks = []
    for begin in begins:
        end = begin
        while end + 1 < len(best) and best[end + 1] == best[begin]:
            end += 1
        peaks.append((begin + end) / 2)
    if len(peaks) < _FEWEST_PLACED or peaks[0] // steps_per_row != peaks[-1] // steps_per_row:
        return None
    places = (np.array(peaks) % steps_per_row + 0.5) / steps_per_row
    half = float(np.median(np.diff(places))) / 2
    return float(places[0]) - half, float(places[-1]) + half


def _reading(steps: Floats, text: str, probability: float, same_length: float) -> Reading:
    if not text:
        return Reading("", 0.0, np.zeros((0, len(CHARSET))))
    classes = [CHARSET.index(c) + 1 for c in text]
    posteriors, exact = substitutions(steps, classes)
    if exact <= 0:
        exact = probability
    return Reading(text, min(1.0, exact), posteriors, same_length)


def _folded(steps: Floats, charset: str) -> Floats:
    """Columns of a reader's own charset brought to blank + `CHARSET`."""
    if charset == CHARSET:
        return steps
    out = np.zeros((len(steps), len(CHARSET) + 1))
    out[:, _BLANK] = steps[:, _BLANK]
    for column, character in enumerate(charset, start=1):
        target = CHARSET.find(character.upper())
        out[:, target + 1 if target >= 0 else _BLANK] += steps[:, column]
    return out


def _without_sure_blanks(steps: Floats) -> Floats:
    """Of each run of steps that are surely blank the last alone: it separates as well as all do.

    What it leaves out is below a hundredth of a percent a step; what it saves is most of the time.
    """
    sure = steps[:, _BLANK] >= _SURE_BLANK
    followed_by_sure = np.append(sure[1:], False)
    kept: Floats = steps[~(sure & followed_by_sure)]
    return kept


def beam_search(steps: Floats) -> list[tuple[str, float]]:
    """The likeliest texts of [T, 37] step probabilities with their probabilities, best first."""
    # prefix -> (probability ending in blank, probability ending in its last character)
    beams: dict[str, tuple[float, float]] = {"": (1.0, 0.0)}
    for row in steps:
        candidates = np.flatnonzero(row[1:] > _LEAST_STEP_PROBABILITY)
        options = [(CHARSET[i], float(row[i + 1])) for i in candidates]
        by_character = dict(options)
        blank = float(row[_BLANK])
        grown: dict[str, tuple[float, float]] = {}
        for prefix, (ends_blank, ends_character) in beams.items():
            stays, repeats = grown.get(prefix, (0.0, 0.0))
            last = prefix[-1:]
            grown[prefix] = (
                stays + (ends_blank + ends_character) * blank,
                repeats + ends_character * by_character.get(last, 0.0),
            )
            for character, probability in options:
                before = ends_blank if character == last else ends_blank + ends_character
                if before > 0:
                    longer = prefix + character
                    stays, repeats = grown.get(longer, (0.0, 0.0))
                    grown[longer] = (stays, repeats + before * probability)
        kept = sorted(grown.items(), key=lambda item: -sum(item[1]))[:_BEAMS]
        beams = dict(kept)
    return sorted(((text, sum(ends)) for text, ends in beams.items()), key=lambda item: -item[1])


def substitutions(steps: Floats, classes: list[int]) -> tuple[Floats, float]:
    """Per position the posterior [L, 36] of its character given all others; and the text's
    probability."""
    forward, backward = _forward(steps, classes), _backward(steps, classes)
    length, count = len(classes), steps.shape[0]
    total = float(forward[-1, -1] + forward[-1, -2])
    characters = np.array(classes)
    columns = np.arange(1, steps.shape[1])[None, :]
    # A character may follow its neighbour without a blank between only when they differ.
    before = np.concatenate([[_BLANK], characters[:-1]])[:, None]
    after = np.concatenate([characters[1:], [_BLANK]])[:, None]
    may_enter, may_leave = columns != before, columns != after
    # Extended states: 2i is the blank before position i, 2i + 1 the position itself.
    blanks_before, entering = forward[:, 0:-1:2], np.zeros((count, length))
    entering[:, 1:] = forward[:, 1:-2:2]
    blanks_after, leaving = backward[:, 2::2], np.zeros((count + 1, length))
    leaving[:count, :-1] = backward[:, 3::2]
    ends = np.zeros((count + 1, length))
    ends[:count] = blanks_after
    ends[count, -1] = 1.0
    run = np.zeros((length, steps.shape[1] - 1))
    sums = np.zeros_like(run)
    for t in range(count):
        if t == 0:
            arrived = np.zeros((length, 1))
            arrived[0] = 1.0
            start = np.broadcast_to(arrived, run.shape)
        else:
            start = blanks_before[t - 1][:, None] + entering[t - 1][:, None] * may_enter
        run = (run + start) * steps[t, 1:][None, :]
        sums += run * (ends[t + 1][:, None] + leaving[t + 1][:, None] * may_leave)
    norm = sums.sum(axis=1, keepdims=True)
    safe = np.where(norm > 0, sums / np.where(norm > 0, norm, 1.0), 0.0)
    for position in np.flatnonzero(norm[:, 0] <= 0):
        safe[position, characters[position] - 1] = 1.0
    return safe, total


def _states(classes: list[int]) -> tuple[list[int], Floats]:
    """The extended label (blanks between) and where two states back may be skipped to."""
    states = [_BLANK]
    for c in classes:
        states += [c, _BLANK]
    skip = np.zeros(len(states))
    for i in range(2, len(states)):
        skip[i] = float(states[i] != _BLANK and states[i] != states[i - 2])
    return states, skip


def _forward(steps: Floats, classes: list[int]) -> Floats:
    states, skip = _states(classes)
    emitted = steps[:, states]
    out = np.zeros_like(emitted)
    out[0, :2] = emitted[0, :2]
    for t in range(1, len(steps)):
        previous = out[t - 1]
        moved = previous.copy()
        moved[1:] += previous[:-1]
        moved[2:] += previous[:-2] * skip[2:]
        out[t] = moved * emitted[t]
    return out


def _backward(steps: Floats, classes: list[int]) -> Floats:
    """[T, S]: probability of steps t… given that step t is in state s (step t included)."""
    states, skip = _states(classes)
    emitted = steps[:, states]
    out = np.zeros_like(emitted)
    out[-1, -2:] = emitted[-1, -2:]
    for t in range(len(steps) - 2, -1, -1):
        following = out[t + 1]
        moved = following.copy()
        moved[:-1] += following[1:]
        moved[:-2] += following[2:] * skip[2:]
        out[t] = moved * emitted[t]
    return out
