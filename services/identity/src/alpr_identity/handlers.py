"""The use cases of people: administrators manage those of their own agency, and everybody their
own password. Each change is audited in the transaction that makes it."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from alpr_common.auth import Principal
from alpr_common.policy import Role
from alpr_common.postgres import Connection
from alpr_identity import audit, confirming, domain, factor_store, sessions, store
from alpr_identity.audit import Actor
from alpr_identity.confirming import Claim
from alpr_identity.domain import Person, Training, TrainingKind, own_id
from alpr_identity.identity import Identity
from alpr_identity.refusals import OwnAccount, OwnTraining, PasswordWrong, PersonNotFound

_ROSTER_MOST = 10_000


@dataclass(frozen=True)
class NewPerson:
    """What an administrator says about somebody new. `password` None: one is generated."""

    username: str
    name: str
    role: Role
    rank: str = ""
    supervisor_rank: str = ""
    password: str | None = None
    leads_until: date | None = None
    leads_certificate: str | None = None
    alpr_until: date | None = None
    alpr_certificate: str | None = None


@dataclass(frozen=True)
class Change:
    """What is to be changed about a person; None leaves it."""

    name: str | None = None
    rank: str | None = None
    supervisor_rank: str | None = None
    """Empty takes it away."""
    role: Role | None = None
    active: bool | None = None


@dataclass(frozen=True)
class TrainingRecord:
    """One kind of training, said anew. `valid_until` None takes it away."""

    kind: TrainingKind
    valid_until: date | None
    certificate: str | None


async def create_person(
    identity: Identity, actor: Actor, agency_id: str, new: NewPerson, now: datetime
) -> tuple[Person, str | None]:
    """The person, and the generated password if none was given (it is stored nowhere).

    Raises `UsernameMalformed`, `UsernameTaken`, `PasswordTooWeak`, `RankUnknown`.
    """
    domain.refuse_rank(new.supervisor_rank, new.role, identity.ranks(agency_id))
    username = domain.folded_username(new.username)
    generated = domain.generated_password() if new.password is None else None
    if new.password is not None:
        _refuse_weak(identity, new.password, username, new.name, agency_id)
    password_hash = await identity.passwords.hash(generated or new.password or "")
    person = Person(
        person_id=uuid4(), agency_id=agency_id, username=username, name=new.name, rank=new.rank,
        role=new.role, active=True, locked_at=None, signed_in_at=None, created_at=now,
        updated_at=now, leads_until=new.leads_until, leads_certificate=new.leads_certificate,
        alpr_until=new.alpr_until, alpr_certificate=new.alpr_certificate,
        supervisor_rank=new.supervisor_rank,
    )  # fmt: skip
    async with identity.database.transaction(agency_id) as connection:
        await store.add_person(connection, person, password_hash)
        if new.leads_until:
            await store.add_training(
                connection, person.person_id, "leads", new.leads_until, new.leads_certificate,
                actor.person_id, now,
            )  # fmt: skip
        if new.alpr_until:
            await store.add_training(
                connection, person.person_id, "alpr", new.alpr_until, new.alpr_certificate,
                actor.person_id, now,
            )  # fmt: skip
        await _tell(
            connection, actor, person, "person.created", now,
            username=username, role=person.role.value, **_training_words(person),
            **({"supervisor_rank": new.supervisor_rank} if new.supervisor_rank else {}),
        )  # fmt: skip
    return person, generated


def _training_words(person: Person) -> dict[str, str]:
    return {
        "leads_until": str(person.leads_until or "none"),
        "alpr_until": str(person.alpr_until or "none"),
    }


def _refuse_weak(
    identity: Identity, password: str, username: str, name: str, agency_id: str
) -> None:
    domain.refuse_weak_password(
        password, identity.policy, identity.banned, username, name, agency_id
    )


async def list_people(
    identity: Identity, agency_id: str, after: str | None, limit: int
) -> tuple[list[Person], str | None]:
    """People of the agency by username, and the cursor of the next page."""
    async with identity.database.transaction(agency_id) as connection:
        people = await store.list_people(connection, after, limit + 1)
    return people[:limit], people[limit - 1].username if len(people) > limit else None


async def get_person(
    identity: Identity, agency_id: str, person_id: UUID
) -> tuple[Person, list[Training]]:
    """A person of the agency with their training history; raises `PersonNotFound`."""
    async with identity.database.transaction(agency_id) as connection:
        person = await store.find_person(connection, person_id)
        if person is None:
            raise PersonNotFound("Look the person up in the list of people.")
        return person, list(await store.trainings(connection, person_id))


async def change_person(
    identity: Identity, principal: Principal, person_id: UUID, change: Change, now: datetime
) -> Person:
    """Change name, rank, role or standing; raises `PersonNotFound`, `OwnAccount`, `RankUnknown`.

    A changed role or supervisor rank holds from now on: tokens that name the old one are
    withdrawn. Who is no supervisor any more has no such rank. Who is deactivated has no session.
    """
    if change.role or change.supervisor_rank or change.active is not None:
        _refuse_own(principal.person_id, person_id)
    async with identity.database.transaction(principal.agency_id) as connection:
        before = await _locked(connection, person_id)
        said = {name: value for name, value in vars(change).items() if value is not None}
        role = change.role or before.role
        rank = change.supervisor_rank or ""
        # One that the policy has dropped since stays until it is changed: whoever has it can still
        # be renamed, and sent away.
        if rank != before.supervisor_rank or role is not before.role:
            domain.refuse_rank(rank, role, identity.ranks(before.agency_id))
        if role is not Role.SUPERVISOR:
            said["supervisor_rank"] = ""
        after = replace(before, **said, updated_at=now)
        changed = {
            name: f"{getattr(before, name)} → {value}"
            for name, value in said.items()
            if getattr(before, name) != value
        }
        if changed:
            await store.change_person(connection, after, now)
            if not after.active:
                await sessions.end_all(connection, after, "deactivated", now)
            if {"role", "supervisor_rank"} & changed.keys() or not after.active:
                await sessions.withdraw_tokens(connection, after, "person_changed", now)
            await _tell(connection, Actor.of(principal), after, "person.changed", now, **changed)
    return after if changed else before


def _refuse_own(caller_id: str, person_id: UUID) -> None:
    """Raise `OwnAccount`: a stolen session must not widen what it can do, nor guess on."""
    if str(person_id) == caller_id:
        raise OwnAccount("Ask another administrator of your agency.")


async def record_training(
    identity: Identity,
    actor: Actor,
    agency_id: str,
    person_id: UUID,
    records: list[TrainingRecord],
    now: datetime,
) -> Person:
    """Add to the training history; what is said last holds.

    Raises `PersonNotFound`, `OwnTraining`: an agency with one administrator has theirs recorded by
    the operator at the command line. An exception for the only one could be had by whoever
    deactivates the others first, and by a stolen session.
    """
    if str(person_id) == actor.person_id:
        raise OwnTraining(
            "Ask another administrator of your agency. Where there is none, the system's operator "
            "records it: python -m alpr_identity record-training."
        )
    async with identity.database.transaction(agency_id) as connection:
        before = await _locked(connection, person_id)
        for record in records:
            await store.add_training(
                connection, person_id, record.kind, record.valid_until, record.certificate,
                actor.person_id, now,
            )  # fmt: skip
        person = await _locked(connection, person_id)
        if domain.is_narrowed(before, person):
            await sessions.withdraw_tokens(connection, person, "training_changed", now)
        await _tell(
            connection, actor, person, "person.training_recorded", now,
            **_training_words(person),
            **{f"{r.kind}_certificate": r.certificate for r in records if r.certificate},
        )  # fmt: skip
    return person


async def set_password(
    identity: Identity, principal: Principal, person_id: UUID, password: str | None, now: datetime
) -> str | None:
    """Give somebody a new password (generated and returned if None); their sessions end.

    Raises `PersonNotFound`, `PasswordTooWeak`, `OwnAccount`: one's own is changed by showing the
    present one.
    """
    _refuse_own(principal.person_id, person_id)
    person, _ = await get_person(identity, principal.agency_id, person_id)
    generated = domain.generated_password() if password is None else None
    if password is not None:
        _refuse_weak(identity, password, person.username, person.name, person.agency_id)
    password_hash = await identity.passwords.hash(generated or password or "")
    async with identity.database.transaction(principal.agency_id) as connection:
        await store.set_password(connection, person_id, password_hash, now)
        await sessions.end_all(connection, person, "password_changed", now)
        await _tell(connection, Actor.of(principal), person, "person.password_set", now)
    return generated


async def change_own_password(
    identity: Identity, principal: Principal, present: str, new: str, now: datetime
) -> None:
    """Change one's own password; every session of the person ends, this one too.

    Raises `PasswordWrong` (which counts towards the lock as a failed sign-in does),
    `PasswordTooWeak`.
    """
    person, _ = await get_person(identity, principal.agency_id, own_id(principal))
    _refuse_weak(identity, new, person.username, person.name, person.agency_id)
    claim = Claim(person.username, present, address=principal.address)
    if not await confirming.confirm(identity, claim, now, ask_code=False):
        raise PasswordWrong("Type the password that you signed in with.")
    password_hash = await identity.passwords.hash(new)
    async with identity.database.transaction(principal.agency_id) as connection:
        await store.set_password(connection, person.person_id, password_hash, now)
        await sessions.end_all(connection, person, "password_changed", now)
        await _tell(connection, Actor.of(principal), person, "person.password_changed", now)


async def release(
    identity: Identity, actor: Actor, agency_id: str, person_id: UUID, now: datetime
) -> Person:
    """Unlock an account that failed sign-ins locked; raises `PersonNotFound`, `OwnAccount`."""
    _refuse_own(actor.person_id, person_id)
    async with identity.database.transaction(agency_id) as connection:
        person = await _locked(connection, person_id)
        await store.clear_failures(connection, person_id)
        await store.set_lock(connection, person_id, None)
        await _tell(connection, actor, person, "person.released", now)
    return replace(person, locked_at=None)


@dataclass(frozen=True)
class RosterLine:
    """One person's training, and the reminders of it that were given."""

    person: Person
    reminders: list[dict[str, Any]]


async def roster(identity: Identity, agency_id: str, now: datetime) -> list[RosterLine]:
    """The training of everybody active in the agency, by username (131.5-a)."""
    async with identity.database.transaction(agency_id) as connection:
        people = await store.list_people(connection, None, _ROSTER_MOST)
        given = await factor_store.reminders(connection, now.date())
    return [
        RosterLine(p, [r for r in given if r["person_id"] == p.person_id])
        for p in people
        if p.active
    ]


async def me(identity: Identity, principal: Principal) -> Person:
    """The caller as stored now; raises `PersonNotFound`."""
    person, _ = await get_person(identity, principal.agency_id, own_id(principal))
    return person


async def _locked(connection: Connection, person_id: UUID) -> Person:
    found = await store.lock_credentials_by_id(connection, person_id)
    if found is None:
        raise PersonNotFound("Look the person up in the list of people.")
    return found.person


async def _tell(
    connection: Connection, actor: Actor, person: Person, action: str, now: datetime, **details: str
) -> None:
    await audit.tell(
        connection,
        actor,
        person.agency_id,
        action,
        f"person:{person.person_id}",
        now,
        details=details,
    )
