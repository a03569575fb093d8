"""Who drives past which camera in the demo, and whom the hot list looks for."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from alpr_local.demo.scenes import DAY, DUSK, NIGHT, OVERCAST, Light, Pass

AGENCY_ID = "IL0222900"


@dataclass(frozen=True)
class DemoCamera:
    """A fixed camera as it is registered with ingest."""

    camera_id: str
    name: str
    latitude: float
    longitude: float
    heading_degrees: float
    light: Light


CAMERAS = (
    DemoCamera("york-road-north", "York Road, northbound", 41.8489, -87.9284, 4.0, DAY),
    DemoCamera("22nd-street-east", "22nd Street, eastbound", 41.8471, -87.9531, 92.0, OVERCAST),
    DemoCamera("route-83-south", "Route 83, southbound", 41.8334, -87.9539, 181.0, DUSK),
    DemoCamera("library-garage", "Library garage, exit", 41.8395, -87.9552, 270.0, NIGHT),
)


@dataclass(frozen=True)
class DemoEntry:
    """A plate that the demo's hot list looks for."""

    plate: str
    jurisdiction: str
    category: str
    reason: str
    vehicle: str = ""
    caution: str = ""


ENTRIES = (
    DemoEntry(
        "BG73914", "US-IL", "stolen_vehicle", "Taken from a driveway on Oak Brook Road",
        "Sedan, red", "Key was in the car; driver unknown",
    ),
    DemoEntry(
        "KLN482", "US-CA", "wanted_person", "Registered owner wanted on a felony warrant",
        "Sedan, dark", "Approach with a second unit",
    ),
    DemoEntry(
        "CV20816", "US-IL", "amber_alert", "Vehicle named in an AMBER alert", "SUV",
        "Child may be in the vehicle",
    ),
    # Drawn with a zero, listed with the letter: a look-alike hit for the officer to judge.
    DemoEntry("DPO517", "US-IL", "expired_registration", "Registration expired in March"),
    DemoEntry("ER91407", "US-IL", "scofflaw", "Eleven unpaid parking citations"),
)  # fmt: skip

# The order in which the first vehicles pass: something to look at within seconds, then variety.
_OPENING = (
    ("york-road-north", "BG73914", "US-IL"),
    ("22nd-street-east", None, "US-IL"),
    ("route-83-south", "KLN482", "US-CA"),
    ("library-garage", None, "US-IL"),
    ("york-road-north", None, "US-IL"),
    ("22nd-street-east", "CV20816", "US-IL"),
    ("route-83-south", None, "US-IL"),
    ("library-garage", "ER91407", "US-IL"),
    ("york-road-north", "DP0517", "US-IL"),
)
_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"


def passes(seed: int = 1) -> Iterator[tuple[DemoCamera, Pass]]:
    """Vehicles for ever: the opening, then mostly unlisted ones, a listed one now and then."""
    rng = random.Random(seed)
    cameras = {camera.camera_id: camera for camera in CAMERAS}
    number = 0
    while True:
        for camera_id, plate, jurisdiction in _OPENING:
            number += 1
            camera = cameras[camera_id]
            text = plate if plate and number <= 3 * len(_OPENING) else None
            yield camera, Pass(text or _unlisted(rng), jurisdiction, camera.light, number)


def _unlisted(rng: random.Random) -> str:
    """An Illinois passenger plate that no entry names."""
    listed = {entry.plate for entry in ENTRIES}
    while True:
        letters = "".join(rng.choices(_LETTERS, k=2))
        plate = f"{letters}{rng.randrange(10000, 99999)}"
        if plate not in listed:
            return plate
