"""The client: typed answers, refusals that say why, sessions that stay fresh."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4

import httpx
import pytest
from fastapi import Body, FastAPI, Header, Request, Response
from fastapi.responses import JSONResponse

from alpr_client import Addresses, AlprClient, Query, Reason, RefusedError, UnavailableError

ALERT = str(uuid4())


def problem(status: int, code: str, clause: str | None = None, **headers: str) -> JSONResponse:
    body = {"type": f"urn:alpr:problem:{code}", "title": "No", "status": status, "detail": "why"}
    return JSONResponse(body | ({"clause": clause} if clause else {}), status, headers=headers)


class System:
    """The REST interfaces, small: what the client sends is kept, what it gets is set."""

    def __init__(self) -> None:
        self.app = FastAPI()
        self.valid_token = "token-1"
        self.refreshed = 0
        self.steps: list[tuple[str, dict[str, Any]]] = []
        self.forms: list[dict[str, Any]] = []
        self.answer: Response | None = None
        self.headers: dict[str, str] = {}
        self._routes()

    def _routes(self) -> None:
        app = self.app

        @app.post("/v1/sessions")
        async def sign_in(form: Annotated[dict[str, str], Body()]) -> Any:
            if form["password"] != "right":
                return problem(401, "wrong-password")
            return self._session()

        @app.post("/v1/sessions/refresh")
        async def refresh(form: Annotated[dict[str, str], Body()]) -> Any:
            if form["refresh_token"] != f"refresh-{self.refreshed}":
                return problem(401, "refresh-used")
            self.refreshed += 1
            self.valid_token = f"token-{self.refreshed + 1}"
            return self._session()

        @app.delete("/v1/sessions")
        async def sign_out() -> Response:
            return Response(status_code=204)

        @app.get("/v1/alerts")
        async def alerts(request: Request, authorization: Annotated[str, Header()] = "") -> Any:
            if authorization != f"Bearer {self.valid_token}":
                return problem(401, "not-signed-in")
            if self.answer is not None:
                return self.answer
            self.forms.append(dict(request.query_params))
            item = {"alert_id": ALERT, "state": "new", "plate": "AB1234", "brand_new": {"a": 1}}
            return {"items": [item], "next_cursor": "n", "also_new": 1}

        @app.post("/v1/alerts/{alert_id}/{step}")
        async def step(alert_id: str, step: str, form: Annotated[dict[str, Any], Body()]) -> Any:
            self.steps.append((step, form))
            return {"alert_id": alert_id, "state": "accepted", "plate": "AB1234", "sequence": 2}

        @app.post("/v1/frames", status_code=202)
        async def frames(request: Request) -> Any:
            self.headers = dict(request.headers)
            return {"frame_id": str(uuid4()), "spooled": True}

        @app.post("/v1/searches")
        async def search(form: Annotated[dict[str, Any], Body()]) -> Any:
            self.forms.append(form)
            return problem(422, "purpose-missing", "131.7-3a")

        @app.post("/v1/hotlist/entries", status_code=201)
        async def add(form: Annotated[dict[str, Any], Body()]) -> Any:
            self.forms.append(form)
            return {"entry_id": str(uuid4()), **form}

    def _session(self) -> dict[str, Any]:
        return {
            "access_token": self.valid_token,
            "expires_at": "2026-05-04T10:15:00Z",
            "refresh_token": f"refresh-{self.refreshed}",
            "person": {"person_id": "p", "name": "Ann", "role": "officer"},
        }


@pytest.fixture
def system() -> System:
    return System()


@pytest.fixture
async def client(system: System) -> AsyncIterator[AlprClient]:
    http = httpx.AsyncClient(transport=httpx.ASGITransport(system.app))
    async with AlprClient(Addresses.behind("http://alpr"), http=http) as client:
        yield client


async def test_a_list_of_alerts_is_typed_and_keeps_what_a_later_version_adds(
    client: AlprClient, system: System
) -> None:
    await client.sign_in("ann", "right")
    page = await client.alerts.list(open_only=True, limit=5)
    assert (page.items[0].plate, page.next_cursor) == ("AB1234", "n")
    assert page.items[0].model_extra == {"brand_new": {"a": 1}}
    assert system.forms == [{"open": "true", "limit": "5"}]


async def test_a_refusal_says_why_and_cites_its_clause(client: AlprClient, system: System) -> None:
    with pytest.raises(RefusedError) as refusal:
        await client.searches.search(
            Query(datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 4, tzinfo=UTC), "AB*"),
            Reason(purpose="", case_number="", suspicion="", attested=True),
        )
    error = refusal.value
    assert (error.status, error.code, error.clause) == (422, "purpose-missing", "131.7-3a")
    assert str(error) == "No (131.7-3a): why"
    assert system.forms[0]["from"] == "2026-05-01T00:00:00+00:00"
    assert "camera_ids" not in system.forms[0]


async def test_a_wrong_password_is_a_refusal(client: AlprClient) -> None:
    with pytest.raises(RefusedError, match="No"):
        await client.sign_in("ann", "wrong")


async def test_a_token_that_ran_out_is_refreshed_once(client: AlprClient, system: System) -> None:
    await client.sign_in("ann", "right")
    for _ in range(3):
        system.valid_token = "another"
        await client.alerts.list()
    assert system.refreshed == 3


async def test_a_session_that_ended_is_a_refusal(client: AlprClient, system: System) -> None:
    await client.sign_in("ann", "right")
    system.valid_token, system.refreshed = "another", 7
    with pytest.raises(RefusedError, match="No"):
        await client.alerts.list()


async def test_after_signing_out_nothing_is_signed(client: AlprClient) -> None:
    await client.sign_in("ann", "right")
    await client.sign_out()
    with pytest.raises(RefusedError):
        await client.alerts.list()


@pytest.mark.parametrize(
    ("answer", "after"),
    [
        (problem(503, "spool-full", **{"Retry-After": "7"}), 7.0),
        (problem(500, "unexpected"), None),
        (Response("<html>bad gateway", 502), None),
        (problem(429, "too-many"), None),
    ],
)
async def test_what_may_work_later_is_told_apart_from_a_refusal(
    client: AlprClient, system: System, answer: Response, after: float | None
) -> None:
    await client.sign_in("ann", "right")
    system.answer = answer
    with pytest.raises(UnavailableError) as error:
        await client.alerts.list()
    assert error.value.retry_after_seconds == after


async def test_nobody_there_is_unavailable() -> None:
    async with AlprClient(Addresses.behind("http://127.0.0.1:9"), timeout_seconds=1) as client:
        with pytest.raises(UnavailableError):
            await client.alerts.list()


async def test_a_refusal_without_problem_details_is_one_all_the_same(
    client: AlprClient, system: System
) -> None:
    await client.sign_in("ann", "right")
    system.answer = Response("teapot", 418)
    with pytest.raises(RefusedError, match="418") as refusal:
        await client.alerts.list()
    assert refusal.value.code == "status-418"


async def test_steps_send_what_was_said_and_nothing_else(
    client: AlprClient, system: System
) -> None:
    await client.alerts.accept(ALERT, characters_match=True, state_matches=True)
    await client.alerts.status(ALERT, "confirmed", "leads", reference="L-1", expected_sequence=2)
    await client.alerts.enforce(ALERT, "26-004711")
    await client.alerts.reject(ALERT, "misread")
    await client.alerts.hand_off(ALERT, note="busy")
    alert = await client.alerts.close(ALERT, "no_action")
    assert alert.sequence == 2
    assert system.steps == [
        ("accept", {"characters_match": True, "state_matches": True, "checked_positions": []}),
        ("status", {"answer": "confirmed", "source": "leads", "reference": "L-1",
                    "expected_sequence": 2}),
        ("enforce", {"incident_number": "26-004711"}),
        ("reject", {"reason": "misread"}),
        ("hand-off", {"note": "busy"}),
        ("close", {"reason": "no_action"}),
    ]  # fmt: skip


async def test_a_frame_goes_with_its_details_and_the_cameras_credential(
    client: AlprClient, system: System
) -> None:
    taken = datetime(2026, 5, 4, 10, tzinfo=UTC)
    receipt = await client.frames.send("cam.secret", b"jpeg", captured_at=taken, latitude=41.5)
    assert receipt.spooled
    assert system.headers["authorization"] == "Camera cam.secret"
    assert system.headers["alpr-captured-at"] == "2026-05-04T10:00:00+00:00"
    assert system.headers["alpr-latitude"] == "41.5"
    assert "alpr-sequence" not in system.headers


async def test_a_hot_list_entry_is_added(client: AlprClient, system: System) -> None:
    expires = datetime(2026, 6, 1, tzinfo=UTC)
    entry = await client.hotlist.add(
        "AB1234", category="stolen_vehicle", reason="stolen", expires_at=expires, jurisdiction="IL"
    )
    assert (entry.plate, entry.jurisdiction, entry.expires_at) == ("AB1234", "IL", expires)


def test_addresses_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPR_ACCESS_LOG_URL", "https://reads.example")
    assert Addresses.from_environment().access_log == "https://reads.example"
    assert Addresses.from_environment().ingest == Addresses().ingest
