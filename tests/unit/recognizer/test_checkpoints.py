"""What travels in the commit's metadata."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpr_recognizer.association import Place
from alpr_recognizer.checkpoints import (
    MOST_CHARACTERS,
    PassSnapshot,
    Snapshot,
    camera_digest,
    decode,
    encode,
)

_pixels = st.integers(0, 65535)
_speeds = st.integers(-32000, 32000)
_places = st.builds(
    Place, _pixels, _pixels, _pixels, _pixels, _speeds, _speeds, st.booleans(),
    st.integers(0, 4_000_000_000_000),
    st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", max_size=12), st.integers(0, 255),
)  # fmt: skip


@st.composite
def _passes(draw: st.DrawFn) -> PassSnapshot:
    place = draw(_places)
    identity = draw(st.none() | st.uuids())
    return PassSnapshot(
        draw(st.binary(min_size=8, max_size=8)),
        place,
        place.seen_ms - draw(st.integers(0, 1_000_000)),
        identity,
        0 if identity is None else draw(st.integers(0, 255)),
    )


@given(st.integers(0, 2**60), st.lists(_passes(), max_size=20), st.data())
def test_a_snapshot_survives_the_metadata(
    offset: int, passes: list[PassSnapshot], data: st.DataObject
) -> None:
    emitted = data.draw(
        st.lists(st.tuples(st.integers(offset, offset + 10_000), st.integers(0, 20)), max_size=20)
    )
    snapshot = Snapshot(offset, tuple(passes), tuple(emitted))
    found = decode(encode(snapshot))
    assert set(found.passes) == set(passes)
    if passes or emitted:
        assert found.offset == offset
        assert found.emitted == tuple(emitted)


def test_nothing_to_say_takes_no_room() -> None:
    assert encode(Snapshot(17)) == ""
    assert decode("") == Snapshot()


@pytest.mark.parametrize("text", ["!", "not ours", "0" * 100, "c$@"])
def test_metadata_of_somebody_else_is_taken_for_none(text: str) -> None:
    assert decode(text) == Snapshot()


def a_pass(number: int, *, emitted: bool = True) -> PassSnapshot:
    place = Place(number, 2 * number, 3, 4, 5, 6, True, 1_780_000_000_000 + number, "AB1234", 200)
    identity: UUID | None = None if emitted else uuid4()
    return PassSnapshot(camera_digest(f"cam-{number}"), place, place.seen_ms, identity)


def test_when_not_all_fits_the_first_passes_and_all_that_was_emitted_are_kept() -> None:
    passes = tuple(a_pass(n, emitted=n % 2 == 0) for n in range(300))
    emitted = tuple((1000 + n, n % 3) for n in range(100))
    text = encode(Snapshot(1000, passes, emitted))
    assert len(text) <= MOST_CHARACTERS
    found = decode(text)
    assert found.emitted == emitted
    assert found.passes == passes[: len(found.passes)]
    assert len(found.passes) >= 40


def test_the_passes_of_sixty_cameras_fit() -> None:
    passes = tuple(a_pass(n) for n in range(60))
    assert decode(encode(Snapshot(5, passes))).passes == passes
