"""The growing edge and the hashes that are asked for, against trees built from all entries."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alpr_access_log.log.tree import Edge, Span, edge_spans, hash_of, span_of, spans_of
from alpr_translog.merkle import (
    EMPTY_ROOT,
    HashOf,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
)
from alpr_translog.tiles import build_tiles, decode_tile, fold, hash_reader

LEAVES = [leaf_hash(b"entry %d" % n) for n in range(70_000)]
LEVELS: list[list[bytes]] = [LEAVES]
while len(LEVELS[-1]) >= 256:
    below = LEVELS[-1]
    LEVELS.append([fold(below[n : n + 256]) for n in range(0, len(below) - 255, 256)])
"""What the database stores: every hash of each tile level."""

SIZES = st.one_of(
    st.integers(0, 1200), st.sampled_from([255, 256, 257, 511, 65_535, 65_536, 65_537, 70_000])
)


def stored(spans: list[Span]) -> dict[Span, list[bytes]]:
    return {s: LEVELS[s.level][s.first : s.first + s.count] for s in spans if s.count}


def edge_of(size: int) -> Edge:
    return Edge(size, stored(edge_spans(size)))


def slow_root(size: int) -> bytes:
    """By the definition, from complete subtrees of leaves."""
    return root_of(lambda level, n: fold(LEAVES[n << level : (n + 1) << level]), size)


@given(SIZES)
@settings(max_examples=40, deadline=None)
def test_the_edge_knows_the_root(size: int) -> None:
    assert edge_of(size).root() == slow_root(size)


def test_the_empty_edge_has_the_root_of_nothing() -> None:
    assert Edge(0, {}).root() == EMPTY_ROOT


@given(SIZES, st.integers(0, 600))
@settings(max_examples=40, deadline=None)
def test_appending_completes_just_the_subtrees_that_became_full(size: int, more: int) -> None:
    more = min(more, len(LEAVES) - size)
    edge = edge_of(size)
    completed = [node for leaf in LEAVES[size : size + more] for node in edge.append(leaf)]
    assert edge.size == size + more
    assert edge.root() == slow_root(size + more)
    for node in completed:
        assert LEVELS[node.level][node.index] == node.hash
    for level in (1, 2):
        expected = range(size >> 8 * level, (size + more) >> 8 * level)
        assert [n.index for n in completed if n.level == level] == list(expected)


@given(st.integers(1, 70_000), st.data())
@settings(max_examples=40, deadline=None)
def test_proofs_from_fetched_hashes_are_those_over_the_whole_tree(
    size: int, data: st.DataObject
) -> None:
    def whole(level: int, n: int) -> bytes:
        return fold(LEAVES[n << level : (n + 1) << level])

    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    proofs: list[Callable[[HashOf], list[bytes]]] = [
        lambda h: inclusion_proof(h, index, size),
        lambda h: consistency_proof(h, old, size),
    ]
    for prove in proofs:
        spans = spans_of(prove)
        assert all(s.first % s.count == 0 and s.count <= 128 for s in spans)
        assert prove(hash_of(stored(spans))) == prove(whole)


@pytest.mark.parametrize("size", [1, 255, 256, 700])
def test_levels_hold_what_tiles_hold(size: int) -> None:
    tiles = build_tiles([b"entry %d" % n for n in range(size)])
    for tile, content in tiles.items():
        begin = tile.index * 256
        assert decode_tile(content, tile.width) == LEVELS[tile.level][begin : begin + tile.width]
    assert root_of(hash_reader(tiles.__getitem__, size), size) == edge_of(size).root()


def test_a_subtree_higher_than_a_tile_is_one_stored_hash() -> None:
    assert span_of(8, 3) == Span(1, 3, 1)
    assert span_of(10, 3) == Span(1, 12, 4)
    assert span_of(7, 1) == Span(0, 128, 128)
