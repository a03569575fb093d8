"""SQL of what a browser was asked to answer at sign-in: each taken once, while it is fresh."""

import hashlib
import ipaddress
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import structlog
from prometheus_client import Counter

from alpr_common.postgres import Connection

log = structlog.get_logger()

DROPPED = Counter("alpr_sign_in_steps_dropped_total", "Steps that made room before their answer")

Purpose = Literal["passkey_added", "passkey_sign_in", "provider"]

# Anybody can ask for one: no more wait at a time than a large agency needs at its change of shift.
_WAITING_MOST = 20_000
# Whoever has more than this waiting makes room before anybody else does.
_SHARE = 1_000
# At once, so that a flood does not have all of them counted anew for each question.
_MAKES_ROOM = 200
# What one subscriber of IPv6 is given at least: each has more addresses than could be counted.
_IPV6_SUBSCRIBER_BITS = 64

_DROP_EXPIRED = "DELETE FROM sign_in_step WHERE expires_at <= $1"
_COUNT = "SELECT count(*) FROM (SELECT 1 FROM sign_in_step LIMIT $1) AS waiting"
# The oldest of who asked for most; where nobody stands out, the oldest of all. Behind a proxy all
# may have one address: then it is the oldest of all too, and nobody is shut out for their number.
_MAKE_ROOM = """
WITH most AS (
    SELECT asked_by, count(*) AS waiting FROM sign_in_step
    GROUP BY asked_by ORDER BY waiting DESC, asked_by LIMIT 1
), oldest AS (
    SELECT key_sha256 FROM sign_in_step
    WHERE (SELECT waiting FROM most) < $1 OR asked_by = (SELECT asked_by FROM most)
    ORDER BY asked_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM sign_in_step USING oldest WHERE sign_in_step.key_sha256 = oldest.key_sha256
RETURNING sign_in_step.asked_by
"""
_ADD = """
INSERT INTO sign_in_step (key_sha256, purpose, bound_to, content, expires_at, asked_by, asked_at)
VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7)
"""
_TAKE = """
DELETE FROM sign_in_step WHERE key_sha256 = $1 AND purpose = $2 AND bound_to = $3
RETURNING content, expires_at
"""


def asker(address: str | None) -> str:
    """Who asks without having signed in, as far as can be known: their address; for IPv6 the
    network of one subscriber."""
    try:
        known = ipaddress.ip_address(address or "")
    except ValueError:
        return "somebody"
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped is None:
            return str(ipaddress.ip_network((known, _IPV6_SUBSCRIBER_BITS), strict=False))
        known = known.ipv4_mapped
    return str(known)


async def add(
    connection: Connection, key: bytes, purpose: Purpose, bound_to: str,
    content: Mapping[str, str], expires_at: datetime, now: datetime, *, asked_by: str,
) -> None:  # fmt: skip
    """Remember what was asked; `key` comes back with the answer.

    Nobody is refused. Where too many wait, some of them are forgotten: the oldest of whoever asked
    for most, who may be attacking; they are asked anew.
    """
    await connection.execute(_DROP_EXPIRED, now)
    waiting: int = await connection.fetchval(_COUNT, _WAITING_MOST)
    if waiting >= _WAITING_MOST:
        await _make_room(connection)
    await connection.execute(
        _ADD, _hashed(key), purpose, bound_to, json.dumps(dict(content)), expires_at, asked_by, now
    )


async def _make_room(connection: Connection) -> None:
    dropped = await connection.fetch(_MAKE_ROOM, _SHARE, _MAKES_ROOM)
    DROPPED.inc(len(dropped))
    log.warning(
        "sign_in_steps.dropped",
        count=len(dropped),
        asked_by=sorted({r["asked_by"] for r in dropped})[:5],
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
