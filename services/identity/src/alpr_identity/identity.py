"""What the use cases of identity stand on."""

from dataclasses import dataclass

from alpr_common.auth import TokenIssuer
from alpr_common.policy import Policy
from alpr_common.postgres import Database
from alpr_identity.passwords import Passwords
from alpr_identity.refusals import SecondFactorUnavailable
from alpr_identity.sealing import Sealer


@dataclass(frozen=True)
class Identity:
    """What every use case of identity needs."""

    database: Database
    passwords: Passwords
    banned: frozenset[str]
    issuer: TokenIssuer
    policy: Policy
    refusal_floor_seconds: float = 0.0
    sealer: Sealer | None = None

    @property
    def sealing(self) -> Sealer:
        """Raises `SecondFactorUnavailable` where no key was given: never a way round."""
        if self.sealer is None:
            raise SecondFactorUnavailable(
                "This installation has no key for second factors "
                "(ALPR_IDENTITY_SECOND_FACTOR_KEY_FILE)."
            )
        return self.sealer
