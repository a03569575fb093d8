"""Which texts say nearly the same: Jaccard similarity of runs of words. Pure, and exact.

All pairs above a threshold are found without comparing all pairs: two sets can only be so similar
if they share one of their few rarest members (prefix filtering), if enough follows behind it in
both (positional filtering), and if their sizes are alike.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import ceil
from typing import Any

_RUN = 3
_REMEMBERED = 50_000  # a text is looked at in two months, alone and among people

_ROUNDING = 1e-9

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


def jaccard(one: frozenset[Any], other: frozenset[Any]) -> float:
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
    """Pairs of different contents that are similar enough.

    Members are numbered from the rarest on, and contents looked at from the smallest on: of each
    only the rarest few are looked up, and of a smaller one fewer still had to be noted. Where two
    have one in common, what can follow behind it in both says whether a comparison is worth it.
    """
    numbered = _numbered(contents)
    members = [frozenset(numbers) for numbers in numbered]
    holding: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for n in sorted(range(len(contents)), key=lambda n: len(numbered[n])):
        numbers = numbered[n]
        size = len(numbers)
        smallest = _at_least(similarity * size)
        common: dict[int, int] = {}
        for place, member in enumerate(numbers[: size - smallest + 1]):
            for other, other_place in holding[member]:
                other_size = len(numbered[other])
                if other_size < smallest:
                    continue
                needed = _at_least(similarity / (1 + similarity) * (size + other_size))
                behind = min(size - place, other_size - other_place)
                known = common.get(other, 0)
                common[other] = known + 1 if known + behind >= needed else -size
        for other, shared in common.items():
            if shared > 0 and jaccard(members[n], members[other]) >= similarity:
                yield n, other
        for place in range(size - _at_least(2 * similarity / (1 + similarity) * size) + 1):
            holding[numbers[place]].append((n, place))


def _numbered(contents: Sequence[Shingles]) -> list[list[int]]:
    """Contents as numbers in order, the rarest member of all having the smallest."""
    often = Counter(member for content in contents for member in content)
    number = {m: n for n, m in enumerate(sorted(often, key=lambda m: (often[m], m)))}
    return [sorted(number[member] for member in content) for content in contents]


def _at_least(share: float) -> int:
    """The next whole number, a product that should be whole being taken for it."""
    return ceil(share - _ROUNDING)
