"""Every provider of the installation, and what they leave to passwords."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import httpx

from alpr_common.policy import Role
from alpr_identity.provider_client import Provider
from alpr_identity.provider_config import ProvidersFile
from alpr_identity.refusals import ProviderUnknown

_BACK = "/sign-in/provider/back"


@dataclass(frozen=True)
class Providers:
    """`redirect_uri` is where the browser comes back to: a page of the console."""

    all: Sequence[Provider] = ()
    redirect_uri: str = ""

    @classmethod
    def of_file(
        cls, file: ProvidersFile, console_url: str, client: httpx.AsyncClient,
        clock: Callable[[], float],
    ) -> Self:  # fmt: skip
        """Raises OSError for a client secret that cannot be read, ValueError for an empty one."""
        found = []
        for config in file.provider:
            secret = config.client_secret_file.read_text().strip()
            if not secret:
                raise ValueError(f"{config.client_secret_file} is empty")
            found.append(Provider(config, secret, client, clock))
        return cls(tuple(found), console_url.rstrip("/") + _BACK)

    def named(self, provider_id: str) -> Provider:
        """Raises `ProviderUnknown`."""
        for one in self.all:
            if one.config.provider_id == provider_id:
                return one
        raise ProviderUnknown("Go back to the sign-in page.")

    def lets_use_password(self, agency_id: str, role: Role) -> bool:
        """Whether the agency's providers leave passwords to that role. Service accounts, which
        have no browser, always use theirs."""
        ours = [one.config for one in self.all if one.config.agency_id == agency_id]
        return role is Role.SERVICE or all(role in one.password_roles for one in ours)
