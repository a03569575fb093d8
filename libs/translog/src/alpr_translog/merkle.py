"""Merkle tree hashing and proofs (RFC 9162, section 2.1). Hashes are 32-byte SHA-256 values."""

import hashlib
from collections.abc import Callable, Sequence

HashOf = Callable[[int, int], bytes]
"""`hash_of(level, index)`: the hash of the complete subtree of 2**level leaves at index<<level."""


class ProofInvalid(Exception):
    """The proof does not prove what it claims."""


EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(hash_of: HashOf, size: int) -> bytes:
    """The root of the tree of the first `size` leaves."""
    return _range_hash(hash_of, 0, size) if size else EMPTY_ROOT


def inclusion_proof(hash_of: HashOf, index: int, size: int) -> list[bytes]:
    """The audit path of leaf `index` in the tree of `size` leaves; raises ValueError."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(_range_hash(hash_of, middle, end))
            end = middle
        else:
            path.append(_range_hash(hash_of, begin, middle))
            begin = middle
    return path[::-1]


def consistency_proof(hash_of: HashOf, old_size: int, new_size: int) -> list[bytes]:
    """That the tree of `old_size` leaves is a prefix of that of `new_size`; raises ValueError."""
    if not 0 < old_size <= new_size:
        raise ValueError(f"no consistency proof from {old_size} to {new_size} leaves")
    path: list[bytes] = []
    begin, end, whole = 0, new_size, True
    while old_size != end:
        middle = begin + _split(end - begin)
        if old_size <= middle:
            path.append(_range_hash(hash_of, middle, end))
            end = middle
        else:
            path.append(_range_hash(hash_of, begin, middle))
            begin, whole = middle, False
    if not whole:
        path.append(_range_hash(hash_of, begin, end))
    return path[::-1]


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> None:
    """Raise `ProofInvalid` unless the leaf hash is at `index` of the tree with that root.

    RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        raise ProofInvalid(f"leaf {index} is not in a tree of {size}")
    position, last, computed = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ProofInvalid("the inclusion path is too long")
        if position & 1 or position == last:
            computed = node_hash(sibling, computed)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        position, last = position >> 1, last >> 1
    if last != 0 or computed != root:
        raise ProofInvalid(f"leaf {index} is not what the root commits to")


def verify_consistency(
    old_size: int, new_size: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Raise `ProofInvalid` unless the old tree is a prefix of the new (RFC 9162, 2.1.4.2)."""
    if not 0 < old_size <= new_size:
        raise ProofInvalid(f"sizes {old_size} and {new_size} cannot be consistent")
    if old_size == new_size:
        if path or old_root != new_root:
            raise ProofInvalid("two different trees of one size")
        return
    if not path:
        raise ProofInvalid("the consistency path is empty")
    hashes = list(path)
    if old_size & (old_size - 1) == 0:
        hashes.insert(0, old_root)
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old_computed = new_computed = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise ProofInvalid("the consistency path is too long")
        if position & 1 or position == last:
            old_computed = node_hash(sibling, old_computed)
            new_computed = node_hash(sibling, new_computed)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new_computed = node_hash(new_computed, sibling)
        position, last = position >> 1, last >> 1
    if last != 0 or old_computed != old_root or new_computed != new_root:
        raise ProofInvalid("the new tree does not extend the old one")


def _range_hash(hash_of: HashOf, begin: int, end: int) -> bytes:
    """MTH of leaves begin..end, where begin is aligned as it is in any RFC 9162 split."""
    width = end - begin
    if width & (width - 1) == 0:
        level = width.bit_length() - 1
        return hash_of(level, begin >> level)
    middle = begin + _split(width)
    return node_hash(_range_hash(hash_of, begin, middle), _range_hash(hash_of, middle, end))


def _split(width: int) -> int:
    """The largest power of two smaller than `width`."""
    return 1 << ((width - 1).bit_length() - 1)
