"""Administrators manage the people of their agency, and of no other."""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from alpr_common.policy import Role
from tests.integration.identity.conftest import OTHERS, OURS, PASSWORD, IdentityUnderTest

pytestmark = pytest.mark.integration


def new_person(**changed: Any) -> dict[str, Any]:
    return {"username": f"n{uuid4().hex}", "name": "Bob Smith", "role": "officer"} | changed


async def test_an_administrator_adds_a_person_who_can_sign_in(identity: IdentityUnderTest) -> None:
    administrator = await identity.administrator()
    said = new_person(
        rank="Sergeant", role="supervisor", leads_until="2030-01-01", leads_certificate="L-1"
    )
    answer = await identity.client.post("/v1/people", json=said, headers=administrator)
    assert answer.status_code == 201
    made = answer.json()
    assert (made["agency_id"], made["rank"], made["leads_certificate"]) == (OURS, "Sergeant", "L-1")
    assert made["alpr_until"] is None
    assert (await identity.sign_in(said["username"], made["password"])).status_code == 200
    (audit, *_) = await identity.audits(f"person:{made['person_id']}")
    assert (audit["action"], audit["role"]) == ("person.created", "administrator")
    assert made["password"] not in str(audit)


async def test_a_username_is_taken_once_whatever_the_agency(identity: IdentityUnderTest) -> None:
    said = new_person()
    url = "/v1/people"
    first = await identity.client.post(url, json=said, headers=await identity.administrator())
    again = await identity.client.post(url, json=said, headers=await identity.administrator(OTHERS))
    assert (first.status_code, again.status_code) == (201, 409)


@pytest.mark.policy("131.7-3c")
@pytest.mark.parametrize("password", ["short", "Password123456", "bob smith was here"])
async def test_a_weak_password_is_refused(identity: IdentityUnderTest, password: str) -> None:
    answer = await identity.client.post(
        "/v1/people", json=new_person(password=password), headers=await identity.administrator()
    )
    assert (answer.status_code, answer.json()["clause"]) == (422, "policy file")


@pytest.mark.parametrize(
    "role", [Role.OFFICER, Role.CSO, Role.DISPATCHER, Role.SUPERVISOR, Role.AUDITOR, Role.SERVICE]
)
async def test_others_than_administrators_manage_nobody(
    identity: IdentityUnderTest, role: Role
) -> None:
    person = await identity.person(role=role)
    headers, url = identity.token(person), f"/v1/people/{person.person_id}"
    client = identity.client
    answers = [
        await client.get("/v1/people", headers=headers),
        await client.post("/v1/people", json=new_person(), headers=headers),
        await client.get(url, headers=headers),
        await client.patch(url, json={"role": "administrator"}, headers=headers),
        await client.put(f"{url}/training", json={"leads_until": "2030-01-01"}, headers=headers),
        await client.post(f"{url}/password", json={}, headers=headers),
        await client.post(f"{url}/release", headers=headers),
    ]
    assert {a.status_code for a in answers} == {403}
    assert (await client.get("/v1/me", headers=headers)).status_code == 200


async def test_an_administrator_of_another_agency_finds_nobody_of_ours(
    identity: IdentityUnderTest,
) -> None:
    person = await identity.person()
    headers, url = await identity.administrator(OTHERS), f"/v1/people/{person.person_id}"
    client = identity.client
    answers = [
        await client.get(url, headers=headers),
        await client.patch(url, json={"active": False}, headers=headers),
        await client.put(f"{url}/training", json={"leads_until": None}, headers=headers),
        await client.post(f"{url}/password", json={}, headers=headers),
        await client.post(f"{url}/release", headers=headers),
    ]
    assert {a.status_code for a in answers} == {404}
    listed = (await client.get("/v1/people?limit=500", headers=headers)).json()["items"]
    assert {p["agency_id"] for p in listed} == {OTHERS}
    assert (await identity.sign_in(person.username)).status_code == 200


@pytest.mark.policy("131.5-a")
async def test_training_is_kept_as_history_and_the_last_word_holds(
    identity: IdentityUnderTest,
) -> None:
    person = await identity.person(trained=False)
    headers, url = await identity.administrator(), f"/v1/people/{person.person_id}"
    steps: list[dict[str, Any]] = [
        {"leads_until": "2030-01-01", "leads_certificate": "L-1"},
        {"alpr_until": "2029-01-01", "certificate": "A-1"},
        {"leads_until": "2028-01-01", "leads_certificate": "L-2"},
    ]
    for step in steps:
        answer = await identity.client.put(f"{url}/training", json=step, headers=headers)
        assert answer.status_code == 200
    shown = (await identity.client.get(url, headers=headers)).json()
    assert (shown["leads_until"], shown["leads_certificate"]) == ("2028-01-01", "L-2")
    assert (shown["alpr_until"], shown["alpr_certificate"]) == ("2029-01-01", "A-1")
    assert [t["certificate"] for t in shown["training"]] == ["L-2", "A-1", "L-1"]
    taken = {"leads_until": None}
    after = (await identity.client.put(f"{url}/training", json=taken, headers=headers)).json()
    assert after["leads_until"] is None
    audits = await identity.audits(f"person:{person.person_id}")
    assert [a["action"] for a in audits][1:] == ["person.training_recorded"] * 4


async def test_a_change_is_audited_with_before_and_after(identity: IdentityUnderTest) -> None:
    person = await identity.person()
    headers, url = await identity.administrator(), f"/v1/people/{person.person_id}"
    said = {"role": "supervisor", "rank": "Sergeant", "name": person.name}
    answer = await identity.client.patch(url, json=said, headers=headers)
    assert (answer.json()["role"], answer.json()["rank"]) == ("supervisor", "Sergeant")
    last = (await identity.audits(f"person:{person.person_id}"))[-1]
    assert last["details"] == {"role": "officer → supervisor", "rank": " → Sergeant"}


async def test_administrators_leave_their_own_role_and_standing_alone(
    identity: IdentityUnderTest,
) -> None:
    person = await identity.person(role=Role.ADMINISTRATOR)
    headers, url = identity.token(person), f"/v1/people/{person.person_id}"
    for said in ({"role": "officer"}, {"active": False}):
        answer = await identity.client.patch(url, json=said, headers=headers)
        assert answer.status_code == 409
    named = await identity.client.patch(url, json={"name": "Ann B. Miller"}, headers=headers)
    assert named.json()["name"] == "Ann B. Miller"


async def test_a_password_set_by_an_administrator_ends_the_sessions(
    identity: IdentityUnderTest,
) -> None:
    person = await identity.person()
    said = (await identity.sign_in(person.username)).json()
    url = f"/v1/people/{person.person_id}/password"
    answer = await identity.client.post(url, json={}, headers=await identity.administrator())
    generated = answer.json()["password"]
    assert (await identity.refresh(said["refresh_token"])).status_code == 401
    assert (await identity.sign_in(person.username)).status_code == 401
    assert (await identity.sign_in(person.username, generated)).status_code == 200


async def test_a_person_changes_their_own_password_knowing_the_present_one(
    identity: IdentityUnderTest,
) -> None:
    person = await identity.person()
    said = (await identity.sign_in(person.username)).json()
    headers, new = identity.bearer(said["access_token"]), "seven boats under one bridge"
    url = "/v1/me/password"
    wrong = await identity.client.post(url, json={"present": "wrong", "new": new}, headers=headers)
    assert wrong.status_code == 403
    right = await identity.client.post(url, json={"present": PASSWORD, "new": new}, headers=headers)
    assert right.status_code == 204
    assert (await identity.refresh(said["refresh_token"])).status_code == 401
    assert (await identity.sign_in(person.username, new)).status_code == 200


async def test_people_are_paged_by_username(identity: IdentityUnderTest) -> None:
    agency = f"IL{uuid4().hex[:7]}"
    headers = await identity.administrator(agency)
    made = {(await identity.person(agency=agency)).username for _ in range(4)}
    seen: list[str] = []
    cursor = ""
    while True:
        url = f"/v1/people?limit=2{cursor}"
        page = (await identity.client.get(url, headers=headers)).json()
        seen += [p["username"] for p in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == sorted(seen)
    assert made <= set(seen)
    assert len(seen) == 5


async def test_a_token_of_somebody_unknown_shows_nobody(identity: IdentityUnderTest) -> None:
    person = await identity.person()
    deleted = identity.token(person) | {}
    await identity.sql(
        "UPDATE identity.person SET agency_id = $2 WHERE person_id = $1", person.person_id, OTHERS
    )
    assert (await identity.client.get("/v1/me", headers=deleted)).status_code == 404


async def test_without_an_agency_the_runtime_role_sees_nobody(identity: IdentityUnderTest) -> None:
    ours, theirs = await identity.person(), await identity.person(agency=OTHERS)
    await identity.sign_in(ours.username)
    bare = await asyncpg.connect(identity.stack.postgres_dsn("alpr_identity"))
    try:
        for table in ("person", "training", "session", "refresh_token", "sign_in_failure"):
            assert await bare.fetch(f"SELECT 1 FROM {table}") == []
        await bare.execute("SELECT set_config('alpr.signing_in', $1, false)", theirs.username)
        seen = await bare.fetch("SELECT username FROM person")
        assert [r["username"] for r in seen] == [theirs.username]
        await bare.execute("SELECT set_config('alpr.signing_in', '', false)")
        await bare.execute("SELECT set_config('alpr.agency_id', $1, false)", OURS)
        agencies = await bare.fetch("SELECT DISTINCT agency_id FROM person")
        assert [r["agency_id"] for r in agencies] == [OURS]
    finally:
        await bare.close()


@pytest.mark.parametrize(
    "statement", ["DELETE FROM person", "UPDATE training SET kind = 'alpr'", "DELETE FROM training"]
)
async def test_the_runtime_role_cannot_rewrite_history(
    identity: IdentityUnderTest, statement: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with identity.identity.database.transaction(OURS) as connection:
            await connection.execute(statement)


async def test_the_public_key_is_open_to_anybody(identity: IdentityUnderTest) -> None:
    answer = await identity.client.get("/v1/keys")
    (key,) = answer.json()["keys"]
    assert (key["kty"], key["crv"], key["alg"]) == ("OKP", "Ed25519", "EdDSA")
    assert "d" not in key
