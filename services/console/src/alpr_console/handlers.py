"""What the pages do, one function per use case."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self
from uuid import UUID

from alpr_console.domain.alert import Alert, HistoryStep
from alpr_console.domain.forms import Typed, given, with_times
from alpr_console.session import Session
from alpr_console.upstream import Problem, Refused

_BOARD_MAX_ALERTS = 200


@dataclass(frozen=True)
class Board:
    """The alerts of the agency, in the order in which they ask for attention."""

    alerts: tuple[Alert, ...] = ()
    problem: Problem | None = None
    """Why there are none to show: a refusal belongs on the page, not in its place."""
    more: bool = False
    stream_position: int | None = None
    """Where the live stream goes on from what is shown here."""

    @property
    def waiting(self) -> int:
        return sum(alert.state == "new" for alert in self.alerts)


async def load_board(session: Session, *, finished: bool) -> Board:
    """The open alerts, or the latest finished ones."""
    params = {"limit": _BOARD_MAX_ALERTS, "open": "false" if finished else "true"}
    try:
        answer = await session.call("alerts", "GET", "/v1/alerts", params=params)
    except Refused as error:
        if error.problem.status == HTTPStatus.UNAUTHORIZED:
            raise
        return Board(problem=error.problem)
    shown = [Alert.model_validate(item) for item in answer["items"]]
    if not finished:
        shown.sort(key=lambda alert: alert.order)
    return Board(tuple(shown), None, answer["next_cursor"] is not None, answer["stream_position"])


async def load_alert(session: Session, alert_id: UUID) -> Alert:
    """One alert with its history; raises `Refused`."""
    answer = await session.call("alerts", "GET", f"/v1/alerts/{alert_id}")
    return Alert.model_validate(answer)


@dataclass(frozen=True)
class StepForm:
    """A step as the page sent it."""

    step: str
    fields: Typed
    checked_positions: frozenset[int] = frozenset()
    """Of a look-alike hit: the differing positions, from 0, that were looked at one by one."""

    @classmethod
    def of(cls, step: str, items: Iterable[tuple[str, object]]) -> Self:
        pairs = list(items)
        ticked = (str(value) for name, value in pairs if name == "checked_positions")
        return cls(
            step,
            Typed.of(pair for pair in pairs if pair[0] != "checked_positions"),
            frozenset(int(value) for value in ticked if value.isdecimal()),
        )

    def body(self) -> dict[str, Any]:
        """As the alert service wants it.

        Ticks are sent as they are, ticked or not: that all are needed is for the service to say.
        """
        body: dict[str, Any] = given({k: v.strip() for k, v in self.fields.items()})
        if self.step == "accept":
            body["characters_match"] = "characters_match" in self.fields
            body["state_matches"] = "state_matches" in self.fields
            body["checked_positions"] = sorted(self.checked_positions)
        if (sequence := body.pop("expected_sequence", "")).isdecimal():
            body["expected_sequence"] = int(sequence)
        return body


@dataclass(frozen=True)
class StepTaken:
    """How a step ended: the alert as it is now, and why the step was refused if it was."""

    alert: Alert
    problem: Problem | None = None
    overtaken_by: HistoryStep | None = None
    """Somebody else's step that came first."""
    form: StepForm | None = None
    """What was sent, so that a refusal costs nobody their words."""

    @property
    def typed(self) -> Typed:
        return self.form.fields if self.form else Typed()

    @property
    def step(self) -> str:
        """The step that was refused, if one was."""
        return self.form.step if self.form else ""

    @property
    def checked_positions(self) -> frozenset[int]:
        return self.form.checked_positions if self.form else frozenset()


async def take_step(session: Session, alert_id: UUID, form: StepForm) -> StepTaken:
    """Ask the alert service for a step; it decides. Raises `Refused` when the alert is gone."""
    try:
        await session.call("alerts", "POST", f"/v1/alerts/{alert_id}/{form.step}", json=form.body())
    except Refused as error:
        if error.problem.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND):
            raise
        alert = await load_alert(session, alert_id)
        return StepTaken(alert, error.problem, _overtaken(alert, form, error.problem), form)
    return StepTaken(await load_alert(session, alert_id))


def _overtaken(alert: Alert, form: StepForm, problem: Problem) -> HistoryStep | None:
    moved_on = str(alert.sequence) != form.fields.get("expected_sequence")
    if problem.status != HTTPStatus.CONFLICT or not moved_on or not alert.history:
        return None
    return max(alert.history, key=lambda step: (step.occurred_at, step.sequence))


async def load_entry(
    session: Session, entry_id: UUID
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A hot list entry and its history; raises `Refused`."""
    path = f"/v1/hotlist/entries/{entry_id}"
    entry, history = await asyncio.gather(
        session.call("matcher", "GET", path),
        session.call("matcher", "GET", f"{path}/history"),
    )
    return entry, history["items"]


_REQUESTS_LOOKED_AT = 200


async def load_requests(session: Session, *, needed: bool = False) -> tuple[dict[str, Any], ...]:
    """What the person asked supervisors to approve, newest first.

    Of the agency's latest, for those who see all of them. `needed` False: none instead of a
    refusal, which the search itself will tell; else raises `Refused`.
    """
    try:
        listed = await session.call(
            "access-log", "GET", "/v1/search-approvals", params={"limit": _REQUESTS_LOOKED_AT}
        )
    except Refused as error:
        if needed or error.problem.status == HTTPStatus.UNAUTHORIZED:
            raise
        return ()
    own = session.principal.person_id
    return tuple(with_times(one) for one in listed["items"] if one["requested_by_id"] == own)
