"""What is looked for among stored reads, and why: what a search and a request for one say."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from alpr_client.transport import without_none


@dataclass(frozen=True)
class Reason:
    """Why somebody looks at stored reads (131.7-3); the access log keeps it for good."""

    purpose: str
    """One of the policy's words, such as criminal_investigation or stolen_vehicle."""
    case_number: str
    suspicion: str
    """The articulable suspicion in words of its own, tied to a specific action (131.7-3b)."""
    attested: bool
    """The searching person's word that it is no misuse (131.6-3b…e)."""


@dataclass(frozen=True)
class Circle:
    latitude: float
    longitude: float
    radius_meters: int


@dataclass(frozen=True)
class Box:
    """Degrees; south < north, west < east."""

    south: float
    west: float
    north: float
    east: float


@dataclass(frozen=True)
class Convoy:
    """What counts as together: at one camera within so many seconds, so at so many cameras."""

    within_seconds: int
    cameras: int


@dataclass(frozen=True)
class Query:
    """Which reads, from `begin` on and before `end` (aware times).

    `plate` may hold `*` (any characters) and `?` (one). Without a plate it is a sweep, and with
    `convoy` it asks who went along with the plate: both need a supervisor's approval.
    """

    begin: datetime
    end: datetime
    plate: str | None = None
    lookalike: bool = False
    """Also plates that look alike (O and 0, …)."""
    camera_ids: Sequence[str] | None = None
    area: Circle | Box | None = None
    jurisdictions: Sequence[str] | None = None
    """Of the plate, such as US-IL; None: any, also unknown."""
    hit: bool | None = None
    """True: only reads that were hits; False: only those that were none."""
    convoy: Convoy | None = None


def form(query: Query, reason: Reason) -> dict[str, Any]:
    """As the door takes it; what is not asked is left out."""
    said = {
        "plate": query.plate,
        "lookalike": query.lookalike,
        "from": query.begin.isoformat(),
        "to": query.end.isoformat(),
        "camera_ids": None if query.camera_ids is None else list(query.camera_ids),
        "area": asdict(query.area) if query.area else None,
        "jurisdictions": None if query.jurisdictions is None else list(query.jurisdictions),
        "hit": query.hit,
        "convoy": asdict(query.convoy) if query.convoy else None,
    }
    return without_none(said | asdict(reason))
