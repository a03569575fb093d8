"""The agencies' own providers (OpenID Connect), from a file: who may sign whom in, and what it
must show."""

import tomllib
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from alpr_common.policy import Role

# Signatures of a key pair alone: with a shared secret whoever checks could sign as well, and the
# provider's public key must never be taken for one.
ALGORITHMS = ("RS256", "PS256", "ES256", "RS384", "PS384", "ES384", "RS512", "PS512", "ES512",
              "EdDSA")  # fmt: skip
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class ProviderConfig(BaseModel):
    """One `[[provider]]` of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider_id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    """Its name in addresses; anything short."""
    agency_id: str = Field(min_length=1)
    """Whose people it signs in, and nobody else's."""
    label: str = Field(min_length=1, max_length=60)
    """What the button says."""
    issuer: str
    client_id: str = Field(min_length=1)
    client_secret_file: Path
    person_claim: str = "preferred_username"
    """The claim whose value is the user name here, at somebody's first sign-in; from then on the
    provider's subject says who it is."""
    domains: tuple[str, ...] = ()
    """What may stand behind the @ of that claim; none: anything. It is kept for the user name
    unless `strip_domain`, which needs them: a provider's guests keep their own domains."""
    strip_domain: bool = False
    acr: tuple[str, ...] = ()
    amr: tuple[str, ...] = ()
    """Each token must show one of these, if any are named; then the provider's second factor
    counts as one here."""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256", "EdDSA")
    reauthenticate: bool = True
    """The provider asks for the credentials each time. Otherwise whoever signed in to it within
    `session_max_seconds` is let in, also at a screen that somebody else left."""
    clock_skew_seconds: int = Field(default=60, ge=0, le=300)
    password_roles: frozenset[Role] = frozenset(Role)
    """Who of the agency may use a password as well. Keep an administrator or two for the day on
    which the provider is away."""

    @field_validator("algorithms")
    @classmethod
    def _asymmetric(cls, algorithms: tuple[str, ...]) -> tuple[str, ...]:
        if not algorithms or not set(algorithms) <= set(ALGORITHMS):
            raise ValueError(f"each is one of {', '.join(ALGORITHMS)}")
        return algorithms

    @field_validator("domains")
    @classmethod
    def _folded(cls, domains: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(one.lower() for one in domains)

    @field_validator("issuer")
    @classmethod
    def _by_tls(cls, issuer: str) -> str:
        if not is_trustworthy(issuer):
            raise ValueError("https, or http on the loopback address")
        return issuer

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if "openid" not in self.scopes:
            raise ValueError("scopes must name openid")
        if self.strip_domain and not self.domains:
            raise ValueError("strip_domain needs domains: a guest's name would be anybody's")
        return self

    @property
    def vouches(self) -> bool:
        """Whether a second factor at the provider counts here."""
        return bool(self.acr or self.amr)


def is_trustworthy(url: str) -> bool:
    """Whether nobody on the way can read or change what is said to it."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


class ProvidersFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: tuple[ProviderConfig, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [one.provider_id for one in self.provider]
        if len(set(names)) != len(names):
            raise ValueError("two providers have one provider_id")
        return self

    @classmethod
    def load(cls, path: Path | None) -> Self:
        """No file: no providers. Raises `pydantic.ValidationError`, OSError, ValueError."""
        if path is None:
            return cls()
        with path.open("rb") as file:
            return cls.model_validate(tomllib.load(file))
