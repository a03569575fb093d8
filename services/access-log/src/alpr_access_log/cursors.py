"""Cursors of lists that are ordered by a time and an id."""

import base64
import binascii
from datetime import UTC, datetime
from uuid import UUID

from alpr_access_log.refusals import CursorInvalid


def cursor_of(at: datetime, what: UUID) -> str:
    """The text of a position; `position_of` takes it back."""
    return base64.urlsafe_b64encode(f"{at.isoformat()} {what}".encode()).decode()


def position_of(cursor: str) -> tuple[datetime, UUID]:
    """Raises `CursorInvalid`."""
    try:
        when, what = base64.b64decode(cursor, b"-_", validate=True).decode().split(" ")
        at = datetime.fromisoformat(when)
        if at.tzinfo is None:
            raise ValueError("no offset")
        return at.astimezone(UTC), UUID(what)
    except (ValueError, OverflowError, binascii.Error) as error:
        raise CursorInvalid("Send `next_cursor` of the page before, unchanged.") from error
