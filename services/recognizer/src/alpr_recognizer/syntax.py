"""Choosing among what the pixels allow by what jurisdictions issue.

Where a typeface draws 0 and O alike only the serial's order of letters and digits can tell them
apart; where the edge of a plate looks like a 1, only its usual length. It is a prior, not a rule: a
text of another form, such as a personalised plate, needs no more than somewhat better pixels.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np

from alpr_recognizer.domain import CHARSET, Floats, Reading
from alpr_recognizer.forms import USUAL, is_known, likelihood

_LEAST_JURISDICTION = 0.01
_MOST_DOUBTS = 5
_MOST_OPTIONS = 3
_LEAST_OTHER = 0.02
_FITTING = 0.8
_MISTAKEN = {frozenset(pair): share for pair, share in (
    ("0O", 0.3), ("0D", 0.02), ("0Q", 0.02), ("OD", 0.02), ("OQ", 0.02), ("DQ", 0.01),
    ("1I", 0.1), ("1L", 0.005), ("IL", 0.005), ("2Z", 0.02), ("5S", 0.02), ("8B", 0.02),
    ("6G", 0.02),
)}  # fmt: skip
"""How likely the one is, however sure the pixels are of the other: typefaces draw some pairs alike,
and a reader cannot know which typeface it sees."""


def with_syntax(reading: Reading) -> Reading:
    """The reading after the prior: doubtful characters as the likeliest jurisdictions write them.

    Without a jurisdiction whose forms are known, it comes back as it is.
    """
    return likeliest([reading])


def likeliest(candidates: Sequence[Reading]) -> Reading:
    """Of several texts for the same pixels (at least one, best first, of one set of jurisdiction
    probabilities), with all ways to take their look-alikes, the likeliest after the prior."""
    best = candidates[0]
    known = {j: p for j, p in best.jurisdictions.items() if p > _LEAST_JURISDICTION and is_known(j)}
    if not known or not best.text:
        return best
    variants: dict[str, tuple[float, float, Reading]] = {}
    """Per text its probability by the pixels, the same times the prior, and whose variant it is."""
    for candidate in candidates:
        if not candidate.text:
            continue
        # Where the form leaves nothing to gain only the pixels' own doubts are looked at.
        fits = _prior(candidate.text, known) >= _FITTING * _prior_of_usual(known)
        for text, pixels in _variants(candidate, with_mistaken=not fits):
            weight = pixels * _prior(text, known)
            if text not in variants or weight > variants[text][1]:
                variants[text] = pixels, weight, candidate
    # What these texts have together by the pixels they keep; the prior deals it out among them.
    together = min(1.0, sum(pixels for pixels, *_ in variants.values()))
    total = max(1e-300, sum(weight for _, weight, _ in variants.values()))
    chosen = max(variants, key=lambda text: variants[text][1])
    origin = variants[chosen][2]
    shares = {t: w / total for t, (_, w, o) in variants.items() if o is origin}
    others = 1.0 - sum(shares.values())
    return Reading(
        chosen,
        together * shares[chosen],
        _dealt_out(origin, shares),
        max(0.0, origin.length_certainty * (1.0 - others))
        if len(candidates) > 1
        else origin.length_certainty,
        origin.jurisdictions,
    )


def _variants(reading: Reading, *, with_mistaken: bool) -> list[tuple[str, float]]:
    """The text and what it may be besides, each with its probability by the pixels; together they
    keep what the doubtful characters' options have."""
    options = {i: _options(reading, i, with_mistaken) for i in range(len(reading.text))}
    doubtful = sorted((i for i, o in options.items() if len(o) > 1), key=lambda i: options[i][0][1])
    doubtful = doubtful[:_MOST_DOUBTS]
    found: list[tuple[str, float]] = []
    for combination in product(*(options[i] for i in doubtful)):
        characters = list(reading.text)
        for i, (character, _) in zip(doubtful, combination, strict=True):
            characters[i] = character
        found.append(("".join(characters), float(np.prod([p for _, p in combination]))))
    # Before the options were evened out the text had `confidence`; what others had comes on top.
    own = float(
        np.prod([reading.probabilities[i, CHARSET.index(reading.text[i])] for i in doubtful])
    )
    scale = reading.confidence / max(1e-12, own)
    return [(text, p * scale) for text, p in found]


def _options(reading: Reading, position: int, with_mistaken: bool) -> list[tuple[str, float]]:
    """What the position may be, its own character first: others when they are in real doubt and,
    if asked for, look-alikes even when the pixels rule them out. What they have together stays."""
    own = reading.text[position]
    pixels = dict(zip(CHARSET, reading.probabilities[position].tolist(), strict=True))
    found: dict[str, float] = {}
    for character, p in pixels.items():
        least = 0.0
        if with_mistaken:
            least = _MISTAKEN.get(frozenset((own, character)), 0.0) * pixels[own]
        if character == own or p >= _LEAST_OTHER or least > 0:
            found[character] = max(p, least)
    likely = sorted(found.items(), key=lambda o: (o[0] != own, -o[1]))[:_MOST_OPTIONS]
    scale = sum(pixels[c] for c, _ in likely) / max(1e-300, sum(p for _, p in likely))
    return [(c, p * scale) for c, p in likely]


def _prior(text: str, known: dict[str, float]) -> float:
    """How likely such a text is on a plate of these jurisdictions, up to a factor; what is left
    for jurisdictions without known forms says nothing either way."""
    silent = max(0.0, 1.0 - sum(known.values()))
    return sum(p * likelihood(text, j) for j, p in known.items()) + silent * 0.5


def _prior_of_usual(known: dict[str, float]) -> float:
    share = sum(known.values())
    return share * USUAL + max(0.0, 1.0 - share) * 0.5


def _dealt_out(reading: Reading, shares: dict[str, float]) -> Floats:
    """The posteriors after the prior: per position what its options have together, by the texts'
    shares."""
    rows = reading.probabilities.copy()
    total = sum(shares.values())
    for i in range(len(reading.text)):
        own: dict[str, float] = {}
        for text, share in shares.items():
            own[text[i]] = own.get(text[i], 0.0) + share / total
        if len(own) > 1:
            columns = [CHARSET.index(c) for c in own]
            rows[i, columns] = rows[i, columns].sum() * np.array(list(own.values()))
    return rows
