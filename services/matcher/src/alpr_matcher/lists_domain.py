"""The pure rules of lists, wildcard entries, second-person checks and freshness."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from uuid import UUID

from alpr_common.errors import AlprError, Conflict
from alpr_common.messages.hit import HitKind
from alpr_common.plates import MAX_LENGTH, normalize
from alpr_common.policy import Policy
from alpr_matcher.domain import PlateNotPlain, plain_plate
from alpr_matcher.patterns import is_pattern, named_characters

LIST_SOURCE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_WILDCARDS = re.compile(r"([*?])")


class ListKind(StrEnum):
    """Whose list it is and whom it serves."""

    AGENCY = "agency"
    """The owner's own."""
    STATE = "state"
    NATIONAL = "national"
    NEIGHBOUR = "neighbour"
    COVERT = "covert"
    """The owner's own, and told to nobody else in any way."""


SHARED = frozenset({ListKind.STATE, ListKind.NATIONAL, ListKind.NEIGHBOUR})


class PatternTooWide(AlprError):
    title = "The pattern would hit too many plates"
    clause = "policy file"


class HitKindUnknown(AlprError):
    title = "There is no such kind of hit"


class CategoryDropped(AlprError):
    title = "The policy keeps such records out of the system"
    clause = "policy file"


class SubscribersNotAllowed(AlprError):
    title = "That list cannot have subscribers"


class ListExists(Conflict):
    title = "The agency has a list of that source"


class CheckBySamePerson(AlprError):
    status = HTTPStatus.FORBIDDEN
    title = "A second person has to check the entry"
    clause = "policy file"


class CheckNotNeeded(Conflict):
    title = "The entry waits for no check"


class EntryNotYours(AlprError):
    status = HTTPStatus.FORBIDDEN
    title = "The entry is another agency's"
    clause = "131.4"


class RemovalsNotConfirmed(Conflict):
    title = "The refresh would remove an unusual share of the list"
    clause = "policy file"


class ImportRunning(Conflict):
    title = "That list is being imported"


class EntryInImport(Conflict):
    title = "The entry is being changed by an import"
    retry_after_seconds = 30


class AlreadyAnswered(Conflict):
    title = "The agency has given that answer already"


class SubscriptionState(StrEnum):
    """How another agency stands to a shared list."""

    OFFERED = "offered"
    """The owner names it; nobody has answered yet."""
    ACCEPTED = "accepted"
    """Its reads are compared with the list."""
    DECLINED = "declined"
    ENDED = "ended"
    """The owner names it no more."""


@dataclass(frozen=True)
class Subscription:
    """One agency's subscription to another's list, as it stands."""

    list_id: UUID
    agency_id: str
    version: int
    state: SubscriptionState
    changed_at: datetime

    def as_json(self) -> dict[str, Any]:
        return {
            "list_id": str(self.list_id),
            "agency_id": self.agency_id,
            "version": self.version,
            "state": self.state.value,
            "changed_at": self.changed_at.isoformat(),
        }


def answered(subscription: Subscription, accept: bool) -> SubscriptionState:
    """The state after the agency's answer; raises `AlreadyAnswered` when it is that now."""
    new = SubscriptionState.ACCEPTED if accept else SubscriptionState.DECLINED
    if subscription.state is new:
        raise AlreadyAnswered(
            f"The list was {new} at {subscription.changed_at.isoformat()}; nothing changed."
        )
    return new


@dataclass(frozen=True)
class HotList:
    """A list as it stands. Its entries serve the owner, and those subscribers that accepted."""

    list_id: UUID
    version: int
    agency_id: str
    source: str
    name: str
    kind: ListKind
    subscribed_agency_ids: tuple[str, ...]
    mapper: str
    import_mode: str
    refreshed_at: datetime | None
    created_at: datetime
    changed_at: datetime
    accepted_agency_ids: tuple[str, ...] = ()
    """Who accepted a subscription; for a subscriber, whether it did itself."""

    @property
    def serves_agency_ids(self) -> tuple[str, ...]:
        """For its owner, who alone sees all of the subscribers' answers."""
        accepted = set(self.accepted_agency_ids)
        return (self.agency_id, *(a for a in self.subscribed_agency_ids if a in accepted))

    def as_json(self) -> dict[str, Any]:
        """What the history keeps of it and what the API answers."""
        return {
            "list_id": str(self.list_id),
            "version": self.version,
            "agency_id": self.agency_id,
            "source": self.source,
            "name": self.name,
            "kind": self.kind.value,
            "subscribed_agency_ids": list(self.subscribed_agency_ids),
            "accepted_agency_ids": list(self.accepted_agency_ids),
            "mapper": self.mapper,
            "import_mode": self.import_mode,
            "refreshed_at": self.refreshed_at and self.refreshed_at.isoformat(),
            "created_at": self.created_at.isoformat(),
            "changed_at": self.changed_at.isoformat(),
        }


def subscribers(kind: ListKind, owner: str, asked: list[str]) -> tuple[str, ...]:
    """The subscribed agencies, sorted, each once; raises `SubscribersNotAllowed`."""
    named = sorted({agency.strip() for agency in asked} - {owner, ""})
    if named and kind not in SHARED:
        raise SubscribersNotAllowed(
            f"A list of kind {kind} serves its owner alone; a state, national or neighbour list "
            "may have subscribers."
        )
    return tuple(named)


def entry_plate(text: str, policy: Policy) -> str:
    """The normalized plate or pattern (`?` one character, `*` any number of them).

    Raises `PlateNotPlain`, or `PatternTooWide` for a pattern that names too few characters.
    """
    if text.isascii() and text.isalnum() and text.isupper() and len(text) <= MAX_LENGTH:
        return text  # what most lines of a large file hold
    if not is_pattern(text):
        return plain_plate(text)
    pieces = _WILDCARDS.split(text)
    pattern = "".join(p if p in "*?" else _piece(p) for p in pieces)
    pattern = re.sub(r"\*+", "*", pattern)
    if len(pattern) > MAX_LENGTH:
        raise PlateNotPlain(f"A pattern has at most {MAX_LENGTH} characters, wildcards included.")
    named = named_characters(pattern)
    if named < policy.pattern_entry_min_characters:
        raise PatternTooWide(
            f"A pattern names at least {policy.pattern_entry_min_characters} characters beside "
            f"its wildcards; {pattern!r} names {named}."
        )
    return pattern


def _piece(text: str) -> str:
    return plain_plate(text) if text.strip() else normalize(text)


def hit_kinds(asked: list[str]) -> tuple[str, ...]:
    """Kinds of hit that an entry forbids; raises `HitKindUnknown`."""
    known = [kind.value for kind in HitKind]
    unknown = sorted(set(asked) - set(known))
    if unknown:
        raise HitKindUnknown(f"{unknown[0]!r} is none of {', '.join(known)}.")
    return tuple(sorted(set(asked)))


def refuse_dropped(category: str, policy: Policy) -> None:
    """Raise `CategoryDropped` for what the agency's profile keeps out."""
    if category in policy.import_dropped_categories:
        raise CategoryDropped(
            f"Records of category {category!r} are kept out (import_dropped_categories)."
        )


def check_due(added_at: datetime, policy: Policy) -> datetime:
    """By when a second person has to have checked an entry by hand (131.6-7)."""
    return added_at + timedelta(hours=policy.manual_entry_check_hours)


class Freshness(StrEnum):
    FRESH = "fresh"
    STALE = "stale"
    """Warned of."""
    ALARM = "alarm"
    NEVER = "never"
    """Kept by hand: nothing was ever imported."""


def freshness(refreshed_at: datetime | None, policy: Policy, now: datetime) -> Freshness:
    """How current an imported list is."""
    if refreshed_at is None:
        return Freshness.NEVER
    age = now - refreshed_at
    if age >= timedelta(hours=policy.list_alarm_after_hours):
        return Freshness.ALARM
    if age >= timedelta(hours=policy.list_stale_after_hours):
        return Freshness.STALE
    return Freshness.FRESH


def refuse_removals(removed: int, before: int, policy: Policy, confirmed: bool) -> None:
    """Raise `RemovalsNotConfirmed` when a refresh would remove more than the policy's share."""
    if confirmed or not removed or removed <= before * policy.import_removals_max_share:
        return
    share = removed / before
    raise RemovalsNotConfirmed(
        f"The file would remove {removed} of {before} entries ({share:.0%}); above "
        f"{policy.import_removals_max_share:.0%} somebody has to say `confirm_removals`. "
        "Is the file whole?",
        removed=removed,
        listed=before,
    )
