"""The pure rules: what a read and an entry have to agree in, and what an entry may say."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from http import HTTPStatus

from alpr_common.errors import AlprError, Conflict
from alpr_common.messages.hit import DifferingPosition, Hit, HitKind, JurisdictionAgreement
from alpr_common.messages.hotlist import HotListEntry
from alpr_common.messages.read import UNKNOWN_JURISDICTION, Read
from alpr_common.plates import MAX_LENGTH, differing_positions, normalize
from alpr_common.policy import Category, Policy
from alpr_matcher.patterns import Differences, differences, is_pattern, named_characters

MANUAL_SOURCE = "manual"

_JURISDICTION = re.compile(r"[A-Z]{1,3}(-[A-Z0-9]{1,3})?")
# Codes that name many jurisdictions: alone they say less than what a plate is compared by.
_REGIONS = frozenset({"US", "EU"})
# What people write between a plate's characters. Anything else is no separator: `AB?12*` must not
# silently become AB12, which is another plate.
_SEPARATORS = frozenset(" -.·•_/|\t")
# What lists and recognizers call the vehicles that a picture cannot tell apart.
_VEHICLE_KINDS = {
    word: kind
    for kind, words in {
        "car": "auto automobile sedan coupe convertible hatchback wagon suv passenger_car",
        "motorcycle": "motorbike moped scooter",
        "truck": "pickup lorry semi tractor",
        "bus": "coach minibus",
    }.items()
    for word in (kind, *words.split())
}


class ReasonMissing(AlprError):
    title = "An entry needs its reason"
    clause = "131.6-7"


class ExpiryMissing(AlprError):
    title = "An entry by hand needs an expiry"
    clause = "policy file"


class ExpiryNotAllowed(AlprError):
    title = "The entry cannot expire then"
    clause = "policy file"


class CategoryUnknown(AlprError):
    title = "The policy knows no such category"
    clause = "131.3-hotlist"


class PlateNotPlain(AlprError):
    title = "That is not a whole plate"


class JurisdictionNotPlain(AlprError):
    title = "That is not a jurisdiction"


class SourceNotAllowed(AlprError):
    title = "A list cannot have that source"


class EntryRetracted(Conflict):
    title = "The entry was retracted"


class FileNotReadable(AlprError):
    """The file as a whole cannot be a hot list; nothing of it was taken."""

    title = "The file cannot be read as a hot list"


class FileTooLarge(AlprError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    title = "The file is too large"


def match_read(
    read: Read, entries: Iterable[HotListEntry], policy: Policy, now: datetime
) -> list[Hit]:
    """The hits of one read, in the entries' order; `now` becomes their `matched_at`.

    An entry hits when the read has its match key or fits its pattern, when it serves the read's
    agency (a covert one: only its owner's reads), was in force when the read was captured, does
    not name another jurisdiction, differs in no more look-alike positions than it tolerates, and
    does not forbid that kind of hit.
    """
    return [hit for entry in entries if (hit := _hit(read, entry, policy, now)) is not None]


def _hit(read: Read, entry: HotListEntry, policy: Policy, now: datetime) -> Hit | None:
    if not _is_for(entry, read.agency_id) or not in_force(entry, read.captured_at):
        return None
    agreement = agree(read.jurisdiction, entry.jurisdiction)
    if agreement is JurisdictionAgreement.DIFFERENT:
        return None
    differing = _differing(read, entry)
    if differing is None or len(differing) > tolerated_positions(entry, policy):
        return None
    kinds = _kinds(entry, differing)
    if any(kind in entry.forbidden_hit_kinds for kind in kinds):
        return None
    return Hit(
        hit_id=Hit.id_of(read.read_id, entry.entry_id),
        agency_id=read.agency_id,
        kind=kinds[0],
        jurisdiction=agreement,
        differing_positions=tuple(_difference(read, *where) for where in differing),
        read=read,
        entry=entry,
        matched_at=now,
        vehicle_contradiction=vehicle_contradiction(read.vehicle_type, entry.vehicle_type),
    )


def _is_for(entry: HotListEntry, agency_id: str) -> bool:
    """Whether the entry may meet that agency's reads: the alert goes to them."""
    if entry.covert and agency_id != entry.agency_id:
        return False
    return agency_id in entry.serves_agency_ids


def _differing(read: Read, entry: HotListEntry) -> Differences | None:
    """Positions that only look alike, with the entry's character; None if the texts disagree."""
    if is_pattern(entry.plate):
        return differences(read.plate, entry.plate)
    if entry.match_key != read.match_key:
        return None
    return tuple((p, entry.plate[p]) for p in differing_positions(read.plate, entry.plate))


def _kinds(entry: HotListEntry, differing: Differences) -> tuple[HitKind, ...]:
    """What the hit is. A pattern's that differs is a look-alike's too, and forbidden with those."""
    if is_pattern(entry.plate):
        return (HitKind.PATTERN, HitKind.LOOKALIKE) if differing else (HitKind.PATTERN,)
    return (HitKind.LOOKALIKE,) if differing else (HitKind.EXACT,)


def vehicle_contradiction(seen: str | None, listed: str | None) -> str | None:
    """In words, that the picture shows another kind of vehicle than the entry names.

    None where either does not say, or where the words may mean the same vehicle.
    """
    if not seen or not listed or _vehicle_kind(seen) == _vehicle_kind(listed):
        return None
    return f"The entry says {listed.strip().lower()}, the picture says {seen.strip().lower()}."


def _vehicle_kind(word: str) -> str:
    plain = word.strip().lower()
    return _VEHICLE_KINDS.get(plain, plain)


def in_force(entry: HotListEntry, at: datetime) -> bool:
    """Whether the entry counted at that moment: from `effective_at` on, before `expires_at`."""
    return entry.effective_at <= at and (entry.expires_at is None or at < entry.expires_at)


def tolerated_positions(entry: HotListEntry, policy: Policy) -> int:
    """In how many look-alike positions a read may differ from the entry.

    The entry's own number, where it has one, stands above all; else none for short plates (of a
    pattern, what it names counts), and the category's number for the others. A category that the
    policy no longer knows tolerates what a category does by default.
    """
    if entry.lookalike_positions is not None:
        return entry.lookalike_positions
    if named_characters(entry.plate) < policy.lookalike_min_length:
        return 0
    category = policy.categories.get(entry.category)
    if category is None:
        return int(Category.model_fields["lookalike_positions"].default)
    return category.lookalike_positions


def agree(read: str | None, entry: str | None) -> JurisdictionAgreement:
    """The read's jurisdiction against the entry's; never fuzzy, either may not be known.

    Codes are `REGION-STATE` (`US-IL`, `EU-PL`), a state alone (`IL`), or a region alone (`US`).
    Unknown when one is not stated, or when only the region is (`US` against `US-IL`: it may be).
    Same when the states agree and no region contradicts (`IL` and `US-IL`). Else different.
    """
    read_region, read_state = _region_and_state(read)
    entry_region, entry_state = _region_and_state(entry)
    if read_region and entry_region and read_region != entry_region:
        return JurisdictionAgreement.DIFFERENT
    if read_state is None or entry_state is None:
        # A state alone never equals a region that somebody took for a state: `US` and `IL` may
        # agree, so may nothing at all and `IL`.
        return JurisdictionAgreement.UNKNOWN
    if read_state == entry_state:
        return JurisdictionAgreement.SAME
    return JurisdictionAgreement.DIFFERENT


def _region_and_state(code: str | None) -> tuple[str | None, str | None]:
    text = (code or "").strip().upper()
    if not text or text == UNKNOWN_JURISDICTION.upper():
        return None, None
    first, dash, second = text.partition("-")
    if dash:
        return first, second
    return (first, None) if first in _REGIONS else (None, first)


def _difference(read: Read, position: int, wanted: str) -> DifferingPosition:
    """What the recognizer thought of both characters; None where it said nothing of one."""
    seen = read.plate[position]
    probabilities: dict[str, float] = {}
    if len(read.characters) == len(read.plate):
        character = read.characters[position]
        probabilities = {a.character: a.probability for a in character.alternatives}
        probabilities[character.character] = character.probability
    return DifferingPosition(
        position=position,
        read_character=seen,
        entry_character=wanted,
        read_probability=probabilities.get(seen),
        entry_probability=probabilities.get(wanted),
    )


def plain_plate(text: str) -> str:
    """The normalized plate; raises `PlateNotPlain` for what is no whole plate."""
    foreign = sorted({c for c in text if not normalize(c) and c not in _SEPARATORS})
    if foreign:
        raise PlateNotPlain(
            f"The plate holds {' '.join(map(repr, foreign))}. Write letters and digits; "
            "wildcards are not taken here."
        )
    plate = normalize(text)
    if not 1 <= len(plate) <= MAX_LENGTH:
        raise PlateNotPlain(
            f"A plate has 1 to {MAX_LENGTH} letters and digits; {text[:40]!r} has {len(plate)}."
        )
    return plate


def plain_jurisdiction(text: str | None) -> str | None:
    """The code in upper case, None for one that is not stated; raises `JurisdictionNotPlain`."""
    code = (text or "").strip().upper()
    if code in ("", UNKNOWN_JURISDICTION.upper()):
        return None
    if not _JURISDICTION.fullmatch(code):
        raise JurisdictionNotPlain(
            f"{code[:40]!r} is no jurisdiction. Write US-IL, or IL, or leave it out."
        )
    return code


def known_category(name: str, policy: Policy) -> Category:
    """The policy's category of that name; raises `CategoryUnknown`."""
    category = policy.categories.get(name)
    if category is None:
        known = ", ".join(policy.categories)
        raise CategoryUnknown(f"There is no category {name[:40]!r}. The policy has: {known}.")
    return category


def stated_reason(text: str | None) -> str:
    """The reason without surrounding space; raises `ReasonMissing`."""
    reason = (text or "").strip()
    if not reason:
        raise ReasonMissing(
            "Say in `reason` why this plate is looked for; it is kept with the entry."
        )
    return reason


def manual_expiry(
    expires_at: datetime | None, effective_at: datetime, policy: Policy, now: datetime
) -> datetime:
    """When an entry by hand ends; raises `ExpiryMissing` or `ExpiryNotAllowed`."""
    most = policy.manual_entry_max_days
    if expires_at is None:
        raise ExpiryMissing(f"Say in `expires_at` when this entry ends, at most {most} days on.")
    if expires_at <= max(now, effective_at):
        raise ExpiryNotAllowed("`expires_at` has to be later than now and than `effective_at`.")
    if expires_at > now + timedelta(days=most):
        raise ExpiryNotAllowed(f"An entry by hand lasts at most {most} days; enter it anew then.")
    return expires_at
