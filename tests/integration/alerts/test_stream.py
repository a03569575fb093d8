"""Alerts as they change, over server-sent events: live, resumed, bounded in time, from replicas."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import asyncpg
import httpx
import pytest

from alpr_local.processes import ServiceProcess, Services
from tests.integration.alerts.conftest import QUICK
from tests.integration.alerts.service_under_test import SEEN, AlertsClient, AlertsLine, Event
from tests.support.waiting import eventually
from tests.unit.alerts.samples import OTHER_AGENCY, hit

pytestmark = pytest.mark.integration


async def take(
    client: AlertsClient, count: int, after: int | None = None, url: str | None = None
) -> list[Event]:
    """The next `count` events."""
    found: list[Event] = []
    async with asyncio.timeout(90), client.stream(after, url) as events:
        async for event in events:
            found.append(event)
            if len(found) == count:
                break
    return found


async def position(client: AlertsClient) -> int:
    return int((await client.get(limit=1)).json()["stream_position"])


@pytest.mark.policy("131.3-alert")
async def test_a_new_alert_and_each_change_of_it_arrive_without_asking(line: AlertsLine) -> None:
    officer = line.person()
    async with asyncio.timeout(90), officer.stream() as events:
        began = time.monotonic()
        await line.publish(hit(0, plate="L1VE01"))
        new = await anext(events)
        print(f"hit published → alert on the stream: {time.monotonic() - began:.3f} s")
        assert (new.alert["plate"], new.alert["state"]) == ("L1VE01", "new")
        assert new.alert["notice"].startswith("A hit alone")
        await officer.step(new.alert["alert_id"], "accept", **SEEN)
        accepted = await anext(events)
        assert (accepted.alert["state"], accepted.alert["sequence"]) == ("accepted", 2)
        await line.publish(hit(30, plate="L1VE01"))
        seen_again = await anext(events)
        assert (seen_again.alert["state"], seen_again.alert["hit_count"]) == ("accepted", 2)
    assert new.position < accepted.position < seen_again.position


async def test_a_stream_resumes_after_the_last_event_without_gap_or_double(
    line: AlertsLine,
) -> None:
    officer = line.person()
    start = await position(officer)
    hits = [hit(0, plate=f"RES{n:03d}") for n in range(70)]

    async def feed() -> None:
        for one in hits:
            await line.publish(one)

    feeding = asyncio.ensure_future(feed())
    seen: list[Event] = []
    # The connection breaks again and again, also while a page of events is being sent.
    for count in (1, 7, 2, 25, 3, 32):
        seen += await take(officer, count, seen[-1].position if seen else start)
    await feeding
    await line.handled()
    assert [e.alert["plate"] for e in seen] == [one.read.plate for one in _in_order(seen, hits)]
    assert sorted(e.alert["plate"] for e in seen) == sorted(one.read.plate for one in hits)
    positions = [e.position for e in seen]
    assert positions == list(range(start + 1, start + 71)), "one order for all, without gaps"
    assert [e.position for e in await take(officer, 70, start)] == positions


def _in_order(seen: list[Event], hits: list) -> list:  # type: ignore[type-arg]
    by_plate = {one.read.plate: one for one in hits}
    return [by_plate[e.alert["plate"]] for e in seen]


async def test_a_stream_says_at_once_where_it_began_so_that_one_that_breaks_early_resumes_there(
    line: AlertsLine,
) -> None:
    """Before its first event a reader had nothing to resume from: what came in between was lost."""
    officer = line.person()
    now = await position(officer)

    async def first_id(**headers: str) -> str:
        async with (
            asyncio.timeout(60),
            line.http.stream(
                "GET", f"{line.url}/v1/alerts/stream", headers={**officer.headers, **headers}
            ) as answer,
        ):
            async for text in answer.aiter_lines():
                if text.startswith("id:"):
                    return text.removeprefix("id:").strip()
        return ""

    began = await first_id()
    assert began == str(now)
    await line.publish(hit(0, plate="EAR1Y1"))
    await line.handled()
    (missed,) = await take(officer, 1, int(began))
    assert missed.alert["plate"] == "EAR1Y1"
    assert await first_id(**{"Last-Event-ID": began}) == began


async def test_who_resumes_late_is_told_how_the_alert_stands_now(line: AlertsLine) -> None:
    officer = line.person()
    start = await position(officer)
    await line.publish(hit(0, plate="LATE01"))
    await line.handled()
    (alert,) = [a for a in await officer.alerts() if a["plate"] == "LATE01"]
    await officer.step(alert["alert_id"], "reject", reason="misread")
    events = await take(officer, 2, start)
    assert [e.alert["state"] for e in events] == ["rejected", "rejected"]


async def test_every_replica_streams_what_any_replica_did(
    line: AlertsLine, services: Services
) -> None:
    second = await asyncio.to_thread(services.start, "alerts", instance="second", environment=QUICK)
    officer = line.person()
    start = await position(officer)
    async with officer.stream(url=second.url) as there, officer.stream() as here:
        await line.publish(hit(0, plate="TW1N01"))
        first_there = await asyncio.wait_for(anext(there), 60)
        first_here = await asyncio.wait_for(anext(here), 60)
        assert first_there.position == first_here.position == start + 1
        done = await line.person(url=second.url).step(
            first_there.alert["alert_id"], "accept", **SEEN
        )
        assert done.status_code == 200
        assert (await asyncio.wait_for(anext(here), 60)).alert["state"] == "accepted"
    # A reader whose replica is gone goes on at another one where it was.
    await asyncio.to_thread(second.terminate)
    resumed = await take(officer, 1, start + 1)
    assert resumed[0].position == start + 2


async def test_a_stream_outlives_the_database_connections_that_feed_it(line: AlertsLine) -> None:
    officer = line.person()
    async with asyncio.timeout(90), officer.stream() as events:
        administrator = await asyncpg.connect(line.stack.postgres_admin_dsn)
        try:
            cut = await administrator.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = 'alpr_alerts'"
            )
        finally:
            await administrator.close()
        assert cut
        await line.publish(hit(0, plate="CUT001"))
        assert (await anext(events)).alert["plate"] == "CUT001"


@pytest.mark.policy("131.4")
async def test_another_agency_hears_nothing(line: AlertsLine) -> None:
    stranger = line.person(agency_id=OTHER_AGENCY)
    async with stranger.stream(after=0) as events:
        await line.publish(hit(0, plate="PR1VAT"), hit(0, plate="THE1RS", agency_id=OTHER_AGENCY))
        first = await asyncio.wait_for(anext(events), 60)
        assert first.alert["plate"] == "THE1RS"


@pytest.mark.policy("131.6-1")
async def test_a_stream_ends_when_its_token_does(line: AlertsLine) -> None:
    # Tokens count in whole seconds, and a busy machine stops for some before the stream is open.
    brief = line.person(token_seconds=6)
    began = time.monotonic()
    async with asyncio.timeout(60), brief.stream() as events:
        assert [event async for event in events] == []
    assert 3 < time.monotonic() - began < 30
    refused = await brief.get("/stream")
    assert refused.status_code == 401


async def test_heartbeats_come_while_nothing_happens(line: AlertsLine) -> None:
    officer = line.person()
    async with (
        asyncio.timeout(60),
        line.http.stream("GET", f"{line.url}/v1/alerts/stream", headers=officer.headers) as answer,
    ):
        beats = 0
        async for text in answer.aiter_lines():
            beats += text.startswith(":")
            if beats == 3:
                break
    assert beats == 3


async def test_a_resume_point_that_is_none_is_refused_and_one_of_the_future_waits_for_news(
    line: AlertsLine,
) -> None:
    officer = line.person()
    for bad in ("abc", "-1", "1.5", "9" * 30):
        answer = await line.http.get(
            f"{line.url}/v1/alerts/stream", headers={**officer.headers, "Last-Event-ID": bad}
        )
        assert answer.status_code == 400, bad
    async with officer.stream(after=10**12) as events:
        await line.publish(hit(0, plate="FUTUR1"))
        assert (await asyncio.wait_for(anext(events), 60)).alert["plate"] == "FUTUR1"


async def test_closed_streams_leave_nothing_behind_and_open_ones_do_not_hold_up_the_end(
    line: AlertsLine, alerts_process: ServiceProcess
) -> None:
    async def open_streams() -> str:
        text = (await line.http.get(f"{line.url}/metrics")).text
        return next(x for x in text.splitlines() if x.startswith("alpr_alert_streams_open "))

    async def are_open(count: int) -> bool:
        return (await open_streams()).endswith(f" {count}.0")

    await eventually(partial(are_open, 0), 60, what="no stream is open")
    officer = line.person()
    async with officer.stream(), officer.stream():
        await eventually(partial(are_open, 2), 60, what="two streams are open")
    await eventually(partial(are_open, 0), 60, what="no stream is open")

    ended = False
    async with officer.stream() as events:
        began = time.monotonic()
        stopping = asyncio.ensure_future(asyncio.to_thread(alerts_process.terminate, 60))
        try:
            ended = [event async for event in events] == []
        except (httpx.RemoteProtocolError, httpx.ReadError):
            ended = True
        await stopping
        assert time.monotonic() - began < 30
    assert ended
    await asyncio.to_thread(alerts_process.start)
