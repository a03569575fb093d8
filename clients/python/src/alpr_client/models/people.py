"""People, their training, and who is signed in."""

from datetime import date, datetime
from typing import Literal

from alpr_client.models.base import Answer


class Person(Answer):
    """Somebody of the agency (or a service account). Training counts through its last day."""

    person_id: str | None = None
    username: str | None = None
    name: str = ""
    rank: str = ""
    agency_id: str = ""
    role: str = ""
    supervisor_rank: str = ""
    """Of the policy's `supervisor_ranks`; empty: none on record. `rank` is a title alone."""
    active: bool = True
    locked_at: datetime | None = None
    signed_in_at: datetime | None = None
    leads_until: date | None = None
    leads_certificate: str | None = None
    alpr_until: date | None = None
    alpr_certificate: str | None = None
    second_factor_at: datetime | None = None
    has_passkey: bool = False


class NewPerson(Person):
    """`password`: the generated one, shown this once; None where one was given."""

    password: str | None = None


class Session(Answer):
    access_token: str
    expires_at: datetime
    refresh_token: str | None = None
    person: Person | None = None
    must_enrol: bool = False
    """Nothing is open until the person has set up a second factor."""


class Training(Answer):
    """Of one kind, as it stands today. `days_left` below zero: lapsed; None: never recorded."""

    valid_until: date | None = None
    days_left: int | None = None
    standing: Literal["current", "due", "lapsed", "missing"] | str = "missing"
    certificate: str | None = None


class Me(Person):
    """Who is signed in, and whether ALPR data is open to them now; if not, why and which clause."""

    leads: Training = Training()
    alpr: Training = Training()
    must_enrol: bool = False
    may_access: bool = False
    why_not: str | None = None
    clause: str | None = None


class TrainedPerson(Answer):
    """A line of the training roster."""

    person_id: str
    username: str
    name: str
    role: str
    rank: str = ""
    leads: Training
    alpr: Training
