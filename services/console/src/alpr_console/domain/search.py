"""A search as somebody types it, and one that waits for a supervisor in words. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from alpr_console.domain.forms import Typed, given, parse_local

ROWS = 50
APPROVAL_NEEDED = frozenset({"sweep-needs-approval", "repeat-needs-approval"})
"""Refusals after which one asks a supervisor with the same form."""

_WORDS = ("plate", "purpose", "case_number", "suspicion")
_CIRCLE = ("latitude", "longitude", "radius_meters")
_BOX = ("south", "west", "north", "east")
_HIT = {"yes": True, "no": False}


class NotANumber(ValueError):
    """A field of the area holds something that is no number; its argument is the field's name."""


def search_form(typed: Typed, zone: ZoneInfo) -> dict[str, Any]:
    """The form as the door wants it, for a search or for asking a supervisor.

    What was left empty is left out, and so refused by the door, which records refusals too.
    Raises ValueError when a time is none, `NotANumber`.
    """
    start, end = parse_local(typed["from"], zone), parse_local(typed["to"], zone)
    return given({name: typed[name].strip() for name in _WORDS}) | given(
        {
            "lookalike": "lookalike" in typed,
            "attested": "attested" in typed,
            "from": start and start.isoformat(),
            "to": end and end.isoformat(),
            "camera_ids": _several(typed["camera_ids"]),
            "jurisdictions": [name.upper() for name in _several(typed["jurisdictions"]) or []]
            or None,
            "area": _area(typed),
            "hit": _HIT.get(typed["hit"]),
        }
    )


def _several(text: str) -> list[str] | None:
    return [part for part in text.replace(",", " ").split() if part] or None


def _area(typed: Typed) -> dict[str, float | int] | None:
    match typed["area"]:
        case "circle":
            return {name: _number(typed, name) for name in _CIRCLE}
        case "box":
            return {name: _number(typed, name) for name in _BOX}
    return None


def _number(typed: Typed, name: str) -> float | int:
    try:
        return int(typed[name]) if name == "radius_meters" else float(typed[name])
    except ValueError as error:
        raise NotANumber(name.replace("_", " ")) from error


def in_words(query: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """What a recorded query asks for, line by line; times stay times.

    Of a refused request it is recorded as it was sent, whatever that was.
    """
    plate = query.get("plate")
    sweeps = plate is None and ("area" in query or "camera_ids" in query)
    lines: list[tuple[str, Any]] = []
    if plate is not None or sweeps:
        lines.append(("Plate", "any: everything that passed there" if sweeps else plate))
    if _true(query.get("lookalike")):
        lines.append(("Look-alikes", "too"))
    for label, name in (("From", "from"), ("To", "to")):
        if query.get(name):
            lines.append((label, _moment(query[name])))
    for label, name in (("Cameras", "camera_ids"), ("States", "jurisdictions")):
        if query.get(name):
            lines.append((label, _joined(query[name])))
    if query.get("area"):
        lines.append(("Area", area_text(query["area"])))
    if query.get("hit") is not None:
        lines.append(("Hits", "only reads that were hits" if _true(query["hit"]) else "no hits"))
    return tuple(lines)


def _true(said: object) -> bool:
    """Of a refused request a truth is recorded as a word."""
    return str(said).lower() == "true"


def _moment(said: object) -> object:
    try:
        at = datetime.fromisoformat(str(said))
    except ValueError:
        return said
    return at if at.tzinfo else said


def _joined(said: object) -> str:
    return ", ".join(str(one) for one in said) if isinstance(said, list | tuple) else str(said)


def area_text(area: object) -> str:
    """A circle or a box in words; anything else as it was sent."""
    match area:
        case {"latitude": latitude, "longitude": longitude, "radius_meters": radius}:
            return f"{radius} m around {latitude}, {longitude}"
        case {"south": south, "west": west, "north": north, "east": east}:
            return f"{south} to {north} north, {west} to {east} east"
    return str(area)


_STANDINGS = {
    "pending": ("warn", "Waits for a supervisor"),
    "approved": ("good", "Approved"),
    "denied": ("bad", "Denied"),
    "used": ("", "Searched"),
    "expired": ("", "Expired"),
}


def standing(state: str) -> tuple[str, str]:
    """How a request stands: what it is coloured as, and in words."""
    return _STANDINGS.get(state, ("", state))
