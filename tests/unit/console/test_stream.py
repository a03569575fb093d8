"""The relay of the live stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from alpr_alerts import domain as alerts
from alpr_console.stream import ServerSentEvent, parse_events
from tests.browser.support.console import console_on
from tests.browser.support.rest_double import PASSWORD, Double
from tests.browser.support.serving import Served, served
from tests.browser.support.sightings import Sighting, undrawn
from tests.support.waiting import wait_until


async def lines(text: str) -> AsyncIterator[str]:
    for line in text.split("\n"):
        yield line


async def test_events_of_several_lines_are_put_together_and_comments_are_heartbeats() -> None:
    text = ": heartbeat\nid: 7\nevent: alert\ndata: {\ndata:  }\n\ndata: bare\n\n: x\nevent: cut"
    events = [e async for e in parse_events(lines(text))]
    assert [e.event for e in events] == ["heartbeat", "alert", "message", "heartbeat"]
    assert (events[1].last_id, events[1].data) == ("7", ["{", " }"])


def test_an_event_is_written_as_it_is_read() -> None:
    event = ServerSentEvent("alert", ["one\ntwo"], "9")
    assert event.encode() == b"id: 9\nevent: alert\ndata: one\ndata: two\n\n"


class Listener:
    """A signed-in browser's end of the stream."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def listen(
        self, path: str, until: str, headers: dict[str, str] | None = None
    ) -> list[ServerSentEvent]:
        events: list[ServerSentEvent] = []
        async with asyncio.timeout(30), self.client.stream("GET", path, headers=headers) as answer:
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "no-store"
            async for event in parse_events(answer.aiter_lines()):
                events.append(event)
                if event.event == until:
                    break
        return events


@pytest.fixture(scope="module")
def served_double(module_double: Double) -> Iterator[Served]:
    """On a port: only a network shows what streams do when somebody leaves."""
    with served(module_double.app) as running:
        yield running


@pytest.fixture
def api(double: Double, served_double: Served) -> Served:
    return served_double


@pytest.fixture(scope="module")
def served_console(
    module_double: Double, served_double: Served, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("console")
    with console_on(module_double, served_double.url, folder, heartbeat_seconds=0.2) as running:
        yield running


@pytest.fixture
async def listener(api: Served, served_console: Served) -> AsyncIterator[Listener]:
    url = served_console.url
    async with httpx.AsyncClient(base_url=url) as client:
        form = {"username": "rivera", "password": PASSWORD}
        answer = await client.post("/sign-in", data=form, headers={"Origin": url})
        assert answer.status_code == 303
        yield Listener(client)


@pytest.mark.policy("131.3-alert")
async def test_a_new_alert_arrives_with_its_row_and_its_sound(
    listener: Listener, double: Double, api: Served
) -> None:
    hearing = asyncio.create_task(listener.listen("/board/stream", "alert"))
    await asyncio.to_thread(wait_for_stream, double)
    api.do(double.raise_alert(undrawn(Sighting("BG73914"))))
    events = await hearing
    assert events[0].event == "ready"
    told = json.loads(events[-1].data[0])
    assert told["sound"] == "urgent"
    assert "BG73914" in told["row"]
    assert events[-1].last_id == "1"


def wait_for_stream(double: Double) -> None:
    wait_until(lambda: double.streams, what="the relay listens")


async def test_it_goes_on_after_the_last_event_that_was_seen(
    listener: Listener, double: Double, api: Served
) -> None:
    for plate in ("AA11111", "BB22222"):
        api.do(double.raise_alert(undrawn(Sighting(plate))))
    seen = {"Last-Event-ID": "1"}
    for path, headers in (("/board/stream?after=1", {}), ("/board/stream", seen)):
        events = await listener.listen(path, "alert", headers)
        alert = next(e for e in events if e.event == "alert")
        assert alert.last_id == "2"
        assert "BB22222" in alert.data[0]


async def test_an_alert_that_somebody_rejected_makes_no_sound(
    listener: Listener, double: Double, api: Served
) -> None:
    alert_id = api.do(double.raise_alert(undrawn(Sighting("BG73914"))))
    move = alerts.reject(double.alerts[alert_id], alerts.RejectionReason.MISREAD)
    api.do(double.step(alert_id, "okafor", move))
    events = await listener.listen("/board/stream?after=1", "alert")
    assert json.loads(events[-1].data[0])["sound"] == "silent"


async def test_a_silent_stream_still_says_that_it_lives(listener: Listener) -> None:
    events = await listener.listen("/board/stream", "heartbeat")
    assert events[0].event == "ready"


async def test_a_refusal_is_told_in_the_stream_and_ends_it(
    listener: Listener, double: Double
) -> None:
    double.refuses_streams = True
    events = await listener.listen("/board/stream", "trouble")
    assert json.loads(events[-1].data[0])["status"] == 503


async def test_when_the_browser_leaves_the_services_stream_ends_too(
    listener: Listener, double: Double
) -> None:
    await listener.listen("/board/stream", "heartbeat")
    await asyncio.to_thread(wait_until, lambda: not double.streams, what="the upstream ended")
