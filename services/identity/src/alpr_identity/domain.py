"""The rules of identity: usernames, passwords, lockout, sessions. No input or output."""

import base64
import binascii
import hashlib
import re
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID

from alpr_common.auth import Principal
from alpr_common.policy import Policy, Role
from alpr_identity.refusals import (
    PasswordTooWeak,
    PersonNotFound,
    RankUnknown,
    SessionEnded,
    UsernameMalformed,
)

TrainingKind = Literal["leads", "alpr"]
SignInMethod = Literal["password", "provider", "passkey"]

PASSWORD_MAX_CHARACTERS = 256
_USERNAME = re.compile(r"[a-z0-9][a-z0-9._@-]{1,63}")
_LEAST_DISTINCT_CHARACTERS = 6
_LEAST_DERIVED_CHARACTERS = 4
_TOKEN_PREFIX = "alpr-refresh"  # noqa: S105 - lets secret scanners know what they found
# No characters that are mistaken for others when read from paper.
_GENERATED_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


@dataclass(frozen=True)
class Person:
    """Somebody (or a service account) of an agency, with the training that holds now."""

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
    leads_until: date | None = None
    leads_certificate: str | None = None
    alpr_until: date | None = None
    alpr_certificate: str | None = None
    second_factor_at: datetime | None = None
    active_since: datetime | None = None
    rights_version: int = 0
    has_passkey: bool = False
    supervisor_rank: str = ""
    """Of the policy's `supervisor_ranks`; empty: not on record. `rank` is a title in any words."""

    @property
    def has_second_factor(self) -> bool:
        return self.second_factor_at is not None or self.has_passkey

    def principal(
        self, session_id: UUID, address: str | None, *, must_enrol: bool = False
    ) -> Principal:
        """What a token says about this person."""
        return Principal(
            person_id=str(self.person_id),
            name=self.name,
            agency_id=self.agency_id,
            role=self.role,
            session_id=str(session_id),
            leads_training_until=self.leads_until,
            alpr_training_until=self.alpr_until,
            address=address,
            rights_version=self.rights_version,
            must_enrol=must_enrol,
            rank=(self.supervisor_rank or None) if self.role is Role.SUPERVISOR else None,
        )


@dataclass(frozen=True)
class Training:
    """One row of a person's training history."""

    kind: TrainingKind
    valid_until: date | None
    certificate: str | None
    recorded_by: str
    recorded_at: datetime


@dataclass(frozen=True)
class Session:
    session_id: UUID
    agency_id: str
    person_id: UUID
    created_at: datetime
    refreshed_at: datetime
    ended_because: str | None
    second_factor_at: datetime | None = None
    method: SignInMethod = "password"


def own_id(principal: Principal) -> UUID:
    """The caller's id; raises `PersonNotFound` for a token that names nobody of ours."""
    try:
        return UUID(principal.person_id)
    except ValueError as error:
        raise PersonNotFound("The token names nobody who is known here.") from error


def folded_username(text: str) -> str:
    """The username as it is stored: case and width do not tell people apart.

    Raises `UsernameMalformed`.
    """
    username = unicodedata.normalize("NFKC", text).strip().lower()
    if not _USERNAME.fullmatch(username):
        raise UsernameMalformed(
            "A username has 2 to 64 characters: a-z, 0-9, and . _ @ - inside; it begins with a "
            "letter or digit."
        )
    return username


def normalized_password(password: str) -> str:
    """The same password from every keyboard (NIST SP 800-63B: NFKC)."""
    return unicodedata.normalize("NFKC", password)


def generated_password() -> str:
    """Five groups of four: 100 bits, and readable from paper."""
    groups = ("".join(secrets.choice(_GENERATED_ALPHABET) for _ in range(4)) for _ in range(5))
    return "-".join(groups)


def refuse_weak_password(
    password: str, policy: Policy, banned: frozenset[str], *personal: str
) -> None:
    """Raise `PasswordTooWeak` for one that is short, common, or made of `personal` words (the
    username, the name, the agency)."""
    text = normalized_password(password)
    if len(text) < policy.password_min_characters:
        raise PasswordTooWeak(f"Use at least {policy.password_min_characters} characters.")
    if len(text) > PASSWORD_MAX_CHARACTERS:
        raise PasswordTooWeak(f"Use at most {PASSWORD_MAX_CHARACTERS} characters.")
    if len(set(text.casefold())) < _LEAST_DISTINCT_CHARACTERS:
        raise PasswordTooWeak("Use more different characters.")
    folded = text.casefold()
    # What surrounds a common word in digits and signs does not make it another word.
    trimmed = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", folded)
    letters = re.sub(r"[\W\d_]", "", folded)
    if {folded, trimmed, trimmed.translate(_SUBSTITUTES), letters} & banned:
        raise PasswordTooWeak("This one is on every list of common passwords.")
    for word in personal:
        for part in re.split(r"[\W_]+", word.casefold()):
            if len(part) >= _LEAST_DERIVED_CHARACTERS and part in folded:
                raise PasswordTooWeak("Leave out your name, your username and your agency.")


_SUBSTITUTES = str.maketrans("013457$@!", "oieastsai")


def new_refresh_token(agency_id: str, session_id: UUID) -> str:
    """A refresh token: it names where to look, and 256 random bits prove it."""
    agency = base64.urlsafe_b64encode(agency_id.encode()).decode().rstrip("=")
    return f"{_TOKEN_PREFIX}.{agency}.{session_id.hex}.{secrets.token_urlsafe(32)}"


def token_place(token: str) -> tuple[str, UUID]:
    """Agency and session that a refresh token names; raises `SessionEnded` for anything else."""
    try:
        prefix, agency, session, _secret = token.split(".")
        if prefix != _TOKEN_PREFIX:
            raise ValueError(prefix)
        padded = agency + "=" * (-len(agency) % 4)
        return base64.b64decode(padded, b"-_", validate=True).decode(), UUID(hex=session)
    except (ValueError, binascii.Error) as error:
        raise SessionEnded("That is not a refresh token of this system.") from error


def token_hash(token: str) -> bytes:
    """What is stored of a refresh token: random enough that a plain hash cannot be undone."""
    return hashlib.sha256(token.encode()).digest()


def why_over(session: Session, policy: Policy, now: datetime) -> str | None:
    """Why the session can not be refreshed any more; None while it can."""
    if session.ended_because is not None:
        return session.ended_because
    if now >= session_end(session, policy):
        return "reauthentication_due"
    if now - session.refreshed_at > timedelta(seconds=policy.session_idle_seconds):
        return "idle"
    return None


def session_end(session: Session, policy: Policy) -> datetime:
    """When the session ends however it is used (CJISSECPOL IA-11)."""
    return session.created_at + timedelta(seconds=policy.session_max_seconds)


def overdue(policy: Policy, now: datetime) -> tuple[datetime, datetime]:
    """A session last refreshed before the first, or begun before the second, can go on no more."""
    return (
        now - timedelta(seconds=policy.session_idle_seconds),
        now - timedelta(seconds=policy.session_max_seconds),
    )


def may_sign_in(person: Person, policy: Policy, now: datetime) -> bool:
    return why_closed(person, policy, now) is None


def why_closed(person: Person, policy: Policy, now: datetime) -> str | None:
    """Why the account lets nobody in, for the audit; None while it does."""
    if not person.active:
        return "not active"
    if person.locked_at is not None:
        return "locked"
    return "away for too long" if is_inactive(person, policy, now) else None


def is_inactive(person: Person, policy: Policy, now: datetime) -> bool:
    """Whether nobody has used the account for so long that it must be disabled."""
    used = [person.created_at, person.signed_in_at, person.active_since]
    return max(at for at in used if at is not None) < inactive_since(policy, now)


def inactive_since(policy: Policy, now: datetime) -> datetime:
    return now - timedelta(days=policy.inactive_days_max)


def must_enrol(person: Person, session: Session, policy: Policy) -> bool:
    """Whether the session rests on a password alone where the policy asks for more."""
    return person.role in policy.second_factor_roles and session.second_factor_at is None


def refuse_rank(rank: str, role: Role, ranks: Mapping[str, str]) -> None:
    """Raise `RankUnknown` for a rank that the policy does not have, or of who is no supervisor."""
    if rank and role is not Role.SUPERVISOR:
        raise RankUnknown(f"A supervisor rank is of supervisors; the role is {role}.")
    if rank and rank not in ranks:
        raise RankUnknown(
            f"The agency's policy file has these supervisor_ranks: {', '.join(ranks)}.",
            ranks=list(ranks),
        )


def is_narrowed(before: Person, after: Person) -> bool:
    """Whether a training ends earlier than it did."""
    pairs = ((before.leads_until, after.leads_until), (before.alpr_until, after.alpr_until))
    return any(was is not None and (now is None or now < was) for was, now in pairs)


def reminder_due(valid_until: date | None, policy: Policy, today: date) -> int | None:
    """The reminder (its days before the end) that is due now for a training; None if none is."""
    left = days_left(valid_until, today)
    if left is None or left < 0:
        return None
    return min((days for days in policy.training_reminder_days if left <= days), default=None)


def days_left(valid_until: date | None, today: date) -> int | None:
    """Days through which the training still holds, today not counted; negative once lapsed."""
    return None if valid_until is None else (valid_until - today).days


def failures_count_since(policy: Policy, now: datetime) -> datetime:
    return now - timedelta(seconds=policy.sign_in_failure_window_seconds)
