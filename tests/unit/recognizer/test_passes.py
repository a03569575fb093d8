"""One vehicle pass, one read."""

import random
from collections.abc import Iterable

import pytest

from alpr_recognizer.association import PassRules, similarity
from alpr_recognizer.domain import ReadingLimits
from alpr_recognizer.passes import PartitionPasses
from alpr_recognizer.tracking import CameraPasses, EmissionRules, SeenFrame
from tests.unit.recognizer.scenes import Shown, drive_by, message, sighting

Told = tuple[str, int, float]
"""Plate, frames that voted, seconds after noon at which its read went out."""


def reads_of(
    shown: Iterable[Shown], *, rules: PassRules = PassRules(), confidence: float = 0.98,
    in_order_of_arrival: bool = True,
) -> list[Told]:  # fmt: skip
    """What a partition tells of these frames, each arriving when it was captured."""
    make = lambda: CameraPasses(rules, ReadingLimits(), EmissionRules(confidence))  # noqa: E731
    partition = PartitionPasses(make, "")
    told: list[Told] = []

    def emit(now: float) -> None:
        for known, voted in partition.due():
            told.append((voted.text, known.votes.count, now))
            partition.emitted(known)

    ordered = sorted(shown, key=_arrival) if in_order_of_arrival else list(shown)
    now = 0.0
    for offset, one in enumerate(ordered):
        now = max(now, _arrival(one))
        partition.end_quiet(0.7, now, caught_up=True)
        emit(now)
        hand = message(one, offset)
        frame = hand.message
        seen = SeenFrame(frame.frame, frame.jpeg, offset, hand.received.timestamp_ms, now)
        partition.observe(seen, one.sightings or ())
        emit(now)
    partition.end_quiet(0.7, now + 0.75, caught_up=True)
    emit(now + 0.75)
    assert partition.open_passes == 0
    return told


def _arrival(one: Shown) -> float:
    return one.at_seconds if one.arrived_seconds is None else one.arrived_seconds


def plates(told: list[Told]) -> list[str]:
    return sorted(plate for plate, _, _ in told)


def test_a_vehicle_that_crosses_the_picture_is_one_read() -> None:
    told = reads_of(drive_by("cam", "AB1234", 0, frames=8), confidence=2)
    assert [(plate, frames) for plate, frames, _ in told] == [("AB1234", 8)]


def test_the_read_goes_out_as_soon_as_it_is_sure() -> None:
    ((_, frames, at),) = reads_of(drive_by("cam", "AB1234", 0, frames=8))
    assert frames < 5
    assert at < 1.0


def test_a_wide_plate_that_is_sure_goes_out_on_its_first_frame() -> None:
    shown = [Shown("cam", i * 0.2, [sighting("AB1234", 50 + 180 * i, 400, 0.99)]) for i in range(6)]
    ((_, frames, at),) = reads_of(shown)
    assert (frames, at) == (1, 0.0)


def test_a_narrow_plate_waits_for_a_second_frame_to_say_the_same() -> None:
    shown = [
        Shown("cam", i * 0.2, [sighting("AB1234", 50 + 100 * i, 400, 0.99, width=60)])
        for i in range(6)
    ]
    ((_, frames, at),) = reads_of(shown)
    assert (frames, at) == (2, 0.2)


def test_what_glare_leaves_of_a_plate_does_not_go_out_before_the_whole() -> None:
    whole = [sighting("9278652", 404, 400, 0.98, width=80)]
    shown = [
        Shown("cam", 0.0, [sighting("92786", 400, 400, 0.997, width=56)]),
        *[Shown("cam", i * 0.2, whole) for i in range(1, 5)],
    ]
    assert plates(reads_of(shown)) == ["9278652"]


def test_a_piece_of_a_plate_read_surely_is_no_vehicle_of_its_own() -> None:
    whole = sighting("XCSKF427", 400, 400, 0.97, width=81)
    piece = sighting("SKF427", 427, 400, 0.995, width=54)
    shown = [Shown("cam", i * 0.2, [piece if i % 2 else whole]) for i in range(6)]
    assert plates(reads_of(shown)) == ["XCSKF427"]


def test_what_a_post_leaves_to_both_its_sides_is_one_plate() -> None:
    split = [
        sighting("HDT", 400, 400, 0.92, width=34),
        sighting("368", 446, 400, 0.95, width=34),
    ]
    whole = [sighting("HDT368", 400, 400, 0.7, width=80)]
    shown = [Shown("cam", i * 0.2, split if i == 3 else whole) for i in range(6)]
    assert plates(reads_of(shown, confidence=2)) == ["HDT368"]


def test_two_pieces_seen_before_the_whole_are_one_plate() -> None:
    split = [
        sighting("IXN", 400, 400, 0.87, width=34),
        sighting("239", 446, 400, 0.87, width=34),
    ]
    whole = [sighting("IXN239", 400, 400, 0.9, width=80)]
    shown = [Shown("cam", i * 0.2, whole if i else split) for i in range(6)]
    assert plates(reads_of(shown)) == ["IXN239"]


def test_a_small_plate_beside_a_large_one_is_a_vehicle_of_its_own() -> None:
    both = [
        sighting("AB1234", 400, 400, 0.97, width=120),
        sighting("AB12", 540, 405, 0.97, width=50),
    ]
    assert plates(reads_of([Shown("cam", i * 0.2, both) for i in range(4)])) == ["AB12", "AB1234"]


def test_a_plate_that_hides_another_does_not_take_its_read() -> None:
    far = [Shown("cam", i * 0.2, [sighting("XY98", 440, 405, 0.93, width=40)]) for i in range(3)]
    near = [
        Shown("cam", 0.6 + i * 0.2, [sighting("AB1234", 400, 400, 0.97, width=120)])
        for i in range(3)
    ]
    assert plates(reads_of(far + near)) == ["AB1234", "XY98"]


def test_an_unsure_read_goes_out_within_a_second_of_the_passes_end() -> None:
    shown = drive_by("cam", "AB1234", 0, frames=3, confidence=0.45)
    ((_, frames, at),) = reads_of(shown)
    assert frames == 3
    assert at - shown[-1].at_seconds <= 1.0


def test_it_goes_out_in_time_too_while_the_camera_goes_on_seeing_nothing() -> None:
    shown = drive_by("cam", "AB1234", 0, frames=3, confidence=0.45)
    empty = [Shown("cam", 0.6 + i * 0.1, []) for i in range(30)]
    ((_, _, at),) = reads_of(shown + empty)
    assert at - shown[-1].at_seconds <= 1.0


def test_two_vehicles_side_by_side_are_two_reads() -> None:
    left, right = drive_by("cam", "AB1234", 0, y=100), drive_by("cam", "XY9876", 0, y=600)
    both = [
        Shown("cam", a.at_seconds, [*(a.sightings or ()), *(b.sightings or ())])
        for a, b in zip(left, right, strict=True)
    ]
    assert plates(reads_of(both)) == ["AB1234", "XY9876"]


def test_a_vehicle_close_behind_another_is_a_read_of_its_own() -> None:
    first = [Shown("cam", i * 0.2, [sighting("AB1234", 500 + 10 * i, 400, 0.95)]) for i in range(4)]
    second = [
        Shown("cam", 1.0 + i * 0.2, [sighting("XY9876", 505 + 10 * i, 400, 0.95)]) for i in range(4)
    ]
    assert plates(reads_of(first + second)) == ["AB1234", "XY9876"]


@pytest.mark.parametrize("confidence", [0.6, 0.95])
def test_the_second_of_two_vehicles_is_not_taken_for_the_first_whose_read_is_out(
    confidence: float,
) -> None:
    first = drive_by("cam", "86SL0138", 0, frames=7, confidence=confidence, speed_px=90)
    second = drive_by("cam", "428KXQ", 1.8, frames=7, confidence=0.99, speed_px=90)
    assert plates(reads_of(first + second)) == ["428KXQ", "86SL0138"]


def test_one_misread_character_in_a_plate_that_comes_up_fast_makes_no_second_vehicle() -> None:
    texts = ["QU33ZB", "QU35ZB", "QU35ZB", "QU35ZB"]
    shown = [
        Shown("cam", i * 0.2, [sighting(t, 477 + 30 * i, 421, 0.95, width=49 * 1.25**i)])
        for i, t in enumerate(texts)
    ]
    assert plates(reads_of(shown, confidence=2)) == ["QU35ZB"]


def test_a_convoy_of_nearly_equal_plates_stays_apart() -> None:
    convoy = [
        Shown("cam", n * 1.0 + i * 0.2, [sighting(f"TAXI0{n}", 100 + 900 * i * 0.2, 400, 0.97)])
        for n in range(1, 5)
        for i in range(4)
    ]
    assert plates(reads_of(convoy)) == ["TAXI01", "TAXI02", "TAXI03", "TAXI04"]


def test_misread_frames_in_between_do_not_split_a_pass() -> None:
    texts = ["AB1234", "A81234", "AB1Z34", "AB1234", "HB1234", "AB1234"]
    shown = [
        Shown("cam", i * 0.2, [sighting(t, 50 + 180 * i, 400, 0.6)]) for i, t in enumerate(texts)
    ]
    assert plates(reads_of(shown)) == ["AB1234"]


def test_a_plate_hidden_behind_a_pole_for_two_seconds_is_still_the_same_pass() -> None:
    shown = drive_by("cam", "AB1234", 0, frames=3) + drive_by("cam", "AB1234", 2.4, frames=3)
    assert plates(reads_of(shown)) == ["AB1234"]


def test_a_vehicle_that_comes_back_later_is_read_again() -> None:
    shown = drive_by("cam", "AB1234", 0) + drive_by("cam", "AB1234", 60)
    assert plates(reads_of(shown)) == ["AB1234", "AB1234"]


@pytest.mark.parametrize("every_seconds", [0.2, 1.0, 10.0])
def test_a_parked_vehicle_is_read_once_not_once_per_frame(every_seconds: float) -> None:
    count = int(200 / every_seconds)
    shown = [
        Shown("cam", i * every_seconds, [sighting("AB1234", 500 + i % 2, 400, 0.8)])
        for i in range(count)
    ]
    assert plates(reads_of(shown)) == ["AB1234"]


def test_a_parked_vehicle_is_read_again_after_the_reread_time() -> None:
    shown = [Shown("cam", float(i), [sighting("AB1234", 500, 400, 0.99)]) for i in range(450)]
    told = reads_of(shown, rules=PassRules(reread_seconds=300))
    assert [round(at) for _, _, at in told] == [0, 300]


def test_traffic_before_a_parked_vehicle_does_not_make_it_a_new_pass() -> None:
    parked = [Shown("cam", float(i), [sighting("AB1234", 500, 400, 0.8)]) for i in range(60)]
    passing = [
        Shown("cam", 10.5 + n * 5 + i * 0.2, [sighting(f"XY{n}876", 50 + 180 * i, 600, 0.95)])
        for n in range(5)
        for i in range(5)
    ]
    told = reads_of(parked + passing)
    assert plates(told).count("AB1234") == 1
    assert len(told) == 6


def test_frames_captured_hours_ago_between_live_ones_make_their_own_passes() -> None:
    live = drive_by("cam", "AB1234", 0, confidence=0.6)
    hours = -3 * 3600.0
    delayed = [
        Shown("cam", s.at_seconds, s.sightings, arrived_seconds=s.at_seconds - hours + 0.05)
        for s in drive_by("cam", "XY9876", hours, confidence=0.6)
    ]
    told = reads_of(live + delayed, confidence=2)
    assert [(p, n) for p, n, _ in sorted(told)] == [("AB1234", 6), ("XY9876", 6)]


def test_frames_out_of_order_are_one_pass() -> None:
    shown = drive_by("cam", "AB1234", 0, frames=6, confidence=0.6)
    shuffled = [shown[i] for i in (0, 2, 1, 4, 3, 5)]
    arrived = [
        Shown(s.camera_id, s.at_seconds, s.sightings, arrived_seconds=i * 0.2)
        for i, s in enumerate(shuffled)
    ]
    assert plates(reads_of(arrived)) == ["AB1234"]


def test_a_frame_sent_twice_votes_once() -> None:
    shown = drive_by("cam", "AB1234", 0, frames=3, confidence=0.6)
    ((_, frames, _),) = reads_of([*shown, shown[1]], in_order_of_arrival=False)
    assert frames == 3


def test_two_cameras_that_see_the_same_vehicle_read_it_once_each() -> None:
    shown = drive_by("east", "AB1234", 0) + drive_by("west", "AB1234", 0)
    assert plates(reads_of(shown)) == ["AB1234", "AB1234"]


def test_what_is_not_a_plate_is_not_reported() -> None:
    shown = [
        Shown(
            "cam", 0.0, [sighting("A", 100), sighting("", 300), sighting("ZQ8FH1", 500, 400, 0.01)]
        )
    ]
    assert reads_of(shown) == []


def test_something_unreadable_that_stays_in_view_does_not_hold_frames_back_for_ever() -> None:
    make = lambda: CameraPasses(PassRules(), ReadingLimits(), EmissionRules())  # noqa: E731
    partition = PartitionPasses(make, "")
    rng = random.Random(4)
    for offset in range(300):
        text = "".join(rng.choices("ABCDEFGHJK", k=6))
        one = Shown("cam", offset * 0.2, [sighting(text, 500, 400, 0.05)])
        hand = message(one, offset)
        partition.observe(
            SeenFrame(hand.message.frame, b"", offset, hand.received.timestamp_ms, offset * 0.2),
            one.sightings or (),
        )
        assert partition.due() == []
    checkpoint = partition.checkpoint()
    assert checkpoint is not None
    assert checkpoint[0] >= 300 - 60


def test_likeness_counts_lookalikes_as_half_an_error() -> None:
    assert similarity("AB1234", "AB1234") == 1
    assert similarity("AB1234", "A81234") == pytest.approx(1 - 0.5 / 6)
    assert similarity("AB1234", "XY9876") < 0.2
    assert similarity("", "AB1234") == 0
