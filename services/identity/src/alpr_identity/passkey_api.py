"""Identity's HTTP for passkeys (WebAuthn): adding, listing, removing, and signing in with one."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from alpr_common.auth import Gate, Principal, public
from alpr_common.policy import Role
from alpr_common.web import StorableText
from alpr_identity import passkeys
from alpr_identity.bodies import Body, Shown, Tokens
from alpr_identity.domain import own_id
from alpr_identity.identity import Identity
from alpr_identity.passkey_store import Passkey

_NOT_KEPT = {"Cache-Control": "no-store"}
PasskeyName = Annotated[StorableText, Field(min_length=1, max_length=60)]


class PasskeyAdded(Body):
    name: PasskeyName = "Passkey"
    credential: dict[str, Any] = Field(
        description="what navigator.credentials.create gave, as its toJSON() says it"
    )


class PasskeyNamed(Body):
    name: PasskeyName


class PasskeySignIn(Body):
    credential: dict[str, Any] = Field(
        description="what navigator.credentials.get gave, as its toJSON() says it"
    )


class Options(BaseModel):
    """What the browser is to be given, as PublicKeyCredential.parse…OptionsFromJSON takes it."""

    public_key: dict[str, Any] = Field(serialization_alias="publicKey")


class PasskeyShown(BaseModel):
    passkey_id: UUID
    name: str
    is_synced: bool = Field(description="may lie in a keychain, on more than one device")
    created_at: datetime
    used_at: datetime | None

    @classmethod
    def of(cls, passkey: Passkey) -> Self:
        return cls(
            passkey_id=passkey.passkey_id, name=passkey.name, is_synced=passkey.is_synced,
            created_at=passkey.created_at, used_at=passkey.used_at,
        )  # fmt: skip


class PasskeyList(BaseModel):
    items: list[PasskeyShown]
    next_cursor: str | None = None


def _identity(request: Request) -> Identity:
    identity: Identity = request.app.state.identity
    return identity


TheIdentity = Annotated[Identity, Depends(_identity)]


def router(gate: Gate) -> APIRouter:
    routes = APIRouter()
    _own(routes, gate)
    _changes(routes, gate)
    _of_people(routes, gate)
    _sign_in(routes)
    return routes


def _own(routes: APIRouter, gate: Gate) -> None:
    # Open to who must set up a second factor before anything else: a passkey is one.
    enrolling = gate.enrolling()

    @routes.get("/me/passkeys")
    async def own(
        identity: TheIdentity, principal: Annotated[Principal, Depends(enrolling)]
    ) -> PasskeyList:
        """One's own passkeys."""
        found = await passkeys.list_of(identity, principal.agency_id, own_id(principal))
        return PasskeyList(items=[PasskeyShown.of(one) for one in found])

    @routes.post("/me/passkeys/begin")
    async def begin(
        said: Shown,
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(enrolling)],
        response: Response,
    ) -> Options:
        """What the browser needs to make a passkey, after showing once more who one is."""
        response.headers.update(_NOT_KEPT)
        options = await passkeys.begin_adding(identity, principal, said.proof(), datetime.now(UTC))
        return Options(public_key=options["publicKey"])

    @routes.post("/me/passkeys", status_code=HTTPStatus.CREATED)
    async def add(
        said: PasskeyAdded,
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(enrolling)],
    ) -> PasskeyShown:
        """Add the passkey that the browser made; refresh the token afterwards."""
        added = await passkeys.add(
            identity, principal, said.name, said.credential, datetime.now(UTC)
        )
        return PasskeyShown.of(added)


def _changes(routes: APIRouter, gate: Gate) -> None:
    @routes.patch("/me/passkeys/{passkey_id}", status_code=HTTPStatus.NO_CONTENT)
    async def rename(
        passkey_id: UUID,
        said: PasskeyNamed,
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(gate.signed_in())],
    ) -> None:
        """Call one of one's passkeys otherwise."""
        await passkeys.rename(identity, principal, passkey_id, said.name, datetime.now(UTC))

    @routes.post("/me/passkeys/{passkey_id}/remove", status_code=HTTPStatus.NO_CONTENT)
    async def remove(
        passkey_id: UUID,
        said: Shown,
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(gate.signed_in())],
    ) -> None:
        """Give up one of one's passkeys; one's other sessions end."""
        await passkeys.remove_own(identity, principal, passkey_id, said.proof(), datetime.now(UTC))


def _of_people(routes: APIRouter, gate: Gate) -> None:
    administrator = gate.signed_in(Role.ADMINISTRATOR)

    @routes.get("/people/{person_id}/passkeys")
    async def of_person(
        person_id: UUID,
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(administrator)],
    ) -> PasskeyList:
        """Somebody's passkeys."""
        found = await passkeys.list_of(identity, principal.agency_id, person_id)
        return PasskeyList(items=[PasskeyShown.of(one) for one in found])

    @routes.delete("/people/{person_id}/passkeys/{passkey_id}", status_code=HTTPStatus.NO_CONTENT)
    async def remove(
        person_id: UUID,
        passkey_id: UUID,
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(administrator)],
    ) -> None:
        """Take away a passkey that somebody lost; their sessions end."""
        await passkeys.remove_of(identity, principal, person_id, passkey_id, datetime.now(UTC))


def _sign_in(routes: APIRouter) -> None:
    @routes.post("/sessions/passkey/begin", dependencies=[Depends(public)])
    async def begin(identity: TheIdentity, request: Request, response: Response) -> Options:
        """What the browser needs to show a passkey."""
        response.headers.update(_NOT_KEPT)
        address = request.client.host if request.client else None
        options = await passkeys.begin_sign_in(identity, datetime.now(UTC), address)
        return Options(public_key=options["publicKey"])

    @routes.post("/sessions/passkey", dependencies=[Depends(public)])
    async def sign_in(
        said: PasskeySignIn, identity: TheIdentity, request: Request, response: Response
    ) -> Tokens:
        """Sign in with a passkey: two factors at once, without a password."""
        response.headers.update(_NOT_KEPT)
        address = request.client.host if request.client else None
        signed_in = await passkeys.sign_in(identity, said.credential, address, datetime.now(UTC))
        return Tokens.of(signed_in)
