"""Second factors: enrolling, signing in with a code, recovery codes, and losing one."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest

from alpr_common.auth import Gate, SecondFactorMissing
from alpr_common.policy import Policy, Role
from alpr_identity import one_time_codes, second_factor, sessions
from alpr_identity.confirming import Claim
from alpr_identity.domain import Person
from alpr_identity.refusals import SecondFactorNeeded, SessionEnded, SignInRefused
from alpr_identity.sessions import SignedIn
from tests.integration.identity.conftest import PASSWORD, IdentityUnderTest

pytestmark = [pytest.mark.integration, pytest.mark.policy("131.7-3c")]

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
OFFICERS_MUST = Policy(second_factor_roles=frozenset({Role.OFFICER}))


@dataclass
class Enrolled:
    """Somebody with an authenticator app."""

    identity: IdentityUnderTest
    person: Person
    secret: str
    recovery_codes: list[str]
    began: SignedIn
    now: datetime = field(default=NOON)

    def code(self) -> str:
        return pyotp.TOTP(self.secret).at(self.now)

    def later(self, **how: float) -> datetime:
        self.now += timedelta(**how)
        return self.now

    async def sign_in(self, code: str | None, password: str = PASSWORD) -> SignedIn:
        claim = Claim(self.person.username, password, code, "192.0.2.7")
        return await sessions.sign_in(self.identity.identity, claim, self.now)


async def enrolled(identity: IdentityUnderTest, role: Role = Role.OFFICER) -> Enrolled:
    person = await identity.person(role=role)
    await identity.sql(
        "UPDATE identity.person SET created_at = $2 WHERE person_id = $1", person.person_id, NOON
    )
    claim = Claim(person.username, PASSWORD)
    began = await sessions.sign_in(identity.identity, claim, NOON)
    # The token is of NOON: what it says is taken instead of having it verified now.
    session_id = (
        await identity.sql(
            "SELECT session_id FROM identity.session WHERE person_id = $1", person.person_id
        )
    )[0]["session_id"]
    principal = person.principal(session_id, "192.0.2.7")
    pending = await second_factor.begin(identity.identity, principal, PASSWORD, None, NOON)
    assert pending.otpauth_uri.startswith("otpauth://totp/ALPR:")
    code = pyotp.TOTP(pending.secret).at(NOON)
    codes = await second_factor.finish(identity.identity, principal, code, NOON)
    who = Enrolled(identity, person, pending.secret, codes, began)
    who.later(minutes=1)
    return who


async def test_a_right_password_alone_opens_nothing_once_there_is_a_second_factor(
    identity: IdentityUnderTest,
) -> None:
    who = await enrolled(identity)
    with pytest.raises(SecondFactorNeeded):
        await who.sign_in(None)
    signed_in = await who.sign_in(who.code())
    assert not signed_in.must_enrol
    opened = [
        a
        for a in await identity.audits(f"person:{who.person.person_id}")
        if a["action"] == "session.opened" and a["outcome"] == "done"
    ]
    assert [a["details"]["second_factor"] for a in opened] == ["none", "code"]


async def test_a_code_works_once_and_none_from_before_it(identity: IdentityUnderTest) -> None:
    who = await enrolled(identity)
    code, before = who.code(), pyotp.TOTP(who.secret).at(who.now - timedelta(seconds=30))
    await who.sign_in(code)
    for spent in (code, before):
        with pytest.raises(SignInRefused):
            await who.sign_in(spent)
    who.later(seconds=30)
    await who.sign_in(who.code())


async def test_of_two_sign_ins_with_one_code_at_the_same_moment_one_succeeds(
    identity: IdentityUnderTest,
) -> None:
    who = await enrolled(identity)
    code = who.code()
    both = await asyncio.gather(who.sign_in(code), who.sign_in(code), return_exceptions=True)
    assert sorted(type(one).__name__ for one in both) == ["SignInRefused", "SignedIn"]


async def test_a_recovery_code_works_once_however_it_is_typed(identity: IdentityUnderTest) -> None:
    who = await enrolled(identity)
    assert len(set(who.recovery_codes)) == one_time_codes.RECOVERY_CODES
    first = who.recovery_codes[0]
    await who.sign_in(f" {first.replace('-', ' ').upper()} ")
    with pytest.raises(SignInRefused):
        await who.sign_in(first)
    await who.sign_in(who.recovery_codes[1])


async def test_five_wrong_codes_lock_as_five_wrong_passwords_do(
    identity: IdentityUnderTest,
) -> None:
    who = await enrolled(identity)
    for _ in range(4):
        with pytest.raises(SignInRefused):
            await who.sign_in("000000")
    # Asking without a code neither counts nor wipes what was counted.
    with pytest.raises(SecondFactorNeeded):
        await who.sign_in(None)
    with pytest.raises(SignInRefused):
        await who.sign_in("000000")
    with pytest.raises(SignInRefused):
        await who.sign_in(who.code())
    (row,) = await identity.sql(
        "SELECT locked_at FROM identity.person WHERE person_id = $1", who.person.person_id
    )
    assert row["locked_at"] is not None


async def test_enrolling_ends_the_sessions_that_rest_on_the_password_alone(
    identity: IdentityUnderTest,
) -> None:
    person = await identity.person()
    other, own = [(await identity.sign_in(person.username)).json() for _ in range(2)]
    headers = identity.bearer(own["access_token"])
    begun = await identity.client.post(
        "/v1/me/second-factor", json={"password": PASSWORD}, headers=headers
    )
    assert begun.status_code == 201
    assert begun.headers["cache-control"] == "no-store"
    wrong = await identity.client.post(
        "/v1/me/second-factor/confirm", json={"code": "12"}, headers=headers
    )
    assert wrong.status_code == 422
    confirmed = await identity.client.post(
        "/v1/me/second-factor/confirm",
        json={"code": pyotp.TOTP(begun.json()["secret"]).now()},
        headers=headers,
    )
    assert confirmed.status_code == 200
    assert len(confirmed.json()["recovery_codes"]) == 10
    assert (await identity.refresh(own["refresh_token"])).status_code == 200
    assert (await identity.refresh(other["refresh_token"])).status_code == 401
    standing = await identity.client.get("/v1/me/second-factor", headers=headers)
    assert standing.json()["recovery_codes_left"] == 10
    needs = await identity.sign_in(person.username)
    assert (needs.status_code, needs.json()["type"]) == (
        401,
        "urn:alpr:problem:second-factor-needed",
    )


async def test_whose_role_must_have_one_can_do_nothing_but_enrol(
    identity: IdentityUnderTest,
) -> None:
    identity.with_policy(OFFICERS_MUST)
    person = await identity.person()
    said = (await identity.sign_in(person.username)).json()
    assert said["must_enrol"] is True
    headers = identity.bearer(said["access_token"])
    closed = await identity.client.get("/v1/sessions", headers=headers)
    assert (closed.status_code, closed.json()["clause"]) == (403, "131.7-3c")
    me = (await identity.client.get("/v1/me", headers=headers)).json()
    assert (me["must_enrol"], me["may_access"]) == (True, False)
    begun = await identity.client.post(
        "/v1/me/second-factor", json={"password": PASSWORD}, headers=headers
    )
    await identity.client.post(
        "/v1/me/second-factor/confirm",
        json={"code": pyotp.TOTP(begun.json()["secret"]).now()},
        headers=headers,
    )
    renewed = (await identity.refresh(said["refresh_token"])).json()
    assert renewed["must_enrol"] is False
    open_now = identity.bearer(renewed["access_token"])
    assert (await identity.client.get("/v1/sessions", headers=open_now)).status_code == 200


async def test_every_other_service_refuses_a_token_that_may_only_enrol(
    identity: IdentityUnderTest,
) -> None:
    identity.with_policy(OFFICERS_MUST)
    person = await identity.person()
    said = (await identity.sign_in(person.username)).json()
    principal = identity.principal(said["access_token"])
    assert principal.must_enrol
    gate = Gate(identity.verifier, OFFICERS_MUST)
    from starlette.requests import Request

    headers = [(b"authorization", f"Bearer {said['access_token']}".encode())]
    with pytest.raises(SecondFactorMissing):
        await gate.access()(Request({"type": "http", "headers": headers, "client": None}))


async def test_a_session_without_the_factor_ends_when_the_policy_begins_to_ask(
    identity: IdentityUnderTest,
) -> None:
    who = await enrolled(identity)
    first = await who.sign_in(who.code())
    await identity.sql(
        "UPDATE identity.session SET second_factor_at = NULL WHERE person_id = $1",
        who.person.person_id,
    )
    identity.with_policy(OFFICERS_MUST)
    with pytest.raises(SessionEnded):
        await sessions.refresh(identity.identity, first.refresh_token, None, who.now)


async def test_an_administrator_takes_away_a_lost_factor_and_all_sessions_end(
    identity: IdentityUnderTest,
) -> None:
    who = await enrolled(identity)
    administrator, stranger = await identity.administrator(), await identity.administrator("ILX")
    path = f"/v1/people/{who.person.person_id}/second-factor"
    assert (await identity.client.delete(path, headers=stranger)).status_code == 404
    assert (await identity.client.delete(path, headers=administrator)).status_code == 204
    assert (await identity.client.delete(path, headers=administrator)).status_code == 409
    await who.sign_in(None)


async def test_a_secret_lies_sealed_and_opens_for_its_person_alone(
    identity: IdentityUnderTest,
) -> None:
    who, other = await enrolled(identity), await enrolled(identity)
    rows: dict[Any, bytes] = {
        r["person_id"]: r["sealed_secret"]
        for r in await identity.sql("SELECT person_id, sealed_secret FROM identity.second_factor")
        if r["sealed_secret"]
    }
    assert who.secret.encode() not in rows[who.person.person_id]
    # The database's owner puts somebody else's secret in the place of one.
    await identity.sql(
        "UPDATE identity.second_factor SET sealed_secret = $2 WHERE person_id = $1",
        who.person.person_id, rows[other.person.person_id],
    )  # fmt: skip
    with pytest.raises(Exception, match="opens with no key"):
        await who.sign_in(other.code())
