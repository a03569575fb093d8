"""Periods that are typed as days of the console's zone. Pure."""

from datetime import date, datetime, time, timedelta, tzinfo
from http import HTTPStatus

from alpr_common.errors import AlprError
from alpr_console.domain.forms import Typed


class DayUnread(AlprError):
    """What was typed is no day."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "A day could not be read"
    clause = "131.5-d"


def period(typed: Typed, zone: tzinfo) -> dict[str, str]:
    """From the first moment of the first day to the last of the last. Raises `DayUnread`."""
    begins = datetime.combine(_day(typed["first_day"]), time(), zone)
    return {"from": begins.isoformat(), "to": until(typed["last_day"], zone).isoformat()}


def until(last_day: str, zone: tzinfo) -> datetime:
    """The end of a day. Raises `DayUnread`."""
    return datetime.combine(_day(last_day) + timedelta(days=1), time(), zone)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise DayUnread("Give the first and the last day of the period.") from error
