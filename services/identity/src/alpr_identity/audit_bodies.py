"""What the yearly audit's routes answer (131.5-d)."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from alpr_common.messages.base import Instant
from alpr_common.policy import Role
from alpr_identity.domain import PASSWORD_MAX_CHARACTERS, SignInMethod, TrainingKind
from alpr_identity.yearly_audit import LapseFound, PasswordSecurity, Period, TrainingAudit

FromAt = Annotated[Instant, Query(alias="from", description="the period's first moment")]
ToAt = Annotated[Instant, Query(alias="to", description="the first moment after the period")]


class Reported(BaseModel):
    """Whose figures, for when, and made when."""

    model_config = ConfigDict(populate_by_name=True)

    agency_id: str
    from_at: datetime = Field(serialization_alias="from")
    to_at: datetime = Field(serialization_alias="to")
    made_at: datetime
    counted_since: datetime = Field(
        description="before this moment sign-ins and changes of accounts were not counted"
    )

    @staticmethod
    def head(report: PasswordSecurity | TrainingAudit) -> dict[str, Any]:
        period: Period = report.period
        return {
            "agency_id": report.agency_id, "from_at": period.begin, "to_at": period.end,
            "made_at": report.made_at, "counted_since": report.counted_since,
        }  # fmt: skip


class PasswordPolicyShown(BaseModel):
    """What is in force now."""

    policy_version: str
    password_min_characters: int
    password_max_characters: int
    password_hash: str
    banned_passwords: int = Field(description="entries of the list of common passwords")
    sign_in_failures_max: int
    sign_in_failure_window_seconds: int
    session_idle_seconds: int
    session_max_seconds: int
    access_token_seconds: int
    inactive_days_max: int
    second_factor_roles: list[Role]


class RoleAccountsShown(BaseModel):
    role: Role
    active: int
    disabled: int
    locked: int
    never_signed_in: int


class RoleFactorsShown(BaseModel):
    role: Role
    required: bool = Field(description="whether the policy asks this role for a second factor")
    accounts: int = Field(description="active ones")
    totp: int
    passkey: int
    none: int


class AgeBucketShown(BaseModel):
    from_days: int
    to_days: int | None = Field(description="None: any older")
    accounts: int


class PasswordAgesShown(BaseModel):
    buckets: list[AgeBucketShown]
    oldest_days: int | None
    median_days: int | None


class LockoutShown(BaseModel):
    person_id: UUID
    username: str
    name: str
    locked_at: datetime
    failures: int
    address: str | None
    released_at: datetime | None
    released_by: str | None


class ClosedAccountShown(BaseModel):
    person_id: UUID
    username: str
    name: str
    role: Role
    standing: Literal["disabled", "unused"] = Field(
        description="unused: for half of the days after which it is disabled"
    )
    last_used_at: datetime


class SignInDayShown(BaseModel):
    day: date = Field(description="UTC")
    done: int
    refused: int


class SignInsShown(BaseModel):
    done: int
    refused: int
    by_method: dict[str, int] = Field(description="password, provider, passkey")
    by_second_factor: dict[str, int]
    refused_because: dict[str, int]
    by_day: list[SignInDayShown]


class PasswordSecurityShown(Reported):
    policy: PasswordPolicyShown
    accounts: list[RoleAccountsShown]
    second_factors: list[RoleFactorsShown]
    password_ages: PasswordAgesShown
    passwords_set_by_administrators: int
    passwords_changed_by_people: int
    lockouts: list[LockoutShown]
    releases: int
    closed_accounts: list[ClosedAccountShown]
    sign_ins: SignInsShown

    @classmethod
    def of(cls, report: PasswordSecurity) -> Self:
        policy = report.policy
        shown = PasswordPolicyShown(
            policy_version=policy.version,
            password_min_characters=policy.password_min_characters,
            password_max_characters=PASSWORD_MAX_CHARACTERS,
            password_hash=report.password_hash,
            banned_passwords=report.banned_passwords,
            sign_in_failures_max=policy.sign_in_failures_max,
            sign_in_failure_window_seconds=policy.sign_in_failure_window_seconds,
            session_idle_seconds=policy.session_idle_seconds,
            session_max_seconds=policy.session_max_seconds,
            access_token_seconds=report.access_token_seconds,
            inactive_days_max=policy.inactive_days_max,
            second_factor_roles=sorted(policy.second_factor_roles),
        )
        said = asdict(report)
        named = ("agency_id", "period", "made_at", "counted_since", "policy", "banned_passwords",
                 "password_hash", "access_token_seconds")  # fmt: skip
        figures = {name: value for name, value in said.items() if name not in named}
        return cls(**cls.head(report), policy=shown, **figures)


class TrainingRecordShown(BaseModel):
    kind: TrainingKind
    valid_until: date | None
    certificate: str | None
    recorded_by: str
    recorded_at: datetime


class TrainedPersonShown(BaseModel):
    person_id: UUID
    username: str
    name: str
    role: Role
    active: bool
    training: list[TrainingRecordShown] = Field(description="as recorded, oldest first")


class LapseShown(BaseModel):
    person_id: UUID
    username: str
    name: str
    kind: TrainingKind
    lapsed_at: datetime
    restored_at: datetime | None
    because: Literal["ran_out", "taken_away"]
    valid_until: date | None
    certificate: str | None
    role: Role = Field(description="at the moment of the lapse")
    account_active: bool = Field(description="at the moment of the lapse")
    had_access: bool = Field(description="active with an access role: what the lapse took away")
    sessions_open: list[UUID] = Field(
        description="open at that moment; ALPR data was refused to them from then on"
    )
    sessions_opened_during: int

    @classmethod
    def of(cls, found: LapseFound) -> Self:
        return cls(
            **asdict(found.lapse), username=found.username, name=found.name,
            role=Role(found.standing.role), account_active=found.standing.active,
            had_access=found.had_access, sessions_open=found.sessions_open,
            sessions_opened_during=found.sessions_opened_during,
        )  # fmt: skip


class TrainingAuditShown(Reported):
    people: list[TrainedPersonShown]
    lapses: list[LapseShown]

    @classmethod
    def of(cls, report: TrainingAudit) -> Self:
        return cls(
            **cls.head(report),
            people=[TrainedPersonShown.model_validate(person) for person in report.people],
            lapses=[LapseShown.of(found) for found in report.lapses],
        )


class AuditedSession(BaseModel):
    session_id: UUID
    person_id: UUID
    username: str
    name: str
    role: Role = Field(description="now")
    method: SignInMethod
    second_factor_at: datetime | None
    address: str | None = Field(description="where it was opened from")
    last_address: str | None = Field(description="where it was refreshed from last")
    created_at: datetime
    refreshed_at: datetime
    ended_at: datetime | None
    ended_because: str | None
    is_open: bool


class AuditedSessions(BaseModel):
    items: list[AuditedSession]
    next_cursor: str | None
