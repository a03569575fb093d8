"""Passkeys: adding one, signing in with it, and every answer that must not be taken."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from alpr_common.policy import Policy, Role
from alpr_identity import passkeys
from alpr_identity.domain import Person
from alpr_identity.refusals import SignInRefused
from alpr_identity.webauthn import RelyingParty
from tests.integration.identity.conftest import (
    OTHERS,
    PASSWORD,
    IdentityUnderTest,
)
from tests.support.authenticator import Authenticator, Flag

pytestmark = [pytest.mark.integration, pytest.mark.policy("131.7-3c")]

SITE = RelyingParty("alpr.example", "https://alpr.example")
OFFICERS_MUST = Policy(second_factor_roles=frozenset({Role.OFFICER}))


@dataclass
class Holder:
    """Somebody with a passkey."""

    identity: IdentityUnderTest
    person: Person
    device: Authenticator
    headers: dict[str, str]
    passkey_id: str

    async def answers(self) -> httpx.Response:
        return await sign_in(self.identity, self.device)


def new_device() -> Authenticator:
    return Authenticator(SITE.origin, SITE.rp_id)


async def sign_in(identity: IdentityUnderTest, device: Authenticator) -> httpx.Response:
    options = (await identity.client.post("/v1/sessions/passkey/begin")).json()
    return await answer(identity, device.get(options))


async def answer(identity: IdentityUnderTest, credential: dict[str, Any]) -> httpx.Response:
    return await identity.client.post("/v1/sessions/passkey", json={"credential": credential})


async def add(
    identity: IdentityUnderTest, headers: dict[str, str], device: Authenticator, **proof: str
) -> httpx.Response:
    begun = await identity.client.post(
        "/v1/me/passkeys/begin", json=proof or {"password": PASSWORD}, headers=headers
    )
    if begun.is_error:
        return begun
    assert begun.headers["cache-control"] == "no-store"
    return await identity.client.post(
        "/v1/me/passkeys",
        json={"name": "Blue key", "credential": device.create(begun.json())},
        headers=headers,
    )


async def signed_in(identity: IdentityUnderTest, person: Person) -> dict[str, str]:
    said = (await identity.sign_in(person.username)).json()
    return identity.bearer(said["access_token"])


@pytest.fixture
async def site(identity: IdentityUnderTest) -> IdentityUnderTest:
    identity.app.state.identity = identity.identity = replace(identity.identity, relying_party=SITE)
    return identity


async def holder(site: IdentityUnderTest, role: Role = Role.OFFICER) -> Holder:
    person = await site.person(role=role)
    headers, device = await signed_in(site, person), new_device()
    added = await add(site, headers, device)
    assert added.status_code == 201, added.text
    return Holder(site, person, device, headers, added.json()["passkey_id"])


async def test_a_passkey_signs_in_without_a_password_and_counts_as_two_factors(
    site: IdentityUnderTest,
) -> None:
    site.with_policy(OFFICERS_MUST)
    who = await holder(site)
    said = await who.answers()
    assert said.status_code == 200
    assert said.headers["cache-control"] == "no-store"
    assert said.json()["must_enrol"] is False
    assert said.json()["person"]["person_id"] == str(who.person.person_id)
    opened = [
        a["details"]
        for a in await site.audits(f"person:{who.person.person_id}")
        if a["action"] == "session.opened"
    ]
    assert opened == [
        {"method": "password", "second_factor": "none"},
        {"method": "passkey", "second_factor": "passkey"},
    ]
    renewed = await site.refresh(said.json()["refresh_token"])
    assert renewed.json()["must_enrol"] is False


async def test_adding_one_is_the_enrolment_that_the_policy_asks_for(
    site: IdentityUnderTest,
) -> None:
    site.with_policy(OFFICERS_MUST)
    person = await site.person()
    other = (await site.sign_in(person.username)).json()
    own = (await site.sign_in(person.username)).json()
    assert own["must_enrol"] is True
    added = await add(site, site.bearer(own["access_token"]), new_device())
    assert added.status_code == 201
    assert (await site.refresh(own["refresh_token"])).json()["must_enrol"] is False
    assert (await site.refresh(other["refresh_token"])).status_code == 401


async def test_with_a_passkey_the_password_alone_opens_nothing(site: IdentityUnderTest) -> None:
    who = await holder(site)
    needs = await site.sign_in(who.person.username)
    assert (needs.status_code, needs.json()["ways"]) == (401, ["passkey"])
    assert needs.json()["type"] == "urn:alpr:problem:second-factor-needed"
    # Nor does a code that nobody gave out.
    assert (await site.sign_in(who.person.username, code="000000")).status_code == 401


async def test_an_answer_is_taken_once(site: IdentityUnderTest) -> None:
    who = await holder(site)
    options = (await site.client.post("/v1/sessions/passkey/begin")).json()
    credential = who.device.get(options)
    assert (await answer(site, credential)).status_code == 200
    assert (await answer(site, credential)).status_code == 401
    # A wrong answer uses the question up as well.
    options = (await site.client.post("/v1/sessions/passkey/begin")).json()
    right = who.device.get(options)
    wrong = replace(who.device, key=generate_private_key(SECP256R1())).get(options)
    assert (await answer(site, wrong)).status_code == 401
    assert (await answer(site, right)).status_code == 401


async def test_of_two_answers_to_one_question_at_the_same_moment_one_is_taken(
    site: IdentityUnderTest,
) -> None:
    who = await holder(site)
    options = (await site.client.post("/v1/sessions/passkey/begin")).json()
    both = [who.device.get(options) for _ in range(2)]
    said = await asyncio.gather(*(answer(site, one) for one in both))
    assert sorted(one.status_code for one in said) == [200, 401]


@pytest.mark.parametrize(
    "lie",
    [
        {"origin": "https://alpr.example.evil"},
        {"origin": "http://alpr.example"},
        {"origin": "https://alpr.example:8443"},
        {"rp_id": "example"},
        {"flags": Flag.UP},
        {"flags": Flag.UV},
        {"cross_origin": True},
        {"user_handle": uuid4().bytes},
        {"key": generate_private_key(SECP256R1())},
        {"credential_id": b"of nobody"},
        {"counter": -1},
    ],
    ids=lambda lie: next(iter(lie)),
)
async def test_an_answer_that_is_not_quite_right_is_refused(
    site: IdentityUnderTest, lie: dict[str, Any]
) -> None:
    who = await holder(site)
    assert (await who.answers()).status_code == 200
    refused = await sign_in(site, replace(who.device, **lie))
    assert (refused.status_code, refused.json()["type"]) == (
        401,
        "urn:alpr:problem:sign-in-refused",
    )
    who.device.counter += 1
    assert (await who.answers()).status_code == 200


async def test_a_counter_that_goes_back_is_refused_and_told(site: IdentityUnderTest) -> None:
    who = await holder(site)
    who.device.counter = 10
    assert (await who.answers()).status_code == 200
    copied = replace(who.device, counter=4)
    assert (await sign_in(site, copied)).status_code == 401
    told = (await site.audits(f"person:{who.person.person_id}"))[-1]
    assert (told["outcome"], told["details"]["cause"]) == (
        "refused",
        "passkey: its counter did not go on",
    )


async def test_synced_passkeys_count_nothing(site: IdentityUnderTest) -> None:
    who = await holder(site)
    for _ in range(2):
        assert (await sign_in(site, replace(who.device, counter=-1))).status_code == 200


@pytest.mark.parametrize(
    "credential",
    [
        {},
        {"rawId": 5, "response": {}},
        {"rawId": "AA", "response": {"clientDataJSON": "AA"}},
        {"rawId": "AA", "response": {"clientDataJSON": "e30"}},
        {"rawId": "AA", "response": {"clientDataJSON": "W10"}},
        {"rawId": "€", "response": {"clientDataJSON": "{"}},
        {"response": "no"},
    ],
)
async def test_nonsense_is_refused_as_a_wrong_password_is(
    site: IdentityUnderTest, credential: dict[str, Any]
) -> None:
    assert (await answer(site, credential)).status_code == 401


async def test_who_is_locked_or_not_active_is_not_let_in(site: IdentityUnderTest) -> None:
    for column in ("locked_at = now()", "active = false"):
        who = await holder(site)
        await site.sql(
            f"UPDATE identity.person SET {column} WHERE person_id = $1", who.person.person_id
        )
        assert (await who.answers()).status_code == 401
        told = (await site.audits(f"person:{who.person.person_id}"))[-1]
        assert told["details"]["cause"] in ("locked", "not active")


async def test_a_question_that_is_too_old_is_answered_in_vain(site: IdentityUnderTest) -> None:
    who = await holder(site)
    now = datetime.now(UTC)
    options = await passkeys.begin_sign_in(site.identity, now - timedelta(minutes=6))
    with pytest.raises(SignInRefused):
        await passkeys.sign_in(site.identity, who.device.get(options), None, now)


async def test_adding_one_needs_the_password_and_the_same_session(
    site: IdentityUnderTest,
) -> None:
    person = await site.person()
    first, second = await signed_in(site, person), await signed_in(site, person)
    wrong = await add(site, first, new_device(), password="not this one at all")
    assert wrong.status_code == 403
    nothing = await site.client.post("/v1/me/passkeys/begin", json={}, headers=first)
    assert nothing.status_code == 403
    begun = await site.client.post(
        "/v1/me/passkeys/begin", json={"password": PASSWORD}, headers=first
    )
    made = {"name": "x", "credential": new_device().create(begun.json())}
    elsewhere = await site.client.post("/v1/me/passkeys", json=made, headers=second)
    assert elsewhere.status_code == 422
    added = await site.client.post("/v1/me/passkeys", json=made, headers=first)
    assert added.status_code == 201
    again = await site.client.post("/v1/me/passkeys", json=made, headers=first)
    assert again.status_code == 422


async def test_what_is_made_elsewhere_or_without_a_pin_is_not_added(
    site: IdentityUnderTest,
) -> None:
    headers = await signed_in(site, await site.person())
    for lie in ({"origin": "https://evil.example"}, {"flags": Flag.UP}, {"rp_id": "evil.example"}):
        assert (await add(site, headers, replace(new_device(), **lie))).status_code == 422


async def test_one_credential_is_of_one_person(site: IdentityUnderTest) -> None:
    who = await holder(site)
    thief = await signed_in(site, await site.person(agency=OTHERS))
    taken = await add(site, thief, replace(new_device(), credential_id=who.device.credential_id))
    assert taken.status_code == 409


async def test_passkeys_are_listed_renamed_and_removed_by_their_person(
    site: IdentityUnderTest,
) -> None:
    who = await holder(site)
    said = (await who.answers()).json()
    headers = site.bearer(said["access_token"])
    (shown,) = (await site.client.get("/v1/me/passkeys", headers=headers)).json()["items"]
    assert (shown["name"], shown["is_synced"]) == ("Blue key", False)
    url = f"/v1/me/passkeys/{who.passkey_id}"
    stranger = await signed_in(site, await site.person())
    named = await site.client.patch(url, json={"name": "Mine"}, headers=stranger)
    assert named.status_code == 404
    named = await site.client.patch(url, json={"name": "Old one"}, headers=headers)
    assert named.status_code == 204
    # Signed in by a passkey a moment ago: no password is asked for.
    second = new_device()
    begun = await site.client.post("/v1/me/passkeys/begin", json={}, headers=headers)
    made = {"name": "Second", "credential": second.create(begun.json())}
    assert (
        await site.client.post("/v1/me/passkeys", json=made, headers=headers)
    ).status_code == 201
    removed = await site.client.post(f"{url}/remove", json={}, headers=headers)
    assert removed.status_code == 204
    assert (await who.answers()).status_code == 401
    assert (await sign_in(site, second)).status_code == 200
    actions = [a["action"] for a in await site.audits(f"person:{who.person.person_id}")]
    assert [a for a in actions if a.startswith("passkey.")] == [
        "passkey.added", "passkey.renamed", "passkey.added", "passkey.removed",
    ]  # fmt: skip


async def test_an_administrator_of_the_agency_takes_away_a_lost_one(
    site: IdentityUnderTest,
) -> None:
    who = await holder(site)
    said = (await who.answers()).json()
    url = f"/v1/people/{who.person.person_id}/passkeys"
    ours, theirs = await site.administrator(), await site.administrator(OTHERS)
    assert (await site.client.get(url, headers=theirs)).status_code == 404
    (listed,) = (await site.client.get(url, headers=ours)).json()["items"]
    one = f"{url}/{listed['passkey_id']}"
    assert (await site.client.delete(one, headers=theirs)).status_code == 404
    assert (await site.client.delete(one, headers=ours)).status_code == 204
    assert (await who.answers()).status_code == 401
    assert (await site.refresh(said["refresh_token"])).status_code == 401
    # The way back in: the password, and a second factor set up anew.
    assert (await site.sign_in(who.person.username)).status_code == 200


async def test_where_browsers_have_no_passkeys_that_is_said(identity: IdentityUnderTest) -> None:
    said = await identity.client.post("/v1/sessions/passkey/begin")
    assert (said.status_code, said.json()["type"]) == (409, "urn:alpr:problem:passkeys-unavailable")
