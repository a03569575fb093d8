"""Imports on real servers: every bad line named, all or nothing, ask before removing."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from alpr_common.policy import Role
from alpr_common.topics import HOTLIST
from alpr_local.processes import ServiceProcess, Services
from tests.integration.matcher.line import (
    AGENCY,
    OTHER_AGENCY,
    Topic,
    client,
    person,
    plate_of,
    until,
)

pytestmark = pytest.mark.integration

HEADER = "plate,category,reason,jurisdiction,expires_at,vehicle_year,action\n"
BAD = (
    b"A?1,stolen_vehicle,Too wide,,,,\n",
    b"BAD0001,no_such_category,Stolen,,,,\n",
    b"BAD0002,stolen_vehicle,,,,,\n",
    b"BAD0003,stolen_vehicle,Stolen,Illinois,,,\n",
    b"BAD0004,stolen_vehicle,Stolen,,tomorrow,,\n",
    b"BAD0005,stolen_vehicle\n",
    b'BAD0006,stolen_vehicle,"Stolen,,,,\n',
    b"BAD0007,stolen_vehicle,Stol\xe9n,,,,\n",
    b"BAD0008,stolen_vehicle,Stolen,,,next,\n",
    b"BAD0009,stolen_vehicle,Sto\x00len,,,,\n",
)


@pytest.fixture(scope="module")
def drop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("drop")


@pytest.fixture(scope="module")
def matcher(services: Services, drop: Path) -> ServiceProcess:
    return services.start(
        "matcher",
        environment={
            "ALPR_MATCHER_IMPORT_FOLDER": str(drop),
            "ALPR_MATCHER_IMPORT_FOLDER_SECONDS": "0.2",
        },
    )


@pytest.fixture
async def supervisor(
    services: Services, matcher: ServiceProcess
) -> AsyncIterator[httpx.AsyncClient]:
    async with client(matcher.url, person(services.stack, role=Role.SUPERVISOR)) as http:
        yield http


async def sent(
    http: httpx.AsyncClient, lines: bytes | str, source: str, **params: Any
) -> httpx.Response:
    content = lines if isinstance(lines, bytes) else (HEADER + lines).encode()
    return await http.post(
        "/v1/hotlist/import",
        params={"source": source, **params},
        files={"file": ("list.csv", content, "text/csv")},
    )


async def imported(http: httpx.AsyncClient, lines: bytes | str, source: str, **params: Any) -> Any:
    answer = await sent(http, lines, source, **params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def plates(http: httpx.AsyncClient, source: str) -> set[str]:
    """What is live on a list of at most 500 entries."""
    lists = (await http.get("/v1/hotlist/lists")).json()["items"]
    (list_id,) = [one["list_id"] for one in lists if one["source"] == source]
    found = await http.get("/v1/hotlist/entries", params={"list_id": list_id, "limit": 500})
    return {entry["plate"] for entry in found.json()["items"]}


def some(first: int, last: int, reason: str = "Stolen") -> str:
    return "".join(f"{plate_of(n)},stolen_vehicle,{reason},US-IL,,,\n" for n in range(first, last))


def counts(report: Any) -> tuple[int, int, int, int]:
    return report["added"], report["changed"], report["unchanged"], report["removed"]


async def test_a_hundred_bad_lines_of_ten_kinds_are_named_and_nothing_else_is_lost(
    services: Services, supervisor: httpx.AsyncClient
) -> None:
    lines = [
        f"{plate_of(n)},stolen_vehicle,Stolen,US-IL,2099-01-01,2019,\n".encode()
        for n in range(20_000)
    ]
    bad_at = sorted(random.Random(5).sample(range(1, 20_000), 100))
    for number, place in enumerate(bad_at):
        lines[place] = BAD[number % len(BAD)]
    report = await imported(supervisor, HEADER.encode() + b"".join(lines), "big")
    assert [bad["line"] for bad in report["rejected"]] == [place + 2 for place in bad_at]
    assert len({bad["what"] for bad in report["rejected"]}) >= len(BAD)
    assert (report["added"], report["rejected_count"]) == (19_900, 100)
    async with Topic(services.stack, HOTLIST.name) as topic:

        def told(seen: Topic) -> set[str]:
            entries = (e for r in seen.records.values() for e in r.entries)
            return {e.plate for e in entries if e.source == "big"}

        good = {plate_of(n) for n in range(20_000)} - {plate_of(n) for n in bad_at}
        await until(topic.look, lambda t: len(told(t)) >= len(good))
        assert told(topic) == good
    again = await imported(supervisor, HEADER.encode() + b"".join(lines), "big", mode="refresh")
    assert counts(again) == (0, 0, 19_900, 0), "importing again makes no new versions"


async def test_a_killed_import_leaves_the_list_as_it_was(
    services: Services, matcher: ServiceProcess, supervisor: httpx.AsyncClient
) -> None:
    await imported(supervisor, some(0, 5), "killed")
    import_id = str(uuid4())
    lines = some(3, 120_003, "Stolen again")
    sending = asyncio.create_task(
        sent(supervisor, lines, "killed", mode="refresh", import_id=import_id)
    )

    async def record() -> dict[str, Any]:
        answer = await supervisor.get(f"/v1/hotlist/imports/{import_id}")
        return dict(answer.json()) if answer.status_code == 200 else {"lines_read": 0}

    begun = await until(record, lambda r: r["lines_read"] > 0)
    assert begun["ended_at"] is None
    matcher.kill()
    with pytest.raises(httpx.HTTPError):
        await sending
    matcher.start()
    assert await plates(supervisor, "killed") == {plate_of(n) for n in range(5)}
    # PostgreSQL may still be in a statement of the dead service's when the new one answers.
    ended = await until(record, lambda r: r["ended_at"] is not None)
    assert (ended["state"], ended["report"]["detail"]) == (
        "failed",
        "The import was interrupted; the list is as it was.",
    )
    connection = await asyncpg.connect(services.stack.postgres_admin_dsn)
    try:
        written = await connection.fetchval(
            "SELECT count(*) FROM matcher.hotlist_entry_version WHERE why LIKE '%killed%'"
        )
    finally:
        await connection.close()
    assert written == 5


async def test_a_refresh_that_removes_more_than_a_fifth_stops_and_asks(
    supervisor: httpx.AsyncClient,
) -> None:
    await imported(supervisor, some(0, 100), "guard", mode="refresh")
    fewer = await imported(supervisor, some(20, 100), "guard", mode="refresh")
    assert counts(fewer) == (0, 0, 80, 20), "a fifth goes without asking"
    stopped = await sent(supervisor, some(40, 100), "guard", mode="refresh")
    assert (stopped.status_code, stopped.json()["clause"]) == (409, "policy file")
    assert (stopped.json()["removed"], stopped.json()["listed"]) == (20, 80)
    assert len(await plates(supervisor, "guard")) == 80, "nothing happened"
    preview = await imported(supervisor, some(40, 100), "guard", mode="refresh", dry_run=True)
    assert counts(preview) == (0, 0, 60, 20), "a preview may be seen"
    done = await imported(supervisor, some(40, 100), "guard", mode="refresh", confirm_removals=True)
    assert counts(done) == (0, 0, 60, 20)
    assert len(await plates(supervisor, "guard")) == 60
    back = await imported(supervisor, some(30, 45), "guard")
    assert counts(back) == (0, 10, 5, 0), "a delta removes nothing; what is listed again is back"


async def test_a_preview_shows_what_would_change_and_changes_nothing(
    supervisor: httpx.AsyncClient,
) -> None:
    await imported(supervisor, some(0, 4), "preview")
    lines = some(1, 3) + some(3, 4, "Armed") + some(4, 6) + "BAD,no_such,x,,,,\n"
    seen = await imported(supervisor, lines, "preview", mode="refresh", dry_run=True)
    assert counts(seen) == (2, 1, 2, 1)
    assert [bad["line"] for bad in seen["rejected"]] == [7]
    assert {one["plate"] for one in seen["sample"]["added"]} == {plate_of(4), plate_of(5)}
    (changed,) = seen["sample"]["changed"]
    assert (changed["reason_before"], changed["reason"]) == ("Stolen", "Armed")
    assert [one["plate"] for one in seen["sample"]["removed"]] == [plate_of(0)]
    assert await plates(supervisor, "preview") == {plate_of(n) for n in range(4)}


async def test_a_delta_may_remove_by_name_and_a_changed_entry_keeps_its_history(
    supervisor: httpx.AsyncClient,
) -> None:
    await imported(supervisor, some(0, 3), "delta")
    lines = (
        f"{plate_of(0)},stolen_vehicle,Recovered,US-IL,,,remove\n"
        f"{plate_of(1)},stolen_vehicle,Now armed,US-IL,,,\n"
        f"{plate_of(9)},stolen_vehicle,Never listed,US-IL,,,remove\n"
    )
    done = await imported(supervisor, lines, "delta")
    assert counts(done) == (0, 1, 0, 1)
    assert [(bad["line"], "not listed" in bad["what"]) for bad in done["rejected"]] == [(4, True)]
    found = await supervisor.get("/v1/hotlist/entries", params={"plate": plate_of(1)})
    (entry,) = [e for e in found.json()["items"] if e["source"] == "delta"]
    path = f"/v1/hotlist/entries/{entry['entry_id']}/history"
    history = (await supervisor.get(path)).json()["items"]
    assert [(v["version"], v["change"], v["why"]) for v in history] == [
        (2, "changed", "import of delta, line 3"),
        (1, "added", "import of delta, line 3"),
    ]
    assert (history[0]["before"]["reason"], history[0]["after"]["reason"]) == (
        "Stolen",
        "Now armed",
    )


async def test_immigration_records_are_dropped_and_the_report_says_so(
    supervisor: httpx.AsyncClient,
) -> None:
    lines = some(0, 2) + "ABC7777,immigration_violator,Administrative warrant,US-IL,,,\n"
    done = await imported(supervisor, lines, "illinois")
    ((dropped),) = done["dropped"]
    assert (dropped["category"], dropped["count"]) == ("immigration_violator", 1)
    assert "Illinois" in dropped["why"]
    assert done["rejected_count"] == 0
    assert await plates(supervisor, "illinois") == {plate_of(0), plate_of(1)}
    by_hand = await supervisor.post(
        "/v1/hotlist/entries",
        json={
            "plate": "ABC7777",
            "category": "immigration_violator",
            "reason": "By hand",
            "expires_at": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
        },
    )
    assert (by_hand.status_code, by_hand.json()["clause"]) == (400, "policy file")


async def test_a_fixed_width_list_is_read_by_its_mapper_and_a_sent_mapper_counts_once(
    supervisor: httpx.AsyncClient,
) -> None:
    line = (
        f"{'EV':4}{'HUK379':10}IL2027PC{'1HGCM82633A000001':20}2019HOND{'ACC':3}4D{'RED':7}"
        f"{'V000000001':10}IL0222900{'22-1':20}20260501{'':8}ARMD\n"
    )
    done = await imported(
        supervisor, f"HDR\n{line}XX{line[2:]}".encode(), "ncic", mapper="ncic-fixed"
    )
    assert counts(done) == (1, 0, 0, 0)
    assert done["rejected"] == [{"line": 3, "what": "MKE 'XX' is not in the mapper's code table"}]
    found = await supervisor.get("/v1/hotlist/entries", params={"plate": "HUK379"})
    (entry,) = found.json()["items"]
    assert (entry["category"], entry["case_number"]) == ("stolen_vehicle", "22-1")
    assert (entry["vehicle_make"], entry["vehicle_year"], entry["vehicle_type"]) == (
        "HOND", 2019, "car",
    )  # fmt: skip
    assert (entry["caution"], entry["jurisdiction"]) == ("Armed and dangerous", "US-IL")
    # The same NCIC record with its plate corrected is the same entry, found by its new key.
    moved = await imported(
        supervisor, line.replace("HUK379", "HUK380").encode(), "ncic", mapper="ncic-fixed"
    )
    assert counts(moved) == (0, 1, 0, 0)
    assert await plates(supervisor, "ncic") == {"HUK380"}
    own = 'format="delimited"\ndelimiter=";"\nheader=false\n[fields]\nP=2\n[values]\nplate="{P}"\n'
    own += 'category="scofflaw"\nreason="Unpaid"\n'
    answer = await supervisor.post(
        "/v1/hotlist/import",
        params={"source": "village"},
        files={"file": ("v.csv", b"1;UNP4ID\n"), "mapper": ("v.toml", own.encode())},
    )
    assert answer.json()["added"] == 1, answer.text
    bad = await supervisor.post(
        "/v1/hotlist/import",
        params={"source": "village"},
        files={"file": ("v.csv", b"1;UNP4ID\n"), "mapper": ("v.toml", b"format = 1")},
    )
    assert (bad.status_code, bad.json()["title"]) == (400, "The mapper cannot be used")


async def test_a_dropped_file_is_imported_once_and_moved_with_its_report(
    supervisor: httpx.AsyncClient, drop: Path
) -> None:
    folder = drop / AGENCY / "dropped"
    folder.mkdir(parents=True)
    (folder / "list.csv.part").write_text("not yet")
    (folder / "list.csv").write_text(HEADER + some(0, 3) + "BAD,no_such,x,,,,\n")
    (folder / "other.csv").write_text("no header\n")

    async def left() -> list[str]:
        return [path.name for path in folder.iterdir() if path.is_file()]

    # A file is moved behind its report.
    await until(left, lambda names: names == ["list.csv.part"])
    done, failed = sorted(folder.glob("*/*.report.json"))
    assert (done.parent.name, failed.parent.name) == ("done", "failed")
    report = json.loads(done.read_text())
    assert (report["added"], report["rejected"][0]["line"]) == (3, 5)
    assert "columns" in json.loads(failed.read_text())["detail"]
    assert done.with_name(done.name.removesuffix(".report.json")).read_text().startswith(HEADER)
    assert await plates(supervisor, "dropped") == {plate_of(n) for n in range(3)}
    lists = (await supervisor.get("/v1/hotlist/lists")).json()["items"]
    (one,) = [found for found in lists if found["source"] == "dropped"]
    assert (one["freshness"], one["entries"]) == ("fresh", 3)


async def test_another_agencys_file_never_touches_this_agencys_list(
    services: Services, matcher: ServiceProcess, supervisor: httpx.AsyncClient
) -> None:
    await imported(supervisor, some(0, 3), "mine")
    headers = person(services.stack, agency_id=OTHER_AGENCY, role=Role.SUPERVISOR)
    async with client(matcher.url, headers) as stranger:
        theirs = await imported(stranger, some(1, 2), "mine", mode="refresh")
        assert counts(theirs) == (1, 0, 0, 0)
    assert await plates(supervisor, "mine") == {plate_of(n) for n in range(3)}
