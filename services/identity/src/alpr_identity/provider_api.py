"""Identity's HTTP for the agencies' own providers, and for what a sign-in page offers."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from alpr_common.auth import Gate, Principal, public
from alpr_common.policy import Role
from alpr_common.web import StorableText
from alpr_identity import provider_sign_in
from alpr_identity.bodies import Body, Tokens
from alpr_identity.identity import Identity

_NOT_KEPT = {"Cache-Control": "no-store"}


class ProviderNamed(Body):
    provider_id: Annotated[StorableText, Field(max_length=40)]


class ProviderAnswer(Body):
    """What the browser brought back."""

    state: Annotated[StorableText, Field(min_length=1, max_length=200)]
    code: Annotated[StorableText, Field(max_length=4000)] | None = None
    error: Annotated[StorableText, Field(max_length=200)] | None = None
    iss: Annotated[StorableText, Field(max_length=500)] | None = None


class ProviderBegun(BaseModel):
    authorization_url: str = Field(description="where the browser goes")
    state: str = Field(
        description="comes back with the browser: keep it in a cookie of that browser, and take "
        "no other"
    )
    expires_at: datetime


class ProviderOffered(BaseModel):
    provider_id: str
    label: str


class SignInWays(BaseModel):
    passkeys: bool
    providers: list[ProviderOffered]


def _identity(request: Request) -> Identity:
    identity: Identity = request.app.state.identity
    return identity


TheIdentity = Annotated[Identity, Depends(_identity)]


def router(gate: Gate) -> APIRouter:
    routes = APIRouter()
    administrator = gate.signed_in(Role.ADMINISTRATOR)

    @routes.get("/sign-in-ways", dependencies=[Depends(public)])
    async def ways(identity: TheIdentity) -> SignInWays:
        """What a sign-in page can offer beside the password."""
        offered = [
            ProviderOffered(provider_id=one.config.provider_id, label=one.config.label)
            for one in identity.providers.all
        ]
        return SignInWays(passkeys=identity.relying_party is not None, providers=offered)

    @routes.post("/sessions/provider/begin", dependencies=[Depends(public)])
    async def begin(
        said: ProviderNamed, identity: TheIdentity, request: Request, response: Response
    ) -> ProviderBegun:
        """Where to send a browser to be signed in by an agency's own provider."""
        response.headers.update(_NOT_KEPT)
        address = request.client.host if request.client else None
        begun = await provider_sign_in.begin(identity, said.provider_id, datetime.now(UTC), address)
        return ProviderBegun(
            authorization_url=begun.authorization_url, state=begun.state,
            expires_at=begun.expires_at,
        )  # fmt: skip

    @routes.post("/sessions/provider", dependencies=[Depends(public)])
    async def finish(
        said: ProviderAnswer, identity: TheIdentity, request: Request, response: Response
    ) -> Tokens:
        """Sign in with what the browser brought back from the provider."""
        response.headers.update(_NOT_KEPT)
        address = request.client.host if request.client else None
        answer = provider_sign_in.Answer(said.state, said.code, said.error, said.iss, address)
        return Tokens.of(await provider_sign_in.finish(identity, answer, datetime.now(UTC)))

    @routes.delete("/people/{person_id}/provider-link", status_code=HTTPStatus.NO_CONTENT)
    async def unlink(
        person_id: UUID,
        identity: TheIdentity,
        principal: Annotated[Principal, Depends(administrator)],
    ) -> None:
        """Forget which account at the provider somebody is; the next sign-in by the configured
        claim decides anew."""
        await provider_sign_in.unlink(identity, principal, person_id, datetime.now(UTC))

    return routes
