"""The entry that a line of a list means."""

from datetime import UTC, datetime, time
from typing import NamedTuple
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from alpr_common.messages.base import Instant, deterministic_id
from alpr_common.plates import match_key
from alpr_common.policy import Policy
from alpr_matcher import mapper as mapping
from alpr_matcher.domain import known_category, plain_jurisdiction, stated_reason
from alpr_matcher.lists_domain import entry_plate, hit_kinds
from alpr_matcher.mapper import NEEDED, LineRefused, Mapper

_SHORT_MAX_CHARACTERS = 64
_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
_YEARS = range(1880, 2101)


class ListedEntry(NamedTuple):
    """One good line, as it is staged. `effective_at` None: from the import on."""

    line: int
    entry_id: UUID
    removes: bool
    plate: str
    match_key: str
    jurisdiction: str | None
    category: str
    priority: int
    reason: str
    case_number: str | None
    vehicle: str | None
    caution: str | None
    effective_at: datetime | None
    expires_at: datetime | None
    lookalike_positions: int | None
    forbidden_hit_kinds: tuple[str, ...]
    vehicle_type: str | None
    vehicle_make: str | None
    vehicle_model: str | None
    vehicle_colour: str | None
    vehicle_year: int | None


class EntryMaker:
    """Makes an entry of a line's fields; what repeats from line to line is looked up once."""

    def __init__(
        self, mapper: Mapper, policy: Policy, agency_id: str, source: str, names: set[str]
    ) -> None:
        self._policy, self._agency_id, self._source = policy, agency_id, source
        values = dict(mapper.values)
        self._plate, self._category, self._reason = (
            mapping.renderer(values.pop(name)) for name in NEEDED
        )
        # Most values are one field as it is, or of fields that this file does not have: asking for
        # these a million times is much of what reading a list costs.
        alone = {name: mapping.lone_field(text) for name, text in values.items()}
        self._fields = [(n, field) for n, field in alone.items() if field in names]
        self._more = [(n, mapping.renderer(text)) for n, text in values.items() if alone[n] is None]
        self._priorities: dict[str, int] = {}
        self._jurisdictions: dict[str, str | None] = {}
        self._expiries: dict[str, datetime] = {}

    def entry(self, number: int, fields: dict[str, str]) -> ListedEntry:
        """Raises `LineRefused` or what of the domain stands against it."""
        said = {name: text for name, field in self._fields if (text := fields.get(field))}
        for name, render in self._more:
            if text := render(fields):
                said[name] = text
        category = self._category(fields)
        plate = entry_plate(self._plate(fields), self._policy)
        jurisdiction = self._jurisdiction(said.get("jurisdiction", ""))
        record_id = said.get("record_id")
        identity = ("record", record_id) if record_id else (plate, jurisdiction or "", category)
        expires_at = said.get("expires_at")
        effective_at = said.get("effective_at")
        kinds = said.get("forbidden_hit_kinds")
        colour, year = said.get("vehicle_colour"), said.get("vehicle_year")
        return ListedEntry(
            line=number,
            entry_id=deterministic_id("hotlist entry", self._agency_id, self._source, *identity),
            removes=_removes(said.get("action")),
            plate=plate,
            match_key=match_key(plate),
            jurisdiction=jurisdiction,
            category=category,
            priority=_number(said.get("priority"), "priority", range(1, 6))
            or self._priority(category),
            reason=stated_reason(self._reason(fields)),
            case_number=said.get("case_number"),
            vehicle=said.get("vehicle"),
            caution=said.get("caution"),
            effective_at=self._instant(effective_at, "effective_at", time.min),
            expires_at=self._instant(expires_at, "expires_at", time.max),
            lookalike_positions=_number(
                said.get("lookalike_positions"), "lookalike_positions", range(3)
            ),
            forbidden_hit_kinds=hit_kinds(kinds.replace(",", " ").split()) if kinds else (),
            vehicle_type=_short(said.get("vehicle_type"), "vehicle_type"),
            vehicle_make=_short(said.get("vehicle_make"), "vehicle_make"),
            vehicle_model=_short(said.get("vehicle_model"), "vehicle_model"),
            vehicle_colour=_short(colour, "vehicle_colour"),
            vehicle_year=_number(year, "vehicle_year", _YEARS),
        )

    def _priority(self, category: str) -> int:
        known = self._priorities.get(category)
        if known is None:
            if category in self._policy.import_dropped_categories:
                known = 5  # never stored: the reader counts and drops it
            else:
                known = known_category(category, self._policy).priority
            self._priorities[category] = known
        return known

    def _jurisdiction(self, text: str) -> str | None:
        if text not in self._jurisdictions:
            self._jurisdictions[text] = plain_jurisdiction(text)
        return self._jurisdictions[text]

    def _instant(self, text: str | None, name: str, of_day: time) -> datetime | None:
        """A time with its offset, or a day: to its end, or from its begin, in UTC."""
        if text is None:
            return None
        key = name + text
        known = self._expiries.get(key)
        if known is None:
            known = self._expiries[key] = _instant(text, name, of_day)
            if len(self._expiries) > 10_000:
                self._expiries.clear()
        return known


def _instant(text: str, name: str, of_day: time) -> datetime:
    try:
        if len(text) == len("2026-05-04"):
            return datetime.combine(datetime.fromisoformat(text).date(), of_day, UTC)
        return _INSTANT.validate_python(text)
    except (ValueError, ValidationError) as error:
        raise LineRefused(
            f"{name} {text[:40]!r} is no time: write 2026-05-04 or 2026-05-04T10:00:00Z"
        ) from error


def _number(text: str | None, name: str, allowed: range) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and int(text) in allowed):
        raise LineRefused(f"{name} {text[:40]!r} is not {allowed.start} to {allowed.stop - 1}")
    return int(text)


def _short(text: str | None, name: str) -> str | None:
    if text is not None and len(text) > _SHORT_MAX_CHARACTERS:
        raise LineRefused(f"{name} has more than {_SHORT_MAX_CHARACTERS} characters")
    return text


def _removes(action: str | None) -> bool:
    match (action or "add").lower():
        case "add" | "change" | "a" | "c":
            return False
        case "remove" | "delete" | "r" | "d":
            return True
        case other:
            raise LineRefused(f"action {other[:40]!r} is neither add nor remove")
