"""Signing in, being locked out, and sessions that rotate and end."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alpr_common.policy import Policy, Role
from alpr_identity import sessions
from alpr_identity.confirming import Claim
from alpr_identity.passwords import Passwords
from alpr_identity.refusals import SessionEnded, SignInRefused
from tests.integration.identity.conftest import OURS, PASSWORD, IdentityUnderTest

pytestmark = pytest.mark.integration

WRONG = "not this one at all"
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


async def test_a_session_names_the_person_their_role_and_training(
    identity: IdentityUnderTest,
) -> None:
    person = await identity.person(role=Role.CSO)
    answer = await identity.sign_in(person.username.upper())
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    said = answer.json()
    principal = identity.principal(said["access_token"])
    assert principal.person_id == said["person"]["person_id"] == str(person.person_id)
    assert (principal.agency_id, principal.role) == (OURS, Role.CSO)
    assert principal.leads_training_until == person.leads_until
    assert "password_hash" not in said["person"]
    left = datetime.fromisoformat(said["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)
    (audit,) = [
        a
        for a in await identity.audits(f"person:{person.person_id}")
        if a["action"] == "session.opened"
    ]
    assert (audit["outcome"], audit["address"]) == ("done", "192.0.2.7")


async def test_unknown_wrong_inactive_and_locked_are_answered_alike(
    identity: IdentityUnderTest,
) -> None:
    active, inactive, locked = [await identity.person() for _ in range(3)]
    await identity.sql(
        "UPDATE identity.person SET active = false WHERE person_id = $1", inactive.person_id
    )
    await identity.sql(
        "UPDATE identity.person SET locked_at = now() WHERE person_id = $1", locked.person_id
    )
    answers = [
        await identity.sign_in("nobody-of-that-name"),
        await identity.sign_in("*** no username ***"),
        await identity.sign_in(active.username, WRONG),
        await identity.sign_in(inactive.username),
        await identity.sign_in(locked.username),
    ]
    assert {a.status_code for a in answers} == {401}
    assert len({a.text for a in answers}) == 1


async def test_a_refused_sign_in_costs_one_hash_whoever_is_named(
    identity: IdentityUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await identity.person()
    compared: list[str] = []
    compare = Passwords._compare

    def counting(self: Passwords, password: str, stored: str) -> bool:
        compared.append(stored)
        return compare(self, password, stored)

    monkeypatch.setattr(Passwords, "_compare", counting)
    for username in ("nobody-of-that-name", "***", person.username):
        compared.clear()
        assert (await identity.sign_in(username, WRONG)).status_code == 401
        assert len(compared) == 1


async def test_no_refusal_comes_sooner_than_the_floor(identity: IdentityUnderTest) -> None:
    slow = replace(identity.identity, refusal_floor_seconds=0.3)
    clock = asyncio.get_running_loop()
    began = clock.time()
    with pytest.raises(SignInRefused):
        await sessions.sign_in(slow, Claim("nobody-of-that-name", WRONG), NOON)
    assert clock.time() - began >= 0.3


@pytest.mark.policy("131.7-3c")
async def test_five_failures_lock_the_account_until_an_administrator_releases_it(
    identity: IdentityUnderTest,
) -> None:
    person = await identity.person()
    subject = f"person:{person.person_id}"
    for _ in range(5):
        assert (await identity.sign_in(person.username, WRONG)).status_code == 401
    assert (await identity.sign_in(person.username)).status_code == 401
    administrator = await identity.administrator()
    url = f"/v1/people/{person.person_id}"
    shown = (await identity.client.get(url, headers=administrator)).json()
    assert shown["locked_at"] is not None
    audits = await identity.audits(subject)
    assert [a["action"] for a in audits].count("person.locked") == 1
    assert [a["outcome"] for a in audits if a["action"] == "session.opened"] == ["refused"] * 6

    stranger = await identity.administrator("IL0160000")
    refused = await identity.client.post(f"{url}/release", headers=stranger)
    assert refused.status_code == 404
    assert (await identity.sign_in(person.username)).status_code == 401
    released = await identity.client.post(f"{url}/release", headers=administrator)
    assert released.json()["locked_at"] is None
    assert (await identity.sign_in(person.username)).status_code == 200


async def test_failures_of_the_past_are_forgotten_and_a_success_forgets_them(
    identity: IdentityUnderTest,
) -> None:
    person = await identity.person()
    for minutes in (0, 1, 2, 3):
        at = NOON + timedelta(minutes=minutes)
        with pytest.raises(SignInRefused):
            await sessions.sign_in(identity.identity, Claim(person.username, WRONG), at)
    later = NOON + timedelta(minutes=16)
    with pytest.raises(SignInRefused):
        await sessions.sign_in(identity.identity, Claim(person.username, WRONG), later)
    await sessions.sign_in(identity.identity, Claim(person.username, PASSWORD), later)
    (left,) = await identity.sql(
        "SELECT count(*) AS n FROM identity.sign_in_failure WHERE person_id = $1", person.person_id
    )
    assert left["n"] == 0


@pytest.mark.policy("131.7-3c")
async def test_guesses_made_at_the_same_moment_count_as_well(identity: IdentityUnderTest) -> None:
    person = await identity.person()
    guesses = [identity.sign_in(person.username, f"{WRONG} {n}") for n in range(12)]
    answers = await asyncio.gather(*guesses)
    assert {a.status_code for a in answers} == {401}
    audits = await identity.audits(f"person:{person.person_id}")
    checked = [a for a in audits if a.get("details", {}).get("cause") == "wrong password"]
    assert len(checked) == 5
    assert (await identity.sign_in(person.username)).status_code == 401


async def test_a_sign_in_makes_a_stale_hash_anew(identity: IdentityUnderTest) -> None:
    person = await identity.person()
    fips = replace(identity.identity, passwords=Passwords(fips=True, pbkdf2_iterations=1000))
    stored = await fips.passwords.hash(PASSWORD)
    await identity.sql(
        "UPDATE identity.person SET password_hash = $2 WHERE person_id = $1",
        person.person_id, stored,
    )  # fmt: skip
    assert (await identity.sign_in(person.username)).status_code == 200
    (row,) = await identity.sql(
        "SELECT password_hash FROM identity.person WHERE person_id = $1", person.person_id
    )
    assert row["password_hash"].startswith("$argon2id$")
    assert (await identity.sign_in(person.username)).status_code == 200


async def test_a_refresh_gives_new_tokens_and_the_old_one_works_no_more(
    identity: IdentityUnderTest,
) -> None:
    person = await identity.person()
    first = (await identity.sign_in(person.username)).json()
    second = await identity.refresh(first["refresh_token"])
    assert second.status_code == 200
    third = await identity.refresh(second.json()["refresh_token"])
    assert third.status_code == 200
    sessions_named = {
        identity.principal(s["access_token"]).session_id
        for s in (first, second.json(), third.json())
    }
    assert len(sessions_named) == 1


@pytest.mark.policy("131.7-3c")
async def test_a_refresh_token_that_comes_back_ends_the_session(
    identity: IdentityUnderTest,
) -> None:
    person = await identity.person()
    stolen = (await identity.sign_in(person.username)).json()["refresh_token"]
    current = (await identity.refresh(stolen)).json()["refresh_token"]
    reused = await identity.refresh(stolen)
    assert (reused.status_code, reused.json()["type"]) == (401, "urn:alpr:problem:session-ended")
    assert (await identity.refresh(current)).status_code == 401
    rows = await identity.sql(
        "SELECT ended_because FROM identity.session WHERE person_id = $1", person.person_id
    )
    assert [r["ended_because"] for r in rows] == ["refresh_token_reused"]


async def test_one_token_refreshed_twice_at_once_does_not_give_two(
    identity: IdentityUnderTest,
) -> None:
    person = await identity.person()
    token = (await identity.sign_in(person.username)).json()["refresh_token"]
    answers = await asyncio.gather(*(identity.refresh(token) for _ in range(4)))
    assert sorted(a.status_code for a in answers) == [200, 401, 401, 401]


@pytest.mark.policy("131.7-3c")
async def test_an_idle_session_ends_and_a_busy_one_after_twelve_hours(
    identity: IdentityUnderTest,
) -> None:
    person = await identity.person()
    it = identity.identity
    idle = await sessions.sign_in(it, Claim(person.username, PASSWORD), NOON)
    with pytest.raises(SessionEnded, match="away"):
        await sessions.refresh(it, idle.refresh_token, None, NOON + timedelta(minutes=61))
    busy = await sessions.sign_in(it, Claim(person.username, PASSWORD), NOON)
    for minutes in range(50, 12 * 60, 50):
        at = NOON + timedelta(minutes=minutes)
        busy = await sessions.refresh(it, busy.refresh_token, None, at)
    assert busy.expires_at <= NOON + timedelta(hours=12)
    with pytest.raises(SessionEnded, match="twice a day"):
        await sessions.refresh(it, busy.refresh_token, None, NOON + timedelta(hours=12))


async def test_an_access_token_never_outlives_its_session(identity: IdentityUnderTest) -> None:
    person = await identity.person()
    short = replace(identity.identity, policy=Policy(session_max_seconds=120))
    now = datetime.now(UTC)
    signed_in = await sessions.sign_in(short, Claim(person.username, PASSWORD), now)
    assert signed_in.expires_at == now + timedelta(seconds=120)


async def test_who_signed_out_cannot_refresh(identity: IdentityUnderTest) -> None:
    person = await identity.person()
    said = (await identity.sign_in(person.username)).json()
    headers = identity.bearer(said["access_token"])
    for _ in range(2):
        assert (await identity.client.delete("/v1/sessions", headers=headers)).status_code == 204
    assert (await identity.refresh(said["refresh_token"])).status_code == 401


@pytest.mark.policy("131.6-1")
@pytest.mark.policy("131.6-2")
async def test_a_lapsed_training_and_another_role_hold_from_the_next_refresh(
    identity: IdentityUnderTest,
) -> None:
    person = await identity.person()
    administrator = await identity.administrator()
    said = (await identity.sign_in(person.username)).json()
    url = f"/v1/people/{person.person_id}"
    await identity.client.patch(url, json={"role": "dispatcher"}, headers=administrator)
    await identity.client.put(
        f"{url}/training", json={"leads_until": "2020-01-01"}, headers=administrator
    )
    refreshed = (await identity.refresh(said["refresh_token"])).json()
    principal = identity.principal(refreshed["access_token"])
    assert principal.role == Role.DISPATCHER
    assert str(principal.leads_training_until) == "2020-01-01"
    headers = identity.bearer(refreshed["access_token"])
    me = (await identity.client.get("/v1/me", headers=headers)).json()
    assert (me["may_access"], me["clause"]) == (False, "131.6-1")


async def test_who_is_deactivated_has_no_session_any_more(identity: IdentityUnderTest) -> None:
    person = await identity.person()
    said = (await identity.sign_in(person.username)).json()
    url = f"/v1/people/{person.person_id}"
    changed = await identity.client.patch(
        url, json={"active": False}, headers=await identity.administrator()
    )
    assert changed.json()["active"] is False
    assert (await identity.refresh(said["refresh_token"])).status_code == 401
    assert (await identity.sign_in(person.username)).status_code == 401


@pytest.mark.parametrize("token", ["", "x.y", "alpr-refresh.SUwwMjIyOTAw.00.x", "a" * 999])
async def test_a_made_up_refresh_token_is_refused(identity: IdentityUnderTest, token: str) -> None:
    assert (await identity.refresh(token)).status_code == 401
