"""Which alert a hit belongs to: one per entry, plate and camera in a fixed window.

Time is `captured_at` alone, so that late delivery (131.7-1c) changes nothing. For hits in order of
capture this is exactly: the first hit opens a window of fixed length, hits within it attach, the
next one outside opens the next. A hit that comes late and lies *before* the alert that is known
attaches as well, as long as all hits of that alert still fit in one window. So, in any order:

- every hit is in exactly one alert, and no alert spans a window or more;
- no sighting is hidden: never fewer alerts than order of capture would have raised;
- what was put before a person is never moved to another alert afterwards, which is why a late hit
  does not regroup those that are there.

All hits of a plate have one match key and lie in one partition of the topic, in one order for ever:
a replay repeats that order, and with it the same alerts under the same ids.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from alpr_common.messages.base import deterministic_id
from alpr_common.messages.hit import Hit


@dataclass(frozen=True)
class Window:
    """The times of capture that an alert's hits span."""

    alert_id: UUID
    first_captured_at: datetime
    last_captured_at: datetime


def window_of(
    captured_at: datetime, windows: Iterable[Window], window_seconds: float
) -> Window | None:
    """The window that a hit of that time attaches to: the earliest that can take it, or None."""
    length = timedelta(seconds=window_seconds)
    fitting = [
        w
        for w in windows
        if max(w.last_captured_at, captured_at) - min(w.first_captured_at, captured_at) < length
    ]
    return min(fitting, key=lambda w: w.first_captured_at, default=None)


def alert_id_of(hit: Hit) -> UUID:
    """The id of the alert that this hit raises; the same at every redelivery and replica."""
    read = hit.read
    return deterministic_id(
        "alert", hit.agency_id, hit.entry.entry_id, read.plate, read.camera_id, read.captured_at
    )


def window_key(hit: Hit) -> str:
    """What is locked while a hit finds its alert, so that two replicas cannot raise two."""
    return key_of(hit.agency_id, hit.entry.entry_id, hit.read.plate, hit.read.camera_id)


def key_of(agency_id: str, entry_id: UUID, plate: str, camera_id: str) -> str:
    """As `window_key`, of an alert that is there."""
    return "|".join([agency_id, str(entry_id), plate, camera_id])
