"""Which supervisor decides on which search: the rank in the token, the ranks in the policy."""

from typing import Any

import httpx
import pytest

from alpr_access_log.approvals import api as approvals_api
from alpr_access_log.convoys import api as convoys_api
from alpr_common.auth import Gate, TokenVerifier
from alpr_common.policy import ApprovalRanks, Policy, Role
from tests.integration.access_log.conftest import DoorUnderTest, make_read, search_body
from tests.integration.access_log.test_narrow_searches import ask, decide, sweep, use

pytestmark = [pytest.mark.integration, pytest.mark.policy("131.6-3d", "131.6-3e")]

STRICT = Policy(
    approval_ranks=ApprovalRanks(
        sweep=frozenset({"sergeant", "command"}), convoy=frozenset({"command"})
    ),
    approvals_need_rank=True,
)


@pytest.fixture
def desk(door: DoorUnderTest) -> DoorUnderTest:
    """The door with the routes of approvals, under a policy that names ranks."""
    gate = Gate(TokenVerifier(door.issuer.private_key.public_key()), Policy())
    door.app.include_router(approvals_api.router(gate))
    door.app.include_router(convoys_api.router(gate))
    door.with_policy(STRICT)
    return door


def of_rank(desk: DoorUnderTest, rank: str | None, **said: Any) -> dict[str, str]:
    return desk.token(role=Role.SUPERVISOR, rank=rank, **said)


async def asked(desk: DoorUnderTest, body: dict[str, Any]) -> dict[str, Any]:
    answer = await ask(desk, desk.token(), body)
    assert answer.status_code == 201, answer.text
    approval: dict[str, Any] = answer.json()
    return approval


def convoy() -> dict[str, Any]:
    return search_body() | {"convoy": {"within_seconds": 60, "cameras": 3}}


async def seen(
    desk: DoorUnderTest, who: dict[str, str], approval: dict[str, Any]
) -> dict[str, Any]:
    path = f"/v1/search-approvals/{approval['approval_id']}"
    shown: dict[str, Any] = (await desk.client.get(path, headers=who)).json()
    return shown


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    said = answer.json()
    return answer.status_code, said["type"].rpartition(":")[2], said["clause"]


REFUSED = (403, "rank-not-allowed", "policy file")


async def test_a_rank_decides_on_what_the_policy_gives_it_and_is_recorded(
    desk: DoorUnderTest,
) -> None:
    officer = desk.token(person="ranked-asks")
    await desk.store(make_read("RANKED1"))
    approval = (await ask(desk, officer, sweep())).json()
    sergeant = of_rank(desk, "sergeant", person="ranked-decides")
    before = await seen(desk, sergeant, approval)
    assert (before["kind"], before["may_decide"]) == ("sweep", True)
    assert before["deciders"] == ["sergeant", "command staff"]
    approved = (await decide(desk, sergeant, approval, "approve")).json()
    assert (approved["state"], approved["decided_by_rank"]) == ("approved", "sergeant")
    assert (await seen(desk, officer, approval))["decided_by_rank"] == "sergeant"
    assert (await use(desk, officer, approval)).status_code == 200
    (decision,) = await desk.records(person_id="ranked-decides", outcome="done")
    assert '"rank": "sergeant"' in decision["details"]
    (search,) = await desk.records(person_id="ranked-asks", action="search", outcome="done")
    assert '"approved_by_rank": "sergeant"' in search["details"]


async def test_another_rank_is_refused_told_which_ranks_may_and_recorded(
    desk: DoorUnderTest,
) -> None:
    approval = await asked(desk, convoy())
    sergeant = of_rank(desk, "sergeant", person="ranked-refused")
    for step in ("approve", "deny"):
        answer = await decide(desk, sergeant, approval, step)
        assert refusal(answer) == REFUSED
        assert answer.json()["ranks"] == ["command"]
        assert "by: command staff; your rank is sergeant" in answer.json()["detail"]
        assert "policy file" in answer.json()["detail"]
    shown = await seen(desk, sergeant, approval)
    assert (shown["state"], shown["may_decide"]) == ("pending", False)
    records = await desk.records(person_id="ranked-refused", outcome="refused")
    assert [r["refusal_code"] for r in records] == ["rank-not-allowed"] * 2
    chief = of_rank(desk, "command")
    assert (await decide(desk, chief, approval, "deny")).json()["decided_by_rank"] == "command"


@pytest.mark.parametrize("rank", [None, "captain", "asc"])
@pytest.mark.parametrize("body", [sweep, convoy])
async def test_no_rank_and_one_that_the_policy_does_not_name_decide_nothing(
    desk: DoorUnderTest, rank: str | None, body: Any
) -> None:
    answer = await decide(desk, of_rank(desk, rank), await asked(desk, body()), "approve")
    assert refusal(answer) == REFUSED


async def test_a_kind_that_the_policy_does_not_narrow_is_open_to_every_rank(
    desk: DoorUnderTest,
) -> None:
    plate = await asked(desk, search_body())
    assert refusal(await decide(desk, of_rank(desk, None), plate, "approve")) == REFUSED
    assert (await decide(desk, of_rank(desk, "asc"), plate, "approve")).status_code == 200


async def test_a_rank_makes_nobody_else_a_supervisor_or_a_second_person(
    desk: DoorUnderTest,
) -> None:
    approval = await asked(desk, sweep())
    for role in (Role.OFFICER, Role.ADMINISTRATOR, Role.AUDITOR):
        answer = await decide(desk, desk.token(role=role, rank="command"), approval, "approve")
        assert answer.status_code == 403
        assert answer.json()["type"] != "urn:alpr:problem:rank-not-allowed"
    own = of_rank(desk, "command", person="ranked-own")
    mine = (await ask(desk, own, sweep())).json()
    assert (await seen(desk, own, mine))["may_decide"] is False
    assert (await decide(desk, own, mine, "approve")).status_code == 403


async def test_by_default_a_supervisor_whose_rank_is_not_on_record_decides(
    desk: DoorUnderTest,
) -> None:
    desk.with_policy(Policy())
    approval = await asked(desk, convoy())
    approved = (await decide(desk, of_rank(desk, None), approval, "approve")).json()
    assert (approved["state"], approved["decided_by_rank"]) == ("approved", None)
    other = await asked(desk, convoy())
    assert refusal(await decide(desk, of_rank(desk, "captain"), other, "approve")) == REFUSED
