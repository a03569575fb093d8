"""A double of the services' REST APIs: one process, no servers, the services' own rules.

It decides with the real pure functions (the alert's state machine, the door's reasons, the hot
list's checks) and answers with the real shapes, but keeps everything in memory. It lets a test do
to the console what real services do seldom: fall silent, break off, move an alert on in between.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import Body, Depends, FastAPI, Header, Query, Request, Response
from sse_starlette import EventSourceResponse

from alpr_access_log import domain as door
from alpr_alerts import api as alerts_api
from alpr_alerts import domain as alerts
from alpr_alerts.refusals import TooManyStreams
from alpr_alerts.store import AttachedHit, TakenStep
from alpr_alerts.view import detail_view, view
from alpr_common.auth import Gate, NotSignedIn, Principal, TokenIssuer, TokenVerifier
from alpr_common.errors import AlprError, NotFound
from alpr_common.policy import Policy, Role
from alpr_common.web import create_web_app, problem
from tests.browser.support.camera_double import CameraRoutes
from tests.browser.support.canned import Canned
from tests.browser.support.hotlist_double import HotListRoutes
from tests.browser.support.sightings import AGENCY, Pictured

PASSWORD = "correct-horse-battery-47"


@dataclasses.dataclass
class Person:
    username: str
    name: str
    role: Role
    leads_until: date | None = None
    alpr_until: date | None = None
    code: str = ""
    """Of the second factor; empty: there is none."""
    must_enrol: bool = False

    def principal(self, session_id: str) -> Principal:
        return Principal(
            person_id=str(uuid4()) if not self.username else f"person-{self.username}",
            name=self.name, agency_id=AGENCY, role=self.role, session_id=session_id,
            leads_training_until=self.leads_until, alpr_training_until=self.alpr_until,
            must_enrol=self.must_enrol,
        )  # fmt: skip


class SignInRefused(AlprError):
    status = HTTPStatus.UNAUTHORIZED
    title = "You could not be signed in"
    clause = "131.7-3c"


class SecondFactorNeeded(AlprError):
    status = HTTPStatus.UNAUTHORIZED
    title = "Type the code of your second factor"
    clause = "131.7-3c"


class Double(HotListRoutes, CameraRoutes):
    """The state behind the APIs, and the app that serves them."""

    def __init__(self) -> None:
        self.policy = Policy()
        self.signing_key = Ed25519PrivateKey.generate()
        self.canned = Canned()
        self.gate = Gate(TokenVerifier(self.signing_key.public_key()), self.policy)
        self.news = asyncio.Condition()
        self.streams: set[asyncio.Task[Any]] = set()
        self.forget()
        self.app = self._app()

    def forget(self) -> None:
        """As new, with the same keys."""
        today = datetime.now(UTC).date()
        current = today + timedelta(days=200)
        self.issuer = TokenIssuer(self.signing_key)
        self.people = {
            "rivera": Person("rivera", "Ofc. Dana Rivera", Role.OFFICER, current, current),
            "okafor": Person("okafor", "Ofc. Chidi Okafor", Role.OFFICER, current, current),
            "hale": Person("hale", "Sgt. Morgan Hale", Role.SUPERVISOR, current, current),
            "reyes": Person("reyes", "D/C Alma Reyes", Role.ADMINISTRATOR, current, current),
            "osei": Person("osei", "Kwame Osei", Role.AUDITOR, current, current),
            "lapsed": Person(
                "lapsed", "Ofc. Lee Lapse", Role.OFFICER, today - timedelta(days=1), current
            ),
        }
        self.alerts: dict[UUID, alerts.Alert] = {}
        self.steps: dict[UUID, list[TakenStep]] = {}
        self.pictures: dict[UUID, Pictured] = {}
        self.entries: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, list[dict[str, Any]]] = {}
        self.cameras = {}
        self.camera_changes = []
        self.cameras_refused = None
        self.searches: list[dict[str, Any]] = []
        self.picture_views: list[str] = []
        self.refresh_tokens: dict[str, tuple[Person, str]] = {}
        self.refreshes = 0
        self.changes: list[UUID] = []
        self.refuses_streams = False
        self.withdrawn = False
        self.searches_refused: AlprError | None = None
        self.stale_tokens: set[str] = set()
        """Tokens that a change of role or training has withdrawn: new ones count again."""
        self.issued: list[str] = []
        self.canned.answers.clear()
        self.canned.asked.clear()

    # --- What tests do ------------------------------------------------------------------------

    async def raise_alert(self, shown: Pictured) -> UUID:
        alert_id = uuid4()
        now = datetime.now(UTC)
        alert = alerts.raised(alert_id, shown.hit, now)
        self.pictures[alert_id] = shown
        self.steps[alert_id] = [TakenStep(1, alert.last, alert.state, {})]
        await self._changed(alert)
        return alert_id

    async def step(self, alert_id: UUID, username: str, move: alerts.Move) -> None:
        """Somebody takes a step past the console."""
        person = self.people[username]
        actor = alerts.Actor(f"person-{username}", person.name, str(person.role))
        alert = alerts.take(self.alerts[alert_id], move, actor, datetime.now(UTC))
        self.steps[alert_id].append(
            TakenStep(alert.sequence, alert.last, alert.state, move.details)
        )
        await self._changed(alert)

    async def comes_back(self, alert_id: UUID) -> None:
        """The camera sees the vehicle once more, within the alert's window."""
        alert, now = self.alerts[alert_id], datetime.now(UTC)
        hits = alert.hit_count + 1
        await self._changed(
            dataclasses.replace(alert, last_captured_at=now, updated_at=now, hit_count=hits)
        )

    async def wake(self, alert_id: UUID) -> None:
        """The live hit comes of what a stored read had raised."""
        alert, now = self.alerts[alert_id], datetime.now(UTC)
        live = alert.hit.model_copy(update={"retrospective": False})
        move = alerts.become_live(alert, live, self.policy)
        await self._changed(alerts.take(alert, move, alerts.SYSTEM, now))

    def break_streams(self) -> None:
        for task in list(self.streams):
            task.cancel()

    async def _changed(self, alert: alerts.Alert) -> None:
        async with self.news:
            self.alerts[alert.alert_id] = alert
            self.changes.append(alert.alert_id)
            self.news.notify_all()

    # --- The APIs -----------------------------------------------------------------------------

    def _app(self) -> FastAPI:
        app = create_web_app("double", "Double of the REST APIs")

        @app.middleware("http")
        async def withdraw(request: Request, call_next: Any) -> Any:
            if self.withdrawn and "authorization" in request.headers:
                return problem(401, "Sign in first", "It was withdrawn.", code="not-signed-in")
            token = request.headers.get("authorization", "").removeprefix("Bearer ")
            if token in self.stale_tokens:
                return problem(401, "Refresh it", "Your role was changed.", code="token-refused")
            return await call_next(request)

        self._identity(app)
        self._alerts(app)
        self._door(app)
        self._hot_list(app)
        self._camera_registry(app)
        self.canned.serve(app, self.gate)
        return app

    def _tokens(self, person: Person, session_id: str) -> dict[str, Any]:
        now = datetime.now(UTC)
        refresh_token = f"refresh-{uuid4()}"
        self.refresh_tokens[refresh_token] = (person, session_id)
        # Its own version each time: two tokens of one second would be the same.
        principal = dataclasses.replace(
            person.principal(session_id), rights_version=len(self.issued)
        )
        access_token = self.issuer.issue(principal, now)
        self.issued.append(access_token)
        return {
            "access_token": access_token,
            "expires_at": (now + timedelta(seconds=self.issuer.lifetime_seconds)).isoformat(),
            "refresh_token": refresh_token,
            "person": {"name": person.name, "role": person.role},
        }

    def _identity(self, app: FastAPI) -> None:
        @app.post("/v1/sessions")
        async def sign_in(body: Annotated[dict[str, str], Body()]) -> dict[str, Any]:
            person = self.people.get(body["username"])
            if person is None or body["password"] != PASSWORD:
                raise SignInRefused("The username or the password is wrong.")
            if person.code and "code" not in body:
                raise SecondFactorNeeded("Send `code` as well.")
            if person.code and body["code"] != person.code:
                raise SignInRefused("The username, the password or the code is wrong.")
            return self._tokens(person, str(uuid4()))

        @app.post("/v1/sessions/refresh")
        async def refresh(body: Annotated[dict[str, str], Body()]) -> dict[str, Any]:
            self.refreshes += 1
            found = self.refresh_tokens.pop(body["refresh_token"], None)
            if found is None:
                raise NotSignedIn("Sign in again.")
            return self._tokens(*found)

        @app.delete("/v1/sessions", status_code=204)
        async def sign_out() -> None:
            self.refresh_tokens.clear()

    def _alerts(self, app: FastAPI) -> None:
        access = Depends(self.gate.access())

        @app.get("/v1/alerts")
        async def listed(
            is_open: Annotated[bool | None, Query(alias="open")] = None, _p: Principal = access
        ) -> dict[str, Any]:
            newest = sorted(self.alerts.values(), key=lambda a: a.created_at, reverse=True)
            fit = [a for a in newest if is_open in (None, a.state not in alerts.ENDS)]
            items = [view(a, self.policy).model_dump(mode="json") for a in fit]
            return {
                "items": items, "next_cursor": None, "stream_position": len(self.changes),
            }  # fmt: skip

        @app.get("/v1/alerts/stream")
        async def stream(
            last_event_id: Annotated[str | None, Header()] = None, _p: Principal = access
        ) -> Response:
            if self.refuses_streams:
                raise TooManyStreams("Try again shortly.")
            after = int(last_event_id) if last_event_id else len(self.changes)
            return EventSourceResponse(self._events(after), ping=0)

        @app.get("/v1/alerts/{alert_id}")
        async def one(alert_id: UUID, _p: Principal = access) -> dict[str, Any]:
            return self._detail(alert_id)

        @app.get("/v1/alerts/{alert_id}/pictures/{kind}")
        async def picture(alert_id: UUID, kind: str, _p: Principal = access) -> Response:
            self.picture_views.append(kind)
            shown = self.pictures[alert_id]
            jpeg = shown.frame_jpeg if kind == "frame" else shown.plate_jpeg
            return Response(jpeg, media_type="image/jpeg")

        @app.post("/v1/alerts/{alert_id}/{action}")
        async def step(
            alert_id: UUID, action: alerts.Action, request: Request, caller: Principal = access
        ) -> dict[str, Any]:
            alert = self.alerts[alert_id]
            body = await request.json()
            alerts.require_sequence(alert, body.get("expected_sequence"))
            move = _move(alert, action, body)
            username = caller.person_id.removeprefix("person-")
            await self.step(alert_id, username, move)
            return self._detail(alert_id)

    def _detail(self, alert_id: UUID) -> dict[str, Any]:
        alert = self.alerts.get(alert_id)
        if alert is None:
            raise NotFound("There is no such alert.")
        hit = AttachedHit(alert.hit, alert.created_at)
        shown = detail_view(alert, [hit], self.steps[alert_id], self.policy)
        return shown.model_dump(mode="json")

    async def _events(self, after: int) -> AsyncIterator[bytes]:
        task = asyncio.current_task()
        assert task is not None
        self.streams.add(task)
        try:
            yield b": heartbeat\n\n"
            while True:
                async with self.news:
                    while len(self.changes) <= after:
                        await self.news.wait()
                while after < len(self.changes):
                    alert = self.alerts[self.changes[after]]
                    after += 1
                    data = view(alert, self.policy).model_dump_json()
                    yield f"id: {after}\nevent: alert\ndata: {data}\n\n".encode()
        finally:
            self.streams.discard(task)

    def _door(self, app: FastAPI) -> None:
        access = Depends(self.gate.access())

        @app.post("/v1/searches")
        async def search(body: dict[str, Any], _p: Principal = access) -> dict[str, Any]:
            if self.searches_refused is not None:
                raise self.searches_refused
            if "approval_id" in body:
                self.searches.append(body)
                return {"access_id": str(uuid4()), "items": [], "next_cursor": None}
            door.checked_reason(
                body.get("purpose"), body.get("case_number"), body.get("suspicion"),
                body.get("attested"), self.policy,
            )  # fmt: skip
            pattern = door.plate_pattern(body.get("plate", "")).rstrip("*")
            self.searches.append(body)
            reads = [s.hit.read for s in self.pictures.values()]
            found = [r.model_dump(mode="json") for r in reads if r.plate.startswith(pattern)]
            return {"access_id": str(uuid4()), "items": found, "next_cursor": None}

        @app.get("/v1/reads/{read_id}/pictures/{kind}")
        async def picture(
            read_id: UUID, kind: str, access_id: UUID, _p: Principal = access
        ) -> Response:
            self.picture_views.append(f"{access_id} {kind}")
            shown = next(s for s in self.pictures.values() if s.hit.read.read_id == read_id)
            jpeg = shown.frame_jpeg if kind == "frame" else shown.plate_jpeg
            return Response(jpeg, media_type="image/jpeg")


def _move(alert: alerts.Alert, action: alerts.Action, body: dict[str, Any]) -> alerts.Move:
    match action:
        case alerts.Action.ACCEPT:
            asked = alerts_api.AcceptRequest.model_validate(body)
            check = alerts.VisualCheck(
                asked.characters_match, asked.state_matches, asked.confirmed_jurisdiction,
                asked.checked_positions,
            )  # fmt: skip
            return alerts.accept(alert, check)
        case alerts.Action.REJECT:
            reason = body.get("reason")
            return alerts.reject(alert, reason and alerts.RejectionReason(reason), body.get("note"))
        case alerts.Action.STATUS:
            given = alerts_api.StatusRequest.model_validate(body)
            return alerts.status(alert, given.answer, given.source, given.reference)
        case alerts.Action.ENFORCE:
            return alerts.enforce(alert, body.get("incident_number"), body.get("note"))
        case alerts.Action.CLOSE:
            return alerts.close(alert, body.get("reason"), body.get("note"))
        case alerts.Action.HAND_OFF:
            return alerts.hand_off(alert, body.get("note"))
