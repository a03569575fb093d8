"""Tiles and entry bundles (C2SP tlog-tiles): static files that hold the whole tree.

A tile has up to 256 hashes of one level (8 tree levels apart), a bundle up to 256 entries. Full
ones never change; a partial one is named by its width.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from alpr_translog.merkle import HashOf, leaf_hash, node_hash

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
HASH_BYTES = 32
ENTRY_MAX_BYTES = 0xFFFF


class TileMalformed(Exception):
    """A tile or bundle that is not what its name says."""


@dataclass(frozen=True)
class Tile:
    """The name of a hash tile. `width` 256 is a full one."""

    level: int
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        return f"tile/{self.level}/{_number(self.index)}{_partial(self.width)}"


@dataclass(frozen=True)
class Bundle:
    """The name of an entry bundle."""

    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        return f"tile/entries/{_number(self.index)}{_partial(self.width)}"


def parse_path(path: str) -> Tile | Bundle:
    """The tile or bundle of that name; raises ValueError for any other spelling."""
    found = re.fullmatch(
        r"tile/(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?",
        path,
    )
    if not found:
        raise ValueError(f"{path!r} names no tile")
    index = int(found[2].replace("x", "").replace("/", ""))
    width = int(found[3]) if found[3] else TILE_WIDTH
    named = Bundle(index, width) if found[1] == "entries" else Tile(int(found[1]), index, width)
    if named.path != path:
        raise ValueError(f"{path!r} is not how {named} is spelt")
    return named


def tiles_of(size: int) -> Iterator[Tile]:
    """Every tile of a tree of `size` leaves, level by level."""
    level, hashes = 0, size
    while hashes:
        full, rest = divmod(hashes, TILE_WIDTH)
        yield from (Tile(level, index) for index in range(full))
        if rest:
            yield Tile(level, full, rest)
        level, hashes = level + 1, full


def bundles_of(size: int) -> Iterator[Bundle]:
    """Every bundle of a tree of `size` leaves."""
    full, rest = divmod(size, TILE_WIDTH)
    yield from (Bundle(index) for index in range(full))
    if rest:
        yield Bundle(full, rest)


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Entries with 16-bit big-endian lengths; raises ValueError for one that is too long."""
    if not 0 < len(entries) <= TILE_WIDTH:
        raise ValueError(f"a bundle holds 1 to {TILE_WIDTH} entries, not {len(entries)}")
    for entry in entries:
        if len(entry) > ENTRY_MAX_BYTES:
            raise ValueError(f"an entry has at most {ENTRY_MAX_BYTES} bytes, not {len(entry)}")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_bundle(data: bytes, width: int) -> list[bytes]:
    """The `width` entries of a bundle; raises `TileMalformed`."""
    entries, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data):
            raise TileMalformed("the bundle is cut off")
        entries.append(data[at + 2 : end])
        at = end
    if len(entries) != width:
        raise TileMalformed(f"the bundle has {len(entries)} entries, its name says {width}")
    return entries


def decode_tile(data: bytes, width: int) -> list[bytes]:
    """The `width` hashes of a tile; raises `TileMalformed`."""
    if len(data) != width * HASH_BYTES:
        raise TileMalformed(f"the tile has {len(data)} bytes, its name says {width} hashes")
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def hash_reader(fetch: Callable[[Tile], bytes], size: int) -> HashOf:
    """`hash_of` for a tree of `size` leaves over its tiles, each fetched and decoded once."""
    known: dict[Tile, list[bytes]] = {}

    def hash_of(level: int, index: int) -> bytes:
        tile_level, above = divmod(level, TILE_HEIGHT)
        begin, count = index << above, 1 << above
        tile_index, offset = divmod(begin, TILE_WIDTH)
        in_level = size >> (tile_level * TILE_HEIGHT)
        tile = Tile(tile_level, tile_index, min(TILE_WIDTH, in_level - tile_index * TILE_WIDTH))
        if tile not in known:
            known[tile] = decode_tile(fetch(tile), tile.width)
        hashes = known[tile][offset : offset + count]
        if len(hashes) != count:
            raise TileMalformed(f"{tile.path} does not reach hash {index} of level {level}")
        return fold(hashes)

    return hash_of


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root of a complete subtree over 2**n hashes of one level."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def build_tiles(entries: Sequence[bytes]) -> dict[Tile, bytes]:
    """All tiles of a tree from its entries. For verifiers and tests; a log appends instead."""
    return tiles_over([leaf_hash(entry) for entry in entries])


def tiles_over(leaf_hashes: Sequence[bytes]) -> dict[Tile, bytes]:
    """As `build_tiles`, for entries of which only the hashes are kept."""
    tiles: dict[Tile, bytes] = {}
    row, level = leaf_hashes, 0
    while row:
        above = []
        for index in range(0, len(row), TILE_WIDTH):
            part = row[index : index + TILE_WIDTH]
            tiles[Tile(level, index // TILE_WIDTH, len(part))] = b"".join(part)
            if len(part) == TILE_WIDTH:
                above.append(fold(part))
        row, level = above, level + 1
    return tiles


def _number(index: int) -> str:
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    return "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])


def _partial(width: int) -> str:
    return "" if width == TILE_WIDTH else f".p/{width}"
