"""What identity's HTTP takes and answers."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from alpr_common.policy import Policy, Role
from alpr_common.web import StorableText
from alpr_identity import domain, handlers
from alpr_identity.domain import PASSWORD_MAX_CHARACTERS, Person, TrainingKind
from alpr_identity.sessions import SignedIn
from alpr_identity.showing_again import Proof

Username = Annotated[StorableText, Field(max_length=100)]
Password = Annotated[StorableText, Field(max_length=PASSWORD_MAX_CHARACTERS)]
Code = Annotated[StorableText, Field(max_length=40)]
Name = Annotated[StorableText, Field(min_length=1, max_length=200)]
Words = Annotated[StorableText, Field(max_length=200)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Credentials(Body):
    username: Username
    password: Password
    code: Code | None = Field(
        default=None, description="of the second factor: six digits, or a recovery code"
    )


class Confirmation(Body):
    """Who is signed in proves once more who they are."""

    password: Password
    code: Code | None = Field(default=None, description="where there is a second factor already")


class Shown(Body):
    """Who is signed in shows once more who they are."""

    password: Password | None = Field(
        default=None,
        description="not needed within ten minutes of signing in by a passkey or a provider",
    )
    code: Code | None = Field(default=None, description="where there are codes")

    def proof(self) -> Proof:
        return Proof(self.password, self.code)


class CodeSaid(Body):
    code: Code


class Refresh(Body):
    refresh_token: Annotated[StorableText, Field(max_length=1000)]


class PersonAdded(Body):
    username: Username
    name: Name
    role: Role
    rank: Words = Field(default="", description="a title, in any words")
    supervisor_rank: Words = Field(
        default="", description="one of the policy's supervisor_ranks, for supervisors"
    )
    password: Password | None = Field(default=None, description="generated when left out")
    leads_until: date | None = None
    leads_certificate: Words | None = None
    alpr_until: date | None = None
    alpr_certificate: Words | None = None


class PersonChanged(Body):
    name: Name | None = None
    rank: Words | None = None
    supervisor_rank: Words | None = Field(default=None, description="empty takes it away")
    role: Role | None = None
    active: bool | None = None


class TrainingRecorded(Body):
    """Only what is named is recorded; a date of null takes that training away."""

    leads_until: date | None = None
    leads_certificate: Words | None = None
    alpr_until: date | None = None
    alpr_certificate: Words | None = None
    certificate: Words | None = Field(default=None, description="for both, if it is one")

    def records(self) -> list[handlers.TrainingRecord]:
        named: list[tuple[TrainingKind, date | None, str | None]] = []
        if "leads_until" in self.model_fields_set:
            named.append(("leads", self.leads_until, self.leads_certificate))
        if "alpr_until" in self.model_fields_set:
            named.append(("alpr", self.alpr_until, self.alpr_certificate))
        return [
            handlers.TrainingRecord(kind, until, certificate or self.certificate)
            for kind, until, certificate in named
        ]


class PasswordSet(Body):
    password: Password | None = Field(default=None, description="generated when left out")


class PasswordChanged(Body):
    present: Password
    new: Password


class PersonShown(BaseModel):
    person_id: UUID
    agency_id: str
    username: str
    name: str
    rank: str
    role: Role
    active: bool
    locked_at: datetime | None
    signed_in_at: datetime | None
    created_at: datetime
    updated_at: datetime
    leads_until: date | None
    leads_certificate: str | None
    alpr_until: date | None
    alpr_certificate: str | None
    second_factor_at: datetime | None = Field(default=None, description="since when there is one")
    has_passkey: bool = Field(default=False, description="which is a second factor as well")
    supervisor_rank: str = Field(description="empty: not on record")

    @classmethod
    def of(cls, person: Person) -> Self:
        return cls(**asdict(person))


class PersonWithHistory(PersonShown):
    training: list[dict[str, Any]] = Field(default_factory=list)


class PersonCreated(PersonShown):
    password: str | None = Field(default=None, description="the generated one, shown this once")


class PeoplePage(BaseModel):
    items: list[PersonShown]
    next_cursor: str | None


class Tokens(BaseModel):
    access_token: str
    expires_at: datetime
    refresh_token: str
    must_enrol: bool = Field(
        description="nothing is open but the enrolment of a second factor; then refresh"
    )
    person: PersonShown

    @classmethod
    def of(cls, signed_in: SignedIn) -> Self:
        return cls(
            access_token=signed_in.access_token,
            expires_at=signed_in.expires_at,
            refresh_token=signed_in.refresh_token,
            must_enrol=signed_in.must_enrol,
            person=PersonShown.of(signed_in.person),
        )


class NewPassword(BaseModel):
    password: str | None = Field(description="the generated one, shown this once")


class TrainingShown(BaseModel):
    valid_until: date | None
    days_left: int | None = Field(description="negative: lapsed; None: never recorded")
    standing: Literal["current", "due", "lapsed", "missing"]
    certificate: str | None

    @classmethod
    def of(
        cls, valid_until: date | None, certificate: str | None, policy: Policy, today: date
    ) -> Self:
        left = domain.days_left(valid_until, today)
        standing: Literal["current", "due", "lapsed", "missing"] = "current"
        if left is None:
            standing = "missing"
        elif left < 0:
            standing = "lapsed"
        elif domain.reminder_due(valid_until, policy, today) is not None:
            standing = "due"
        return cls(
            valid_until=valid_until, days_left=left, standing=standing, certificate=certificate
        )


class Me(PersonShown):
    leads: TrainingShown
    alpr: TrainingShown
    must_enrol: bool = Field(description="a second factor has to be set up first")
    may_access: bool = Field(description="whether ALPR data is open to this person now")
    why_not: str | None
    clause: str | None


class FactorStanding(BaseModel):
    confirmed_at: datetime | None = Field(description="None: there is no second factor")
    required: bool = Field(description="whether the policy asks this role for one")
    recovery_codes_left: int
    passkeys: int = Field(description="each is a second factor as well")


class FactorPending(BaseModel):
    secret: str = Field(description="base32, shown this once")
    otpauth_uri: str = Field(description="what the QR code says")
    confirm_until: datetime


class RecoveryCodes(BaseModel):
    recovery_codes: list[str] = Field(description="each works once; shown this once")


class SessionShown(BaseModel):
    session_id: UUID
    person_id: UUID
    address: str | None
    created_at: datetime
    refreshed_at: datetime
    second_factor_at: datetime | None
    current: bool = Field(description="whether it is the one that asks")


class SessionList(BaseModel):
    items: list[SessionShown]
    next_cursor: str | None = None


class ReminderShown(BaseModel):
    kind: TrainingKind
    valid_until: date
    days_before: int
    reminded_at: datetime


class RosterShown(BaseModel):
    person_id: UUID
    username: str
    name: str
    rank: str
    role: Role
    leads: TrainingShown
    alpr: TrainingShown
    reminders: list[ReminderShown]


class Roster(BaseModel):
    items: list[RosterShown]
    next_cursor: str | None = None
