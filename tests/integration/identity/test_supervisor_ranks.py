"""Supervisor ranks: checked against the policy, carried by the token, withdrawn when changed."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from alpr_common.policy import AgencyPolicies, Policy, Role
from tests.integration.identity.conftest import OTHERS, OURS, PASSWORD, IdentityUnderTest

pytestmark = pytest.mark.integration


def supervisor(**changed: Any) -> dict[str, Any]:
    said = {"username": f"s{uuid4().hex}", "name": "Morgan Hale", "role": "supervisor"}
    return said | {"password": PASSWORD, "supervisor_rank": "sergeant"} | changed


async def test_a_supervisors_rank_is_in_the_token_and_the_title_stays_free_text(
    identity: IdentityUnderTest,
) -> None:
    said = supervisor(rank="Sgt., Traffic Unit")
    administrator = await identity.administrator()
    made = await identity.client.post("/v1/people", json=said, headers=administrator)
    assert made.status_code == 201, made.text
    assert (made.json()["supervisor_rank"], made.json()["rank"]) == (
        "sergeant",
        "Sgt., Traffic Unit",
    )
    token = (await identity.sign_in(said["username"])).json()["access_token"]
    assert identity.principal(token).rank == "sergeant"
    (created, *_) = await identity.audits(f"person:{made.json()['person_id']}")
    assert created["details"]["supervisor_rank"] == "sergeant"
    me = await identity.client.get("/v1/me", headers=identity.bearer(token))
    assert me.json()["supervisor_rank"] == "sergeant"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"supervisor_rank": "Sergeant"}, "asc, sergeant, command"),
        ({"supervisor_rank": "captain"}, "asc, sergeant, command"),
        ({"role": "officer"}, "the role is officer"),
        ({"role": "administrator", "supervisor_rank": "command"}, "the role is administrator"),
    ],
)
async def test_a_rank_that_the_policy_does_not_have_or_of_another_role_is_refused(
    identity: IdentityUnderTest, changed: dict[str, Any], says: str
) -> None:
    answer = await identity.client.post(
        "/v1/people", json=supervisor(**changed), headers=await identity.administrator()
    )
    assert (answer.status_code, answer.json()["clause"]) == (422, "policy file")
    assert says in answer.json()["detail"]


@pytest.mark.policy("131.6-2")
async def test_a_changed_rank_withdraws_the_tokens_that_say_otherwise(
    identity: IdentityUnderTest,
) -> None:
    person, administrator = (
        await identity.person(role=Role.SUPERVISOR),
        await identity.administrator(),
    )
    said = (await identity.sign_in(person.username)).json()
    assert identity.principal(said["access_token"]).rank is None
    path = f"/v1/people/{person.person_id}"
    for rank in ("sergeant", "command", "command", ""):
        changed = await identity.client.patch(
            path, json={"supervisor_rank": rank}, headers=administrator
        )
        assert changed.json()["supervisor_rank"] == rank
    notices = await identity.withdrawn(person.person_id)
    assert [n["below_version"] for n in notices] == [1, 2, 3]
    renewed = (await identity.refresh(said["refresh_token"])).json()
    principal = identity.principal(renewed["access_token"])
    assert (principal.rights_version, principal.rank) == (3, None)
    changes = [
        a["details"]
        for a in await identity.audits(f"person:{person.person_id}")
        if a["action"] == "person.changed"
    ]
    assert [c["supervisor_rank"] for c in changes] == [
        " → sergeant",
        "sergeant → command",
        "command → ",
    ]


async def test_who_is_no_supervisor_any_more_has_no_rank_and_does_not_get_it_back(
    identity: IdentityUnderTest,
) -> None:
    administrator = await identity.administrator()
    made = await identity.client.post("/v1/people", json=supervisor(), headers=administrator)
    path = f"/v1/people/{made.json()['person_id']}"
    for role, rank in (("officer", ""), ("supervisor", "")):
        answer = await identity.client.patch(path, json={"role": role}, headers=administrator)
        assert answer.json()["supervisor_rank"] == rank
    refused = await identity.client.patch(
        path, json={"role": "officer", "supervisor_rank": "asc"}, headers=administrator
    )
    assert refused.status_code == 422
    both = await identity.client.patch(
        path, json={"role": "supervisor", "supervisor_rank": "asc"}, headers=administrator
    )
    assert both.json()["supervisor_rank"] == "asc"


async def test_nobody_gives_themselves_a_rank(identity: IdentityUnderTest) -> None:
    person = await identity.person(role=Role.ADMINISTRATOR)
    answer = await identity.client.patch(
        f"/v1/people/{person.person_id}",
        json={"supervisor_rank": "command"},
        headers=identity.token(person),
    )
    assert answer.status_code == 409
    sergeant = await identity.person(role=Role.SUPERVISOR)
    own = await identity.client.patch(
        f"/v1/people/{sergeant.person_id}",
        json={"supervisor_rank": "command"},
        headers=identity.token(sergeant),
    )
    assert own.status_code == 403


async def test_ranks_are_those_of_the_persons_agency(identity: IdentityUnderTest) -> None:
    theirs = Policy(supervisor_ranks={"lieutenant": "lieutenant"})
    identity.app.state.identity = replace(
        identity.identity, policies=AgencyPolicies(Policy(), {OTHERS: theirs})
    )
    for agency, rank, status in (
        (OTHERS, "lieutenant", 201),
        (OTHERS, "sergeant", 422),
        (OURS, "lieutenant", 422),
    ):
        answer = await identity.client.post(
            "/v1/people",
            json=supervisor(supervisor_rank=rank),
            headers=await identity.administrator(agency),
        )
        assert answer.status_code == status, (agency, rank)


async def test_who_has_a_rank_that_the_policy_dropped_can_still_be_renamed_and_sent_away(
    identity: IdentityUnderTest,
) -> None:
    administrator = await identity.administrator()
    made = await identity.client.post("/v1/people", json=supervisor(), headers=administrator)
    path = f"/v1/people/{made.json()['person_id']}"
    without = Policy(supervisor_ranks={"asc": "ASC"})
    identity.app.state.identity = replace(identity.identity, policies=AgencyPolicies(without, {}))
    # As the console sends it: with everything that its form shows.
    said = {"name": "Morgan Hale-Ray", "role": "supervisor", "supervisor_rank": "sergeant"}
    for active in (True, False):
        answer = await identity.client.patch(
            path, json=said | {"active": active}, headers=administrator
        )
        assert answer.status_code == 200, answer.text
        assert (answer.json()["active"], answer.json()["supervisor_rank"]) == (active, "sergeant")
    for refused in ({"supervisor_rank": "command"}, said | {"role": "officer"}):
        answer = await identity.client.patch(path, json=refused, headers=administrator)
        assert answer.status_code == 422
    taken = await identity.client.patch(path, json={"supervisor_rank": ""}, headers=administrator)
    assert taken.json()["supervisor_rank"] == ""
    again = await identity.client.patch(path, json=said, headers=administrator)
    assert again.status_code == 422


async def test_titles_from_before_there_were_ranks_stay_and_give_no_rank(
    identity: IdentityUnderTest,
) -> None:
    person = await identity.person(role=Role.SUPERVISOR)
    # As a release that knew no ranks wrote it.
    await identity.sql(
        "UPDATE identity.person SET rank = 'sergeant' WHERE person_id = $1", person.person_id
    )
    said = (await identity.sign_in(person.username)).json()
    assert (said["person"]["rank"], said["person"]["supervisor_rank"]) == ("sergeant", "")
    assert identity.principal(said["access_token"]).rank is None
