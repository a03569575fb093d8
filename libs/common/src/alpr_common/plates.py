"""Plate text: how it is written down, and which texts look alike.

Only the standard library: a CAD vendor's client folds plates exactly as the matcher does.
"""

import unicodedata

MAX_LENGTH = 12

# Characters that plates' typefaces and bad light make one. The first of each set is its
# representative in the match key.
LOOKALIKES = ("0ODQ", "1IL", "2Z", "5S", "8B", "6G")

_FOLD = str.maketrans({c: group[0] for group in LOOKALIKES for c in group})
# Letters that NFKD does not take apart but that plates write as one Latin letter.
_LETTERS = str.maketrans({"Ø": "O", "Æ": "AE", "Œ": "OE", "ẞ": "SS", "Đ": "D", "Ł": "L"})


def normalize(text: str) -> str:
    """The plate's characters alone: A-Z and 0-9, upper case, no separators, no accents.

    >>> normalize("b-mw 1234"), normalize("KÖ·AB 12")
    ('BMW1234', 'KOAB12')
    """
    upper = unicodedata.normalize("NFKD", text.upper().translate(_LETTERS))
    # Again: taking a character apart (a raised a, for one) can bring small letters to light.
    return "".join(c for c in upper.upper() if c.isascii() and c.isalnum())


def match_key(plate: str) -> str:
    """`plate` (normalized) with look-alike characters folded together.

    >>> match_key("BOI5Z") == match_key("80152")
    True
    """
    return plate.translate(_FOLD)


def looks_alike(a: str, b: str) -> bool:
    """Whether two single characters share a look-alike set (equal characters do)."""
    return a.translate(_FOLD) == b.translate(_FOLD)


def differing_positions(a: str, b: str) -> tuple[int, ...]:
    """Positions at which two texts of one match key differ; raises ValueError if lengths do."""
    return tuple(i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y)
