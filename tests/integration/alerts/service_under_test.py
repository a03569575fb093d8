"""The alert service as its neighbours meet it: hits by Kafka, people by HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx

from alpr_alerts.consumers import GROUP
from alpr_common.auth import Principal, TokenIssuer
from alpr_common.errors import Outage
from alpr_common.kafka import Publisher
from alpr_common.messages.hit import Hit
from alpr_common.topics import HITS
from alpr_local.stack import Stack
from tests.support.topics import caught_up
from tests.support.waiting import eventually
from tests.unit.alerts.samples import principal

SEEN = {"characters_match": True, "state_matches": True}
CONFIRMED = {"answer": "confirmed", "source": "leads", "reference": "L-100"}


@dataclass(frozen=True)
class Event:
    """One event of a stream."""

    position: int
    alert: dict[str, Any]


@dataclass
class AlertsClient:
    """One person at one replica of the service."""

    http: httpx.AsyncClient
    url: str
    headers: Mapping[str, str]

    async def get(self, path: str = "", **params: Any) -> httpx.Response:
        return await self.http.get(
            f"{self.url}/v1/alerts{path}", params=params, headers=self.headers
        )

    async def step(self, alert_id: str, step: str, **body: Any) -> httpx.Response:
        return await self.http.post(
            f"{self.url}/v1/alerts/{alert_id}/{step}", json=body, headers=self.headers
        )

    async def alerts(self, **params: Any) -> list[dict[str, Any]]:
        """All alerts, over every page."""
        items: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            answer = await self.get(limit=50, **params, **cursor)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            items += page["items"]
            if not page["next_cursor"]:
                return items
            cursor = {"cursor": page["next_cursor"]}

    @asynccontextmanager
    async def stream(
        self, after: int | None = None, url: str | None = None
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """An open stream's events; heartbeats are left out."""
        headers = dict(self.headers)
        if after is not None:
            headers["Last-Event-ID"] = str(after)
        async with self.http.stream(
            "GET", f"{url or self.url}/v1/alerts/stream", headers=headers, timeout=60
        ) as response:
            assert response.status_code == 200
            assert response.headers["content-type"].startswith("text/event-stream")
            assert response.headers["cache-control"] == "no-store"
            events = _events(response)
            async with aclosing(events):
                yield events


async def _events(response: httpx.Response) -> AsyncGenerator[Event]:
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
        elif "data" in fields:
            assert fields["event"] == "alert"
            yield Event(int(fields["id"]), json.loads(fields["data"]))
            fields = {}


@dataclass
class AlertsLine:
    """Hits in, people at the service."""

    stack: Stack
    url: str
    http: httpx.AsyncClient
    publisher: Publisher
    _clients: list[AlertsClient] = field(default_factory=list)

    def person(
        self,
        who: Principal | None = None,
        *,
        url: str | None = None,
        token_seconds: int = 900,
        **fields: Any,
    ) -> AlertsClient:
        """Somebody with a token of theirs: a trained officer unless told otherwise."""
        issuer = TokenIssuer.from_file(self.stack.secrets.token_private_key, token_seconds)
        token = issuer.issue(who or principal(**fields), datetime.now(UTC))
        return AlertsClient(self.http, url or self.url, {"Authorization": f"Bearer {token}"})

    async def publish(self, *hits: Hit) -> None:
        """Each until it is acknowledged, as the matcher would: a hit told twice is one hit."""
        for one in hits:
            await eventually(partial(self._published, one), 120, what="Kafka takes the hit")

    async def _published(self, one: Hit) -> bool:
        try:
            await self.publisher.publish(HITS, one.read.match_key, one.to_bytes())
        except Outage:
            return False
        return True

    async def handled(self, deadline_seconds: float = 120) -> None:
        """Wait until every hit on the topic has been handled and committed."""

        async def done() -> bool:
            return await caught_up(self.stack.kafka_bootstrap_servers, GROUP, HITS)

        await eventually(done, deadline_seconds, interval_seconds=0.2, what="all hits are handled")

    async def raise_alerts(self, *hits: Hit) -> list[dict[str, Any]]:
        """Publish hits; the alerts that there are once they were handled, oldest first."""
        await self.publish(*hits)
        await self.handled()
        return list(reversed(await self.person().alerts()))


def ids(alerts: Iterable[dict[str, Any]]) -> list[str]:
    return [alert["alert_id"] for alert in alerts]
