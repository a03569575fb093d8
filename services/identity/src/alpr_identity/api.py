"""Identity's HTTP: sessions, oneself, people of one's agency, and the keys that verify tokens."""

from dataclasses import asdict
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from alpr_common.auth import Gate, Principal, check_access, public
from alpr_common.auth.keys import json_web_key
from alpr_common.errors import AlprError
from alpr_common.policy import Role
from alpr_common.web import StorableText
from alpr_identity import audit_api, factor_api, handlers, passkey_api, provider_api, sessions
from alpr_identity.audit import Actor
from alpr_identity.bodies import (
    Credentials,
    Me,
    NewPassword,
    PasswordChanged,
    PasswordSet,
    PeoplePage,
    PersonAdded,
    PersonChanged,
    PersonCreated,
    PersonShown,
    PersonWithHistory,
    Refresh,
    Tokens,
    TrainingRecorded,
    TrainingShown,
)
from alpr_identity.confirming import Claim
from alpr_identity.identity import Identity

# A body is read before anybody asks who sent it.
_BODY_MAX_BYTES = 64 * 1024
_NOT_KEPT = {"Cache-Control": "no-store"}


def _identity(request: Request) -> Identity:
    identity: Identity = request.app.state.identity
    return identity


TheIdentity = Annotated[Identity, Depends(_identity)]


def router(gate: Gate) -> APIRouter:
    """All routes of identity."""
    routes = APIRouter(prefix="/v1", max_body_size=_BODY_MAX_BYTES)
    _keys(routes, gate)
    _sessions(routes, gate)
    _oneself(routes, gate)
    _people(routes, gate)
    _person(routes, gate)
    routes.include_router(factor_api.router(gate))
    routes.include_router(audit_api.router(gate))
    routes.include_router(passkey_api.router(gate))
    routes.include_router(provider_api.router(gate))
    return routes


def _keys(routes: APIRouter, gate: Gate) -> None:
    @routes.get("/keys", dependencies=[Depends(public)])
    async def keys() -> dict[str, Any]:
        """The public keys that tokens are verified with (RFC 7517): one, or two while the key is
        being changed."""
        valid = gate.verifier.keys.valid(datetime.now(UTC))
        return {"keys": [json_web_key(key.public_key) for key in valid]}


def _sessions(routes: APIRouter, gate: Gate) -> None:
    @routes.post("/sessions", dependencies=[Depends(public)])
    async def sign_in(
        said: Credentials, identity: TheIdentity, request: Request, response: Response
    ) -> Tokens:
        response.headers.update(_NOT_KEPT)
        claim = Claim(said.username, said.password, said.code, _address(request))
        signed_in = await sessions.sign_in(identity, claim, datetime.now(UTC))
        return Tokens.of(signed_in)

    @routes.post("/sessions/refresh", dependencies=[Depends(public)])
    async def refresh(
        said: Refresh, identity: TheIdentity, request: Request, response: Response
    ) -> Tokens:
        response.headers.update(_NOT_KEPT)
        signed_in = await sessions.refresh(
            identity, said.refresh_token, _address(request), datetime.now(UTC)
        )
        return Tokens.of(signed_in)

    @routes.delete("/sessions", status_code=HTTPStatus.NO_CONTENT)
    async def sign_out(
        identity: TheIdentity, principal: Annotated[Principal, Depends(gate.enrolling())]
    ) -> None:
        await sessions.sign_out(identity, principal, datetime.now(UTC))


def _address(request: Request) -> str | None:
    return request.client.host if request.client else None


def _oneself(routes: APIRouter, gate: Gate) -> None:
    @routes.get("/me")
    async def me(
        identity: TheIdentity, principal: Annotated[Principal, Depends(gate.enrolling())]
    ) -> Me:
        person = await handlers.me(identity, principal)
        today = datetime.now(UTC).date()
        refusal: AlprError | None = None
        try:
            check_access(person.principal(person.person_id, None), gate.policy, today)
        except AlprError as error:
            refusal = error
        return Me(
            **asdict(person),
            leads=TrainingShown.of(
                person.leads_until, person.leads_certificate, gate.policy, today
            ),
            alpr=TrainingShown.of(person.alpr_until, person.alpr_certificate, gate.policy, today),
            must_enrol=principal.must_enrol,
            may_access=refusal is None and not principal.must_enrol,
            why_not=refusal and refusal.detail,
            clause=refusal and refusal.clause,
        )

    @routes.post("/me/password", status_code=HTTPStatus.NO_CONTENT)
    async def change_own_password(
        said: PasswordChanged,
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(gate.signed_in())],
    ) -> None:
        await handlers.change_own_password(
            identity, principal, said.present, said.new, datetime.now(UTC)
        )


def _people(routes: APIRouter, gate: Gate) -> None:
    administrator = gate.signed_in(Role.ADMINISTRATOR)

    @routes.get("/people")
    async def people(
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(administrator)],
        cursor: Annotated[StorableText | None, Query(max_length=100)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> PeoplePage:
        found, following = await handlers.list_people(identity, principal.agency_id, cursor, limit)
        return PeoplePage(items=[PersonShown.of(p) for p in found], next_cursor=following)

    @routes.post("/people", status_code=HTTPStatus.CREATED)
    async def add(
        said: PersonAdded,
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(administrator)],
        response: Response,
    ) -> PersonCreated:
        response.headers.update(_NOT_KEPT)
        person, password = await handlers.create_person(
            identity, Actor.of(principal), principal.agency_id,
            handlers.NewPerson(**dict(said)), datetime.now(UTC),
        )  # fmt: skip
        return PersonCreated(**asdict(person), password=password)


def _person(routes: APIRouter, gate: Gate) -> None:
    administrator = gate.signed_in(Role.ADMINISTRATOR)

    @routes.get("/people/{person_id}")
    async def person(
        person_id: UUID,
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(administrator)],
    ) -> PersonWithHistory:
        found, history = await handlers.get_person(identity, principal.agency_id, person_id)
        return PersonWithHistory(**asdict(found), training=[asdict(t) for t in history])

    @routes.patch("/people/{person_id}")
    async def change(
        person_id: UUID,
        said: PersonChanged,
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(administrator)],
    ) -> PersonShown:
        changed = await handlers.change_person(
            identity, principal, person_id, handlers.Change(**dict(said)), datetime.now(UTC)
        )
        return PersonShown.of(changed)

    @routes.put("/people/{person_id}/training")
    async def training(
        person_id: UUID,
        said: TrainingRecorded,
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(administrator)],
    ) -> PersonShown:
        """Add to somebody's training history; one's own is another administrator's to record."""
        trained = await handlers.record_training(
            identity, Actor.of(principal), principal.agency_id, person_id, said.records(),
            datetime.now(UTC),
        )  # fmt: skip
        return PersonShown.of(trained)

    @routes.post("/people/{person_id}/password")
    async def password(
        person_id: UUID,
        said: PasswordSet,
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(administrator)],
        response: Response,
    ) -> NewPassword:
        response.headers.update(_NOT_KEPT)
        generated = await handlers.set_password(
            identity, principal, person_id, said.password, datetime.now(UTC)
        )
        return NewPassword(password=generated)

    @routes.post("/people/{person_id}/release")
    async def release(
        person_id: UUID,
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(administrator)],
    ) -> PersonShown:
        released = await handlers.release(
            identity, Actor.of(principal), principal.agency_id, person_id, datetime.now(UTC)
        )
        return PersonShown.of(released)
