"""Sessions in lists, rights withdrawn, trainings reminded of, accounts that nobody uses."""

from datetime import UTC, datetime, timedelta

import pytest

from alpr_common.policy import Role
from alpr_identity import handlers, sessions, upkeep
from alpr_identity.audit import OPERATOR
from alpr_identity.confirming import Claim
from alpr_identity.domain import Person
from alpr_identity.handlers import NewPerson
from alpr_identity.refusals import SignInRefused
from tests.integration.identity.conftest import OURS, PASSWORD, IdentityUnderTest

pytestmark = pytest.mark.integration


async def trained(identity: IdentityUnderTest, username: str, days: int, now: datetime) -> Person:
    until = now.date() + timedelta(days=days)
    new = NewPerson(username, "Bo Lee", Role.OFFICER, leads_until=until, alpr_until=None)
    person, _ = await handlers.create_person(identity.identity, OPERATOR, OURS, new, now)
    return person


@pytest.mark.policy("131.7-3c")
async def test_sessions_are_listed_and_ended_by_their_person_and_an_administrator(
    identity: IdentityUnderTest,
) -> None:
    person = await identity.person()
    one, two = [(await identity.sign_in(person.username)).json() for _ in range(2)]
    mine = identity.bearer(one["access_token"])
    listed = (await identity.client.get("/v1/sessions", headers=mine)).json()["items"]
    assert sorted(item["current"] for item in listed) == [False, True]
    assert {item["address"] for item in listed} == {"192.0.2.7"}
    other = next(item["session_id"] for item in listed if not item["current"])
    stranger = identity.token(await identity.person())
    path = f"/v1/sessions/{other}"
    assert (await identity.client.delete(path, headers=stranger)).status_code == 404
    assert (await identity.client.delete(path, headers=mine)).status_code == 204
    assert (await identity.refresh(two["refresh_token"])).status_code == 401
    (notice,) = await identity.withdrawn(other)
    assert (notice["kind"], notice["because"]) == ("session", "ended_by_person")

    administrator = await identity.administrator()
    of_person = f"/v1/people/{person.person_id}/sessions"
    (left,) = (await identity.client.get(of_person, headers=administrator)).json()["items"]
    foreign = await identity.administrator("ILX")
    assert (await identity.client.get(of_person, headers=foreign)).status_code == 404
    ended = await identity.client.delete(
        f"/v1/sessions/{left['session_id']}", headers=administrator
    )
    assert ended.status_code == 204
    assert (await identity.refresh(one["refresh_token"])).status_code == 401


@pytest.mark.policy("131.6-1", "131.6-2")
async def test_a_changed_role_or_a_shortened_training_withdraws_tokens_and_keeps_the_session(
    identity: IdentityUnderTest,
) -> None:
    person, administrator = await identity.person(), await identity.administrator()
    said = (await identity.sign_in(person.username)).json()
    path = f"/v1/people/{person.person_id}"
    await identity.client.patch(path, json={"name": "Ann M."}, headers=administrator)
    await identity.client.put(
        f"{path}/training", json={"alpr_until": "9999-12-31"}, headers=administrator
    )
    assert await identity.withdrawn(person.person_id) == []
    await identity.client.patch(path, json={"role": "cso"}, headers=administrator)
    await identity.client.put(f"{path}/training", json={"leads_until": None}, headers=administrator)
    notices = await identity.withdrawn(person.person_id)
    assert [n["below_version"] for n in notices] == [1, 2]
    renewed = (await identity.refresh(said["refresh_token"])).json()
    principal = identity.principal(renewed["access_token"])
    assert (principal.rights_version, principal.role) == (2, Role.CSO)
    assert identity.principal(said["access_token"]).rights_version == 0


@pytest.mark.policy("131.5-a")
async def test_a_training_is_reminded_of_once_per_threshold_and_shown_on_the_roster(
    identity: IdentityUnderTest,
) -> None:
    now = datetime.now(UTC)
    person = await trained(identity, f"remind{now.timestamp()}", 20, now)
    for days in (0, 1, 7, 14, 14):
        await upkeep.look_after_all(identity.identity, now + timedelta(days=days))
    told = [
        a["details"]["days_before"]
        for a in await identity.audits(f"person:{person.person_id}")
        if a["action"] == "person.training_reminder"
    ]
    assert told == ["30", "14", "7"]
    supervisor = identity.token(await identity.person(role=Role.SUPERVISOR))
    roster = (await identity.client.get("/v1/training/roster", headers=supervisor)).json()
    line = next(i for i in roster["items"] if i["person_id"] == str(person.person_id))
    # The roster is of today, which midnight may have made the day after.
    days_left = {20 - (day.date() - now.date()).days for day in (now, datetime.now(UTC))}
    assert line["leads"]["standing"] == "due"
    assert line["leads"]["days_left"] in days_left
    assert line["alpr"]["standing"] == "missing"
    assert [r["days_before"] for r in line["reminders"]] == [30, 14, 7]
    officer = identity.token(await identity.person())
    assert (await identity.client.get("/v1/training/roster", headers=officer)).status_code == 403
    stranger = identity.token(await identity.person(role=Role.AUDITOR, agency="ILX"))
    foreign = (await identity.client.get("/v1/training/roster", headers=stranger)).json()["items"]
    assert str(person.person_id) not in {i["person_id"] for i in foreign}


@pytest.mark.policy("131.7-3c")
async def test_an_account_that_nobody_uses_for_ninety_days_is_disabled_until_an_administrator(
    identity: IdentityUnderTest,
) -> None:
    person, administrator = await identity.person(), await identity.administrator()
    claim = Claim(person.username, PASSWORD)
    much_later = datetime.now(UTC) + timedelta(days=91)
    with pytest.raises(SignInRefused):  # also before the upkeep came by
        await sessions.sign_in(identity.identity, claim, much_later)
    await upkeep.look_after_all(identity.identity, datetime.now(UTC) + timedelta(days=89))
    await sessions.sign_in(identity.identity, claim, datetime.now(UTC))
    await identity.sql(
        "UPDATE identity.person SET created_at = now() - interval '91 days', "
        "signed_in_at = now() - interval '91 days' WHERE person_id = $1",
        person.person_id,
    )
    await upkeep.look_after_all(identity.identity, datetime.now(UTC))
    path = f"/v1/people/{person.person_id}"
    shown = await identity.client.get(path, headers=administrator)
    assert shown.json()["active"] is False
    actions = [a["action"] for a in await identity.audits(f"person:{person.person_id}")]
    assert actions.count("person.disabled") == 1
    await identity.client.patch(path, json={"active": True}, headers=administrator)
    await upkeep.look_after_all(identity.identity, datetime.now(UTC))
    assert (await identity.sign_in(person.username)).status_code == 200


async def test_a_session_left_open_is_ended_by_the_upkeep(identity: IdentityUnderTest) -> None:
    person = await identity.person()
    await identity.sign_in(person.username)
    await upkeep.look_after_all(identity.identity, datetime.now(UTC) + timedelta(hours=2))
    (row,) = await identity.sql(
        "SELECT ended_because FROM identity.session WHERE person_id = $1", person.person_id
    )
    assert row["ended_because"] == "left_open"
