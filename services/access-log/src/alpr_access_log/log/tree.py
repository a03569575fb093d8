"""The tree over hashes that are fetched: its growing right edge, and which hashes a proof needs.

Hashes are kept per tile level: level 0 the leaves, level n the complete subtrees of 256**n leaves.
Everything between is computed when it is wanted. Pure.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from alpr_translog.merkle import EMPTY_ROOT, HashOf, node_hash
from alpr_translog.tiles import HASH_BYTES, TILE_HEIGHT, TILE_WIDTH, fold


@dataclass(frozen=True)
class Span:
    """`count` hashes of a tile level, from `first` on."""

    level: int
    first: int
    count: int


@dataclass(frozen=True)
class Node:
    """The hash of a complete subtree of 256**level leaves."""

    level: int
    index: int
    hash: bytes


Hashes = Mapping[Span, list[bytes]]


def span_of(level: int, index: int) -> Span:
    """The stored hashes under node `index` of a level of the binary tree."""
    tile_level, above = divmod(level, TILE_HEIGHT)
    return Span(tile_level, index << above, 1 << above)


def spans_of(compute: Callable[[HashOf], object]) -> list[Span]:
    """What `compute` will ask for: it is run once with a stand-in for every hash."""
    wanted: dict[Span, None] = {}

    def note(level: int, index: int) -> bytes:
        wanted[span_of(level, index)] = None
        return bytes(HASH_BYTES)

    compute(note)
    return list(wanted)


def hash_of(found: Hashes) -> HashOf:
    """`hash_of` for merkle's functions over hashes that were fetched."""
    return lambda level, index: fold(found[span_of(level, index)])


def edge_spans(size: int) -> list[Span]:
    """The hashes of each level's last tile where it is not full, lowest level first.

    A level without such a tile has a span of no hashes.
    """
    spans = []
    level, count = 0, size
    while count:
        tail = count % TILE_WIDTH
        spans.append(Span(level, count - tail, tail))
        level, count = level + 1, count // TILE_WIDTH
    return spans


class Edge:
    """The right edge of a tree: all that is needed to append to it and to know its root."""

    def __init__(self, size: int, found: Hashes) -> None:
        """From the hashes of `edge_spans(size)`."""
        self.size = size
        self._tails = [list(found[span]) if span.count else [] for span in edge_spans(size)]

    def append(self, leaf_hash: bytes) -> list[Node]:
        """Append a leaf; returns the subtrees that it completes, whose hashes are to be kept."""
        completed = []
        level, index, hashed = 0, self.size, leaf_hash
        while True:
            if level == len(self._tails):
                self._tails.append([])
            tail = self._tails[level]
            tail.append(hashed)
            if len(tail) < TILE_WIDTH:
                break
            level, index, hashed = level + 1, index // TILE_WIDTH, fold(tail)
            completed.append(Node(level, index, hashed))
            tail.clear()
        self.size += 1
        return completed

    def root(self) -> bytes:
        """The root of the tree (RFC 9162, 2.1.1)."""
        root: bytes | None = None
        for tail in self._tails:  # from the right: the smallest subtrees are on the lowest level
            for peak in reversed(_peaks(tail)):
                root = peak if root is None else node_hash(peak, root)
        return EMPTY_ROOT if root is None else root


def _peaks(tail: list[bytes]) -> list[bytes]:
    """The complete subtrees, of falling size, that hashes of one level make up."""
    peaks, begin = [], 0
    for bit in reversed(range(TILE_HEIGHT)):
        if len(tail) & (1 << bit):
            peaks.append(fold(tail[begin : begin + (1 << bit)]))
            begin += 1 << bit
    return peaks
