"""The camera registry's pages: what is sent to ingest, shown, refused, and kept."""

from __future__ import annotations

import re

import pytest

from alpr_common.errors import Outage
from alpr_console.domain import cameras
from alpr_console.domain.forms import Typed
from tests.browser.support.rest_double import Double
from tests.unit.console.conftest import Page

MASK = "0,0 0.5,0 0.5,1 0,1"
DRAWN = "0.1,0.1 0.9,0.1 0.9,0.9"
BOW_TIE = "0.1,0.1 0.9,0.9 0.9,0.1 0.1,0.9"
NEW = {
    "camera_id": "elm-street", "kind": "fixed", "name": "Elm Street, westbound",
    "latitude": "41.84", "longitude": "-87.95", "heading_degrees": "270", "masks": MASK,
    "site_description": "Public roadway, Elm Street at York Road", "signed": "yes",
}  # fmt: skip


async def registered(page: Page, **changes: str) -> None:
    form = {name: value for name, value in {**NEW, **changes}.items() if value}
    answer = await page.post("/cameras", form)
    assert answer.status_code == 200, answer.text


def place_form(**changes: str) -> dict[str, str]:
    names = ("name", "latitude", "longitude", "heading_degrees")
    shown = {name: NEW[name] for name in names}
    return shown | {f"was_{name}": value for name, value in shown.items()} | changes


# --- Masks as text ---------------------------------------------------------------------------


def test_masks_come_back_from_their_text_as_they_were() -> None:
    masks = (((0.0, 0.0), (0.123456789, 1.0), (1.0, 1e-05)), ((0.1, 0.2), (0.3, 0.4), (0.5, 0.1)))
    assert cameras.parse_masks(cameras.masks_text(masks)) == masks
    assert cameras.masks_text(masks).startswith("0,0 0.123456789,1 ")
    assert cameras.parse_masks("\r\n 0, 0  0.5 ,0 0.5,1\r\n\r\n") == (((0, 0), (0.5, 0), (0.5, 1)),)
    assert cameras.parse_masks("") == ()


@pytest.mark.policy("131.6-3a")
@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("0,0 1,1", "Mask 1", "it has 2 corners; an area needs 3"),
        ("0,0", "Mask 1", "it has 1 corner; an area needs 3"),
        (f"{MASK}\n0,0 1.2,0 1,1", "Mask 2", "corner 2 (1.2,0) lies outside the picture"),
        ("0,0 -0.1,0 1,1", "Mask 1", "corner 2 (-0.1,0) lies outside"),
        ("0,0 0.5 1,1", "Mask 1", "corner 2 (“0.5”) is no pair of numbers like 0.25,0.4"),
        ("0,0 nan,0 1,1", "Mask 1", "is no pair of numbers"),
        ("0,0 a,b 1,1", "Mask 1", "is no pair of numbers"),
        ("0,0 0,1,1 1,1", "Mask 1", "is no pair of numbers"),
        (" ".join(["0,0"] * 257), "Mask 1", "it has 257 corners; 256 are the most"),
        ("\n".join([MASK] * 65), "Masks", "there are 65; 64 are the most"),
    ],
)
def test_a_mask_that_cannot_be_is_named_with_its_mistake(text: str, where: str, what: str) -> None:
    with pytest.raises(cameras.MasksMalformed) as refused:
        cameras.parse_masks(text)
    assert refused.value.clause == "131.6-3a"
    (fault,) = refused.value.extra["faults"]
    assert fault[0] == where
    assert what in fault[1]


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(cameras.MasksMalformed) as refused:
        cameras.parse_masks("0,0 2,0 x 1,1\n0,0 1,1")
    assert [where for where, _ in refused.value.extra["faults"]] == ["Mask 1", "Mask 1", "Mask 2"]


def test_a_mask_that_crosses_itself_is_told_from_one_that_does_not() -> None:
    square, hook = MASK, "0,0 1,0 1,1 0.5,0.2 0,1"
    star = "0.5,0 0.8,1 0,0.4 1,0.4 0.2,1"
    masks = cameras.parse_masks("\n".join([square, BOW_TIE, hook, star]))
    assert cameras.crossing(masks) == [2, 4]


@pytest.mark.parametrize(
    ("degrees", "words"),
    [(None, "not stated"), (0.0, "0° (north)"), (270.0, "270° (west)"), (359.0, "359° (north)")],
)
def test_a_heading_is_told_in_words(degrees: float | None, words: str) -> None:
    assert cameras.heading_in_words(degrees) == words


# --- Registering -----------------------------------------------------------------------------


@pytest.mark.policy("131.6-3a")
async def test_a_camera_is_registered_with_the_name_of_who_signs_and_shows_its_credential_once(
    page: Page, double: Double
) -> None:
    await page.sign_in("reyes")
    answer = await page.post("/cameras", NEW)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    camera = double.cameras["elm-street"]
    assert camera.attestation is not None
    assert camera.attestation.attested_by == "D/C Alma Reyes"
    assert camera.attestation.site_description == NEW["site_description"]
    assert cameras.masks_text(camera.privacy_masks) == MASK
    assert (camera.heading_degrees, camera.place and camera.place.latitude) == (270, 41.84)
    (credential,) = set(re.findall(r"elm-street\.[\w-]{43}", answer.text))
    assert f"Authorization: Camera {credential}" in answer.text
    assert "alpr feed rtsp://CAMERA/stream --camera elm-street" in answer.text
    for path in ("/cameras/elm-street", "/cameras"):
        assert credential.split(".")[1] not in (await page.get(path)).text


@pytest.mark.policy("131.6-3a")
async def test_a_camera_without_attestation_is_registered_and_says_that_it_is_refused(
    page: Page, double: Double
) -> None:
    await page.sign_in("hale")
    answer = await page.post("/cameras", {"camera_id": "patrol-12", "kind": "mobile"})
    assert "not attested" in answer.text
    assert "Alpr-Latitude" in answer.text
    assert not double.cameras["patrol-12"].is_attested
    shown = (await page.get("/cameras/patrol-12")).text
    assert "Its frames are refused until somebody attests" in shown
    assert "131.6-3a" in shown
    assert "patrol-12" in (await page.get("/cameras?show=not-attested")).text


@pytest.mark.policy("131.6-3a", "131.7-1a")
@pytest.mark.parametrize(
    ("changes", "title", "clause"),
    [
        ({"signed": ""}, "The attestation is not signed", "131.6-3a"),
        ({"latitude": "", "longitude": ""}, "needs its position", "131.7-1a"),
        ({"latitude": ""}, "needs its position", "131.7-1a"),
        ({"masks": "0,0 1,1"}, "an area needs 3", "131.6-3a"),
        ({"camera_id": "../elm"}, "letters, digits, dots", ""),
        ({"latitude": "north"}, "“north” is no number like 41.7859", ""),
        ({"latitude": "nan"}, "“nan” is no number", ""),
        ({"latitude": "91"}, "less than or equal to 90", ""),
        ({"site_description": "x"}, "at least 3 characters", ""),
    ],
)
async def test_what_cannot_be_registered_is_refused_with_its_reason_and_nothing_typed_is_lost(
    page: Page, double: Double, changes: dict[str, str], title: str, clause: str
) -> None:
    await page.sign_in("reyes")
    form = {**NEW, **changes}
    answer = await page.post("/cameras", {name: value for name, value in form.items() if value})
    assert answer.status_code == 422
    assert title in answer.text
    assert f'<span class="clause">{clause}</span>' in answer.text or not clause
    for name in ("camera_id", "name", "site_description", "masks", "latitude"):
        assert form[name] in answer.text, name
    assert not double.cameras


async def test_an_id_that_is_taken_is_refused_on_the_form(page: Page) -> None:
    await page.sign_in("reyes")
    await registered(page)
    answer = await page.post("/cameras", NEW)
    assert answer.status_code == 409
    assert "A camera with this id is registered already" in answer.text
    assert 'value="Elm Street, westbound"' in answer.text


# --- Changing --------------------------------------------------------------------------------


async def test_only_what_was_changed_on_the_page_is_changed(page: Page, double: Double) -> None:
    await page.sign_in("reyes")
    await registered(page)
    answer = await page.post("/cameras/elm-street/place", place_form(heading_degrees="360"))
    assert answer.headers["location"] == "/cameras/elm-street?done=place#place"
    await page.post("/cameras/elm-street/place", place_form(latitude="41.85"))
    assert double.camera_changes == [
        {"heading_degrees": 0}, {"latitude": 41.85, "longitude": -87.95},
    ]  # fmt: skip
    same = await page.post("/cameras/elm-street/place", place_form())
    assert same.headers["location"].startswith("/cameras/elm-street?done=nothing")
    assert "nothing was changed" in (await page.get(same.headers["location"])).text
    assert len(double.camera_changes) == 2


async def test_a_position_can_be_changed_and_not_taken_away(page: Page, double: Double) -> None:
    await page.sign_in("reyes")
    await registered(page)
    answer = await page.post("/cameras/elm-street/place", place_form(latitude="", longitude=""))
    assert answer.status_code == 422
    assert "it can be changed, not taken away" in answer.text
    assert not double.camera_changes


@pytest.mark.policy("131.6-3a")
async def test_an_attestation_is_withdrawn_and_signed_again_by_name(
    page: Page, double: Double
) -> None:
    await page.sign_in("reyes")
    await registered(page)
    path = "/cameras/elm-street/attestation"
    site = {"was_site_description": NEW["site_description"]}
    await page.post(path, {"withdraw": "yes", **site})
    assert not double.cameras["elm-street"].is_attested
    assert "Said not to be exposed" in (await page.get("/cameras/elm-street")).text
    unsigned = await page.post(path, {"site_description": "Turned to York Road"})
    assert unsigned.status_code == 422
    assert "131.6-3a" in unsigned.text
    assert "Turned to York Road" in unsigned.text
    await page.post(path, {"site_description": "Turned to York Road", "signed": "yes"})
    assert double.cameras["elm-street"].is_attested


@pytest.mark.policy("131.6-3a")
async def test_masks_are_replaced_drawn_and_cleared(page: Page, double: Double) -> None:
    await page.sign_in("hale")
    await registered(page)
    path = "/cameras/elm-street/masks"
    saved = await page.post(path, {"masks": DRAWN, "was_masks": MASK})
    shown = (await page.get(saved.headers["location"])).text
    assert "Saved. The camera has 1 mask" in shown
    assert "crosses itself" not in shown
    assert '<polygon points="0.1,0.1 0.9,0.1 ' in shown
    cleared = await page.post(path, {"masks": "", "was_masks": DRAWN})
    assert "frames are kept whole" in (await page.get(cleared.headers["location"])).text
    assert double.cameras["elm-street"].privacy_masks == ()


@pytest.mark.policy("131.6-3a")
async def test_masks_that_a_colleague_drew_meanwhile_are_not_lost_to_an_older_page(
    page: Page, double: Double
) -> None:
    await page.sign_in("reyes")
    await registered(page)
    path, theirs, ours = "/cameras/elm-street/masks", f"{MASK}\n0,0 0.1,0 0.1,0.1", "0,0 1,0 1,0.2"
    await page.post(path, {"masks": theirs, "was_masks": MASK})
    malformed = await page.post(path, {"masks": "0,0", "was_masks": MASK})
    assert f'name="was_masks" value="{MASK}"' in malformed.text
    overtaken = await page.post(path, {"masks": ours, "was_masks": MASK})
    assert overtaken.status_code == 409
    assert "Somebody else changed the masks meanwhile" in overtaken.text
    assert ours in overtaken.text
    assert f'name="was_masks" value="{theirs}"' in overtaken.text
    assert len(double.cameras["elm-street"].privacy_masks) == 2
    assert "It has 2 masks now. Yours are below, not saved" in overtaken.text
    again = await page.post(path, {"masks": ours, "was_masks": theirs})
    assert again.status_code == 303
    assert len(double.cameras["elm-street"].privacy_masks) == 1


@pytest.mark.policy("131.6-3a")
async def test_the_masks_that_were_looked_at_go_with_the_change_for_ingest_to_compare(
    page: Page, double: Double
) -> None:
    await page.sign_in("reyes")
    await registered(page)
    path, more = "/cameras/elm-street/masks", "0,0 1,0 1,0.2"
    await page.post(path, {"masks": f"{MASK}\n{more}", "was_masks": MASK})
    first = [tuple(map(tuple, mask)) for mask in cameras.parse_masks(MASK)]
    (sent,) = double.camera_changes
    assert sent["expected_privacy_masks"] == [list(mask) for mask in first]
    await page.post(path, {"masks": MASK, "was_masks": f"{MASK}\n{more}"})
    assert len(double.camera_changes[-1]["expected_privacy_masks"]) == 2


async def test_a_credential_is_renewed_only_when_somebody_says_that_the_old_one_may_end(
    page: Page, double: Double
) -> None:
    await page.sign_in("reyes")
    await registered(page)
    before = double.cameras["elm-street"].credential_sha256
    asked = await page.post("/cameras/elm-street/credential", {})
    assert asked.status_code == 422
    assert "It still works." in asked.text
    assert double.cameras["elm-street"].credential_sha256 == before
    renewed = await page.post("/cameras/elm-street/credential", {"sure": "yes"})
    assert "The old one ends within seconds" in renewed.text
    assert re.search(r"elm-street\.[\w-]{43}", renewed.text)
    assert double.cameras["elm-street"].credential_sha256 != before


async def test_a_camera_is_retired_by_typing_its_id_and_then_only_looked_at(
    page: Page, double: Double
) -> None:
    await page.sign_in("reyes")
    await registered(page)
    path = "/cameras/elm-street/retire"
    wrong = await page.post(path, {"camera_id": "elm"})
    assert wrong.status_code == 422
    assert double.cameras["elm-street"].retired_at is None
    retired = await page.post(path, {"camera_id": " elm-street "})
    shown = (await page.get(retired.headers["location"])).text
    assert "The camera is retired" in shown
    assert '<form class="form"' not in shown
    assert "/credential" not in shown
    assert "No camera is registered yet" in (await page.get("/cameras")).text
    assert "elm-street" in (await page.get("/cameras?show=retired")).text


# --- Who, and what when ingest is away -------------------------------------------------------


@pytest.mark.policy("131.6-2", "131.6-3a")
async def test_an_auditor_looks_and_changes_nothing(page: Page, double: Double) -> None:
    await page.sign_in("reyes")
    await registered(page)
    await page.post("/sign-out")
    await page.sign_in("osei")
    assert "Register a camera" not in (await page.get("/cameras")).text
    shown = (await page.get("/cameras/elm-street")).text
    assert "D/C Alma Reyes" in shown
    assert "<polygon" in shown
    assert 'action="/cameras' not in shown
    refused = await page.post("/cameras/elm-street/retire", {"camera_id": "elm-street"})
    assert refused.status_code == 403
    assert "refusal" in refused.text
    assert double.cameras["elm-street"].retired_at is None


async def test_when_ingest_is_away_the_page_says_so_and_keeps_what_was_typed(
    page: Page, double: Double
) -> None:
    await page.sign_in("reyes")
    await registered(page)
    double.cameras_refused = Outage("PostgreSQL is away.")
    for path in ("/cameras", "/cameras/elm-street"):
        answer = await page.get(path)
        assert answer.status_code == 503
        assert "A server that this needs is away" in answer.text
    new = await page.post("/cameras", {**NEW, "camera_id": "oak"})
    assert new.status_code == 503
    assert NEW["site_description"] in new.text
    masks = {"masks": "0,0 1,0 1,0.2", "was_masks": MASK}
    for path, form in (
        ("masks", masks),
        ("place", place_form(name="Elm")),
        ("attestation", {"site_description": "Turned to York Road", "signed": "yes"}),
        ("attestation", {"withdraw": "yes", "was_site_description": "Old site"}),
        ("retire", {"camera_id": "elm-street"}),
    ):
        unsent = await page.post(f"/cameras/elm-street/{path}", form)
        assert unsent.status_code == 503
        assert "not saved" in unsent.text
        assert f'action="/cameras/elm-street/{path}"' in unsent.text
        for name, value in form.items():
            assert f'name="{name}"' in unsent.text
            assert value in unsent.text
    assert (await page.post("/cameras/elm-street/credential", {"sure": "1"})).status_code == 503


async def test_a_camera_that_is_not_there_is_not_shown(page: Page) -> None:
    await page.sign_in("reyes")
    assert (await page.get("/cameras/nowhere")).status_code == 404
    assert (await page.get("/cameras/..%2fpeople")).status_code == 404
    assert (await page.get("/cameras/-x")).status_code == 422


async def test_a_camera_may_be_called_new(page: Page, double: Double) -> None:
    await page.sign_in("reyes")
    await registered(page, camera_id="new")
    assert "Retire it" in (await page.get("/cameras/new")).text


async def test_many_cameras_are_shown_in_pages_and_counted_whole(
    page: Page, double: Double
) -> None:
    await page.sign_in("reyes")
    await registered(page)
    one = double.cameras.pop("elm-street")
    double.cameras = {f"c{i:04}": one.__class__(**{**vars(one), "camera_id": f"c{i:04}"})
                      for i in range(650)}  # fmt: skip
    first = (await page.get("/cameras")).text
    assert '<span class="count">650</span>' in first
    assert first.count('class="row-link"') == 200
    assert "cursor=c0199" in first
    last = (await page.get("/cameras?show=in-use&cursor=c0599")).text
    assert last.count('class="row-link"') == 50
    assert "Next page" not in last


@pytest.mark.policy("131.7-1b")
async def test_nothing_foreign_is_on_the_pages_and_no_picture_may_come_from_elsewhere(
    page: Page, double: Double
) -> None:
    await page.sign_in("reyes")
    await registered(page)
    for path in ("/cameras", "/new-camera", "/cameras/elm-street"):
        answer = await page.get(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert "img-src 'self';" in answer.headers["content-security-policy"], "no blob: either"
        assert 'type="file" name=' not in answer.text, "a picture that is chosen is not sent"
        for foreign in ("<script>", "<style", " style=", " onclick=", "http://", "https://"):
            assert foreign not in answer.text, f"{path} holds {foreign}"


def test_a_site_that_is_described_and_not_signed_for_is_no_attestation() -> None:
    with pytest.raises(cameras.AttestationUnsigned):
        cameras.attestation(Typed({"site_description": "Public roadway"}))
