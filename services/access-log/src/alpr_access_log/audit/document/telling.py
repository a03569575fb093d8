"""How times, numbers and codes are written in a document."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any


def moment(at: datetime | str | None) -> str:
    """A time to the minute, in UTC; a dash where there is none."""
    if at is None:
        return "–"
    try:
        known = datetime.fromisoformat(at) if isinstance(at, str) else at
    except ValueError:
        return str(at)
    return f"{known.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def period(begin: datetime, end: datetime) -> str:
    """`2026-01-01 to 2026-12-31` for whole days, else with times. The end is exclusive."""
    begin, end = begin.astimezone(UTC), end.astimezone(UTC)
    midnight = all(at.time() == datetime.min.time() for at in (begin, end))
    if midnight:
        return f"{begin:%Y-%m-%d} to {end - timedelta(days=1):%Y-%m-%d}"
    return f"{begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"


def number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "–"


def words(code: Any) -> str:
    """`leads_training` as `leads training`; a dash for nothing."""
    return str(code).replace("_", " ").replace("-", " ") if code else "–"


def person(said: Mapping[str, Any]) -> str:
    """A person of identity's by name and user name."""
    name, username = said.get("name") or "", said.get("username") or ""
    return f"{name} ({username})" if name and username else str(name or username or "–")


def day(text: str | date | None) -> str:
    return str(text)[:10] if text else "–"
