"""What the use cases of identity stand on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from alpr_common.auth import TokenIssuer
from alpr_common.policy import Policies, Policy
from alpr_common.postgres import Database
from alpr_common.watched_file import WatchedFile
from alpr_identity.passwords import Passwords
from alpr_identity.providers import Providers
from alpr_identity.refusals import PasskeysUnavailable, SecondFactorUnavailable
from alpr_identity.sealing import Sealer
from alpr_identity.webauthn import RelyingParty


class Signing(Protocol):
    """Where tokens come from: the key file of the service, or one key that does not change."""

    @property
    def lifetime_seconds(self) -> int: ...

    def issuer(self, now: datetime) -> TokenIssuer: ...


@dataclass(frozen=True)
class OneKey:
    """A key that does not change: of a command that issues nothing, and of tests."""

    only: TokenIssuer

    @property
    def lifetime_seconds(self) -> int:
        return self.only.lifetime_seconds

    def issuer(self, now: datetime) -> TokenIssuer:  # noqa: ARG002 - the same for ever
        return self.only


@dataclass(frozen=True)
class Identity:
    """What every use case of identity needs."""

    database: Database
    passwords: Passwords
    banned: frozenset[str]
    signing: Signing
    policy: Policy
    refusal_floor_seconds: float = 0.0
    sealer: Sealer | WatchedFile[Sealer] | None = None

    relying_party: RelyingParty | None = None
    providers: Providers = field(default_factory=Providers)
    policies: Policies | None = None
    """Of the agencies that have their own; taken from them are the supervisor ranks alone."""

    def ranks(self, agency_id: str) -> Mapping[str, str]:
        """The supervisor ranks of an agency, and what each is called."""
        return (self.policies or self.policy).of(agency_id).supervisor_ranks

    @property
    def party(self) -> RelyingParty:
        """The site that passkeys are of; raises `PasskeysUnavailable` where browsers have none."""
        if self.relying_party is None:
            raise PasskeysUnavailable(
                "Browsers keep passkeys for an https address with a host name (ALPR_CONSOLE_URL)."
            )
        return self.relying_party

    @property
    def sealing(self) -> Sealer:
        """Raises `SecondFactorUnavailable` where no key was given: never a way round."""
        if self.sealer is None:
            raise SecondFactorUnavailable(
                "This installation has no key for second factors "
                "(ALPR_IDENTITY_SECOND_FACTOR_KEY_FILE)."
            )
        return self.sealer if isinstance(self.sealer, Sealer) else self.sealer.content()
