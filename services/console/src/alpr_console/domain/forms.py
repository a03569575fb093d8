"""What people type into forms. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Self


def parse_local(text: str, zone: Any) -> datetime | None:
    """A time typed into a `datetime-local` field, in the console's zone; None when empty.

    Raises ValueError when it is no time.
    """
    return datetime.fromisoformat(text).replace(tzinfo=zone) if text else None


class Typed(dict[str, str]):
    """What a form held; a field that it did not hold is empty."""

    def __missing__(self, name: str) -> str:
        return ""

    @classmethod
    def of(cls, items: Iterable[tuple[str, object]]) -> Self:
        """From a form's fields, without files."""
        return cls({name: value for name, value in items if isinstance(value, str)})


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that somebody filled in: the services tell "absent" from "empty"."""
    return {name: value for name, value in fields.items() if value not in (None, "")}


def with_times(item: Mapping[str, Any]) -> dict[str, Any]:
    """A service's JSON with its times (names that end in `_at`, and `from` and `to`) as times, so
    that pages can show them in the console's zone."""
    return {name: _time_of(name, value) for name, value in item.items()}


def _time_of(name: str, value: Any) -> Any:
    if not isinstance(value, str) or not (name.endswith("_at") or name in ("from", "to")):
        return value
    return datetime.fromisoformat(value)


def ids_of(text: str) -> list[str]:
    """Ids typed or pasted with spaces, commas or lines between; that they are ids is for the
    service to say."""
    return text.replace(",", " ").split()
