"""SQL of what a browser was asked to answer at sign-in: each taken once, while it is fresh."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from alpr_common.postgres import Connection
from alpr_identity.refusals import TooManySteps

Purpose = Literal["passkey_added", "passkey_sign_in", "provider"]

# Anybody can ask for one: no more wait at a time than a large agency needs at its change of shift.
_WAITING_MOST = 20_000

_DROP_EXPIRED = "DELETE FROM sign_in_step WHERE expires_at <= $1"
_COUNT = "SELECT count(*) FROM (SELECT 1 FROM sign_in_step LIMIT $1) AS waiting"
_ADD = """
INSERT INTO sign_in_step (key_sha256, purpose, bound_to, content, expires_at)
VALUES ($1, $2, $3, $4::jsonb, $5)
"""
_TAKE = """
DELETE FROM sign_in_step WHERE key_sha256 = $1 AND purpose = $2 AND bound_to = $3
RETURNING content, expires_at
"""


async def add(
    connection: Connection, key: bytes, purpose: Purpose, bound_to: str,
    content: Mapping[str, str], expires_at: datetime, now: datetime,
) -> None:  # fmt: skip
    """Remember what was asked; `key` comes back with the answer. Raises `TooManySteps`."""
    await connection.execute(_DROP_EXPIRED, now)
    waiting: int = await connection.fetchval(_COUNT, _WAITING_MOST)
    if waiting >= _WAITING_MOST:
        raise TooManySteps("Too many people are signing in at this moment. Try again shortly.")
    await connection.execute(
        _ADD, _hashed(key), purpose, bound_to, json.dumps(dict(content)), expires_at
    )


async def take(
    connection: Connection, key: bytes, purpose: Purpose, bound_to: str, now: datetime
) -> dict[str, Any] | None:
    """What was remembered; None for what was never asked, is used, too old or somebody else's.

    Commit it whatever the answer is worth: it can not be answered again.
    """
    row = await connection.fetchrow(_TAKE, _hashed(key), purpose, bound_to)
    if row is None or row["expires_at"] <= now:
        return None
    content: dict[str, Any] = json.loads(row["content"])
    return content


def _hashed(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
