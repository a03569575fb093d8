"""The alert stream: read as the format says, resumed where it broke."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from hypothesis import given
from hypothesis import strategies as st

from alpr_client import Addresses, AlprClient, RefusedError
from alpr_client.streams import ServerSent, server_sent


async def lines_of(text: str) -> AsyncIterator[str]:
    for line in text.split("\n"):
        yield line


async def read(text: str, stream_id: str = "") -> list[ServerSent]:
    return [sent async for sent in server_sent(lines_of(text), stream_id)]


async def test_messages_comments_and_ids_are_read_as_the_format_says() -> None:
    text = (
        ": heartbeat\n\nevent: alert\nid: 7\ndata: {\ndata:}\n\n"
        "data: x\n\nid: 8\n\ndata\n\nretry: 10\nevent: lost\ndata: cut off"
    )
    assert await read(text) == [
        ServerSent("alert", "{\n}", "7"),
        ServerSent("message", "x", "7"),
        ServerSent("message", "", "8"),
    ]


@given(st.text(alphabet=st.characters(blacklist_characters="\n\r"), max_size=60))
def test_any_data_comes_through(data: str) -> None:
    (sent,) = asyncio.run(read(f"data: {data}\n\n"))
    assert sent.data == data


class Alerts:
    """A server of numbered alerts, which breaks the stream after each `at_once`."""

    def __init__(self, number: int, at_once: int) -> None:
        self.app = FastAPI()
        self.asked: list[str] = []
        self.answers: list[Response] = []
        ids = [str(uuid4()) for _ in range(number)]

        @self.app.get("/v1/alerts/stream")
        async def stream(request: Request) -> Response:
            self.asked.append(request.headers.get("last-event-id", ""))
            if self.answers:
                return self.answers.pop(0)
            first = int(self.asked[-1] or 0)

            async def body() -> AsyncIterator[str]:
                yield ": hello\n\n"
                for n in range(first, min(first + at_once, number)):
                    alert = {"alert_id": ids[n], "state": "new", "plate": f"AB{n}"}
                    yield f"event: alert\nid: {n + 1}\ndata: {json.dumps(alert)}\n\n"

            return StreamingResponse(body(), media_type="text/event-stream")


async def followed(server: Alerts, number: int, after: str | None = None) -> list[str]:
    http = httpx.AsyncClient(transport=httpx.ASGITransport(server.app))
    found: list[str] = []
    async with AlprClient(Addresses.behind("http://alpr"), http=http) as client:
        async with asyncio.timeout(20):
            async for update in client.alerts.stream(after=after):
                found.append(update.alert.plate)
                if len(found) == number:
                    break
    return found


async def test_a_stream_that_breaks_goes_on_where_it_was() -> None:
    server = Alerts(number=10, at_once=4)
    assert await followed(server, 10) == [f"AB{n}" for n in range(10)]
    assert server.asked == ["", "4", "8"]


async def test_a_stream_is_resumed_after_an_earlier_run() -> None:
    server = Alerts(number=6, at_once=10)
    assert await followed(server, 2, after="4") == ["AB4", "AB5"]


async def test_an_outage_is_waited_out() -> None:
    server = Alerts(number=3, at_once=10)
    server.answers = [Response(status_code=503, headers={"Retry-After": "0"}), Response("", 502)]
    assert await followed(server, 3) == ["AB0", "AB1", "AB2"]


async def test_a_refused_stream_ends() -> None:
    server = Alerts(number=3, at_once=10)
    server.answers = [Response('{"title": "LEADS training", "clause": "131.6-1"}', 403)]
    with pytest.raises(RefusedError, match=r"131\.6-1"):
        await followed(server, 1)
