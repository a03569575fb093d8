"""The second factor at sign-in: a time-based code (RFC 6238) or a recovery code, each once."""

import hmac
import re
import secrets
from datetime import datetime
from enum import Enum, auto

import pyotp

from alpr_common.postgres import Connection
from alpr_identity import factor_store
from alpr_identity.domain import Person
from alpr_identity.identity import Identity

STEP_SECONDS = 30
RECOVERY_CODES = 10
_DIGITS = re.compile(r"\d{6}")
# As generated passwords: no characters that are mistaken for others on paper.
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP_CHARACTERS = 4, 4


class Shown(Enum):
    """What became of asking for a code."""

    RIGHT = auto()
    RECOVERY_CODE = auto()
    """Right, and one of those that each work once."""
    WRONG = auto()
    MISSING = auto()
    NOT_ASKED = auto()


async def check(
    connection: Connection, identity: Identity, person: Person, code: str | None, now: datetime
) -> Shown:
    """Take the code of somebody who has a second factor; it is spent with the transaction. Who has
    a passkey has one too: the password alone opens nothing, and of codes a recovery code alone
    stands in for it.

    Raises `SecondFactorUnavailable` where the key is missing.
    """
    factor = await factor_store.lock_factor(connection, person.person_id)
    sealed = factor.sealed_secret if factor else None
    if sealed is None and not person.has_passkey:
        return Shown.NOT_ASKED
    if not code:
        return Shown.MISSING
    said = folded(code)
    if factor is None or sealed is None or not _DIGITS.fullmatch(said):
        if not await factor_store.count_codes(connection, person.person_id):
            return Shown.WRONG
        hashes = identity.sealing.code_hashes(said)
        spent = await factor_store.spend_code(connection, person.person_id, hashes)
        return Shown.RECOVERY_CODE if spent else Shown.WRONG
    secret = identity.sealing.open(sealed, person.person_id)
    step = accepted_step(secret, said, factor.last_step, now)
    if step is None:
        return Shown.WRONG
    await factor_store.spend_step(connection, person.person_id, step)
    return Shown.RIGHT


def accepted_step(secret: str, code: str, last_step: int, now: datetime) -> int | None:
    """The step of time whose code this is: the present one or a neighbour, for clocks that differ,
    and later than any that was accepted before; None when it is no such code."""
    present = int(now.timestamp()) // STEP_SECONDS
    one_time = pyotp.TOTP(secret, interval=STEP_SECONDS)
    for step in (present - 1, present, present + 1):
        right = hmac.compare_digest(one_time.at(step * STEP_SECONDS), code)
        if right and step > last_step:
            return step
    return None


def new_recovery_codes() -> list[str]:
    """Codes of 80 bits, readable from paper."""
    return [
        "-".join(
            "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_CHARACTERS))
            for _ in range(_GROUPS)
        )
        for _ in range(RECOVERY_CODES)
    ]


def folded(code: str) -> str:
    """A recovery code as it is hashed, however it is typed."""
    return re.sub(r"[\s-]", "", code).lower()
