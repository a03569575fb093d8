"""Lists on real servers: whom they serve, wildcard entries, the second person, freshness."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from alpr_common.auth import Principal, TokenIssuer
from alpr_common.messages.audit import AuditRecord
from alpr_common.messages.hotlist import HotListPattern
from alpr_common.plates import match_key
from alpr_common.policy import Role
from alpr_common.topics import AUDIT, HOTLIST, HOTLIST_PATTERNS
from alpr_local.processes import ServiceProcess, Services
from tests.integration.matcher.line import (
    AGENCY,
    OTHER_AGENCY,
    Topic,
    client,
    expire,
    person,
    until,
)

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def matcher(services: Services) -> ServiceProcess:
    quick = {
        "ALPR_MATCHER_UPKEEP_SECONDS": "0.2",
        "ALPR_MATCHER_EXPIRY_SWEEP_SECONDS": "0.2",
        "ALPR_MATCHER_EXPIRED_KEPT_SECONDS": "0",
    }
    return services.start("matcher", environment=quick)


@pytest.fixture
async def officer(services: Services, matcher: ServiceProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with client(matcher.url, person(services.stack)) as http:
        yield http


@pytest.fixture
async def keeper(services: Services, matcher: ServiceProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with client(matcher.url, person(services.stack, role=Role.SUPERVISOR)) as http:
        yield http


@pytest.fixture
async def neighbour(
    services: Services, matcher: ServiceProcess
) -> AsyncIterator[httpx.AsyncClient]:
    headers = person(services.stack, agency_id=OTHER_AGENCY, role=Role.SUPERVISOR)
    async with client(matcher.url, headers) as http:
        yield http


@pytest.fixture
async def neighbours_administrator(
    services: Services, matcher: ServiceProcess
) -> AsyncIterator[httpx.AsyncClient]:
    headers = person(services.stack, agency_id=OTHER_AGENCY, role=Role.ADMINISTRATOR)
    async with client(matcher.url, headers) as http:
        yield http


async def answered(http: httpx.AsyncClient, list_id: str, *, accept: bool) -> dict[str, Any]:
    path = f"/v1/hotlist/lists/{list_id}/subscription"
    answer = await http.post(path, json={"accept": accept, "reason": "We share the county"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def begun(http: httpx.AsyncClient, source: str, **given: Any) -> dict[str, Any]:
    answer = await http.post("/v1/hotlist/lists", json={"source": source, "name": source, **given})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def added(http: httpx.AsyncClient, plate: str, **given: Any) -> dict[str, Any]:
    body = {
        "plate": plate,
        "category": "stolen_vehicle",
        "reason": "Taken from Main Street",
        "expires_at": (datetime.now(UTC) + timedelta(days=7)).isoformat(),
        **given,
    }
    answer = await http.post("/v1/hotlist/entries", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def serving(topic: Topic, plate: str) -> set[tuple[str, ...]]:
    record = topic.records.get(match_key(plate))
    return {e.serves_agency_ids for e in record.entries} if record else set()


@pytest.mark.policy("131.3-hit")
async def test_a_shared_list_serves_its_subscribers_from_when_they_accept_until_they_are_not_named(
    services: Services, keeper: httpx.AsyncClient, neighbour: httpx.AsyncClient,
    neighbours_administrator: httpx.AsyncClient,
) -> None:  # fmt: skip
    state = await begun(
        keeper, "state", kind="state", subscribed_agency_ids=[OTHER_AGENCY, AGENCY, OTHER_AGENCY]
    )
    assert state["subscribed_agency_ids"] == [OTHER_AGENCY]
    files = {"file": ("s.csv", b"plate,category,reason\nSTA7E77,stolen_vehicle,Stolen\n")}
    done = await keeper.post("/v1/hotlist/import", params={"source": "state"}, files=files)
    assert done.json()["added"] == 1, done.text
    await added(keeper, "STA7E88", list_id=state["list_id"])
    async with Topic(services.stack, HOTLIST.name) as topic:
        for plate in ("STA7E77", "STA7E88"):
            await until(topic.look, lambda t, p=plate: serving(t, p) == {(AGENCY,)})  # type: ignore[misc]
        found = await neighbour.get("/v1/hotlist/entries", params={"plate": "STA7E77"})
        assert found.json()["items"] == [], "nothing before it has accepted"
        await answered(neighbours_administrator, state["list_id"], accept=True)
        for plate in ("STA7E77", "STA7E88"):
            both = {(AGENCY, OTHER_AGENCY)}
            await until(topic.look, lambda t, p=plate, b=both: serving(t, p) == b)  # type: ignore[misc]
        found = await neighbour.get("/v1/hotlist/entries", params={"plate": "STA7E77"})
        (entry,) = found.json()["items"]
        path = f"/v1/hotlist/entries/{entry['entry_id']}"
        refused = await neighbour.post(f"{path}/retract", json={"reason": "Not mine"})
        assert (refused.status_code, refused.json()["clause"]) == (403, "131.4")
        seen = (await neighbour.get("/v1/hotlist/lists")).json()["items"]
        assert [(one["list_id"], [s["state"] for s in one["subscriptions"]]) for one in seen] == [
            (state["list_id"], ["accepted"])
        ]
        not_theirs = await neighbour.put(
            f"/v1/hotlist/lists/{state['list_id']}", json={"reason": "x", "name": "mine"}
        )
        assert not_theirs.status_code == 404
        path = f"/v1/hotlist/lists/{state['list_id']}"
        without = await keeper.put(path, json={"subscribed_agency_ids": []})
        assert (without.status_code, without.json()["clause"]) == (400, "131.6-7")
        changed = await keeper.put(
            path, json={"subscribed_agency_ids": [], "reason": "The agreement ended"}
        )
        assert changed.json()["version"] == 2
        alone = {(AGENCY,)}
        await until(topic.look, lambda t: serving(t, "STA7E77") == alone)
        await until(topic.look, lambda t: serving(t, "STA7E88") == alone)
    gone = await neighbour.get("/v1/hotlist/entries", params={"plate": "STA7E77"})
    assert gone.json()["items"] == []
    answer = await neighbours_administrator.post(
        f"{path}/subscription", json={"accept": True, "reason": "Again"}
    )
    assert answer.status_code == 404, "nothing is offered any more"
    history = (await keeper.get(f"{path}/history")).json()["items"]
    assert [(v["version"], v["why"]) for v in history] == [
        (2, "The agreement ended"),
        (1, "list begun"),
    ]
    theirs = (await neighbour.get(f"{path}/subscriptions")).json()["items"]
    assert [
        (v["version"], v["before_state"], v["state"], v["person_agency_id"]) for v in theirs
    ] == [
        (3, "accepted", "ended", AGENCY),
        (2, "offered", "accepted", OTHER_AGENCY),
        (1, None, "offered", AGENCY),
    ]
    assert theirs[1]["why"] == "We share the county"
    assert history[0]["before"]["subscribed_agency_ids"] == [OTHER_AGENCY]


@pytest.mark.policy("131.3-hit")
async def test_only_a_named_agencys_administrator_answers_and_may_decline_later(
    services: Services, keeper: httpx.AsyncClient, neighbour: httpx.AsyncClient,
    neighbours_administrator: httpx.AsyncClient,
) -> None:  # fmt: skip
    made = await begun(keeper, "county", kind="neighbour", subscribed_agency_ids=[OTHER_AGENCY])
    other = await begun(keeper, "not-theirs", kind="neighbour")
    await added(keeper, "C0UN7Y7", list_id=made["list_id"])
    path = f"/v1/hotlist/lists/{made['list_id']}/subscription"
    yes = {"accept": True, "reason": "x"}
    assert (await neighbour.post(path, json=yes)).status_code == 403, "a supervisor may not"
    nameless = await neighbours_administrator.post(path, json={"accept": True})
    assert (nameless.status_code, nameless.json()["clause"]) == (400, "131.6-7")
    elsewhere = f"/v1/hotlist/lists/{other['list_id']}/subscription"
    assert (await neighbours_administrator.post(elsewhere, json=yes)).status_code == 404
    both, alone = {(AGENCY, OTHER_AGENCY)}, {(AGENCY,)}
    async with (
        Topic(services.stack, HOTLIST.name) as topic,
        Topic(services.stack, AUDIT.name) as audit,
    ):
        await answered(neighbours_administrator, made["list_id"], accept=True)
        again = await neighbours_administrator.post(path, json=yes)
        assert again.status_code == 409
        await until(topic.look, lambda t: serving(t, "C0UN7Y7") == both)
        await added(keeper, "C0UN7Y8", list_id=made["list_id"])
        await until(topic.look, lambda t: serving(t, "C0UN7Y8") == both)
        await answered(neighbours_administrator, made["list_id"], accept=False)
        await until(topic.look, lambda t: serving(t, "C0UN7Y7") == alone)
        await until(topic.look, lambda t: serving(t, "C0UN7Y8") == alone)

        def told(seen: Topic) -> list[tuple[str, str]]:
            records = [AuditRecord.from_bytes(v) for _, v, _ in seen.messages if v is not None]
            return [
                (r.agency_id, r.action)
                for r in records
                if r.action.startswith("hotlist.subscription.")
                and r.subject == f"hotlist-list/{made['list_id']}"
            ]

        await until(audit.look, lambda t: len(told(t)) == 2)
        assert told(audit) == [
            (OTHER_AGENCY, "hotlist.subscription.accepted"),
            (OTHER_AGENCY, "hotlist.subscription.declined"),
        ]


async def test_a_covert_list_serves_its_owner_alone(
    services: Services, keeper: httpx.AsyncClient, neighbour: httpx.AsyncClient
) -> None:
    refused = await keeper.post(
        "/v1/hotlist/lists",
        json={
            "source": "quiet", "name": "quiet", "kind": "covert",
            "subscribed_agency_ids": [OTHER_AGENCY],
        },
    )  # fmt: skip
    assert refused.status_code == 400
    covert = await begun(keeper, "quiet", kind="covert")
    entry = await added(keeper, "QU1E777", list_id=covert["list_id"])
    assert (entry["covert"], entry["serves_agency_ids"]) == (True, [AGENCY])
    path = f"/v1/hotlist/entries/{entry['entry_id']}"
    assert (await neighbour.get(path)).status_code == 404
    async with Topic(services.stack, HOTLIST.name) as topic:
        await until(topic.look, lambda t: match_key("QU1E777") in t.records)
        (told,) = topic.records[match_key("QU1E777")].entries
    assert (told.covert, str(told.list_id)) == (True, covert["list_id"])


async def test_officers_do_not_keep_lists_and_a_source_is_taken_once(
    officer: httpx.AsyncClient, keeper: httpx.AsyncClient
) -> None:
    body = {"source": "once", "name": "Once"}
    assert (await officer.post("/v1/hotlist/lists", json=body)).status_code == 403
    await begun(keeper, "once")
    assert (await keeper.post("/v1/hotlist/lists", json=body)).status_code == 409
    manual = await keeper.post("/v1/hotlist/lists", json={"source": "manual", "name": "x"})
    assert manual.status_code == 400


async def test_a_pattern_is_told_by_its_entry_and_taken_back_when_it_is_retracted_or_expires(
    services: Services, officer: httpx.AsyncClient
) -> None:
    entry = await added(
        officer,
        "ab?-12*",
        category="amber_alert",
        forbidden_hit_kinds=["lookalike"],
        vehicle_type="car",
        vehicle_year=2019,
    )
    assert (entry["plate"], entry["forbidden_hit_kinds"]) == ("AB?12*", ["lookalike"])
    found = await officer.get("/v1/hotlist/entries", params={"plate": "ABC1299"})
    assert [e["entry_id"] for e in found.json()["items"]] == [entry["entry_id"]]
    async with Topic(services.stack, HOTLIST_PATTERNS.name) as topic:

        def told(seen: Topic, about: dict[str, Any]) -> list[bytes | None]:
            key = about["entry_id"].encode()
            return [value for k, value, _ in seen.messages if k == key]

        await until(topic.look, lambda t: len(told(t, entry)) == 1)
        message = HotListPattern.from_bytes(told(topic, entry)[0] or b"").entry
        assert (message.plate, message.vehicle_year) == ("AB?12*", 2019)
        path = f"/v1/hotlist/entries/{entry['entry_id']}/retract"
        assert (await officer.post(path, json={"reason": "Found"})).status_code == 200
        await until(topic.look, lambda t: told(t, entry)[-1] is None)
        brief = await added(officer, "XY?34*")
        await until(topic.look, lambda t: len(told(t, brief)) == 1)
        await expire(services.stack, brief["entry_id"])
        await until(topic.look, lambda t: told(t, brief)[-1] is None)
    async with Topic(services.stack, HOTLIST.name) as plain:
        await plain.look()
        assert not any("?" in key or "*" in key for key in plain.records)
    for plate, title in (("A?*", "too many"), ("AB?12*345678ABC", "not a whole plate")):
        answer = await officer.post(
            "/v1/hotlist/entries",
            json={
                "plate": plate, "category": "other", "reason": "x",
                "expires_at": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
            },
        )  # fmt: skip
        assert answer.status_code == 400
        assert title in answer.json()["title"]


@pytest.mark.policy("131.6-7")
async def test_a_second_person_checks_an_entry_by_hand_and_the_maker_cannot(
    services: Services, officer: httpx.AsyncClient, keeper: httpx.AsyncClient
) -> None:
    entry = await added(officer, "CHECK77")
    assert entry["check"] == "waiting"
    waiting = (await keeper.get("/v1/hotlist/unchecked")).json()["items"]
    assert entry["entry_id"] in {one["entry_id"] for one in waiting}
    path = f"/v1/hotlist/entries/{entry['entry_id']}/check"
    maker = await officer.post(path)
    assert (maker.status_code, maker.json()["clause"]) == (403, "policy file")
    checked = (await keeper.post(path, json={"note": "Seen the report"})).json()
    assert (checked["check"], checked["version"]) == ("done", 2)
    assert (await keeper.post(path)).status_code == 409
    waiting = (await keeper.get("/v1/hotlist/unchecked")).json()["items"]
    assert entry["entry_id"] not in {one["entry_id"] for one in waiting}
    history = await officer.get(f"/v1/hotlist/entries/{entry['entry_id']}/history")
    newest = history.json()["items"][0]
    assert newest["why"] == "checked by a second person: Seen the report"
    assert newest["after"]["checked_by"] != newest["after"]["added_by"]


@pytest.mark.policy("131.6-7")
async def test_an_unchecked_entry_is_flagged_and_the_administrator_told_once(
    services: Services, officer: httpx.AsyncClient, keeper: httpx.AsyncClient
) -> None:
    entry = await added(officer, "LATE777")
    connection = await asyncpg.connect(services.stack.postgres_admin_dsn)
    try:
        await connection.execute(
            "UPDATE matcher.hotlist_entry SET check_due_at = now() - interval '1 minute' "
            "WHERE entry_id = $1",
            entry["entry_id"],
        )
    finally:
        await connection.close()
    subject = f"hotlist-entry/{entry['entry_id']}"
    async with Topic(services.stack, AUDIT.name) as audit:

        def told(seen: Topic) -> list[AuditRecord]:
            records = [AuditRecord.from_bytes(v) for _, v, _ in seen.messages if v is not None]
            return [
                r for r in records if r.subject == subject and r.action == "hotlist.entry.unchecked"
            ]

        await until(audit.look, lambda t: len(told(t)) > 0)
        shown = (await officer.get(f"/v1/hotlist/entries/{entry['entry_id']}")).json()
        assert shown["check"] == "overdue"
        (one,) = [
            found
            for found in (await keeper.get("/v1/hotlist/unchecked")).json()["items"]
            if found["entry_id"] == entry["entry_id"]
        ]
        assert one["overdue"] is True

        async def measured() -> str:
            return (await keeper.get("/metrics")).text

        gauge = f'alpr_hotlist_unchecked_entries{{agency="{AGENCY}"}} 1.0'
        await until(measured, lambda text: gauge in text)
        await audit.look()
        assert len(told(audit)) == 1


async def test_a_list_without_a_refresh_is_warned_of_and_then_raises_an_alarm(
    services: Services, keeper: httpx.AsyncClient
) -> None:
    files = {"file": ("s.csv", b"plate,category,reason\nFRE5H77,stolen_vehicle,Stolen\n")}
    await keeper.post("/v1/hotlist/import", params={"source": "aging"}, files=files)
    connection = await asyncpg.connect(services.stack.postgres_admin_dsn)
    try:
        for hours, word, level in ((0, "fresh", 0), (13, "stale", 1), (25, "alarm", 2)):
            await connection.execute(
                "UPDATE matcher.hotlist_list SET refreshed_at = now() - make_interval(hours => $1) "
                "WHERE source = 'aging'",
                hours,
            )
            lists = (await keeper.get("/v1/hotlist/lists")).json()["items"]
            assert [one["freshness"] for one in lists if one["source"] == "aging"] == [word]

            async def measured() -> str:
                return (await keeper.get("/metrics")).text

            gauge = f'alpr_hotlist_freshness{{agency="{AGENCY}",list="aging"}} {level}.0'
            await until(measured, lambda text, g=gauge: g in text)  # type: ignore[misc]
    finally:
        await connection.close()


async def test_the_maker_cannot_check_by_another_session(
    services: Services, matcher: ServiceProcess, officer: httpx.AsyncClient
) -> None:
    entry = await added(officer, "SAME777")
    issuer = TokenIssuer.from_file(services.stack.secrets.token_private_key)
    same = Principal(
        f"person-{AGENCY}-officer", "Pat Example", AGENCY, Role.ADMINISTRATOR, "session-2",
        datetime(2099, 1, 1).date(), datetime(2099, 1, 1).date(),  # noqa: DTZ001
    )  # fmt: skip
    headers = {"Authorization": f"Bearer {issuer.issue(same, datetime.now(UTC))}"}
    async with client(matcher.url, headers) as http:
        answer = await http.post(f"/v1/hotlist/entries/{entry['entry_id']}/check")
    assert answer.status_code == 403
