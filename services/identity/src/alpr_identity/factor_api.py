"""Identity's HTTP for second factors, lists of sessions, and the training roster."""

from dataclasses import asdict
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from alpr_common.auth import Gate, Principal
from alpr_common.policy import Role
from alpr_identity import handlers, second_factor, sessions
from alpr_identity.bodies import (
    CodeSaid,
    Confirmation,
    FactorPending,
    FactorStanding,
    RecoveryCodes,
    ReminderShown,
    Roster,
    RosterShown,
    SessionList,
    SessionShown,
    Shown,
    TrainingShown,
)
from alpr_identity.domain import own_id
from alpr_identity.handlers import RosterLine
from alpr_identity.identity import Identity

ROSTER_READERS = (Role.SUPERVISOR, Role.ADMINISTRATOR, Role.AUDITOR)
_NOT_KEPT = {"Cache-Control": "no-store"}


def _identity(request: Request) -> Identity:
    identity: Identity = request.app.state.identity
    return identity


TheIdentity = Annotated[Identity, Depends(_identity)]


def router(gate: Gate) -> APIRouter:
    routes = APIRouter()
    _own_factor(routes, gate)
    _factor_of(routes, gate)
    _lists(routes, gate)
    _roster(routes, gate)
    return routes


def _own_factor(routes: APIRouter, gate: Gate) -> None:
    # Open to who must enrol before anything else is.
    enrolling = gate.enrolling()

    @routes.get("/me/second-factor")
    async def standing(
        identity: TheIdentity, principal: Annotated[Principal, Depends(enrolling)]
    ) -> FactorStanding:
        return FactorStanding(**asdict(await second_factor.standing(identity, principal)))

    @routes.post("/me/second-factor", status_code=HTTPStatus.CREATED)
    async def begin(
        said: Confirmation,
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(enrolling)],
        response: Response,
    ) -> FactorPending:
        response.headers.update(_NOT_KEPT)
        pending = await second_factor.begin(
            identity, principal, said.password, said.code, datetime.now(UTC)
        )
        return FactorPending(**asdict(pending))

    @routes.post("/me/second-factor/confirm")
    async def confirm(
        said: CodeSaid,
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(enrolling)],
        response: Response,
    ) -> RecoveryCodes:
        response.headers.update(_NOT_KEPT)
        codes = await second_factor.finish(identity, principal, said.code, datetime.now(UTC))
        return RecoveryCodes(recovery_codes=codes)

    @routes.post("/me/second-factor/recovery-codes")
    async def recovery_codes(
        said: Shown,
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(gate.signed_in())],
        response: Response,
    ) -> RecoveryCodes:
        """New recovery codes, each in place of the app's code or of a passkey; the old ones work no
        more."""
        response.headers.update(_NOT_KEPT)
        codes = await second_factor.renew_recovery_codes(
            identity, principal, said.proof(), datetime.now(UTC)
        )
        return RecoveryCodes(recovery_codes=codes)

    @routes.post("/me/second-factor/remove", status_code=HTTPStatus.NO_CONTENT)
    async def remove(
        said: Confirmation,
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(gate.signed_in())],
    ) -> None:
        await second_factor.remove_own(
            identity, principal, said.password, said.code, datetime.now(UTC)
        )


def _factor_of(routes: APIRouter, gate: Gate) -> None:
    administrator = gate.signed_in(Role.ADMINISTRATOR)

    @routes.delete("/people/{person_id}/second-factor", status_code=HTTPStatus.NO_CONTENT)
    async def remove(
        person_id: UUID,
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(administrator)],
    ) -> None:
        await second_factor.remove_of(identity, principal, person_id, datetime.now(UTC))


def _lists(routes: APIRouter, gate: Gate) -> None:
    @routes.get("/sessions")
    async def own(
        identity: TheIdentity, principal: Annotated[Principal, Depends(gate.signed_in())]
    ) -> SessionList:
        return await _shown(identity, principal, own_id(principal))

    @routes.get("/people/{person_id}/sessions")
    async def of_person(
        person_id: UUID,
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(gate.signed_in(Role.ADMINISTRATOR))],
    ) -> SessionList:
        await handlers.get_person(identity, principal.agency_id, person_id)
        return await _shown(identity, principal, person_id)

    @routes.delete("/sessions/{session_id}", status_code=HTTPStatus.NO_CONTENT)
    async def end(
        session_id: UUID,
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(gate.signed_in())],
    ) -> None:
        await sessions.end_one(identity, principal, session_id, datetime.now(UTC))


async def _shown(identity: Identity, principal: Principal, person_id: UUID) -> SessionList:
    found = await sessions.open_sessions(
        identity, principal.agency_id, person_id, datetime.now(UTC)
    )
    return SessionList(
        items=[
            SessionShown(**row, current=str(row["session_id"]) == principal.session_id)
            for row in found
        ]
    )


def _roster(routes: APIRouter, gate: Gate) -> None:
    @routes.get("/training/roster")
    async def roster(
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(gate.signed_in(*ROSTER_READERS))],
    ) -> Roster:
        now = datetime.now(UTC)
        lines = await handlers.roster(identity, principal.agency_id, now)
        return Roster(items=[_line(line, gate, now) for line in lines])


def _line(line: RosterLine, gate: Gate, now: datetime) -> RosterShown:
    person, today = line.person, now.date()
    return RosterShown(
        person_id=person.person_id,
        username=person.username,
        name=person.name,
        rank=person.rank,
        role=person.role,
        leads=TrainingShown.of(person.leads_until, person.leads_certificate, gate.policy, today),
        alpr=TrainingShown.of(person.alpr_until, person.alpr_certificate, gate.policy, today),
        reminders=[
            ReminderShown(**{k: v for k, v in given.items() if k != "person_id"})
            for given in line.reminders
        ],
    )
