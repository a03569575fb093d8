"""Hashing and proofs against the definitions of RFC 9162, written out slowly."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpr_translog.merkle import (
    EMPTY_ROOT,
    ProofInvalid,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from alpr_translog.tiles import build_tiles, hash_reader

_SIZES = st.integers(1, 700)


def slow_root(entries: list[bytes]) -> bytes:
    """MTH of section 2.1.1, word for word."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha256(b"\x01" + slow_root(entries[:k]) + slow_root(entries[k:])).digest()


def entries_of(size: int) -> list[bytes]:
    return [f"entry {n}".encode() for n in range(size)]


@given(_SIZES)
def test_the_root_over_tiles_is_the_root_of_the_definition(size: int) -> None:
    entries = entries_of(size)
    hash_of = hash_reader(build_tiles(entries).__getitem__, size)
    assert root_of(hash_of, size) == slow_root(entries)


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert slow_root([]) == EMPTY_ROOT


@given(_SIZES, st.data())
def test_an_inclusion_proof_verifies_and_no_other_leaf_does(size: int, data: st.DataObject) -> None:
    entries = entries_of(size)
    index = data.draw(st.integers(0, size - 1))
    hash_of = hash_reader(build_tiles(entries).__getitem__, size)
    path, root = inclusion_proof(hash_of, index, size), slow_root(entries)
    verify_inclusion(leaf_hash(entries[index]), index, size, path, root)
    with pytest.raises(ProofInvalid):
        verify_inclusion(leaf_hash(b"another"), index, size, path, root)
    if size > 1:
        with pytest.raises(ProofInvalid):
            verify_inclusion(leaf_hash(entries[index]), (index + 1) % size, size, path, root)
        with pytest.raises(ProofInvalid):
            verify_inclusion(leaf_hash(entries[index]), index, size, path[:-1], root)


@given(_SIZES, st.data())
def test_a_consistency_proof_verifies_and_a_changed_past_does_not(
    size: int, data: st.DataObject
) -> None:
    entries = entries_of(size)
    old = data.draw(st.integers(1, size))
    hash_of = hash_reader(build_tiles(entries).__getitem__, size)
    path = consistency_proof(hash_of, old, size)
    verify_consistency(old, size, slow_root(entries[:old]), slow_root(entries), path)
    forged = [*entries[: old - 1], b"forged"]
    with pytest.raises(ProofInvalid):
        verify_consistency(old, size, slow_root(forged), slow_root(entries), path)
