"""Names and contents of tiles and bundles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpr_translog.tiles import (
    Bundle,
    Tile,
    TileMalformed,
    build_tiles,
    bundles_of,
    decode_bundle,
    encode_bundle,
    parse_path,
    tiles_of,
)


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(1, 5, 7), "tile/1/005.p/7"),
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Bundle(1000, 255), "tile/entries/x001/000.p/255"),
    ],
)
def test_tiles_are_named_as_the_specification_names_them(tile: Tile | Bundle, path: str) -> None:
    assert tile.path == path
    assert parse_path(path) == tile


@pytest.mark.parametrize(
    "path", ["tile/0/0", "tile/0/x000/001", "tile/0/000.p/256", "tile/64/000", "../etc/passwd", ""]
)
def test_another_spelling_names_no_tile(path: str) -> None:
    with pytest.raises(ValueError):
        parse_path(path)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_a_bundle_gives_its_entries_back(entries: list[bytes]) -> None:
    assert decode_bundle(encode_bundle(entries), len(entries)) == entries


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=5))
def test_a_bundle_that_is_cut_off_is_malformed(entries: list[bytes]) -> None:
    with pytest.raises(TileMalformed):
        decode_bundle(encode_bundle(entries)[:-1], len(entries))


@given(st.integers(0, 70_000))
def test_the_tiles_that_are_listed_are_the_tiles_that_are_built(size: int) -> None:
    if size < 3000:
        built = build_tiles([b"e%d" % n for n in range(size)])
        assert set(tiles_of(size)) == set(built)
    assert sum(bundle.width for bundle in bundles_of(size)) == size
