"""The whole line as its users see it: everything here goes over HTTP, as CAD and officers do."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from alpr_common.messages.alert import AlertState
from alpr_common.messages.read import Read
from alpr_common.topics import FRAMES, HITS, READS
from alpr_local.processes import Services
from tests.support.topics import caught_up, everything
from tests.support.waiting import eventually

AGENCY = "IL0222900"
PROCESSES = (
    "identity",
    "ingest",
    "recognizer",
    "matcher",
    "matcher-worker",
    "alerts",
    "access-log",
)
_PASSWORD = "correct-horse-battery-47"
_GROUPS = {"alpr-recognizer": FRAMES, "alpr-matcher-worker": READS, "alpr-alerts": HITS}


@dataclass
class Line:
    """A running line with one signed-in person per role that a test asked for."""

    services: Services
    client: httpx.AsyncClient

    def url(self, service: str, path: str) -> str:
        return f"{self.services.url(service)}{path}"

    async def sign_in(self, role: str, username: str | None = None) -> dict[str, str]:
        """Create a trained person of that role, sign in, and return the request headers."""
        username = username or role
        until = (datetime.now(UTC) + timedelta(days=90)).date().isoformat()
        await asyncio.to_thread(
            subprocess.run,
            [
                sys.executable, "-m", "alpr_identity", "create-person", "--agency", AGENCY,
                "--username", username, "--role", role, "--name", username.title(),
                "--leads-until", until, "--alpr-until", until, "--password-stdin",
            ],
            env=self.services.environment_for_tools(), input=_PASSWORD, text=True, check=True,
            capture_output=True,
        )  # fmt: skip
        answer = await self.client.post(
            self.url("identity", "/v1/sessions"),
            json={"username": username, "password": _PASSWORD},
        )
        assert answer.status_code in (200, 201), answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    async def register_camera(self, camera_id: str, headers: dict[str, str]) -> str:
        """Register an attested fixed camera; returns its credential."""
        answer = await self.client.post(
            self.url("ingest", "/v1/cameras"),
            headers=headers,
            json={
                "camera_id": camera_id, "name": camera_id, "kind": "fixed",
                "latitude": 41.84, "longitude": -87.95, "heading_degrees": 90,
                "attestation": {
                    "site_description": "public street", "exposed_to_public_view": True
                },
            },
        )  # fmt: skip
        assert answer.status_code == 201, answer.text
        return str(answer.json()["credential"])

    async def send_frame(
        self, credential: str, jpeg: bytes, captured_at: datetime, sequence: int = 0
    ) -> httpx.Response:
        return await self.client.post(
            self.url("ingest", "/v1/frames"),
            content=jpeg,
            headers={
                "Authorization": f"Camera {credential}",
                "Content-Type": "image/jpeg",
                "Alpr-Captured-At": captured_at.isoformat(),
                "Alpr-Sent-At": datetime.now(UTC).isoformat(),
                "Alpr-Latitude": "41.84",
                "Alpr-Longitude": "-87.95",
                "Alpr-Heading": "90",
                "Alpr-Sequence": str(sequence),
            },
        )

    async def add_entry(self, plate: str, headers: dict[str, str], **fields: Any) -> dict[str, Any]:
        """List a plate since an hour ago: an entry matches only what was captured since then."""
        now = datetime.now(UTC)
        body = {
            "plate": plate, "category": "stolen_vehicle", "reason": "taken from a driveway",
            "effective_at": (now - timedelta(hours=1)).isoformat(),
            "expires_at": (now + timedelta(days=2)).isoformat(), **fields,
        }  # fmt: skip
        answer = await self.client.post(
            self.url("matcher", "/v1/hotlist/entries"), headers=headers, json=body
        )
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def alerts(self, headers: dict[str, str]) -> list[dict[str, Any]]:
        """All alerts of the agency, over every page."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            answer = await self.client.get(
                self.url("alerts", "/v1/alerts"),
                headers=headers,
                params={"limit": 100, **({"cursor": cursor} if cursor else {})},
            )
            assert answer.status_code == 200, answer.text
            page = answer.json()
            items += page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                return items

    async def step(
        self, alert_id: str, step: str, headers: dict[str, str], **evidence: Any
    ) -> httpx.Response:
        return await self.client.post(
            self.url("alerts", f"/v1/alerts/{alert_id}/{step}"), headers=headers, json=evidence
        )

    async def reads(self) -> list[Read]:
        """Every read on the topic, as often as it is there."""
        received = await everything(self.services.stack.kafka_bootstrap_servers, READS)
        return [Read.from_bytes(r.value or b"") for r in received]

    async def settled(self, deadline_seconds: float = 180) -> None:
        """Wait until frames are recognized, reads are joined and hits are alerts."""
        servers = self.services.stack.kafka_bootstrap_servers
        for group, topic in _GROUPS.items():

            async def done(group: str = group, topic: Any = topic) -> bool:
                return await caught_up(servers, group, topic)

            await eventually(
                done,
                deadline_seconds,
                interval_seconds=0.5,
                what=f"{group} has handled all of {topic.name}",
            )

    async def walk_to_enforced(
        self, alert_id: str, headers: dict[str, str], jurisdiction: str
    ) -> dict[str, Any]:
        """The officer's way: visual check, status confirmed, enforced with an incident number."""
        shown = await self.client.get(self.url("alerts", f"/v1/alerts/{alert_id}"), headers=headers)
        assert shown.status_code == 200, shown.text
        positions = [p["position"] for p in shown.json()["differing_positions"]]
        seen = {"characters_match": True, "state_matches": True, "checked_positions": positions}
        steps: list[tuple[str, dict[str, Any]]] = [
            ("accept", {**seen, "confirmed_jurisdiction": jurisdiction}),
            ("status", {"answer": "confirmed", "source": "leads", "reference": "L-100"}),
            ("enforce", {"incident_number": "26-004711"}),
        ]
        answer = None
        for step, evidence in steps:
            answer = await self.step(alert_id, step, headers, **evidence)
            assert answer.status_code == 200, answer.text
        assert answer is not None
        alert = dict(answer.json())
        assert alert["state"] == AlertState.ENFORCED
        return alert
