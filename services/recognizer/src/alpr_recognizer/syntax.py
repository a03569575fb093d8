"""What plate texts of a jurisdiction usually look like: a prior between look-alike characters.

Where a typeface draws 0 and O alike only the serial's order of letters and digits can tell them
apart. It is a prior, not a rule: a text of another form, such as a personalised plate, needs no
more than somewhat better pixels.
"""

import re
from functools import cache
from itertools import product

import numpy as np

from alpr_common.plates import LOOKALIKES
from alpr_recognizer.domain import CHARSET, Floats, Reading

# L a letter, N a digit; from the jurisdictions' published serial formats, without separators.
_FORMATS: dict[str, tuple[str, ...]] = {
    "BR": ("LLLNNNN", "LLLNLNN"),
    "AR": ("LLLNNN", "LLNNNLL"),
    "EU-A": (r"L{1,2}N{1,5}L{1,3}", r"L{1,2}L{1,5}N{1,2}"),
    "EU-BG": (r"L{1,2}N{4}L{2}",),
    "EU-CH": (r"L{2}N{1,6}",),
    "EU-CZ": ("NLNNNNN", "NLLNNNN"),
    "EU-D": (r"L{1,3}L{1,2}N{1,4}[EH]?",),
    "EU-DK": ("LLNNNNN",),
    "EU-E": ("NNNNLLL", r"L{1,2}N{4}L{1,2}"),
    "EU-EST": ("NNNLLL",),
    "EU-F": ("LLNNNLL", r"N{1,4}L{2,3}N{2}"),
    "EU-FIN": (r"L{2,3}N{1,3}",),
    "EU-GB": ("LLNNLLL", r"LN{1,3}LLL", r"LLLN{1,3}L"),
    "EU-GR": ("LLLNNNN",),
    "EU-H": ("LLLNNN", "LLLLNNN"),
    "EU-HR": (r"LLN{3,4}L{1,2}",),
    "EU-I": ("LLNNNLL",),
    "EU-LT": ("LLLNNN",),
    "EU-LV": (r"LLN{1,4}",),
    "EU-N": ("LLNNNNN",),
    "EU-RO": (r"L{1,2}N{2,3}LLL",),
    "EU-S": ("LLLNNN", "LLLNNL"),
    "EU-SK": ("LLNNNLL",),
    "EU-SRB": (r"LLN{3,4}LL",),
    "EU-TR": (r"NNL{1,3}N{2,4}",),
    "EU-UA": ("LLNNNNLL",),
}
_USUAL = 0.95
"""How often a plate has a form that its jurisdiction issues (chosen on the pool's val crops)."""
_MOST_DOUBTS = 5
_MOST_OPTIONS = 4
_LEAST_LOOKALIKE = 1e-4
_LEAST_OTHER = 0.02
_GROUPS = {c: group for group in LOOKALIKES for c in group}


@cache
def _pattern(jurisdiction: str) -> re.Pattern[str] | None:
    formats = _FORMATS.get(jurisdiction)
    if formats is None:
        return None
    either = "|".join(formats).replace("L", "[A-Z]").replace("N", "[0-9]")
    return re.compile(f"(?:{either})$")


def has_usual_form(text: str, jurisdiction: str) -> bool | None:
    """Whether a normalized text has a form that the jurisdiction issues; None when not known."""
    pattern = _pattern(jurisdiction)
    return None if pattern is None else pattern.match(text) is not None


def with_syntax(reading: Reading) -> Reading:
    """The reading after the prior: doubtful characters as the likeliest jurisdictions write them.

    Without doubt, or without a jurisdiction whose forms are known, it comes back as it is.
    """
    known = {j: p for j, p in reading.jurisdictions.items() if j in _FORMATS and p > 0.01}
    if not known:
        return reading
    options = {i: _options(reading, i) for i in range(len(reading.text))}
    doubtful = sorted((i for i, o in options.items() if len(o) > 1), key=lambda i: options[i][0][1])
    doubtful = doubtful[:_MOST_DOUBTS]
    if not doubtful:
        return reading
    texts: list[str] = []
    pixels: list[float] = []
    for combination in product(*(options[i] for i in doubtful)):
        characters = list(reading.text)
        for i, (character, _) in zip(doubtful, combination, strict=True):
            characters[i] = character
        texts.append("".join(characters))
        pixels.append(float(np.prod([p for _, p in combination])))
    before = np.array(pixels)
    after = before * np.array([_prior(text, known) for text in texts])
    shares = after / max(1e-300, float(after.sum()))
    # What these texts had together by the pixels they keep; the prior deals it out among them.
    own = float(before[texts.index(reading.text)])
    together = min(1.0, reading.confidence * float(before.sum()) / max(1e-12, own))
    return Reading(
        texts[int(shares.argmax())],
        together * float(shares.max()),
        _dealt_out(reading, texts, shares, doubtful),
        reading.length_certainty,
        reading.jurisdictions,
    )


def _options(reading: Reading, position: int) -> list[tuple[str, float]]:
    """What the position may be, likeliest first: look-alikes even when the pixels nearly rule
    them out, others when they are in real doubt."""
    own = reading.text[position]
    alike = _GROUPS.get(own, own)
    found = [
        (c, float(p))
        for c, p in zip(CHARSET, reading.probabilities[position], strict=True)
        if c == own or p >= _LEAST_OTHER or (c in alike and p >= _LEAST_LOOKALIKE)
    ]
    return sorted(found, key=lambda o: (o[0] != own, -o[1]))[:_MOST_OPTIONS]


def _prior(text: str, known: dict[str, float]) -> float:
    """How likely such a text is on a plate of these jurisdictions, up to a factor; what is left
    for jurisdictions without known forms says nothing either way."""
    usual = sum(p for j, p in known.items() if has_usual_form(text, j))
    other = sum(known.values()) - usual
    silent = max(0.0, 1.0 - usual - other)
    return usual * _USUAL + other * (1 - _USUAL) + silent * 0.5


def _dealt_out(reading: Reading, texts: list[str], shares: Floats, doubtful: list[int]) -> Floats:
    rows = reading.probabilities.copy()
    for i in doubtful:
        own: dict[str, float] = {}
        for text, share in zip(texts, shares, strict=True):
            own[text[i]] = own.get(text[i], 0.0) + float(share)
        columns = [CHARSET.index(c) for c in own]
        rows[i, columns] = rows[i, columns].sum() * np.array(list(own.values()))
    return rows
