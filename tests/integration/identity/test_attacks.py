"""What somebody tries who has stolen something: a token, a password, a moment."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pyotp
import pytest

from alpr_common.policy import Role
from alpr_identity import second_factor
from alpr_identity.domain import Person
from alpr_identity.refusals import SecondFactorAbsent, SecondFactorWrong
from tests.integration.identity.conftest import OURS, PASSWORD, IdentityUnderTest
from tests.integration.identity.test_passkeys import SITE, holder
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.policy("131.7-3c")]

NEW = "seven boats under one bridge"


async def test_an_administrators_stolen_token_neither_lifts_their_lock_nor_sets_their_password(
    identity: IdentityUnderTest,
) -> None:
    person = await identity.person(role=Role.ADMINISTRATOR)
    said = (await identity.sign_in(person.username)).json()
    stolen, own = identity.bearer(said["access_token"]), f"/v1/people/{person.person_id}"
    for guess in range(5):
        body = {"present": f"guess number {guess}", "new": NEW}
        answer = await identity.client.post("/v1/me/password", json=body, headers=stolen)
        assert answer.status_code == 403
    # Otherwise five more guesses, and five more.
    released = await identity.client.post(f"{own}/release", headers=stolen)
    assert released.status_code == 409
    # Nor round the question for the present password.
    changed = await identity.client.post(f"{own}/password", json={"password": NEW}, headers=stolen)
    assert changed.status_code == 409
    assert (await identity.sign_in(person.username)).status_code == 401
    other = await identity.administrator()
    assert (await identity.client.post(f"{own}/release", headers=other)).status_code == 200
    assert (await identity.sign_in(person.username)).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/me/second-factor/recovery-codes", {"password": PASSWORD}),
        ("/v1/me/second-factor", {"password": PASSWORD}),
        ("/v1/me/passkeys/begin", {"password": PASSWORD}),
        ("/v1/me/passkeys/begin", {}),
    ],
)
async def test_a_token_that_outlives_its_session_changes_no_factor(
    identity: IdentityUnderTest, path: str, body: dict[str, str]
) -> None:
    """Tokens are withdrawn over Kafka: while it is away, one of an ended session verifies."""
    identity.app.state.identity = identity.identity = replace(identity.identity, relying_party=SITE)
    who = await holder(identity)
    said = (await who.answers()).json()
    stolen = identity.bearer(said["access_token"])
    assert (await identity.client.delete("/v1/sessions", headers=stolen)).status_code == 204
    answer = await identity.client.post(path, json=body, headers=stolen)
    assert answer.status_code in (401, 403)


async def test_who_guesses_at_the_confirmation_of_a_new_app_ends_it(
    identity: IdentityUnderTest,
) -> None:
    """Whoever holds the token and not the secret would get the recovery codes."""
    person, now = await identity.person(), datetime.now(UTC)
    said = (await identity.sign_in(person.username)).json()
    principal = identity.principal(said["access_token"])
    whole = identity.identity
    pending = await second_factor.begin(whole, principal, PASSWORD, None, now)
    right = pyotp.TOTP(pending.secret).at(now)
    wrong = f"{(int(right) + 500_000) % 1_000_000:06}"
    for _ in range(4):
        with pytest.raises(SecondFactorWrong):
            await second_factor.finish(whole, principal, wrong, now)
    with pytest.raises(SecondFactorAbsent):
        await second_factor.finish(whole, principal, wrong, now)
    with pytest.raises(SecondFactorAbsent):
        await second_factor.finish(whole, principal, right, now)
    again = await second_factor.begin(whole, principal, PASSWORD, None, now)
    code = pyotp.TOTP(again.secret).at(now)
    assert len(await second_factor.finish(whole, principal, code, now)) == 10


async def sign_in_while(
    identity: IdentityUnderTest, person: Person, *changes: tuple[str, tuple[Any, ...]]
) -> httpx.Response:
    """A sign-in whose password is right and checked while `changes` are made: it finds the person
    locked, and goes on when they are committed."""

    async def rows(query: str) -> bool:
        return bool(await identity.sql(query))

    hashing = identity.identity.passwords._turns
    begun = f"SELECT 1 FROM identity.sign_in_failure WHERE person_id = '{person.person_id}'"
    waits = (
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
        "AND query LIKE '%FROM person%FOR UPDATE%'"
    )
    changing = await asyncpg.connect(identity.stack.postgres_admin_dsn)
    async with AsyncExitStack() as held:
        held.push_async_callback(changing.close)
        async with AsyncExitStack() as turns:
            for _ in range(2):  # the password waits for its turn to be checked
                await turns.enter_async_context(hashing)
            signing_in = asyncio.create_task(identity.sign_in(person.username))
            await eventually(lambda: rows(begun), 60, interval_seconds=0.05, what="it began")
            transaction = changing.transaction()
            await transaction.start()
            for statement, arguments in changes:
                await changing.execute(statement, *arguments)
        await eventually(lambda: rows(waits), 60, interval_seconds=0.05, what="the sign-in waits")
        await transaction.commit()
        return await asyncio.wait_for(signing_in, 60)


async def test_a_password_at_the_moment_at_which_a_passkey_is_added_opens_nothing(
    identity: IdentityUnderTest,
) -> None:
    person = await identity.person()
    added = (
        "INSERT INTO identity.passkey (passkey_id, credential_id, agency_id, person_id, "
        "credential_data, sign_count, is_synced, name, created_at) "
        "VALUES ($1, $2, $3, $4, '', 0, false, 'key', now())",
        (uuid4(), uuid4().bytes, OURS, person.person_id),
    )
    answer = await sign_in_while(identity, person, added)
    assert answer.status_code == 401
    assert answer.json()["ways"] == ["passkey"]


@pytest.mark.policy("131.6-1")
async def test_a_sign_in_at_the_moment_at_which_a_training_is_taken_away_does_not_have_it(
    identity: IdentityUnderTest,
) -> None:
    """Its rights version is the new one: nobody would refuse its token later."""
    person = await identity.person()
    answer = await sign_in_while(
        identity,
        person,
        (
            "UPDATE identity.person SET rights_version = rights_version + 1 WHERE person_id = $1",
            (person.person_id,),
        ),
        (
            "INSERT INTO identity.training (agency_id, person_id, kind, recorded_by, recorded_at) "
            "VALUES ($1, $2, 'leads', 'test', now())",
            (OURS, person.person_id),
        ),
    )
    principal = identity.principal(answer.json()["access_token"])
    assert (principal.rights_version, principal.leads_training_until) == (1, None)


async def test_of_refreshes_and_a_changed_rank_at_once_no_token_keeps_the_old_rank(
    identity: IdentityUnderTest,
) -> None:
    administrator = await identity.administrator()
    person = await identity.person(role=Role.SUPERVISOR)
    path = f"/v1/people/{person.person_id}"
    await identity.client.patch(path, json={"supervisor_rank": "command"}, headers=administrator)
    sessions = [(await identity.sign_in(person.username)).json() for _ in range(4)]
    answers = await asyncio.gather(
        *(identity.refresh(one["refresh_token"]) for one in sessions),
        identity.client.patch(path, json={"supervisor_rank": "asc"}, headers=administrator),
    )
    newest = (await identity.withdrawn(person.person_id))[-1]["below_version"]
    for answer in answers[:-1]:
        principal = identity.principal(answer.json()["access_token"])
        assert principal.rank == "asc" or principal.rights_version < newest


async def test_old_tokens_of_a_session_end_it_in_whatever_order_they_come(
    identity: IdentityUnderTest,
) -> None:
    person = await identity.person()
    first = (await identity.sign_in(person.username)).json()
    second = (await identity.refresh(first["refresh_token"])).json()
    third = (await identity.refresh(second["refresh_token"])).json()
    both = await asyncio.gather(
        identity.refresh(first["refresh_token"]), identity.refresh(third["refresh_token"])
    )
    assert both[0].status_code == 401
    newest = both[1].json().get("refresh_token", third["refresh_token"])
    assert (await identity.refresh(newest)).status_code == 401


async def test_a_refresh_token_of_one_session_says_nothing_in_the_name_of_another(
    identity: IdentityUnderTest,
) -> None:
    mine, theirs = await identity.person(), await identity.person(role=Role.ADMINISTRATOR)
    own = (await identity.sign_in(mine.username)).json()["refresh_token"].split(".")
    other = (await identity.sign_in(theirs.username)).json()["refresh_token"]
    fixed = other.split(".")
    for forged in (
        ".".join([*own[:2], fixed[2], own[3]]),
        ".".join([*fixed[:3], own[3]]),
        ".".join([own[0], "SUwwMTYwMDAw", *fixed[2:]]),
    ):
        assert (await identity.refresh(forged)).status_code == 401
    # Trying ended neither.
    assert (await identity.refresh(other)).status_code == 200


async def test_the_lock_holds_for_every_way_and_survives_the_window(
    identity: IdentityUnderTest,
) -> None:
    identity.app.state.identity = identity.identity = replace(identity.identity, relying_party=SITE)
    who = await holder(identity)
    for _ in range(5):
        await identity.sign_in(who.person.username, "not the password at all")
    assert (await who.answers()).status_code == 401
    await identity.sql(
        "UPDATE identity.sign_in_failure SET failed_at = $2 WHERE person_id = $1",
        who.person.person_id, datetime.now(UTC) - timedelta(days=2),
    )  # fmt: skip
    assert (await who.answers()).status_code == 401
    # Nor can it be tried further by showing the password again in a session that is open.
    begun = await identity.client.post(
        "/v1/me/passkeys/begin", json={"password": PASSWORD}, headers=who.headers
    )
    assert begun.status_code == 403
