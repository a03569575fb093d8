"""Which texts say nearly the same: Jaccard similarity of runs of words. Pure, the same every time.

Texts that are the same but for numbers are one content by its hash. Different contents are not
compared pair by pair: runs are put in one order, the rarest first, and two contents that are alike
share some of their few first ones (prefix filtering, here by two or three at once, so that what
everybody writes brings nobody together). So the time grows with the number of contents.
"""

import re
from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import combinations
from math import ceil
from typing import Any

_RUN = 3
_REMEMBERED = 20_000  # a text is looked at in two months, alone and among people
_ROUNDING = 1e-9

# By how many runs at once contents are looked up: the more, the fewer strangers meet, and the more
# look-ups a long content takes.
_THREE_UP_TO, _TWO_UP_TO = 16, 64
# Contents that one look-up is compared with, the last ones: where so many share their rarest runs
# without being alike, those are no copies but a form, and to compare them all would take for ever.
_MOST_COMPARED = 128
_MASK_BITS = 255
_LEAST_COUNTERS, _MOST_COUNTERS = 1 << 10, 1 << 22


@lru_cache(_REMEMBERED)
def content_of(text: str) -> bytes:
    """Hashes of the runs of three words, in order, 8 bytes each; empty for a text without words.

    Small letters, whatever holds a digit being one and the same word. A text of fewer words is one
    run.
    """
    words = re.findall(r"[\w#]+", re.sub(r"\w*\d\w*", "#", text.casefold()))
    last = max(1, len(words) - _RUN + 1) if words else 0
    runs = {" ".join(words[n : n + _RUN]) for n in range(last)}
    return array("Q", sorted(_hash(run) for run in runs)).tobytes()


def _hash(run: str) -> int:
    digest = blake2b(run.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def shingles(text: str) -> frozenset[int]:
    """The same as a set."""
    return frozenset(_members(content_of(text)))


def _members(content: bytes) -> memoryview:
    return memoryview(content).cast("Q")


def jaccard(one: frozenset[Any], other: frozenset[Any]) -> float:
    """Shared members among all members, 0 to 1."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if shared else 0.0


def alike(texts: Sequence[str], similarity: float) -> list[list[int]]:
    """Groups of two or more texts, by position, in which each is that similar to another one."""
    by_content: dict[bytes, list[int]] = defaultdict(list)
    for position, text in enumerate(texts):
        if content := content_of(text):
            by_content[content].append(position)
    contents = list(by_content)
    groups: dict[int, list[int]] = defaultdict(list)
    for leader, content in zip(linked(contents, similarity), contents, strict=True):
        groups[leader] += by_content[content]
    return [sorted(group) for group in groups.values() if len(group) > 1]


def linked(contents: Sequence[bytes], similarity: float) -> list[int]:
    """For each of these different contents one of its group, which stands for the group.

    In a group each is at least that similar to another one.
    """
    keys = _Keys(contents, similarity)
    groups = _Groups(contents, similarity)
    holding: dict[int, list[int]] = {}
    for n in range(len(contents)):
        met: set[int] = set()
        for key in keys.of(n):
            held = holding.setdefault(key, [])
            groups.link(n, held, met)
            held.append(n)
            if len(held) > _MOST_COMPARED:
                del held[0]
    return [groups.leader_of(n) for n in range(len(contents))]


class _Groups:
    """Contents that were found to be alike, directly or through others."""

    def __init__(self, contents: Sequence[bytes], similarity: float) -> None:
        self._contents, self._similarity = contents, similarity
        self._leader = list(range(len(contents)))
        self._sizes = array("I", (len(content) // 8 for content in contents))
        self._masks = [_mask(content) for content in contents]

    def leader_of(self, n: int) -> int:
        leader = self._leader
        while leader[n] != n:
            leader[n] = leader[leader[n]]
            n = leader[n]
        return n

    def link(self, one: int, others: Sequence[int], met: set[int]) -> None:
        """Put one into the groups of those of the others that are alike and not `met` before."""
        leader, mine = self._leader, self.leader_of(one)
        for other in others:
            if leader[other] == mine or other in met:
                continue
            met.add(other)
            its = self.leader_of(other)
            if mine != its and self._are_alike(one, other):
                # The first is in front, so that the outcome does not depend on who met whom.
                leader[max(mine, its)] = mine = min(mine, its)

    def _are_alike(self, one: int, other: int) -> bool:
        both = self._sizes[one] + self._sizes[other]
        differing = both - 2 * _at_least(self._similarity / (1 + self._similarity) * both)
        # Of the members that only one has, at most as many bits differ: most pairs end here.
        if (self._masks[one] ^ self._masks[other]).bit_count() > differing:
            return False
        mine, its = (frozenset(_members(self._contents[n])) for n in (one, other))
        return jaccard(mine, its) >= self._similarity


def _mask(content: bytes) -> int:
    mask = 0
    for member in _members(content):
        mask |= 1 << (member & _MASK_BITS)
    return mask


class _Counts:
    """How often each of very many hashes comes, or a little more often: some share a counter."""

    def __init__(self, expected: int) -> None:
        size = 1 << max(expected, 1).bit_length() + 1
        size = min(max(size, _LEAST_COUNTERS), _MOST_COUNTERS)
        self._last = size - 1
        self._counters = array("I", bytes(4 * size))

    def add(self, hashed: int) -> None:
        self._counters[hashed & self._last] += 1

    def of(self, hashed: int) -> int:
        return self._counters[hashed & self._last]


class _Keys:
    """What contents are looked up by: of two that are alike at least one is the same.

    Two alike share at least `_at_least(similarity * size)` members; so their first ones in one and
    the same order hold a given number of shared members, if so many members follow less. Keys that
    no two contents have are left out.
    """

    def __init__(self, contents: Sequence[bytes], similarity: float) -> None:
        self._contents, self._similarity = contents, similarity
        self._often = _Counts(sum(map(len, contents)) // 8)
        for content in contents:
            for member in _members(content):
                self._often.add(member)
        self._shared = _Counts(16 * len(contents))
        for n in range(len(contents)):
            for key in self._all(n):
                self._shared.add(key)

    def of(self, n: int) -> Iterator[int]:
        """Those that may lead to another content."""
        return (key for key in self._all(n) if self._shared.of(key) > 1)

    def _all(self, n: int) -> Iterator[int]:
        content, often = self._contents[n], self._often
        ordered = sorted((often.of(member), member) for member in _members(content))
        size = len(ordered)
        for at_once in _at_once(size, self._similarity):
            least = max(_at_least(self._similarity * size), at_once)
            # What a content has alone leads to nobody, but has its place in the order.
            first = [m for count, m in ordered[: size - least + at_once] if count > 1]
            yield from map(hash, combinations(first, at_once))


@lru_cache(4096)
def _at_once(size: int, similarity: float) -> tuple[int, ...]:
    """By how many members at once a content of that size is looked up: for each size that one
    alike may have, as the larger one of the two says."""
    largest = int(size / similarity + _ROUNDING)
    chosen = {_of_larger(larger, similarity) for larger in range(size, largest + 1)}
    return tuple(sorted(at_once for at_once in chosen if at_once <= size))


def _of_larger(size: int, similarity: float) -> int:
    usual = 3 if size <= _THREE_UP_TO else 2 if size <= _TWO_UP_TO else 1
    return max(1, min(usual, _at_least(similarity * size)))


def _at_least(share: float) -> int:
    """The next whole number, a product that should be whole being taken for it."""
    return ceil(share - _ROUNDING)
