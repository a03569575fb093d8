"""Which texts say nearly the same: Jaccard similarity of runs of words. Pure, and exact.

All pairs above a threshold are found without comparing all pairs: two sets can only be so similar
if they share one of their few rarest members (prefix filtering), and if their sizes are alike.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import ceil

_RUN = 3
_REMEMBERED = 50_000  # a text is looked at in two months, alone and among people

Shingles = frozenset[tuple[str, ...]]


@lru_cache(_REMEMBERED)
def shingles(text: str) -> Shingles:
    """Runs of three words, small letters, whatever holds a digit being one and the same word.

    A text of fewer words is one run.
    """
    words = re.findall(r"[\w#]+", re.sub(r"\w*\d\w*", "#", text.casefold()))
    if len(words) <= _RUN:
        return frozenset({tuple(words)}) if words else frozenset()
    return frozenset(tuple(words[n : n + _RUN]) for n in range(len(words) - _RUN + 1))


def jaccard(one: Shingles, other: Shingles) -> float:
    """Shared members among all members, 0 to 1."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if shared else 0.0


def alike(texts: Sequence[str], similarity: float) -> list[list[int]]:
    """Groups of two or more texts, by position, in which each is that similar to another one."""
    by_content: dict[Shingles, list[int]] = defaultdict(list)
    for position, text in enumerate(texts):
        if content := shingles(text):
            by_content[content].append(position)
    contents = list(by_content)
    leader = list(range(len(contents)))

    def leader_of(n: int) -> int:
        while leader[n] != n:
            leader[n] = leader[leader[n]]
            n = leader[n]
        return n

    for one, other in _pairs(contents, similarity):
        leader[leader_of(one)] = leader_of(other)
    groups: dict[int, list[int]] = defaultdict(list)
    for n, content in enumerate(contents):
        groups[leader_of(n)] += by_content[content]
    return [sorted(group) for group in groups.values() if len(group) > 1]


def _pairs(contents: Sequence[Shingles], similarity: float) -> Iterable[tuple[int, int]]:
    """Pairs of different contents that are similar enough."""
    often = Counter(member for content in contents for member in content)
    ranked = [sorted(content, key=lambda m: (often[m], m)) for content in contents]
    order = sorted(range(len(contents)), key=lambda n: len(contents[n]))
    holding: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for n in order:
        size = len(contents[n])
        prefix = ranked[n][: size - ceil(similarity * size) + 1]
        candidates = {
            other
            for member in prefix
            for other in holding[member]
            if len(contents[other]) >= similarity * size
        }
        for other in candidates:
            if jaccard(contents[n], contents[other]) >= similarity:
                yield n, other
        for member in prefix:
            holding[member].append(n)
