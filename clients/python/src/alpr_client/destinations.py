"""Where the secrets of a command may go: to services that somebody named, encrypted.

A token, a password or a camera's credential that reaches another system's host, or crosses the
network in clear, is given away (131.7-3c). Every request asks here for its address.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass, field
from ipaddress import ip_address
from typing import Self
from urllib.parse import urlsplit

from alpr_client.errors import ClientError
from alpr_client.kept_session import KeptSession, NobodySignedIn
from alpr_client.transport import SERVICES, Addresses

_TRUE = ("1", "true", "t", "yes", "y", "on")


class NotNamed(ClientError):
    """Nobody said where the service is."""


class Unencrypted(ClientError):
    """What is secret would cross the network in clear."""


class SignedInElsewhere(NobodySignedIn):
    """The kept session is not for the service at that address."""


@dataclass(frozen=True, kw_only=True)
class Destinations(Addresses):
    """Addresses of which `of` gives those alone that secrets may go to.

    `named`: the services whose address is known. The defaults are those of a system on this
    machine: where one service is elsewhere, none of the others is at its default.
    `otherwise`: what is said now instead of the address that the session was kept with.
    """

    named: frozenset[str] = frozenset(SERVICES)
    allow_http: bool = False
    is_kept: bool = False
    otherwise: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_environment(
        cls, gateway: str | None = None, *, ingest: str | None = None, allow_http: bool = False
    ) -> Self:
        """`ALPR_INGEST_URL`, `ALPR_ALERTS_URL` …; `gateway` for the rest. `ingest` goes before
        its variable. Unencrypted with `allow_http`, or where `ALPR_ALLOW_HTTP` is set."""
        said = {name: gateway.rstrip("/") for name in SERVICES} if gateway else {}
        said |= _said(ingest)
        here = Addresses()
        if all(_is_here(address) for address in said.values()):
            said = {name: getattr(here, name) for name in SERVICES} | said
        known = astuple(Addresses(**said))
        return cls(*known, named=frozenset(said), allow_http=allow_http or _http_allowed())

    @classmethod
    def of_session(cls, kept: KeptSession, *, ingest: str | None = None) -> Self:
        """The session's own, whatever the environment and `ingest` say: a service of which they
        say something else is refused when it would be used."""
        services = {name: kept.services[name] for name in SERVICES if name in kept.services}
        said = _said(ingest)
        return cls(
            *astuple(Addresses(**services)),
            named=frozenset(services),
            allow_http=kept.allow_http,
            is_kept=True,
            otherwise={n: said[n] for n in said if said[n] != services.get(n)},
        )

    @property
    def services(self) -> dict[str, str]:
        """Those that are named, to keep with a session."""
        return {name: getattr(self, name) for name in SERVICES if name in self.named}

    def of(self, service: str) -> str:
        """Raises `SignedInElsewhere`, `NotNamed` or `Unencrypted`, which say what to do."""
        name, variable = service.replace("_", "-"), f"ALPR_{service.upper()}_URL"
        if service not in self.named and self.is_kept:
            raise SignedInElsewhere(
                f"the session is for no {name}: run `alpr sign-in` again with {variable} set"
            )
        if service not in self.named:
            raise NotNamed(f"{name}'s address is not known: set {variable}")
        address = str(getattr(self, service))
        if service in self.otherwise:
            raise SignedInElsewhere(
                f"the session is for {name} at {address}, but {variable} (or --url) says "
                f"{self.otherwise[service]}: unset it, or run `alpr sign-in` again with it"
            )
        if not self.allow_http:
            _refuse_unencrypted(address)
        return address


def refuse_unencrypted(address: str) -> None:
    """For what is told its address with the token; raises `Unencrypted`."""
    if not _http_allowed():
        _refuse_unencrypted(address)


def _said(ingest: str | None) -> dict[str, str]:
    """Which service is where, by the environment and the option of `alpr feed`."""
    found = {name: os.environ.get(f"ALPR_{name.upper()}_URL") for name in SERVICES}
    found["ingest"] = ingest or found["ingest"]
    return {name: address.rstrip("/") for name, address in found.items() if address}


def _http_allowed() -> bool:
    return os.environ.get("ALPR_ALLOW_HTTP", "").lower() in _TRUE


def _is_here(address: str) -> bool:
    """Whether it is this machine, which nothing leaves."""
    try:
        host = urlsplit(address).hostname or ""
    except ValueError as error:
        raise ClientError(f"{address} is no address: {error}") from error
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


def _refuse_unencrypted(address: str) -> None:
    if urlsplit(address).scheme != "https" and not _is_here(address):
        raise Unencrypted(
            f"{address} is not https: what is secret would travel unencrypted (131.7-3c). Use "
            "https; or, inside a network that encrypts by itself, `alpr sign-in --allow-http` or "
            "ALPR_ALLOW_HTTP=1"
        )
