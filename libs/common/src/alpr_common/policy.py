"""The agency's policy as data: roles, purposes, categories, limits, retention, clause texts.

One typed policy file per agency (TOML, `ALPR_POLICY_FILE`) overrides these defaults; what it may
say is exactly these fields. Clause ids are those of General Order ADM-131; limits that the order
does not state are this system's own additions and are cited as "policy file".
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field, model_validator

from alpr_common.misuse import MisuseLimits

CLAUSES: dict[str, str] = {
    "131.1": "ALPR is used for law enforcement purposes only.",
    "131.3-alert": "An alert is a visual or auditory notice of a potential hit.",
    "131.3-hotlist": "What a hot list holds and where it comes from.",
    "131.3-read": "A read is an image of a plate and vehicle with date, time and coordinates.",
    "131.4": "No personal or unrelated use; no release to the public except as law requires.",
    "131.5-c": "Reads, alerts and hits that were acted on are preserved.",
    "131.5-d": "Password security, system usage and training are audited every year.",
    "131.6-1": "LEADS training comes before operating or accessing the system.",
    "131.6-2": "Sworn personnel and CSOs who completed the ALPR curriculum use the system.",
    "131.6-3a": "No recording of plates on private property that is not exposed to public view.",
    "131.6-3b": "The system is not used to harass or intimidate.",
    "131.6-3c": "The system is not used for personal purposes.",
    "131.6-3d": "No use solely on the ground of a protected characteristic.",
    "131.6-3e": "No infringement of First Amendment rights.",
    "131.6-4": "A hit alone is neither reasonable suspicion nor probable cause for a stop.",
    "131.6-4a": "Characters and state are verified by eye before any action.",
    "131.6-4b": "Current status is verified through Communications or LEADS before any action.",
    "131.6-5": "Every alert is accepted or rejected in the software.",
    "131.6-6": "Enforcement is documented on the incident report or event.",
    "131.6-7": "A manual entry carries its reason.",
    "131.6-8d": "An officer who cannot act on an alert notifies Communications.",
    "131.7-1a": "Stored data includes date, time and location.",
    "131.7-1b": "The agency itself stores no data.",
    "131.7-1c": "Captured data travels from the sites to the provider, also later.",
    "131.7-1d": "The provider stores data by its retention policy.",
    "131.7-2": "Data of evidentiary value is saved to portable media and inventoried.",
    "131.7-3a": "Every request for access to stored data is logged, with its purpose.",
    "131.7-3b": "Access rests on articulable suspicion tied to a specific action.",
    "131.7-3c": "Transmission and storage meet the CJIS requirements.",
    "policy file": "A rule of the agency's policy file, not of the order.",
}

NOT_PROBABLE_CAUSE = (
    "A hit alone is neither reasonable suspicion nor probable cause for a stop (131.6-4). "
    "Verify the characters and the state by eye (131.6-4a) and the current status through "
    "Communications or LEADS (131.6-4b) before any action."
)


class Role(StrEnum):
    """What a person or a service is to the agency."""

    OFFICER = "officer"
    CSO = "cso"
    DISPATCHER = "dispatcher"
    SUPERVISOR = "supervisor"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    SERVICE = "service"


class Category(BaseModel):
    """A kind of hot list entry and how urgently it is shown."""

    model_config = ConfigDict(frozen=True)

    label: str
    priority: int = Field(ge=1, le=5, description="1 is the most urgent")
    colour: str = Field(pattern=r"^#[0-9a-fA-F]{6}$")
    sound: str = Field(description="urgent, notice or silent")
    lookalike_positions: int = Field(default=1, ge=0, le=2)
    reads_retention_days: int | None = Field(default=None, ge=1)
    """How long a read is kept that became a hit of this category; None: as any other read."""


def _default_categories() -> dict[str, Category]:
    rows = [
        # name, label, priority, colour, sound, differing look-alike positions that still hit
        ("amber_alert", "AMBER alert", 1, "#ff8c1a", "urgent", 2),
        ("missing_person", "Missing person", 1, "#ff8c1a", "urgent", 2),
        ("wanted_person", "Wanted subject", 1, "#ff4d4f", "urgent", 1),
        ("stolen_vehicle", "Stolen vehicle", 2, "#ff4d4f", "urgent", 1),
        ("stolen_plate", "Stolen plate", 2, "#ff4d4f", "notice", 1),
        ("other", "Other", 3, "#c58bff", "notice", 1),
        ("revoked_registration", "Suspended or revoked registration", 4, "#ffd53d", "notice", 1),
        ("expired_registration", "Expired registration", 4, "#ffd53d", "notice", 0),
        ("scofflaw", "Parking scofflaw", 5, "#58b4ff", "silent", 0),
    ]
    return {
        name: Category(
            label=label, priority=priority, colour=colour, sound=sound, lookalike_positions=n
        )
        for name, label, priority, colour, sound, n in rows
    }


def _default_purposes() -> dict[str, str]:
    return {
        "criminal_investigation": "Criminal investigation",
        "stolen_vehicle": "Stolen vehicle or plate",
        "missing_or_endangered": "Missing or endangered person",
        "wanted_person": "Wanted person or warrant",
        "traffic_crash": "Traffic crash or hit-and-run",
        "civil_administrative": "Department civil or administrative action",
        "alert_verification": "Verification of an alert",
    }


def _default_supervisor_ranks() -> dict[str, str]:
    return {"asc": "ASC", "sergeant": "sergeant", "command": "command staff"}


RankCode = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
RankLabel = Annotated[str, Field(min_length=1, max_length=60)]
ApprovalKind = Literal["sweep", "convoy", "repeated_plate"]
_Ranks = Annotated[frozenset[RankCode], Field(min_length=1)] | None


class ApprovalRanks(BaseModel):
    """Which of the policy's supervisor ranks decide on each kind of approval; None: all of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sweep: _Ranks = None
    convoy: _Ranks = None
    repeated_plate: _Ranks = None


class Policy(BaseModel):
    """Every limit that a refusal may rest on. Times are in the unit that the name ends with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str = "1"
    purposes: dict[str, str] = Field(default_factory=_default_purposes)
    categories: dict[str, Category] = Field(default_factory=_default_categories)
    access_roles: frozenset[Role] = frozenset(
        {Role.OFFICER, Role.CSO, Role.DISPATCHER, Role.SUPERVISOR, Role.ADMINISTRATOR}
    )
    """Who may search and work on alerts once trained (131.6-2)."""
    suspicion_min_characters: int = 20
    search_max_rows: int = 500
    search_window_max_days: int = 30
    search_wildcard_min_characters: int = 3
    """Characters that a wildcard search must name: fewer is a sweep, not a search for a plate."""
    search_paging_seconds: int = 3600
    """How long an access may be paged through before it has to be asked for again."""
    plate_searches_per_day_max: int = Field(default=10, ge=1)
    """Searches of one plate by one person within 24 hours before a supervisor has to approve."""
    sweep_window_max_seconds: int = Field(default=24 * 3600, ge=1)
    """The longest time that an approved sweep (a search without a plate) may cover."""
    sweep_radius_max_meters: int = Field(default=5000, ge=1)
    """The largest circle of a sweep; a box may be as large as the square around it."""
    sweep_cameras_max: int = Field(default=10, ge=1)
    """Cameras that a sweep without an area may name."""
    convoy_window_max_seconds: int = Field(default=7 * 24 * 3600, ge=1)
    """The longest time over which it may be asked which plates were seen together with one."""
    convoy_gap_max_seconds: int = Field(default=120, ge=1)
    """How far apart two reads of one camera may be to count as together."""
    convoy_cameras_min: int = Field(default=3, ge=2)
    """Cameras at which two plates must have been together: at fewer it is only traffic."""
    convoy_passes_max: int = Field(default=200, ge=1)
    """Reads of the plate, the newest, whose company is looked at."""
    convoy_vehicles_max: int = Field(default=20, ge=1)
    """Plates that a convoy question may name."""
    search_approval_seconds: int = Field(default=24 * 3600, ge=1)
    """How long after it was asked for an approval may be given and used."""
    supervisor_ranks: dict[RankCode, RankLabel] = Field(
        default_factory=_default_supervisor_ranks, min_length=1
    )
    """The ranks that make a supervisor (the order names these three), and what each is called."""
    approval_ranks: ApprovalRanks = Field(default_factory=ApprovalRanks)
    """Which of them decide on which kind of approval."""
    approvals_need_rank: bool = False
    """Whether a supervisor whose rank is not on record decides on nothing. Otherwise they decide
    on what every rank may decide on, so that an agency can record the ranks first."""
    picture_view_seconds: int = 3600
    """How long after an access the pictures of the reads that it returned may be opened."""
    frame_max_bytes: int = 4 * 1024 * 1024
    frame_max_pixels: int = 50_000_000
    clock_skew_max_seconds: int = 300
    delivery_delay_max_seconds: int = 72 * 3600
    alert_window_seconds: int = 300
    alert_escalation_seconds: int = 120
    alert_retrospective_escalation_seconds: int = Field(default=24 * 3600, ge=1)
    """How long nobody may answer an alert of a stored read: no vehicle passes just now, so a
    supervisor is told, not Communications."""
    alert_records_retention_days: int = Field(default=730, ge=730)
    """How long the history of an alert is kept that was acted on or expired: who did what and
    when, without plate, place or pictures."""
    lookalike_min_length: int = 5
    reads_retention_days: int = Field(default=30, ge=1)
    manual_entry_max_days: int = 30
    manual_entry_check_hours: int = 24
    pattern_entry_min_characters: int = Field(default=3, ge=1)
    """Characters that a wildcard hot list entry must name: fewer would hit half the traffic."""
    import_removals_max_share: float = Field(default=0.2, ge=0, le=1)
    """A full refresh that would remove a larger share of its list stops and asks."""
    import_dropped_categories: frozenset[str] = frozenset({"immigration_violator"})
    """Records that no import takes and no person enters. The Illinois profile: 5 ILCS 805 keeps
    local police out of civil immigration enforcement."""
    list_stale_after_hours: int = Field(default=12, ge=1)
    list_alarm_after_hours: int = Field(default=24, ge=1)
    """How long after its last refresh an imported list is warned of, and raises an alarm."""
    retro_match_hours: int = Field(default=24, ge=0)
    """How far back stored reads are compared with a new or changed entry; 0: not at all."""
    # CJISSECPOL v6.0: AC-7 (failures), SC-10 (idle), IA-11 (re-authentication), IA-5 (length).
    sign_in_failures_max: int = 5
    sign_in_failure_window_seconds: int = 15 * 60
    session_idle_seconds: int = 3600
    session_max_seconds: int = 12 * 3600
    password_min_characters: int = 12
    second_factor_roles: frozenset[Role] = frozenset()
    """Who must sign in with a second factor (CJISSECPOL IA-2, IA-5). The CJIS profile names every
    human role; anybody may enrol whose role is not named. Whoever must and has none can do
    nothing but enrol."""
    inactive_days_max: int = Field(default=90, ge=1)
    """Days without a sign-in after which an account is disabled (CJISSECPOL AC-2)."""
    training_reminder_days: tuple[int, ...] = (30, 14, 7)
    """How many days before a training lapses the person is reminded."""
    misuse: MisuseLimits = Field(default_factory=MisuseLimits)
    """From when on searches are pointed out to a human (131.5-d); refuses nothing."""

    @model_validator(mode="after")
    def _ranks_exist(self) -> Self:
        for kind, named in self.approval_ranks:
            unknown = sorted((named or frozenset()) - self.supervisor_ranks.keys())
            if unknown:
                raise ValueError(
                    f"approval_ranks.{kind} names {', '.join(unknown)}; supervisor_ranks has "
                    f"{', '.join(self.supervisor_ranks)}"
                )
        return self

    @classmethod
    def load(cls, path: Path | None) -> Self:
        """The agency's policy; the defaults where no file is given.

        Raises `pydantic.ValidationError` naming the field when the file says something else.
        """
        if path is None:
            return cls()
        with path.open("rb") as file:
            return cls.model_validate(tomllib.load(file))

    def of(self, agency_id: str) -> Self:  # noqa: ARG002 - the same for all
        """This policy: where one is given for all agencies, it is each one's."""
        return self

    @property
    def all(self) -> tuple[Self, ...]:
        return (self,)

    def escalation_seconds(self, *, retrospective: bool) -> int:
        """How long an alert may wait for its answer before somebody else is told (131.6-5)."""
        if retrospective:
            return self.alert_retrospective_escalation_seconds
        return self.alert_escalation_seconds

    def deciding_ranks(self, kind: ApprovalKind) -> frozenset[str]:
        """The ranks whose supervisors decide on that kind of approval."""
        named: frozenset[str] | None = getattr(self.approval_ranks, kind)
        return frozenset(self.supervisor_ranks) if named is None else named

    def rank_decides(self, kind: ApprovalKind, rank: str | None) -> bool:
        """Whether a supervisor of that rank (None: not on record) decides; an unknown rank never
        does."""
        deciding = self.deciding_ranks(kind)
        if rank is None:
            return not self.approvals_need_rank and deciding == frozenset(self.supervisor_ranks)
        return rank in deciding

    def kept_days(self, category: str) -> int:
        """How long a read is kept that became a hit of that category; never shorter than others."""
        named = self.categories.get(category)
        longer = named.reads_retention_days if named else None
        return max(self.reads_retention_days, longer or 0)


@dataclass(frozen=True)
class AgencyPolicies:
    """The policy of each agency: its own file, or the installation's."""

    default: Policy = field(default_factory=Policy)
    own: Mapping[str, Policy] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path | None, folder: Path | None) -> Self:
        """`file` for all agencies, and over it `<agency_id>.toml` (percent-encoded) in `folder`.

        Raises `pydantic.ValidationError` or `OSError` for a file that is not a policy.
        """
        files = sorted(folder.glob("*.toml")) if folder else []
        own = {unquote(one.stem): Policy.load(one) for one in files}
        return cls(Policy.load(file), own)

    def of(self, agency_id: str) -> Policy:
        return self.own.get(agency_id, self.default)

    @property
    def all(self) -> tuple[Policy, ...]:
        return (self.default, *self.own.values())


Policies = Policy | AgencyPolicies
"""One policy for all agencies, or one each: `of(agency_id)` is the one that holds."""
