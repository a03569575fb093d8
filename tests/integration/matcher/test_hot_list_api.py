"""The hot-list API on real PostgreSQL and Kafka: who may enter what, and what the topic says."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from alpr_common.messages.audit import AuditRecord
from alpr_common.plates import match_key
from alpr_common.policy import Role
from alpr_common.topics import AUDIT, HOTLIST
from alpr_local.processes import ServiceProcess, Services
from tests.integration.matcher.line import OTHER_AGENCY, Topic, client, expire, person, until

pytestmark = pytest.mark.integration

HEADER = "plate,category,reason,jurisdiction,expires_at,case_number,vehicle,caution\n"


@pytest.fixture(scope="module")
def matcher(services: Services) -> ServiceProcess:
    quick = {
        "ALPR_MATCHER_EXPIRY_SWEEP_SECONDS": "0.2",
        "ALPR_MATCHER_EXPIRED_KEPT_SECONDS": "0",
        "ALPR_MATCHER_IMPORT_MAX_BYTES": str(16 * 1024 * 1024),
    }
    return services.start("matcher", environment=quick)


@pytest.fixture
async def officer(services: Services, matcher: ServiceProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with client(matcher.url, person(services.stack)) as http:
        yield http


@pytest.fixture
async def supervisor(
    services: Services, matcher: ServiceProcess
) -> AsyncIterator[httpx.AsyncClient]:
    async with client(matcher.url, person(services.stack, role=Role.SUPERVISOR)) as http:
        yield http


@pytest.fixture
async def stranger(services: Services, matcher: ServiceProcess) -> AsyncIterator[httpx.AsyncClient]:
    """A supervisor of another agency."""
    headers = person(services.stack, agency_id=OTHER_AGENCY, role=Role.SUPERVISOR)
    async with client(matcher.url, headers) as http:
        yield http


def new_entry(plate: str, **given: Any) -> dict[str, Any]:
    expires_at = datetime.now(UTC) + timedelta(days=7)
    body = {
        "plate": plate,
        "category": "stolen_vehicle",
        "reason": "Taken from Main Street this morning",
        "expires_at": expires_at.isoformat(),
    }
    return {**body, **given}


async def added(http: httpx.AsyncClient, plate: str, **given: Any) -> dict[str, Any]:
    answer = await http.post("/v1/hotlist/entries", json=new_entry(plate, **given))
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def imported(http: httpx.AsyncClient, lines: str, source: str = "leads") -> dict[str, Any]:
    answer = await http.post(
        "/v1/hotlist/import",
        params={"source": source},
        files={"file": ("list.csv", (HEADER + lines).encode(), "text/csv")},
    )
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_an_added_entry_is_answered_listed_kept_and_told(
    services: Services, officer: httpx.AsyncClient
) -> None:
    entry = await added(officer, "ab-c 1234", jurisdiction="us-il", vehicle="red Ford")
    assert (entry["plate"], entry["jurisdiction"]) == ("ABC1234", "US-IL")
    assert (entry["priority"], entry["source"], entry["state"]) == (2, "manual", "live")
    assert entry["added_by_name"] == "Pat Example"
    assert (await officer.get(f"/v1/hotlist/entries/{entry['entry_id']}")).json() == entry
    found = (await officer.get("/v1/hotlist/entries", params={"plate": "A8C-1234"})).json()
    assert [e["entry_id"] for e in found["items"]] == [entry["entry_id"]], "look-alikes are found"
    async with (
        Topic(services.stack, HOTLIST.name) as topic,
        Topic(services.stack, AUDIT.name) as audit,
    ):
        key = match_key("ABC1234")
        await until(topic.look, lambda t: key in t.records)
        (told,) = topic.records[key].entries
        assert (str(told.entry_id), told.serves_agency_ids) == (entry["entry_id"], ("IL0222900",))
        await until(audit.look, lambda t: len(t.messages) > 0)
        record = AuditRecord.from_bytes(audit.messages[0][1] or b"")
        assert (record.action, record.subject) == (
            "hotlist.entry.added",
            f"hotlist-entry/{entry['entry_id']}",
        )


@pytest.mark.policy("131.6-7")
@pytest.mark.parametrize("reason", [None, "", "   "])
async def test_an_entry_by_hand_without_a_reason_is_refused_citing_the_order(
    officer: httpx.AsyncClient, reason: str | None
) -> None:
    answer = await officer.post("/v1/hotlist/entries", json=new_entry("NOR3450", reason=reason))
    assert answer.status_code == 400
    assert (answer.json()["clause"], answer.json()["type"]) == (
        "131.6-7",
        "urn:alpr:problem:reason-missing",
    )
    found = await officer.get("/v1/hotlist/entries", params={"plate": "NOR3450"})
    assert found.json()["items"] == []


@pytest.mark.policy("131.6-7")
@pytest.mark.parametrize(
    ("expires_in", "code"),
    [
        (None, "expiry-missing"),
        (timedelta(minutes=-1), "expiry-not-allowed"),
        (timedelta(days=31), "expiry-not-allowed"),
    ],
)
async def test_an_entry_by_hand_without_a_near_expiry_is_refused_citing_the_policy_file(
    officer: httpx.AsyncClient, expires_in: timedelta | None, code: str
) -> None:
    expires_at = None if expires_in is None else (datetime.now(UTC) + expires_in).isoformat()
    answer = await officer.post(
        "/v1/hotlist/entries", json=new_entry("N0EXP1", expires_at=expires_at)
    )
    assert answer.status_code == 400
    assert answer.json()["clause"] == "policy file"
    assert answer.json()["type"] == f"urn:alpr:problem:{code}"


@pytest.mark.policy("131.3-hotlist")
async def test_a_category_that_the_policy_does_not_know_is_refused(
    officer: httpx.AsyncClient,
) -> None:
    answer = await officer.post(
        "/v1/hotlist/entries", json=new_entry("CAT1234", category="neighbour")
    )
    assert (answer.status_code, answer.json()["clause"]) == (400, "131.3-hotlist")


@pytest.mark.parametrize("plate", ["", "AB(12", "ABCDEFGHIJKLM", "Ж123"])
async def test_what_is_no_whole_plate_is_refused(officer: httpx.AsyncClient, plate: str) -> None:
    answer = await officer.post("/v1/hotlist/entries", json=new_entry(plate))
    assert (answer.status_code, answer.json()["title"]) == (400, "That is not a whole plate")


@pytest.mark.policy("131.6-1")
async def test_nobody_without_current_training_sees_or_enters_anything(
    services: Services, matcher: ServiceProcess
) -> None:
    headers = person(services.stack, leads_until=date(2020, 1, 1))
    async with client(matcher.url, headers) as lapsed, client(matcher.url, {}) as nobody:
        for http, status in ((lapsed, 403), (nobody, 401)):
            assert (await http.get("/v1/hotlist/entries")).status_code == status
            answer = await http.post("/v1/hotlist/entries", json=new_entry("TRA1N"))
            assert answer.status_code == status


async def test_agencies_do_not_see_each_others_entries_but_share_a_keys_record(
    services: Services, officer: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    mine, theirs = await added(officer, "SHARE77"), await added(stranger, "SHARE77")
    for http, own, foreign in ((officer, mine, theirs), (stranger, theirs, mine)):
        listed = (await http.get("/v1/hotlist/entries", params={"plate": "SHARE77"})).json()
        assert [e["entry_id"] for e in listed["items"]] == [own["entry_id"]]
        path = f"/v1/hotlist/entries/{foreign['entry_id']}"
        assert (await http.get(path)).status_code == 404
        assert (await http.get(f"{path}/history")).status_code == 404
        answer = await http.post(f"{path}/retract", json={"reason": "Not mine to retract"})
        assert answer.status_code == 404
    async with Topic(services.stack, HOTLIST.name) as topic:
        key = match_key("SHARE77")
        both = {UUID(mine["entry_id"]), UUID(theirs["entry_id"])}
        await until(topic.look, lambda t: _ids(t, key) == both)


async def test_a_retracted_entry_leaves_the_topic_and_keeps_its_history(
    services: Services, officer: httpx.AsyncClient
) -> None:
    entry = await added(officer, "G0NE747")
    path = f"/v1/hotlist/entries/{entry['entry_id']}"
    without = await officer.post(f"{path}/retract", json={})
    assert (without.status_code, without.json()["clause"]) == (400, "131.6-7")
    retracted = await officer.post(f"{path}/retract", json={"reason": "Found, keys in it"})
    assert (retracted.json()["state"], retracted.json()["version"]) == ("retracted", 2)
    again = await officer.post(f"{path}/retract", json={"reason": "Twice"})
    assert again.status_code == 409
    history = (await officer.get(f"{path}/history")).json()["items"]
    assert [(v["version"], v["change"], v["why"]) for v in history] == [
        (2, "retracted", "Found, keys in it"),
        (1, "added", "Taken from Main Street this morning"),
    ]
    assert (history[1]["before"], history[0]["before"]["retracted"]) == (None, False)
    assert (history[0]["after"]["retracted"], history[0]["person_name"]) == (True, "Pat Example")
    async with Topic(services.stack, HOTLIST.name) as topic:
        key = match_key("G0NE747").encode()
        await until(
            topic.look, lambda t: [v is None for k, v, _ in t.messages if k == key][-1:] == [True]
        )


async def test_the_list_is_paged_by_cursor_newest_first(stranger: httpx.AsyncClient) -> None:
    wanted = [
        (await added(stranger, f"PAGE{n}", category="scofflaw"))["entry_id"] for n in range(5)
    ]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"category": "scofflaw", "limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await stranger.get("/v1/hotlist/entries", params=query)).json()
        seen += [e["entry_id"] for e in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == wanted[::-1]
    bad = await stranger.get("/v1/hotlist/entries", params={"cursor": "bm9uc2Vuc2U"})
    assert bad.status_code == 400


async def test_bad_lines_of_an_import_are_named_and_the_good_ones_taken(
    supervisor: httpx.AsyncClient,
) -> None:
    lines = (
        "IMP0001,stolen_vehicle,Reported stolen,US-IL,2099-01-01,,,\n"
        "IMP0002,no_such,Reported stolen,,,,,\n"
        'IMP0003,stolen_vehicle,"never closed,,,,,\n'
        "IMP0004,stolen_vehicle,,,,,,\n"
        "I?5,stolen_vehicle,Too wide a wildcard,,,,,\n"
        "IMP0006,stolen_vehicle,Too few fields\n"
        "IMP0007,stolen_vehicle,Bad time,,soon,,,\n"
        "IMP0001,stolen_vehicle,Listed twice,IL-US-X,,,,\n"
        "IMP-0001,stolen_vehicle,Listed twice,US-IL,,,,\n"
        "\n"
        "IMP0008,wanted_person,Warrant 22-100,,,22-100,blue van,armed\n"
    )
    done = await imported(supervisor, lines)
    assert (done["added"], done["changed"], done["unchanged"]) == (2, 0, 0)
    assert [bad["line"] for bad in done["rejected"]] == [3, 4, 5, 6, 7, 8, 9, 10]
    assert done["rejected_count"] == 8
    assert "repeats line 2" in done["rejected"][-1]["what"]


async def test_importing_a_file_again_makes_no_new_versions(
    supervisor: httpx.AsyncClient,
) -> None:
    lines = "AGA1N01,stolen_vehicle,Stolen,,,,,\nAGA1N02,stolen_vehicle,Stolen,,,,,\n"
    assert (await imported(supervisor, lines))["added"] == 2
    again = await imported(supervisor, lines)
    assert (again["added"], again["changed"], again["unchanged"]) == (0, 0, 2)
    changed = await imported(
        supervisor, lines.replace("02,stolen_vehicle,Stolen", "02,stolen_vehicle,Armed")
    )
    assert (changed["added"], changed["changed"], changed["unchanged"]) == (0, 1, 1)
    found = (await supervisor.get("/v1/hotlist/entries", params={"plate": "AGA1N02"})).json()
    (entry,) = found["items"]
    assert (entry["version"], entry["reason"], entry["source"]) == (2, "Armed", "leads")
    await supervisor.post(
        f"/v1/hotlist/entries/{entry['entry_id']}/retract", json={"reason": "Recovered"}
    )
    back = await imported(supervisor, lines)
    assert (back["changed"], back["unchanged"]) == (1, 1), "listed again, it comes back"


async def test_an_import_by_an_officer_or_of_the_manual_source_is_refused(
    officer: httpx.AsyncClient, supervisor: httpx.AsyncClient
) -> None:
    file = {"file": ("list.csv", HEADER.encode(), "text/csv")}
    assert (await officer.post("/v1/hotlist/import", files=file)).status_code == 403
    answer = await supervisor.post("/v1/hotlist/import", params={"source": "manual"}, files=file)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("content", "status", "says"),
    [
        (b"\xff\xfep\x00l\x00", 400, "UTF-16"),
        (b"plate;reason\nAB1;x\n", 400, "category"),
        (b"", 400, "empty"),
        (HEADER.encode() + b"x" * (17 * 1024 * 1024), 413, "bytes"),
    ],
)
async def test_a_file_that_is_no_hot_list_is_refused_whole(
    supervisor: httpx.AsyncClient, content: bytes, status: int, says: str
) -> None:
    answer = await supervisor.post("/v1/hotlist/import", files={"file": ("f.csv", content)})
    assert answer.status_code == status
    assert says in answer.json()["detail"]


async def test_twenty_thousand_lines_are_taken_and_told(
    services: Services, supervisor: httpx.AsyncClient
) -> None:
    lines = "".join(f"BULK{n:05d},scofflaw,Unpaid,,,,,\n" for n in range(20_000))
    assert (await imported(supervisor, lines, "scofflaw"))["added"] == 20_000
    async with Topic(services.stack, HOTLIST.name) as topic:

        def told(seen: Topic) -> int:
            return sum(e.source == "scofflaw" for r in seen.records.values() for e in r.entries)

        await until(topic.look, lambda t: told(t) == 20_000)


async def test_concurrent_writers_of_one_key_leave_the_record_that_holds_all(
    services: Services, officer: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    # B and 8 are look-alikes: different plates, one key, written by two agencies at once.
    plates = ["B8B8B8", "8B8B8B", "BBB888", "888BBB", "B888BB"] * 3
    entries = await asyncio.gather(
        *(added(officer if n % 2 else stranger, plate) for n, plate in enumerate(plates))
    )
    retracted = entries[::3]
    await asyncio.gather(
        *(_retract(officer, stranger, entry) for entry in retracted),
        *(added(officer, "BB88BB") for _ in range(3)),
    )
    expected = {UUID(e["entry_id"]) for e in entries} - {UUID(e["entry_id"]) for e in retracted}
    async with Topic(services.stack, HOTLIST.name) as topic:
        key = match_key("B8B8B8")
        await until(topic.look, lambda t: _ids(t, key) >= expected and len(_ids(t, key)) == 13)
        assert not _ids(topic, key) & {UUID(e["entry_id"]) for e in retracted}


async def _retract(
    officer: httpx.AsyncClient, stranger: httpx.AsyncClient, entry: dict[str, Any]
) -> None:
    owner = stranger if entry["agency_id"] == OTHER_AGENCY else officer
    path = f"/v1/hotlist/entries/{entry['entry_id']}/retract"
    assert (await owner.post(path, json={"reason": "Recovered"})).status_code == 200


async def test_expired_entries_leave_the_topic_by_themselves(
    services: Services, officer: httpx.AsyncClient
) -> None:
    entry = await added(officer, "BR1EF77")
    lasting = await added(officer, "BRIEF77")
    async with Topic(services.stack, HOTLIST.name) as topic:
        key = match_key("BR1EF77")
        both = {UUID(entry["entry_id"]), UUID(lasting["entry_id"])}
        await until(topic.look, lambda t: _ids(t, key) == both)
        await expire(services.stack, entry["entry_id"])
        await until(topic.look, lambda t: _ids(t, key) == {UUID(lasting["entry_id"])})
    listed = await officer.get("/v1/hotlist/entries", params={"plate": "BR1EF77"})
    assert [e["entry_id"] for e in listed.json()["items"]] == [lasting["entry_id"]]
    expired = await officer.get(
        "/v1/hotlist/entries", params={"plate": "BR1EF77", "state": "expired"}
    )
    assert [e["state"] for e in expired.json()["items"]] == ["expired"]


async def test_an_entry_that_is_not_there_is_not_found(officer: httpx.AsyncClient) -> None:
    answer = await officer.get(f"/v1/hotlist/entries/{uuid4()}")
    assert answer.status_code == 404


async def test_the_running_service_can_neither_rewrite_history_nor_see_across_agencies(
    services: Services, officer: httpx.AsyncClient
) -> None:
    import asyncpg

    await added(officer, "H1ST777")
    connection = await asyncpg.connect(services.stack.postgres_dsn("alpr_matcher"))
    try:
        for statement in (
            "UPDATE hotlist_entry_version SET why = 'other'",
            "DELETE FROM hotlist_entry_version",
            "DELETE FROM hotlist_entry",
            "TRUNCATE hotlist_entry_version",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        for table in ("hotlist_entry", "hotlist_entry_version"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0
    finally:
        await connection.close()


def _ids(topic: Topic, key: str) -> set[UUID]:
    record = topic.records.get(key)
    return {e.entry_id for e in record.entries} if record else set()
