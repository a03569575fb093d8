"""What a search finds, that it finds nothing else, and that each row that leaves is on record."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from alpr_common.policy import Policy
from tests.integration.access_log.conftest import OTHERS, OURS, DoorUnderTest, make_read
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


def ids(page: dict[str, object]) -> list[str]:
    items = page["items"]
    assert isinstance(items, list)
    return [item["read_id"] for item in items]


@pytest.mark.policy("131.7-3a")
async def test_the_record_says_who_what_why_when_and_what_was_seen(door: DoorUnderTest) -> None:
    read = make_read("RECORD1")
    await door.store(read)
    answer = await door.search(door.token(person="keeper"), plate="rec-ord1")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    page = answer.json()
    assert page["items"] == [read.model_dump(mode="json", exclude_none=True)]
    (record,) = await door.records(person_id="keeper")
    assert str(record["record_id"]) == str(record["access_id"]) == page["access_id"]
    assert (record["outcome"], record["service"]) == ("done", "access-log")
    assert record["read_ids"] == [read.read_id]
    assert (record["role"], record["purpose"]) == ("officer", "stolen_vehicle")
    assert record["session_id"]
    assert record["address"] == "192.0.2.7"


@pytest.mark.policy("131.7-3a")
async def test_a_search_that_finds_nothing_is_on_record_as_well(door: DoorUnderTest) -> None:
    answer = await door.search(door.token(person="empty"), plate="NOTHERE1")
    assert answer.json()["items"] == []
    (record,) = await door.records(person_id="empty")
    assert record["returned_count"] == 0


async def test_exact_lookalike_and_wildcard_find_what_they_say(door: DoorUnderTest) -> None:
    exact, alike, other = make_read("KB0I234"), make_read("K8O1Z34"), make_read("KC0I234")
    await door.store(exact, alike, other)
    headers = door.token()

    async def found(plate: str, lookalike: bool = False) -> set[str]:
        answer = await door.search(headers, plate=plate, lookalike=lookalike)
        assert answer.status_code == 200
        return set(ids(answer.json()))

    e, a, o = (str(r.read_id) for r in (exact, alike, other))
    assert await found("KB0I234") == {e}
    assert await found("KB0I234", lookalike=True) == {e, a}
    assert await found("K?0I234") == {e, o}
    assert await found("KB0*") == {e}
    assert await found("*0I234") == {e, o}
    assert await found("*0I2?4*") == {e, o}
    assert await found("*0*2?4*") == {e, o}
    assert await found("?B*I*4") == {e}
    assert await found("*BO?2*", lookalike=True) == {e, a}
    assert await found("K?OI2*", lookalike=True) == {e, a, o}
    assert await found("KB0I23") == set()


async def test_cameras_and_the_time_window_narrow(door: DoorUnderTest) -> None:
    near = make_read("NARROW1", camera_id="near", minutes_ago=10)
    far = make_read("NARROW1", camera_id="far", minutes_ago=10)
    old = make_read("NARROW1", camera_id="near", minutes_ago=60 * 24 * 3)
    await door.store(near, far, old)
    headers = door.token()
    answer = await door.search(headers, plate="NARROW1", camera_ids=["near", "nowhere"])
    assert ids(answer.json()) == [str(near.read_id)]
    answer = await door.search(headers, plate="NARROW1")
    assert set(ids(answer.json())) == {str(near.read_id), str(far.read_id)}


@pytest.mark.parametrize("pattern", ["*PATT?R*", "P*ERN"])
async def test_pages_of_a_pattern_follow_each_other_over_all_its_days(
    door: DoorUnderTest, pattern: str
) -> None:
    hours = (1, 2, 30, 31, 60, 200, 201)
    reads = [make_read("PATTERN", minutes_ago=60 * n) for n in hours]
    await door.store(*reads, make_read("PATTERX"), make_read("PATTERN", agency=OTHERS))
    headers = door.token(person=f"pages {pattern}")
    since = (datetime.now(UTC) - timedelta(days=20)).isoformat()
    page = (await door.search(headers, plate=pattern, limit=3, **{"from": since})).json()
    seen = ids(page)
    while page["next_cursor"]:
        body = {"cursor": page["next_cursor"], "limit": 3}
        page = (await door.client.post("/v1/searches", json=body, headers=headers)).json()
        seen += ids(page)
    mine = {str(read.read_id): read for read in reads}
    assert [one for one in seen if one in mine] == [str(read.read_id) for read in reads]


async def test_pages_follow_each_other_within_one_access(door: DoorUnderTest) -> None:
    reads = [make_read("PAGED01", minutes_ago=n + 1) for n in range(5)]
    twin = make_read("PAGED01", captured_at=reads[1].captured_at)
    await door.store(*reads, twin)
    headers = door.token(person="pager")
    page = (await door.search(headers, plate="PAGED01", limit=2)).json()
    access_id, seen = page["access_id"], ids(page)
    while page["next_cursor"]:
        body = {"cursor": page["next_cursor"], "limit": 2}
        page = (await door.client.post("/v1/searches", json=body, headers=headers)).json()
        assert page["access_id"] == access_id
        seen += ids(page)
    stored = {str(r.read_id) for r in [*reads, twin]}
    assert len(seen) == 6
    assert set(seen) == stored
    records = await door.records(person_id="pager")
    assert [r["action"] for r in records] == ["search", "search.page", "search.page"]
    assert {str(r["access_id"]) for r in records} == {access_id}
    assert [str(i) for r in records for i in r["read_ids"]] == seen
    assert {r["case_number"] for r in records} == {"26-000123"}


@pytest.mark.policy("131.7-3a")
async def test_a_cursor_is_bound_to_its_access(door: DoorUnderTest) -> None:
    await door.store(*(make_read("BOUND01", minutes_ago=n + 1) for n in range(3)))
    owner = door.token(person="owner")
    page = (await door.search(owner, plate="BOUND01", limit=1)).json()
    body = {"cursor": page["next_cursor"]}
    stranger = await door.client.post("/v1/searches", json=body, headers=door.token())
    assert (stranger.status_code, stranger.json()["clause"]) == (403, "131.7-3a")
    abroad = door.token(person="owner", agency=OTHERS)
    elsewhere = await door.client.post("/v1/searches", json=body, headers=abroad)
    assert elsewhere.status_code == 403
    changed = await door.search(owner, plate="OTHER01", cursor=page["next_cursor"])
    assert changed.json()["type"] == "urn:alpr:problem:cursor-invalid"
    door.with_policy(Policy(search_paging_seconds=0))
    late = await door.client.post("/v1/searches", json=body, headers=owner)
    assert late.json()["type"] == "urn:alpr:problem:access-expired"
    refused = [r for r in await door.records(action="search.page") if r["outcome"] == "refused"]
    assert len(refused) >= 3


async def test_another_agency_finds_none_of_our_reads(door: DoorUnderTest) -> None:
    ours, theirs = make_read("SHARED1"), make_read("SHARED1", agency=OTHERS)
    await door.store(ours, theirs)
    found = (await door.search(door.token(agency=OTHERS), plate="SHARED1")).json()
    assert ids(found) == [str(theirs.read_id)]
    found = (await door.search(door.token(agency=OURS), plate="SHARED1")).json()
    assert ids(found) == [str(ours.read_id)]


@pytest.mark.policy("131.7-3a")
async def test_when_the_record_cannot_be_written_no_row_leaves(door: DoorUnderTest) -> None:
    await door.store(make_read("NOLOG01"))
    admin = await asyncpg.connect(door.stack.postgres_admin_dsn)
    try:
        await admin.execute("REVOKE INSERT ON access_log.access_record FROM alpr_access_log")
        answer = await door.search(door.token(person="unlogged"), plate="NOLOG01")
        refusal = await door.search(door.token(person="unlogged"), purpose=None)
    finally:
        await admin.execute("GRANT INSERT ON access_log.access_record TO alpr_access_log")
        await admin.close()
    for answered in (answer, refusal):
        assert answered.status_code == 503
        assert answered.json()["clause"] == "131.7-3a"
        assert answered.headers["retry-after"]
        assert "NOLOG01" not in answered.text
    assert await door.records(person_id="unlogged") == []


@pytest.mark.policy("131.7-3a")
async def test_when_the_database_dies_between_reading_and_recording_no_row_leaves(
    door: DoorUnderTest,
) -> None:
    await door.store(make_read("KILLED1"))
    holder = await asyncpg.connect(door.stack.postgres_admin_dsn)
    watcher = await asyncpg.connect(door.stack.postgres_admin_dsn)
    try:
        async with holder.transaction():
            # Rows are read, but the record has to wait: here the connection is cut.
            await holder.execute("LOCK TABLE access_log.access_record IN EXCLUSIVE MODE")
            asked = asyncio.create_task(door.search(door.token(person="cut"), plate="KILLED1"))
            pid = await eventually(
                lambda: watcher.fetchval(
                    "SELECT pid FROM pg_stat_activity WHERE usename = 'alpr_access_log' "
                    "AND wait_event_type = 'Lock' AND query LIKE '%INSERT INTO access_record%'"
                ),
                what="the search waits to append its record",
            )
            await watcher.execute("SELECT pg_terminate_backend($1)", pid)
        answer = await asked
    finally:
        await watcher.close()
        await holder.close()
    assert answer.status_code == 503
    assert "KILLED1" not in answer.text
    (record,) = await door.records(person_id="cut")
    assert (record["outcome"], record["returned_count"]) == ("failed", 0)
    again = await door.search(door.token(person="cut"), plate="KILLED1")
    assert len(again.json()["items"]) == 1


@pytest.mark.policy("131.7-3a")
async def test_pictures_open_only_for_who_was_given_the_read(door: DoorUnderTest) -> None:
    read, unseen = make_read("PICT001"), make_read("PICT002")
    await door.store(read, unseen)
    await door.pictures.put(read.frame_object, b"\xff\xd8frame")
    await door.pictures.put(read.plate_object, b"\xff\xd8plate")
    viewer = door.token(person="viewer")
    access_id = (await door.search(viewer, plate="PICT001")).json()["access_id"]

    async def view(read_id: UUID, kind: str, who: dict[str, str], access: str | None) -> int:
        query = f"?access_id={access}" if access else ""
        url = f"/v1/reads/{read_id}/pictures/{kind}{query}"
        answer = await door.client.get(url, headers=who)
        if answer.status_code == 200:
            assert answer.content == b"\xff\xd8" + kind.encode()
            assert answer.headers["content-type"] == "image/jpeg"
            assert answer.headers["cache-control"] == "no-store"
        else:
            assert answer.headers["content-type"] == "application/problem+json"
        return answer.status_code

    assert await view(read.read_id, "frame", viewer, access_id) == 200
    assert await view(read.read_id, "plate", viewer, access_id) == 200
    assert await view(read.read_id, "frame", viewer, None) == 403
    assert await view(unseen.read_id, "frame", viewer, access_id) == 403
    assert await view(read.read_id, "frame", door.token(), access_id) == 403
    assert await view(read.read_id, "other", viewer, access_id) == 422
    door.with_policy(Policy(picture_view_seconds=0))
    assert await view(read.read_id, "frame", viewer, access_id) == 403
    records = await door.records(person_id="viewer", action="read.picture.viewed")
    assert [r["outcome"] for r in records] == ["done", "done"] + ["refused"] * 4
    assert {r["subject"] for r in records[:2]} == {f"read:{read.read_id}"}
    assert {r["case_number"] for r in records[:2]} == {"26-000123"}


async def test_a_picture_that_is_gone_is_recorded_as_failed(door: DoorUnderTest) -> None:
    read = make_read("GONE001")
    await door.store(read)
    viewer = door.token(person="too-late")
    access_id = (await door.search(viewer, plate="GONE001")).json()["access_id"]
    answer = await door.client.get(
        f"/v1/reads/{read.read_id}/pictures/frame?access_id={access_id}", headers=viewer
    )
    assert answer.status_code == 404
    records = await door.records(person_id="too-late")
    assert [r["outcome"] for r in records] == ["done", "failed"]
