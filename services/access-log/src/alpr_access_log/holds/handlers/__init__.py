"""Legal holds: what is acted on, or belongs to a case, outlives every purge (131.5-c)."""

from alpr_access_log.holds.handlers.deciding import (
    page,
    place,
    release,
    show,
)
from alpr_access_log.holds.handlers.following import (
    hold_alert,
    keep_hits,
)
from alpr_access_log.holds.handlers.keeping import (
    HELD,
    PLACED,
    Holds,
    catch_up,
    copy_pictures,
    is_picture_of,
    log,
)

__all__ = [
    "HELD",
    "PLACED",
    "Holds",
    "catch_up",
    "copy_pictures",
    "hold_alert",
    "is_picture_of",
    "keep_hits",
    "log",
    "page",
    "place",
    "release",
    "show",
]
