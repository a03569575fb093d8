"""Partial and wildcard entries: what fits a pattern, and an index that asks only likely patterns.

In a pattern `?` stands for one character and `*` for any number of them, none included.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from alpr_common.plates import looks_alike, match_key

WILDCARDS = frozenset("?*")
_GRAM_CHARACTERS = 3

Differences = tuple[tuple[int, str], ...]
"""Positions of the text, each with the character that the pattern has there."""


def is_pattern(plate: str) -> bool:
    return "?" in plate or "*" in plate


def named_characters(plate: str) -> int:
    """How many characters a plate or a pattern names."""
    return sum(c not in WILDCARDS for c in plate)


def differences(text: str, pattern: str) -> Differences | None:
    """Where the text differs from the pattern though it looks alike; None if it does not fit.

    Where `*` leaves a choice, the way with the fewest differing positions counts.
    """
    # best[n]: the fewest differences of the first n characters against the pattern so far.
    best: list[Differences | None] = [(), *([None] * len(text))]
    for wanted in pattern:
        if wanted == "*":
            for n in range(1, len(best)):
                best[n] = _fewer(best[n], best[n - 1])
        else:
            best = [None, *(_with(best[n], n, c, wanted) for n, c in enumerate(text))]
    return best[-1]


def _with(before: Differences | None, n: int, seen: str, wanted: str) -> Differences | None:
    if before is None or wanted in ("?", seen):
        return before
    return (*before, (n, wanted)) if looks_alike(seen, wanted) else None


def _fewer(a: Differences | None, b: Differences | None) -> Differences | None:
    if a is None or b is None:
        return b if a is None else a
    return a if len(a) <= len(b) else b


@dataclass(frozen=True, slots=True)
class _Listed:
    """One pattern in the index: where to look first, the whole test, and what it stands for."""

    where: tuple[int, int | None] | None
    gram: bytes
    fits: "re.Pattern[bytes]"
    value: bytes


class PatternIndex:
    """Which of many patterns a match key fits, asked by a few dictionary look-ups.

    A pattern is found by up to three characters that it names at a fixed distance from the
    plate's beginning or end (`where`, a slice); by three characters anywhere if it has `*` on
    both sides. Only patterns whose characters are there are tried in full. What it costs grows
    with the number of different places, not with the number of patterns.
    """

    def __init__(self) -> None:
        self._listed: dict[bytes, _Listed] = {}
        self._anchored: dict[tuple[int, int | None], dict[bytes, dict[bytes, _Listed]]] = {}
        self._floating: dict[bytes, dict[bytes, _Listed]] = {}
        self._probes: list[tuple[slice, dict[bytes, dict[bytes, _Listed]]]] = []
        self._lengths: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self._listed)

    def clear(self) -> None:
        self.__init__()  # type: ignore[misc]

    def put(self, entry_key: bytes, pattern: str, value: bytes) -> None:
        """List `pattern` under the entry's key, in place of what was under it."""
        self.remove(entry_key)
        folded = match_key(pattern)
        where, gram = self._place(folded)
        parts = {"?": ".", "*": ".*"}
        whole = re.compile("".join(parts.get(c) or re.escape(c) for c in folded).encode())
        self._listed[entry_key] = listed = _Listed(where, gram, whole, value)
        place = self._floating if where is None else self._anchored.setdefault(where, {})
        place.setdefault(gram, {})[entry_key] = listed
        self._note_places()

    def remove(self, entry_key: bytes) -> None:
        """Forget what is listed under the entry's key, if anything is."""
        listed = self._listed.pop(entry_key, None)
        if listed is None:
            return
        place = self._floating if listed.where is None else self._anchored[listed.where]
        del place[listed.gram][entry_key]
        if not place[listed.gram]:
            del place[listed.gram]
        if listed.where is not None and not place:
            del self._anchored[listed.where]
        self._note_places()

    def may_fit(self, key: bytes) -> bool:
        """Whether any pattern fits the match key; the question that every read is asked."""
        for where, grams in self._probes:
            found = grams.get(key[where])
            if found is not None and any(p.fits.fullmatch(key) for p in found.values()):
                return True
        return bool(self._lengths) and any(True for _ in self._floating_fits(key))

    def fitting(self, key: bytes) -> list[bytes]:
        """The values of all patterns that the match key fits."""
        found = [grams.get(key[where], {}).values() for where, grams in self._probes]
        anchored = [p.value for ps in found for p in ps if p.fits.fullmatch(key)]
        return anchored + [p.value for p in self._floating_fits(key)]

    def _floating_fits(self, key: bytes) -> Iterator[_Listed]:
        grams = {key[n : n + size] for size in self._lengths for n in range(len(key) - size + 1)}
        for gram in grams & self._floating.keys():
            yield from (p for p in self._floating[gram].values() if p.fits.fullmatch(key))

    def _place(self, folded: str) -> tuple[tuple[int, int | None] | None, bytes]:
        """Where to look for the pattern, and for what: many characters, in a place in use."""
        places = list(_places(folded))
        if places:
            where, gram = max(places, key=lambda p: (len(p[1]), p[0] in self._anchored))
            return where, gram.encode()
        runs = re.findall(r"[^?*]+", folded)
        if runs:
            return None, max(runs, key=len)[:_GRAM_CHARACTERS].encode()
        return (0, 0), b""  # names nothing: every plate has to be tried

    def _note_places(self) -> None:
        self._probes = [(slice(*where), grams) for where, grams in self._anchored.items()]
        self._lengths = tuple({len(gram) for gram in self._floating})


def _places(folded: str) -> Iterable[tuple[tuple[int, int | None], str]]:
    """Slices of a plate that a pattern fixes, with the characters that have to be there."""
    head, tail = folded.split("*", 1)[0], folded.rsplit("*", 1)[-1]
    for run in re.finditer(r"[^?]+", head):
        start = run.start()
        stop = min(run.end(), start + _GRAM_CHARACTERS)
        yield (start, stop), head[start:stop]
    for run in re.finditer(r"[^?]+", tail):
        start = max(run.start(), run.end() - _GRAM_CHARACTERS)
        stop = run.end()
        yield (
            (start - len(tail), stop - len(tail) if stop < len(tail) else None),
            tail[start:stop],
        )
