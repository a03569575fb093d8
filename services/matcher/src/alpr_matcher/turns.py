"""Whom retro-match asks first, and whom it leaves alone for a while."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

_FIRST = timedelta(seconds=5)
_LONGEST = timedelta(minutes=5)
_NEVER = datetime.min.replace(tzinfo=UTC)


class Turns:
    """An agency that could not be asked is left alone for 5 s, and for twice as long after each
    further failure in a row, up to 5 minutes. Whoever was asked longest ago is asked first."""

    def __init__(self) -> None:
        self._asked_at: dict[str, datetime] = {}
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, datetime] = {}

    def in_turn(self, agency_ids: Iterable[str]) -> list[str]:
        return sorted(agency_ids, key=lambda one: (self._asked_at.get(one, _NEVER), one))

    def asked(self, agency_id: str, at: datetime) -> None:
        self._asked_at[agency_id] = at

    def answered(self, agency_id: str) -> None:
        self._failures.pop(agency_id, None)
        self._not_before.pop(agency_id, None)

    def failed(self, agency_id: str, at: datetime) -> datetime:
        """Until when it is left alone. `at`: when it failed, not when it was asked, which may be
        longer ago than it is left alone for."""
        earlier = self._failures.get(agency_id, 0)
        self._failures[agency_id] = earlier + 1
        until = self._not_before[agency_id] = at + min(_FIRST * (1 << min(earlier, 10)), _LONGEST)
        return until

    def not_before(self, agency_id: str, at: datetime) -> datetime:
        """When it may be asked again: then, or later."""
        return max(at, self._not_before.get(agency_id, at))
