"""A sign-out holds in another process within seconds, although tokens are checked there alone."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest

from alpr_common.auth import Revocations
from alpr_common.kafka import Publisher
from alpr_common.messages.session import TokensRefused
from alpr_common.revocations import follow
from alpr_common.topics import SESSIONS
from alpr_local.processes import Services
from alpr_local.stack import Stack
from tests.integration.identity.test_identity_process import create
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

PASSWORD = "seven boats under one bridge"


def notice(subject: str) -> TokensRefused:
    return TokensRefused(
        subject_id=subject, kind="session", agency_id="IL0222900", because="test",
        refused_at=datetime.now(UTC),
    )  # fmt: skip


@pytest.mark.policy("131.6-1", "131.7-3c")
async def test_a_signed_out_token_is_refused_by_another_service(services: Services) -> None:
    until = ("--leads-until", "2090-01-01", "--alpr-until", "2090-01-01")
    made = create(services, "ann", *until, "--password-stdin", said=f"{PASSWORD}\n")
    assert made.returncode == 0, made.stderr
    services.start("identity")
    services.start("matcher")
    async with httpx.AsyncClient(timeout=30) as client:
        sessions = f"{services.url('identity')}/v1/sessions"
        entries = f"{services.url('matcher')}/v1/hotlist/entries"
        said = (await client.post(sessions, json={"username": "ann", "password": PASSWORD})).json()
        headers = {"Authorization": f"Bearer {said['access_token']}"}
        assert (await client.get(entries, headers=headers)).status_code == 200
        assert (await client.delete(sessions, headers=headers)).status_code == 204

        async def refused() -> bool:
            answer = await client.get(entries, headers=headers)
            return (
                answer.status_code == 401
                and answer.json()["type"] == "urn:alpr:problem:token-refused"
            )

        await eventually(refused, 60, interval_seconds=0.2, what="the token is refused")


async def test_a_service_that_starts_later_knows_what_was_withdrawn_before(
    fresh_stack: Stack,
) -> None:
    servers = fresh_stack.kafka_bootstrap_servers
    publisher = Publisher(servers)
    for subject in ("one", "two"):
        await publisher.publish(SESSIONS, subject, notice(subject).to_bytes())
    await publisher.publish(SESSIONS, "bad", b"no message at all")
    revocations = Revocations()
    following = asyncio.create_task(follow(servers, revocations))
    try:
        await eventually(lambda: revocations.is_loaded, 60, what="the topic was read")
        assert {"one", "two"} <= revocations._refused.keys()
        await publisher.publish(SESSIONS, "three", notice("three").to_bytes())
        await eventually(lambda: "three" in revocations._refused, 60, what="the third one came")
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await publisher.stop()
