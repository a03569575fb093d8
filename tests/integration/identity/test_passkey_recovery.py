"""Recovery codes of people who have passkeys and no app: the way in when the key is lost."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pyotp
import pytest

from alpr_identity.domain import Person
from tests.integration.identity.conftest import PASSWORD, IdentityUnderTest
from tests.integration.identity.test_passkeys import (
    OFFICERS_MUST,
    SITE,
    Holder,
    add,
    holder,
    new_device,
    sign_in,
    signed_in,
)

pytestmark = [pytest.mark.integration, pytest.mark.policy("131.7-3c")]

CODES = "/v1/me/second-factor/recovery-codes"


@pytest.fixture
async def site(identity: IdentityUnderTest) -> IdentityUnderTest:
    identity.app.state.identity = identity.identity = replace(identity.identity, relying_party=SITE)
    return identity


async def codes_of(who: Holder, **proof: str) -> list[str]:
    """A new set, by a session of the passkey."""
    said = (await who.answers()).json()
    headers = who.identity.bearer(said["access_token"])
    made = await who.identity.client.post(CODES, json=proof, headers=headers)
    assert made.status_code == 200, made.text
    assert made.headers["cache-control"] == "no-store"
    codes: list[str] = made.json()["recovery_codes"]
    return codes


async def left(who: Holder) -> int:
    rows = await who.identity.sql(
        "SELECT 1 FROM identity.recovery_code WHERE person_id = $1", who.person.person_id
    )
    return len(rows)


async def test_a_recovery_code_and_the_password_let_in_who_lost_the_key_once(
    site: IdentityUnderTest,
) -> None:
    site.with_policy(OFFICERS_MUST)
    who = await holder(site)
    first, second, *_ = await codes_of(who)
    needs = await site.sign_in(who.person.username)
    assert (needs.status_code, needs.json()["ways"]) == (401, ["code", "passkey"])
    assert "a recovery code" in needs.json()["detail"]
    assert "six digits" not in needs.json()["detail"]
    said = await site.sign_in(who.person.username, code=f" {first.upper()} ")
    assert (said.status_code, said.json()["must_enrol"]) == (200, False)
    assert (await site.sign_in(who.person.username, code=first)).status_code == 401
    opened = [
        a["details"]
        for a in await site.audits(f"person:{who.person.person_id}")
        if a["action"] == "session.opened" and a["outcome"] == "done"
    ]
    assert opened[-1] == {"method": "password", "second_factor": "recovery_code"}
    # The lost key is taken away and a new one takes its place, without an administrator.
    headers, device = site.bearer(said.json()["access_token"]), new_device()
    assert (await add(site, headers, device)).status_code == 201
    gone = await site.client.post(
        f"/v1/me/passkeys/{who.passkey_id}/remove", json={"password": PASSWORD}, headers=headers
    )
    assert gone.status_code == 204
    assert (await who.answers()).status_code == 401
    assert (await sign_in(site, device)).status_code == 200
    assert (await site.sign_in(who.person.username, code=second)).status_code == 200


async def test_a_new_set_replaces_the_old_one_and_only_hashes_are_kept(
    site: IdentityUnderTest,
) -> None:
    who = await holder(site)
    old = await codes_of(who)
    new = await codes_of(who, password=PASSWORD)
    assert len(set(old) | set(new)) == 20
    assert await left(who) == 10
    assert (await site.sign_in(who.person.username, code=old[0])).status_code == 401
    assert (await site.sign_in(who.person.username, code=new[0])).status_code == 200
    stored = await site.sql(
        "SELECT code_hash FROM identity.recovery_code WHERE person_id = $1", who.person.person_id
    )
    assert {len(row["code_hash"]) for row in stored} == {32}
    actions = [a["action"] for a in await site.audits(f"person:{who.person.person_id}")]
    assert actions.count("second_factor.codes_renewed") == 2


async def test_of_two_sign_ins_with_one_recovery_code_at_once_one_succeeds(
    site: IdentityUnderTest,
) -> None:
    who = await holder(site)
    code = (await codes_of(who))[0]
    both = await asyncio.gather(*(site.sign_in(who.person.username, code=code) for _ in range(2)))
    assert sorted(one.status_code for one in both) == [200, 401]


async def test_wrong_recovery_codes_lock_and_then_neither_way_lets_in(
    site: IdentityUnderTest,
) -> None:
    who = await holder(site)
    code = (await codes_of(who))[0]
    for guess in ("aaaa-aaaa-aaaa-aaaa", "000000", "", " ", "bbbb", "cccc", "dddd"):
        said = await site.sign_in(who.person.username, code=guess)
        assert said.status_code == 401
    assert (await site.sign_in(who.person.username, code=code)).status_code == 401
    assert (await who.answers()).status_code == 401
    # The right code was not spent on a locked account.
    assert await left(who) == 10


async def test_a_recovery_code_is_of_no_use_without_the_password_or_to_somebody_else(
    site: IdentityUnderTest,
) -> None:
    who, other = await holder(site), await holder(site)
    code = (await codes_of(who))[0]
    wrong = await site.sign_in(who.person.username, "not the password at all", code)
    foreign = await site.sign_in(other.person.username, code=code)
    assert (wrong.status_code, foreign.status_code) == (401, 401)
    assert await left(who) == 10


async def test_codes_are_made_only_by_who_shows_who_they_are_and_has_a_second_factor(
    site: IdentityUnderTest,
) -> None:
    plain: Person = await site.person()
    headers = await signed_in(site, plain)
    none = await site.client.post(CODES, json={"password": PASSWORD}, headers=headers)
    assert none.status_code == 409
    who = await holder(site)  # signed in by a password, before there was a passkey
    for proof in ({}, {"password": "not the password at all"}):
        refused = await site.client.post(CODES, json=proof, headers=who.headers)
        assert refused.status_code == 403
    assert await left(who) == 0


@pytest.mark.parametrize("by_administrator", [True, False])
async def test_codes_go_with_the_last_passkey(
    site: IdentityUnderTest, by_administrator: bool
) -> None:
    who = await holder(site)
    said = (await who.answers()).json()
    own = site.bearer(said["access_token"])
    spare = await add(site, own, new_device())
    code = (await codes_of(who))[0]
    ours = await site.administrator()

    async def remove(passkey_id: str) -> None:
        path = f"/v1/people/{who.person.person_id}/passkeys/{passkey_id}"
        assert (await site.client.delete(path, headers=ours)).status_code == 204

    if by_administrator:
        await remove(spare.json()["passkey_id"])
        assert await left(who) == 10
        await remove(who.passkey_id)
    else:
        fresh = site.bearer((await who.answers()).json()["access_token"])
        for passkey_id in (spare.json()["passkey_id"], who.passkey_id):
            gone = await site.client.post(
                f"/v1/me/passkeys/{passkey_id}/remove", json={}, headers=fresh
            )
            assert gone.status_code == 204
    assert await left(who) == 0
    # Nor do they come back with the next passkey.
    again = await signed_in(site, who.person)
    assert (await add(site, again, new_device())).status_code == 201
    assert (await site.sign_in(who.person.username, code=code)).status_code == 401


async def test_an_app_set_up_later_brings_its_own_codes_and_the_passkeys_work_no_more(
    site: IdentityUnderTest,
) -> None:
    who = await holder(site)
    old = (await codes_of(who))[0]
    headers = site.bearer((await who.answers()).json()["access_token"])
    begun = await site.client.post(
        "/v1/me/second-factor", json={"password": PASSWORD}, headers=headers
    )
    code = pyotp.TOTP(begun.json()["secret"]).at(datetime.now(UTC))
    confirmed = await site.client.post(
        "/v1/me/second-factor/confirm", json={"code": code}, headers=headers
    )
    new = confirmed.json()["recovery_codes"][0]
    assert (await site.sign_in(who.person.username, code=old)).status_code == 401
    assert (await site.sign_in(who.person.username, code=new)).status_code == 200
