"""What a frame must say about itself, and when it may come in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpr_common.policy import Policy
from alpr_ingest.domain import (
    Attestation,
    Camera,
    CameraKind,
    Place,
    camera_id_of,
    check_times,
    credential_fits,
    new_credential,
    parse_capture,
    place_of,
    refuse_frames_that_outgrow_their_topic,
)
from alpr_ingest.refusals import (
    CameraRetired,
    CameraUnattested,
    CapturedAfterSent,
    ClockSkewed,
    DeliveredTooLate,
    FrameDetailMalformed,
    FrameRefused,
    FramesOutgrowTopic,
    FrameWithoutPlace,
    FrameWithoutTime,
    WrongCredential,
)

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
POLICY = Policy()
GOOD = {"captured_at": "2026-05-04T09:59:58.5Z", "sent_at": "2026-05-04T10:00:00Z"}
CAMERA = Camera(
    camera_id="bridge-1",
    agency_id="IL0222900",
    name="Bridge",
    kind=CameraKind.FIXED,
    place=Place(41.8, -88.1),
    heading_degrees=90.0,
    attestation=Attestation("the road on the bridge", True, "Sgt. Hill", NOW),
    privacy_masks=(),
    credential_sha256=bytes(32),
    registered_at=NOW,
    updated_at=NOW,
    retired_at=None,
)


@pytest.mark.policy("131.3-read")
@pytest.mark.parametrize("missing", ["captured_at", "sent_at"])
@pytest.mark.parametrize("text", [None, "", "  "])
def test_a_frame_without_a_time_is_refused(missing: str, text: str | None) -> None:
    details = {**GOOD, missing: text}
    with pytest.raises(FrameWithoutTime) as refusal:
        parse_capture({k: v for k, v in details.items() if v is not None})
    assert refusal.value.clause == "131.3-read"


def test_a_time_without_an_offset_is_no_time() -> None:
    with pytest.raises(FrameWithoutTime, match="offset"):
        parse_capture({**GOOD, "captured_at": "2026-05-04T09:59:58"})


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-05-04T09:59:58 02:00", "0001-01-01T00:00+14:00"]
)
def test_a_time_that_cannot_be_understood_is_refused(text: str) -> None:
    with pytest.raises(FrameDetailMalformed, match="captured_at"):
        parse_capture({**GOOD, "captured_at": text})


@given(
    time=st.datetimes(datetime(1970, 1, 2), datetime(2999, 1, 1)),  # noqa: DTZ001
    hours=st.integers(-14, 14),
)
def test_any_offset_gives_the_same_instant(time: datetime, hours: int) -> None:
    aware = time.replace(tzinfo=UTC)
    elsewhere = aware.astimezone(timezone(timedelta(hours=hours)))
    capture = parse_capture({**GOOD, "captured_at": elsewhere.isoformat()})
    assert capture.captured_at == aware
    assert capture.captured_at.tzinfo is UTC


@pytest.mark.policy("131.3-read")
@pytest.mark.parametrize("given_one", [{"latitude": "41.8"}, {"longitude": "-88.1"}])
def test_one_coordinate_is_no_place(given_one: dict[str, str]) -> None:
    with pytest.raises(FrameWithoutPlace):
        parse_capture({**GOOD, **given_one})


@pytest.mark.policy("131.3-read")
def test_a_mobile_camera_that_sends_no_place_is_refused() -> None:
    mobile = replace(CAMERA, kind=CameraKind.MOBILE)
    with pytest.raises(FrameWithoutPlace) as refusal:
        place_of(parse_capture(GOOD), mobile)
    assert refusal.value.clause == "131.3-read"


@pytest.mark.policy("131.3-fixed")
def test_a_fixed_camera_is_where_it_is_registered_unless_it_says_otherwise() -> None:
    assert place_of(parse_capture(GOOD), CAMERA) == Place(41.8, -88.1)
    moved = parse_capture({**GOOD, "latitude": "41.9", "longitude": "-88.2"})
    assert place_of(moved, CAMERA) == Place(41.9, -88.2)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("latitude", "91"), ("latitude", "nan"), ("latitude", "north"), ("longitude", "-181"),
        ("longitude", "inf"), ("heading", "-1"), ("heading", "361"), ("heading", "NaN"),
        ("sequence", "-1"), ("sequence", "1.5"), ("sequence", "٣"), ("sequence", "9" * 30),
    ],
)  # fmt: skip
def test_a_detail_out_of_its_range_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(FrameDetailMalformed, match=name):
        parse_capture({**GOOD, "latitude": "41", "longitude": "-88", name: text})


def test_a_heading_of_360_degrees_is_north() -> None:
    assert parse_capture({**GOOD, "heading": "360"}).heading_degrees == 0


@given(
    details=st.dictionaries(
        st.sampled_from(["captured_at", "sent_at", "latitude", "longitude", "heading", "sequence"]),
        st.text(max_size=40),
    )
)
def test_any_texts_are_understood_or_refused(details: dict[str, str]) -> None:
    try:
        capture = parse_capture({**GOOD, **details})
    except FrameRefused:
        return  # it said why; any other error fails the test
    assert capture.heading_degrees is None or 0 <= capture.heading_degrees < 360


def judged(captured: timedelta, sent: timedelta) -> None:
    details = {
        "captured_at": (NOW + captured).isoformat(),
        "sent_at": (NOW + sent).isoformat(),
    }
    check_times(parse_capture(details), NOW, POLICY)


@given(skew=st.integers(-3600, 3600))
def test_sent_at_may_differ_from_our_clock_by_five_minutes(skew: int) -> None:
    sent = timedelta(seconds=skew)
    if abs(skew) <= 300:
        judged(sent, sent)
    else:
        with pytest.raises(ClockSkewed) as refusal:
            judged(sent, sent)
        assert refusal.value.clause == "policy file"


@pytest.mark.policy("131.7-1c")
@given(age=st.integers(-86_400, 7 * 86_400))
def test_delayed_delivery_is_allowed_for_72_hours_and_never_into_the_future(age: int) -> None:
    captured = timedelta(seconds=-age)
    if 0 <= age <= 72 * 3600:
        judged(captured, timedelta())
        return
    with pytest.raises((CapturedAfterSent, DeliveredTooLate)) as refusal:
        judged(captured, timedelta())
    assert type(refusal.value) is (CapturedAfterSent if age < 0 else DeliveredTooLate)
    assert refusal.value.clause == "131.7-1c"


def test_a_clock_within_its_skew_may_run_ahead_of_ours() -> None:
    judged(timedelta(seconds=200), timedelta(seconds=201))


@pytest.mark.policy("131.6-3a")
@pytest.mark.parametrize("attestation", [None, Attestation("a back yard", False, "Sgt. Hill", NOW)])
def test_an_unattested_camera_may_not_send(attestation: Attestation | None) -> None:
    with pytest.raises(CameraUnattested) as refusal:
        replace(CAMERA, attestation=attestation).check_may_send()
    assert refusal.value.clause == "131.6-3a"


def test_a_retired_camera_may_not_send() -> None:
    CAMERA.check_may_send()
    with pytest.raises(CameraRetired):
        replace(CAMERA, retired_at=NOW).check_may_send()


def test_a_credential_fits_its_camera_alone_and_is_not_stored() -> None:
    credential, digest = new_credential("north.2")
    other, _ = new_credential("north.2")
    camera = replace(CAMERA, camera_id="north.2", credential_sha256=digest)
    assert camera_id_of(credential) == "north.2"
    assert credential_fits(credential, camera)
    assert not credential_fits(other, camera)
    assert credential.rpartition(".")[2].encode() not in digest
    assert len(credential.rpartition(".")[2]) >= 43  # 256 bits


@pytest.mark.parametrize("text", ["", "x", ".x", "x.", "."])
def test_what_is_no_credential_names_no_camera(text: str) -> None:
    with pytest.raises(WrongCredential):
        camera_id_of(text)


def test_a_policy_may_not_allow_pictures_that_kafka_does_not_take() -> None:
    refuse_frames_that_outgrow_their_topic(Policy())
    with pytest.raises(FramesOutgrowTopic, match=r"alpr\.frames\.v1"):
        refuse_frames_that_outgrow_their_topic(Policy(frame_max_bytes=5 * 1024 * 1024))
