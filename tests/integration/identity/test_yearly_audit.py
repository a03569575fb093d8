"""The figures of the yearly audit: of one's own agency, for a period, from what really happened."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from alpr_common.policy import Policy, Role
from alpr_identity import sessions
from alpr_identity.confirming import Claim
from alpr_identity.refusals import SignInRefused
from tests.integration.identity.conftest import OTHERS, PASSWORD, IdentityUnderTest

pytestmark = [pytest.mark.integration, pytest.mark.policy("131.5-d")]

# One agency for each test: figures are sums over an agency.
NOW = datetime.now(UTC)
PERIOD = {
    "from": (NOW - timedelta(days=180)).isoformat(),
    "to": (NOW + timedelta(days=1)).isoformat(),
}


async def report(
    identity: IdentityUnderTest, what: str, agency: str, role: Role = Role.AUDITOR, **more: Any
) -> dict[str, Any]:
    headers = identity.token(await identity.person(agency=agency, role=role))
    answer = await identity.client.get(f"/v1/audit/{what}", params=PERIOD | more, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    said: dict[str, Any] = answer.json()
    return said


async def test_password_security_counts_accounts_sign_ins_locks_and_releases(
    identity: IdentityUnderTest,
) -> None:
    agency, began = "ILPASS", datetime.now(UTC)
    one, two, away = [await identity.person(agency=agency) for _ in range(3)]
    await identity.person(agency=OTHERS)
    assert (await identity.sign_in(one.username)).status_code == 200
    for _ in range(5):
        await identity.sign_in(two.username, "not this one")
    administrator = await identity.administrator(agency)
    await identity.client.post(f"/v1/people/{two.person_id}/release", headers=administrator)
    await identity.client.post(
        f"/v1/people/{two.person_id}/password", json={}, headers=administrator
    )
    await identity.client.patch(
        f"/v1/people/{away.person_id}", json={"active": False}, headers=administrator
    )
    await identity.sql(
        "UPDATE identity.person SET password_changed_at = now() - interval '200 days' "
        "WHERE person_id = $1", one.person_id,
    )  # fmt: skip
    said = await report(identity, "password-security", agency)

    officers = next(a for a in said["accounts"] if a["role"] == "officer")
    assert (officers["active"], officers["disabled"], officers["locked"]) == (2, 1, 0)
    (factors,) = [f for f in said["second_factors"] if f["role"] == "officer"]
    assert (factors["accounts"], factors["none"], factors["required"]) == (2, 2, False)
    assert said["password_ages"]["oldest_days"] == 200
    assert sum(b["accounts"] for b in said["password_ages"]["buckets"]) == 4
    (lock,) = said["lockouts"]
    assert (lock["username"], lock["failures"]) == (two.username, 5)
    assert lock["address"] == "192.0.2.7"
    assert lock["released_by"] == "Ann Miller"
    assert said["releases"] == 1
    assert said["passwords_set_by_administrators"] == 1
    assert [c["username"] for c in said["closed_accounts"]] == [away.username]
    assert (said["sign_ins"]["done"], said["sign_ins"]["refused"]) == (1, 5)
    assert said["sign_ins"]["by_method"] == {"password": 1}
    assert said["sign_ins"]["refused_because"] == {"wrong password": 5}
    days = said["sign_ins"]["by_day"]  # two, when midnight comes in between
    assert {d["day"] for d in days} <= {at.date().isoformat() for at in (began, datetime.now(UTC))}
    assert (sum(d["done"] for d in days), sum(d["refused"] for d in days)) == (1, 5)
    assert said["policy"]["password_min_characters"] == Policy().password_min_characters
    assert said["policy"]["banned_passwords"] > 100
    assert said["policy"]["password_hash"].startswith("argon2id")


async def test_a_second_factor_and_who_must_have_one_are_counted(
    identity: IdentityUnderTest,
) -> None:
    agency = "ILFACTOR"
    identity.with_policy(Policy(second_factor_roles=frozenset({Role.OFFICER})))
    person = await identity.person(agency=agency)
    await identity.person(agency=agency)
    await identity.sql(
        "INSERT INTO identity.second_factor (person_id, agency_id, sealed_secret, confirmed_at) "
        "VALUES ($1, $2, 'x', now())", person.person_id, agency,
    )  # fmt: skip
    said = await report(identity, "password-security", agency)
    (officers,) = [f for f in said["second_factors"] if f["role"] == "officer"]
    assert (officers["required"], officers["totp"], officers["none"]) == (True, 1, 1)


async def test_a_lapse_names_who_had_access_when_it_began(identity: IdentityUnderTest) -> None:
    agency = "ILLAPSE"
    person = await identity.person(agency=agency, trained=False)
    begun = NOW - timedelta(days=40)
    lapsed_on = (NOW - timedelta(days=10)).date()
    for at, until in ((begun, lapsed_on), (NOW - timedelta(days=2), date(2099, 1, 1))):
        await identity.sql(
            "INSERT INTO identity.training (agency_id, person_id, kind, valid_until, recorded_by, "
            "recorded_at) VALUES ($1, $2, 'leads', $3, 'x', $4)",
            agency, person.person_id, until, at,
        )  # fmt: skip
    midnight = datetime.combine(lapsed_on + timedelta(days=1), datetime.min.time(), UTC)
    await identity.sql(
        "UPDATE identity.person SET created_at = $2 WHERE person_id = $1", person.person_id, begun
    )
    claim = Claim(person.username, PASSWORD)
    await sessions.sign_in(identity.identity, claim, midnight - timedelta(minutes=20))
    await sessions.sign_in(identity.identity, claim, midnight + timedelta(hours=2))
    said = await report(identity, "training", agency, Role.SUPERVISOR)
    (lapse,) = said["lapses"]
    assert datetime.fromisoformat(lapse["lapsed_at"]) == midnight
    assert (lapse["because"], lapse["restored_at"] is not None) == ("ran_out", True)
    assert (lapse["had_access"], lapse["role"], lapse["account_active"]) == (True, "officer", True)
    assert len(lapse["sessions_open"]) == 1
    assert lapse["sessions_opened_during"] == 1
    (shown,) = [p for p in said["people"] if p["username"] == person.username]
    assert [r["valid_until"] for r in shown["training"]] == [lapsed_on.isoformat(), "2099-01-01"]
    earlier = await report(
        identity, "training", agency, to=(midnight - timedelta(days=1)).isoformat()
    )
    assert earlier["lapses"] == []


async def test_sessions_of_a_period_come_in_pages_with_person_address_and_end(
    identity: IdentityUnderTest,
) -> None:
    agency = "ILSESSION"
    people = [await identity.person(agency=agency) for _ in range(2)]
    await identity.person(agency=OTHERS)
    for person in people:
        said = (await identity.sign_in(person.username)).json()
        await identity.client.delete("/v1/sessions", headers=identity.bearer(said["access_token"]))
        await identity.sign_in(person.username)
    first = await report(identity, "sessions", agency, limit=3)
    assert len(first["items"]) == 3
    rest = await report(identity, "sessions", agency, limit=3, cursor=first["next_cursor"])
    assert rest["next_cursor"] is None
    every = [*first["items"], *rest["items"]]
    assert len({s["session_id"] for s in every}) == 4
    assert {s["username"] for s in every} == {p.username for p in people}
    assert {s["address"] for s in every} == {"192.0.2.7"}
    ended = [s for s in every if s["ended_because"] == "signed_out"]
    assert len(ended) == 2
    assert all(s["ended_at"] and not s["is_open"] for s in ended)
    assert sum(s["is_open"] for s in every) == 2
    before = await report(identity, "sessions", agency, to=(NOW - timedelta(days=9)).isoformat())
    assert before["items"] == []


async def test_reading_the_figures_is_recorded(identity: IdentityUnderTest) -> None:
    await report(identity, "password-security", "ILREAD")
    told = [
        a for a in await identity.audits("audit:password-security") if a["agency_id"] == "ILREAD"
    ]
    assert [a["action"] for a in told] == ["audit.read"]


@pytest.mark.parametrize("what", ["password-security", "training", "sessions"])
async def test_the_figures_are_for_administrators_and_auditors_alone(
    identity: IdentityUnderTest, what: str
) -> None:
    for role, status in (
        (Role.ADMINISTRATOR, 200),
        (Role.AUDITOR, 200),
        (Role.SUPERVISOR, 200 if what == "training" else 403),
        (Role.OFFICER, 403),
    ):
        headers = identity.token(await identity.person(role=role))
        url = f"/v1/audit/{what}"
        answer = await identity.client.get(url, params=PERIOD, headers=headers)
        assert answer.status_code == status


@pytest.mark.parametrize(
    "period",
    [
        {"from": PERIOD["to"], "to": PERIOD["from"]},
        {"from": "2020-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
        {"from": "2026-01-01T00:00:00", "to": "2026-02-01T00:00:00Z"},
        {"from": "2026-01-01T00:00:00Z"},
        PERIOD | {"cursor": "nonsense"},
    ],
)
async def test_a_period_that_makes_no_sense_is_refused(
    identity: IdentityUnderTest, period: dict[str, str]
) -> None:
    headers = identity.token(await identity.person(role=Role.AUDITOR))
    answer = await identity.client.get("/v1/audit/sessions", params=period, headers=headers)
    assert answer.status_code == 422


async def test_nothing_of_what_was_counted_can_be_changed_by_the_service(
    identity: IdentityUnderTest,
) -> None:
    person = await identity.person()
    with pytest.raises(SignInRefused):
        await sessions.sign_in(identity.identity, Claim(person.username, "wrong one"), NOW)
    for statement in ("DELETE FROM account_event", "UPDATE account_event SET outcome = 'done'"):
        with pytest.raises(Exception, match="permission denied"):
            async with identity.identity.database.transaction(person.agency_id) as connection:
                await connection.execute(statement)
