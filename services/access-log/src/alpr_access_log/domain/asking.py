"""Whether somebody may ask that: the reason, the bounds of the question, repetitions (131.7-3b)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from alpr_access_log.domain.places import Area, Box, Circle
from alpr_access_log.domain.query import Convoy, Query, has_wildcard
from alpr_access_log.refusals import (
    AccessExpired,
    CaseNumberMissing,
    ConvoyMalformed,
    ConvoyTooWide,
    LimitTooLarge,
    NotAttested,
    PlateMalformed,
    PlateMissing,
    PurposeMissing,
    PurposeUnknown,
    RepeatNeedsApproval,
    SuspicionCopied,
    SuspicionMissing,
    SuspicionTooShort,
    SweepTooWide,
    WildcardTooWide,
    WindowMalformed,
    WindowTooLong,
)
from alpr_common.plates import MAX_LENGTH, match_key, normalize
from alpr_common.policy import Policy


@dataclass(frozen=True)
class Reason:
    """Why somebody may look: complete, or it would not exist."""

    purpose: str
    case_number: str
    suspicion: str


def checked_reason(
    purpose: str | None,
    case_number: str | None,
    suspicion: str | None,
    attested: bool | None,
    policy: Policy,
) -> Reason:
    """The complete reason; raises a `SearchRefused` that cites what is missing."""
    purpose, case_number = (purpose or "").strip(), (case_number or "").strip()
    words = " ".join((suspicion or "").split())
    if not purpose:
        raise PurposeMissing(f"Say what for: one of {', '.join(policy.purposes)}.")
    if purpose not in policy.purposes:
        raise PurposeUnknown(
            f"The system is used for law enforcement purposes only; say one of "
            f"{', '.join(policy.purposes)}."
        )
    if not case_number:
        raise CaseNumberMissing("Name the case or incident that the search belongs to.")
    if not words:
        raise SuspicionMissing("Say in words what makes you suspect, and what the data has to do.")
    if len(words) < policy.suspicion_min_characters:
        raise SuspicionTooShort(
            f"Say it in at least {policy.suspicion_min_characters} characters; you wrote "
            f"{len(words)}."
        )
    if attested is not True:
        raise NotAttested(
            "Attest that the search neither harasses nor intimidates (131.6-3b), is not personal "
            "(131.6-3c), does not rest on a protected characteristic (131.6-3d) and does not "
            "infringe First Amendment rights (131.6-3e)."
        )
    return Reason(purpose, case_number, words)


def refuse_copied_suspicion(suspicion: str, previous: str | None) -> None:
    """Raise when the words are those of the person's previous search, however punctuated."""
    if previous is not None and _words(suspicion) == _words(previous):
        raise SuspicionCopied(
            "Each search rests on its own suspicion. Say what you look for now and why, also when "
            "it belongs to the same case."
        )


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def plate_pattern(text: str) -> str:
    """Normalized plate text that keeps `*` (any characters) and `?` (one character).

    Raises `PlateMalformed`.
    """
    pieces = re.split(r"([*?])", text)
    pattern = re.sub(r"\*+", "*", "".join(p if p in "*?" else normalize(p) for p in pieces))
    if not pattern:
        raise PlateMalformed("A plate is written with letters A-Z, digits, and `*` or `?`.")
    if len(pattern.replace("*", "")) > MAX_LENGTH:
        raise PlateMalformed(f"A plate has at most {MAX_LENGTH} characters.")
    return pattern


def checked_query(
    plate: str | None,
    lookalike: bool,
    from_at: datetime | None,
    to_at: datetime | None,
    camera_ids: Sequence[str],
    policy: Policy,
    area: Area | None = None,
    jurisdictions: Sequence[str] = (),
    hit: bool | None = None,
) -> Query:
    """The query if it may be asked; raises a `SearchRefused`. One without a plate is a sweep: that
    it was approved is for the caller to see to."""
    pattern = None
    if (plate or "").strip():
        pattern = _checked_pattern(plate or "", policy)
    elif area is None and not camera_ids:
        raise PlateMissing(
            "Name a plate. Everything that passed an area or cameras is a sweep, which names them "
            "and needs a supervisor's approval."
        )
    if from_at is None or to_at is None or from_at >= to_at:
        raise WindowMalformed("Say `from` and a later `to`.")
    if to_at - from_at > timedelta(days=policy.search_window_max_days):
        raise WindowTooLong(f"Ask for at most {policy.search_window_max_days} days at once.")
    query = Query(
        pattern, lookalike, from_at, to_at, tuple(sorted(set(camera_ids))), area,
        tuple(sorted(set(jurisdictions))), hit,
    )  # fmt: skip
    if pattern is None:
        _refuse_wide_sweep(query, policy)
    return query


def checked_convoy(query: Query, convoy: Convoy, policy: Policy) -> Query:
    """`query` as a convoy question if it may be asked; raises a `SearchRefused`. That it was
    approved is for the caller to see to."""
    if query.plate is None or has_wildcard(query.plate) or query.lookalike:
        raise ConvoyMalformed("Name one plate, as it is written: it is the one that others join.")
    if query.area is not None or query.jurisdictions or query.hit is not None:
        raise ConvoyMalformed("A convoy is narrowed by its time and by cameras alone.")
    if query.to_at - query.from_at > timedelta(seconds=policy.convoy_window_max_seconds):
        hours = policy.convoy_window_max_seconds // 3600
        raise ConvoyTooWide(f"Ask for at most {hours} hours at once.")
    if not 1 <= convoy.within_seconds <= policy.convoy_gap_max_seconds:
        raise ConvoyTooWide(f"Together is at most {policy.convoy_gap_max_seconds} s apart.")
    if convoy.cameras < policy.convoy_cameras_min:
        raise ConvoyTooWide(
            f"Ask for at least {policy.convoy_cameras_min} cameras: at fewer it is only traffic."
        )
    if query.camera_ids and len(query.camera_ids) < convoy.cameras:
        raise ConvoyMalformed("Name at least as many cameras as have to agree, or none.")
    return replace(query, convoy=convoy)


def _checked_pattern(plate: str, policy: Policy) -> str:
    pattern = plate_pattern(plate)
    named = len(re.sub(r"[*?]", "", pattern))
    if has_wildcard(pattern) and named < policy.search_wildcard_min_characters:
        raise WildcardTooWide(
            f"Name at least {policy.search_wildcard_min_characters} characters beside the "
            "wildcards; fewer is a sweep and not a search for a plate."
        )
    return pattern


def _refuse_wide_sweep(query: Query, policy: Policy) -> None:
    """Raise `SweepTooWide`: also a supervisor approves nothing without bounds."""
    if query.to_at - query.from_at > timedelta(seconds=policy.sweep_window_max_seconds):
        raise SweepTooWide(f"Sweep at most {policy.sweep_window_max_seconds // 60} minutes.")
    most = policy.sweep_radius_max_meters
    if isinstance(query.area, Circle) and query.area.radius_meters > most:
        raise SweepTooWide(f"Sweep a circle of at most {most} m.")
    if isinstance(query.area, Box) and max(query.area.meters) > 2 * most:
        raise SweepTooWide(f"Sweep a box of at most {2 * most} m on each side.")
    if query.area is None and len(query.camera_ids) > policy.sweep_cameras_max:
        raise SweepTooWide(f"Sweep at most {policy.sweep_cameras_max} cameras, or an area.")


def asks_for_the_same(one: str, other: str) -> bool:
    """Whether two plate texts or patterns may mean one plate: look-alikes, and a pattern that takes
    in the other, do not make it another search."""
    one, other = match_key(one), match_key(other)
    if one == other:
        return True
    if has_wildcard(one) and has_wildcard(other):
        return False
    return fnmatchcase(one, other) or fnmatchcase(other, one)


def refuse_repetition(query: Query, previous: Iterable[str | None], policy: Policy) -> None:
    """Raise `RepeatNeedsApproval` when the person's searches of a day ask for the plate as often
    as they may without anybody's approval."""
    asked = query.plate
    if asked is None:
        return
    same = sum(plate is not None and asks_for_the_same(asked, plate) for plate in previous)
    if same >= policy.plate_searches_per_day_max:
        raise RepeatNeedsApproval(
            f"You searched for this plate {same} times within 24 hours. Ask a supervisor "
            "(POST /v1/search-approvals) and search with the approval.",
            approvals="/v1/search-approvals",
        )


def checked_limit(limit: int, policy: Policy) -> int:
    """Rows per page; raises `LimitTooLarge`."""
    if not 1 <= limit <= policy.search_max_rows:
        raise LimitTooLarge(f"A page holds 1 to {policy.search_max_rows} reads.")
    return limit


def refuse_expired(returned_at: datetime, lifetime_seconds: int, now: datetime) -> None:
    """Raise `AccessExpired` when what an access returned is older than the policy allows."""
    if now - returned_at > timedelta(seconds=lifetime_seconds):
        raise AccessExpired(
            f"What an access returned may be used for {lifetime_seconds // 60} minutes. "
            "Search again, with the reason that holds now."
        )
