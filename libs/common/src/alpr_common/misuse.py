"""The policy file's section `[misuse]`: from when on a search is pointed out to a human.

Nothing here refuses anything. Each limit says when the yearly audit (131.5-d) and its daily run
put a finding, with its reason, before somebody who asks what was behind it. The order states no
such limits: they are this system's own, and the agency's to change.
"""

import re
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is no time zone that this machine knows") from error
    return name


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    return pattern


def _default_role_purposes() -> dict[str, frozenset[str]]:
    return {
        "cso": frozenset(
            {"stolen_vehicle", "missing_or_endangered", "traffic_crash", "civil_administrative",
             "alert_verification"}
        ),
        "dispatcher": frozenset(
            {"stolen_vehicle", "missing_or_endangered", "wanted_person", "traffic_crash",
             "alert_verification"}
        ),
    }  # fmt: skip


class MisuseLimits(BaseModel):
    """When something is pointed out. A count of 0 switches its rule off where that is allowed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    """In which hours of the day are told, `America/Chicago` for example."""
    baseline_days: int = Field(default=90, ge=14, le=400)
    """How far back a person's own habits are looked at."""

    repeated_plate_searches: int = Field(default=6, ge=2)
    """Searches of one plate, its look-alikes and patterns over it, by one person …"""
    repeated_plate_days: int = Field(default=30, ge=1, le=60)
    """… within this many days …"""
    repeated_plate_separate_days: int = Field(default=3, ge=1)
    """… on at least this many of them. Searches that a supervisor approved are not counted."""

    shift_grace_minutes: int = Field(default=60, ge=0)
    """How long before and after a shift of the agency's list a search is still part of it."""
    off_shift_searches: int = Field(default=1, ge=1)
    """Searches outside of the listed shifts, by one person in a month."""
    usual_hours_share: float = Field(default=0.035, gt=0, lt=0.5)
    """Without a list: an hour is unusual in which the person was active on less than this share of
    their active days …"""
    usual_hours_active_days: int = Field(default=20, ge=5)
    """… of which there have to be this many before anything is said …"""
    usual_hours_searches: int = Field(default=3, ge=1)
    """… and this many searches, in a month."""

    case_number_formats: tuple[Annotated[str, AfterValidator(_compiles)], ...] = ()
    """Regular expressions that a whole case number fits one of; asked where no list is given."""
    case_plates_max: int = Field(default=12, ge=2)
    """Different plates that one person may search for under one case number in a month."""

    concurrency_minutes: int = Field(default=10, ge=1)
    """Within which two sessions of one person at two addresses take turns …"""
    concurrency_turns: int = Field(default=2, ge=1)
    """… this often (there, here and there again is one turn)."""
    overlapping_sessions_minutes: int = Field(default=60, ge=1)
    """How long two sessions of one person at two addresses may be kept up side by side."""

    copied_words_similarity: float = Field(default=0.8, ge=0.5, le=1)
    """Jaccard similarity of two suspicions, in runs of three words and with numbers left out."""
    copied_words_searches: int = Field(default=4, ge=2)
    """Searches for different plates under different cases that one person gave such words for."""
    copied_words_people: int = Field(default=3, ge=2)
    """People who gave such words, each for a case of their own."""

    volume_day_searches: int = Field(default=25, ge=1)
    """Searches of a person on one day from which on it is compared …"""
    volume_robust_z: float = Field(default=6.0, gt=0)
    """… and how many robust standard deviations (from the median, by the median absolute
    deviation) it is above the person's own days, or their month above that of their role."""
    volume_month_searches: int = Field(default=60, ge=1)
    """Searches in a month from which on a person is compared with their role …"""
    volume_role_people: int = Field(default=5, ge=3)
    """… if so many people of the role searched."""

    role_purposes: dict[str, frozenset[str]] = Field(default_factory=_default_role_purposes)
    """Purposes that belong to a role; a role that is not named has all of them."""

    training_lapse_hours: int = Field(default=24, ge=1)
    """How long before a lapse of training searches are looked at …"""
    training_lapse_searches: int = Field(default=8, ge=1)
    """… from this many on, where the person's days usually have half of them."""
    training_refusals: int = Field(default=3, ge=1)
    """Requests within a month that were refused because training had lapsed."""

    altered_words_refusals: int = Field(default=3, ge=1)
    """Refusals of the reason given for one plate …"""
    altered_words_minutes: int = Field(default=60, ge=1)
    """… within this time before the same person's search for it succeeded with other words."""
