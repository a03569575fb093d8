"""Cameras as an administrator keeps them: what is typed, in the form that ingest takes. Pure."""

import math
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from alpr_common.errors import AlprError, Incomplete
from alpr_console.domain.forms import Typed, given

CAMERA_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""As ingest takes it: part of Kafka keys, file names and addresses."""

Corner = tuple[float, float]
Mask = tuple[Corner, ...]
"""A polygon's corners as fractions (0 to 1) of the stored picture's width and height, from its top
left."""

_MOST_MASKS = 64
_MOST_CORNERS = 256
_SHOWN_OF_A_MISTAKE = 24


class FormFault(AlprError):
    """Parts of a form that cannot be sent on. `extra["faults"]`: pairs of where and what."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The form could not be read"

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        said = "; ".join(f"{where}: {what}" for where, what in faults)
        super().__init__(said, faults=tuple(faults))


class MasksMalformed(FormFault):
    title = "The privacy masks could not be read"
    clause = "131.6-3a"


class PlaceMissing(Incomplete):
    title = "A camera that stays in one place needs its position"
    clause = "131.7-1a"


class AttestationUnsigned(Incomplete):
    title = "The attestation is not signed"
    clause = "131.6-3a"


class NotConfirmed(Incomplete):
    title = "It was not confirmed"


# --- Privacy masks ---------------------------------------------------------------------------


def parse_masks(text: str) -> tuple[Mask, ...]:
    """The masks that a text holds: one a line, corners as `x,y` with spaces between.

    Raises `MasksMalformed`, which names every mistake.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    masks: list[Mask] = []
    faults: list[tuple[str, str]] = []
    if len(lines) > _MOST_MASKS:
        faults.append(("Masks", f"there are {len(lines)}; {_MOST_MASKS} are the most"))
    for number, line in enumerate(lines[:_MOST_MASKS], 1):
        corners, mistakes = _corners(line)
        masks.append(corners)
        faults += [(f"Mask {number}", mistake) for mistake in mistakes]
    if faults:
        raise MasksMalformed(faults)
    return tuple(masks)


def _corners(line: str) -> tuple[Mask, list[str]]:
    corners: list[Corner] = []
    mistakes: list[str] = []
    for number, text in enumerate(re.sub(r"\s*,\s*", ",", line).split(), 1):
        shown = text[:_SHOWN_OF_A_MISTAKE]
        numbers = [_plain_number(part) for part in text.split(",")]
        known = [value for value in numbers if value is not None]
        if len(numbers) != 2 or len(known) != 2:  # across and down
            mistakes.append(f"corner {number} (“{shown}”) is no pair of numbers like 0.25,0.4")
        elif not all(0 <= value <= 1 for value in known):
            mistakes.append(
                f"corner {number} ({shown}) lies outside the picture, which goes from 0 to 1"
            )
        else:
            corners.append((known[0], known[1]))
    if not mistakes and len(corners) < 3:  # a polygon
        mistakes.append(f"it has {_counted(len(corners), 'corner')}; an area needs 3")
    if len(corners) > _MOST_CORNERS:
        mistakes.append(f"it has {len(corners)} corners; {_MOST_CORNERS} are the most")
    return tuple(corners), mistakes


def masks_of(camera: Mapping[str, Any]) -> tuple[Mask, ...]:
    """The masks of a camera as ingest answers them."""
    return tuple(tuple((x, y) for x, y in mask) for mask in camera["privacy_masks"])


def masks_text(masks: Sequence[Mask]) -> str:
    """The text of masks, which `parse_masks` reads back as they were."""
    return "\n".join(" ".join(f"{_short(x)},{_short(y)}" for x, y in mask) for mask in masks)


def masks_in_words(masks: Sequence[Mask]) -> str:
    return f"{_counted(len(masks), 'mask')}" if masks else "none"


def crossing(masks: Sequence[Mask]) -> list[int]:
    """Which masks, counted from 1, cross themselves: where such a one overlaps itself, its filling
    leaves holes, so that what somebody takes for covered may not be."""
    return [number for number, mask in enumerate(masks, 1) if _crosses_itself(mask)]


def _crosses_itself(mask: Mask) -> bool:
    sides = [(mask[i], mask[(i + 1) % len(mask)]) for i in range(len(mask))]
    return any(
        _cross(*sides[i], *sides[j])
        for i in range(len(sides))
        for j in range(i + 2, len(sides))
        if (j + 1) % len(sides) != i  # neighbours share a corner
    )


def _cross(a: Corner, b: Corner, c: Corner, d: Corner) -> bool:
    """Whether the lines a–b and c–d cross, beyond touching."""
    return _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0


def _turn(a: Corner, b: Corner, c: Corner) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _short(value: float) -> str:
    return repr(float(value)).removesuffix(".0")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


# --- What is sent ----------------------------------------------------------------------------

_NUMBERS = {"latitude": "Latitude", "longitude": "Longitude", "heading_degrees": "Heading"}


def registration(typed: Typed) -> dict[str, Any]:
    """A new camera as ingest takes it.

    Without a signature it is registered and its frames are refused until somebody signs.

    Raises `FormFault`, `MasksMalformed`, `PlaceMissing`, or `AttestationUnsigned` where a site is
    described and not signed for: its words would be lost.
    """
    camera_id = typed["camera_id"].strip()
    if not re.fullmatch(CAMERA_ID, camera_id):
        raise FormFault([("Id", "letters, digits, dots, dashes and underscores, 64 at most; the "
                          "first is a letter or a digit")])  # fmt: skip
    body = given({"camera_id": camera_id, "kind": typed["kind"], "name": typed["name"].strip()})
    body |= _numbers(typed)
    if body.get("kind") != "mobile" and "latitude" not in body:
        raise PlaceMissing("Give latitude and longitude: its reads carry them.")
    if masks := parse_masks(typed["masks"]):
        body["privacy_masks"] = masks
    if "signed" in typed or typed["site_description"].strip():
        body["attestation"] = attestation(typed)
    return body


def attestation(typed: Typed) -> dict[str, Any]:
    """The signed attestation; ingest adds who signs and when. Raises `AttestationUnsigned`."""
    if "signed" not in typed:
        raise AttestationUnsigned(
            "Tick that you attest it, or leave the site's description empty until somebody does."
        )
    return {"site_description": typed["site_description"].strip(), "exposed_to_public_view": True}


def place_changes(typed: Typed) -> dict[str, Any]:
    """Of name, position and heading those that differ from what the page showed (`was_…`), so that
    a colleague's change of another field stands. A heading that was emptied is taken away; a
    position cannot be. Raises `FormFault` or `PlaceMissing`."""
    names = ("name", *_NUMBERS)
    differ = {name for name in names if typed[name].strip() != typed[f"was_{name}"].strip()}
    if differ & {"latitude", "longitude"}:
        differ |= {"latitude", "longitude"}
    emptied = sorted(n for n in differ & _NUMBERS.keys() if not typed[n].strip())
    stuck = [n for n in emptied if n != "heading_degrees" and typed[f"was_{n}"].strip()]
    if stuck:
        raise FormFault([(_NUMBERS[n], "it can be changed, not taken away") for n in stuck])
    body: dict[str, Any] = _numbers(typed) | given({"name": typed["name"].strip()})
    if "heading_degrees" in emptied:
        body["heading_degrees"] = None
    return {name: value for name, value in body.items() if name in differ}


def attestation_changes(typed: Typed) -> dict[str, Any]:
    """A signed attestation, or the word that it holds no more. Raises `AttestationUnsigned`."""
    if "withdraw" not in typed:
        return {"attestation": attestation(typed)}
    site = typed["was_site_description"].strip()
    return {"attestation": {"site_description": site, "exposed_to_public_view": False}}


def mask_changes(typed: Typed) -> dict[str, Any]:
    """The masks, if they differ from those that the page showed, and those: masks are replaced as
    a whole, and a colleague's new one must not be lost to an older page. Raises `MasksMalformed`.
    """
    masks, shown = parse_masks(typed["masks"]), parse_masks(typed["was_masks"])
    return {} if masks == shown else {"privacy_masks": masks, "expected_privacy_masks": shown}


def overtaken_in_words(present: Sequence[Mask]) -> str:
    """What to say where a colleague has changed the masks, to those `present`, meanwhile."""
    return (
        f"It has {masks_in_words(present)} now. Yours are below, not saved; saving them puts them "
        "in the place of the others."
    )


def check_renewal_confirmed(typed: Typed) -> None:
    """Raises `NotConfirmed`."""
    if "sure" not in typed:
        raise NotConfirmed("Tick that the old credential may stop working. It still works.")


def check_retirement_confirmed(typed: Typed, camera_id: str) -> None:
    """Raises `NotConfirmed`."""
    if typed["camera_id"].strip() != camera_id:
        raise NotConfirmed(f"Type the camera's id, {camera_id}, as it is written. It still sends.")


def _numbers(typed: Typed) -> dict[str, float]:
    """Position and heading, where they are given; how large they may be is for ingest to say."""
    written = {name: typed[name].strip() for name in _NUMBERS if typed[name].strip()}
    numbers = {name: _plain_number(text) for name, text in written.items()}
    faults = [
        (_NUMBERS[name], f"“{written[name][:_SHOWN_OF_A_MISTAKE]}” is no number like 41.7859")
        for name, number in numbers.items()
        if number is None
    ]
    if faults:
        raise FormFault(faults)
    if ("latitude" in numbers) != ("longitude" in numbers):
        raise PlaceMissing("A position has latitude and longitude; one of them is missing.")
    found = {name: number for name, number in numbers.items() if number is not None}
    if found.get("heading_degrees") == 360:  # north, as some write it
        found["heading_degrees"] = 0.0
    return found


def _plain_number(text: str) -> float | None:
    try:
        number = float(text) if "_" not in text else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


# --- What is shown ---------------------------------------------------------------------------

_COMPASS = ("north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest")


def heading_in_words(degrees: float | None) -> str:
    """`270° (west)`: the direction that a camera looks in."""
    if degrees is None:
        return "not stated"
    return f"{degrees:g}° ({_COMPASS[round(degrees / 45) % 8]})"


def place_in_fields(camera: Mapping[str, Any]) -> dict[str, str]:
    """Name, position and heading as the form's fields hold them."""
    numbers = {name: camera[name] for name in _NUMBERS}
    return {"name": camera["name"]} | {
        name: "" if value is None else _short(value) for name, value in numbers.items()
    }


def camera_standing(camera: Mapping[str, Any]) -> tuple[str, str]:
    """The state of a camera: its mark and its words."""
    if camera["retired_at"] is not None:
        return "", "retired"
    return ("good", "attested") if camera["attested"] else ("bad", "not attested: refused")


SHOWN = ("in-use", "not-attested", "retired")


def shown_as(camera: Mapping[str, Any], which: str) -> bool:
    """Whether a camera belongs under one of `SHOWN`."""
    if which == "retired":
        return camera["retired_at"] is not None
    in_use = camera["retired_at"] is None
    return in_use and not camera["attested"] if which == "not-attested" else in_use
