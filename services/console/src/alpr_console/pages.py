"""Renders the templates: one environment, escaping always on, nothing undefined passes."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from alpr_common.auth import check_access
from alpr_common.errors import AlprError
from alpr_common.policy import CLAUSES, NOT_PROBABLE_CAUSE, Policies, Policy
from alpr_console.domain import alert, comparison, forms, records, search, words
from alpr_console.domain.navigation import Navigation
from alpr_console.domain.training import reminders
from alpr_console.session import Session

STATIC_FOLDER = Path(__file__).parent / "static"


class Pages:
    """The console's templates, with the agency's policy and clock.

    `policies`: of the agencies that have their own; taken from them are the supervisor ranks alone.
    """

    def __init__(self, policy: Policy, time_zone: str, policies: Policies | None = None) -> None:
        self.policy = policy
        self._policies = policies or policy
        self.zone = ZoneInfo(time_zone)
        self.sign_in_ways: list[str] = []
        """Templates of further ways to sign in, shown under the form."""
        self.account_parts: list[str] = []
        """Templates of further parts of one's own page."""
        self._environment = Environment(
            loader=PackageLoader("alpr_console"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self._environment.filters |= {
            "when": self.when, "clock": self.clock, "iso": _iso, "field_time": self.field_time,
            "jurisdiction": words.jurisdiction_text, "percent": words.percent,
            "step_text": alert.step_text, "plain": self.plain,
            "day": _day, "shown": self.shown,
            "action_text": records.action_text, "pretty": _pretty,
            "reject_empty": forms.given, "initials": words.initials,
        }  # fmt: skip
        self._environment.globals |= {
            "static": static_url, "policy": policy, "clauses": CLAUSES,
            "notice": NOT_PROBABLE_CAUSE, "compare": comparison.compare,
            "stages": comparison.stages, "announcement": alert.announcement, "zone": time_zone,
            "in_words": search.in_words, "standing": search.standing,
            "sign_in_ways": self.sign_in_ways, "account_parts": self.account_parts,
        }  # fmt: skip

    def render(self, template: str, **context: Any) -> str:
        return self._environment.get_template(template).render(context)

    def row(self, shown: alert.Alert) -> str:
        """One line of the board."""
        return self.render("_row.html", alert=shown)

    def page(
        self, request: Request, template: str, session: Session | None, *,
        status: int = HTTPStatus.OK, **context: Any,
    ) -> HTMLResponse:  # fmt: skip
        """A page, or a fragment of one, for the person at it."""
        session = session or request.scope.get("alpr_session")
        html = self.render(
            template, session=session, path=request.url.path, may_access=self._may_access(session),
            here=here(request), navigation=self.navigation(session),
            reminders=self._reminders(session), ranks=self._ranks(session), **context,
        )  # fmt: skip
        return HTMLResponse(html, status)

    def navigation(self, session: Session | None) -> Navigation:
        """What the person's role has any use for; nothing before they have a second factor."""
        if session is None or session.principal.must_enrol:
            return Navigation(())
        return Navigation.of(session.principal.role, self.policy)

    def _reminders(self, session: Session | None) -> tuple[Any, ...]:
        if session is None:
            return ()
        return reminders(session.principal, self.policy, datetime.now(UTC).date())

    def _ranks(self, session: Session | None) -> Mapping[str, str]:
        """The supervisor ranks of the person's agency, and what each is called."""
        agency = self._policies.of(session.principal.agency_id) if session else self.policy
        return agency.supervisor_ranks

    def _may_access(self, session: Session | None) -> bool:
        """Only to show what is shut; the services decide (131.6-1, 131.6-2)."""
        if session is None:
            return False
        try:
            check_access(session.principal, self.policy, datetime.now(UTC).date())
        except AlprError:
            return False
        return True

    def plain(self, text: str) -> str:
        """A refusal's detail in the words of the page."""
        categories = {name: c.label for name, c in self.policy.categories.items()}
        return words.plain(text, categories | self.policy.purposes)

    def when(self, at: datetime) -> str:
        """A day and time in the console's zone, to the second: 24 Nov 2026 06:12:45 CST."""
        return at.astimezone(self.zone).strftime("%-d %b %Y %H:%M:%S %Z")

    def shown(self, value: Any) -> str:
        """Anything of a line of facts: times in the console's zone, the rest as it is."""
        return self.when(value) if isinstance(value, datetime) else str(value)

    def clock(self, at: datetime) -> str:
        """The time of day, to the second: 06:12:45 CST."""
        return at.astimezone(self.zone).strftime("%H:%M:%S %Z")

    def field_time(self, at: datetime) -> str:
        """As a `datetime-local` field wants it."""
        return at.astimezone(self.zone).strftime("%Y-%m-%dT%H:%M")


def is_fragment(request: Request) -> bool:
    """Whether htmx asks for a part of the page it is on."""
    return "hx-request" in request.headers and "hx-history-restore-request" not in request.headers


def here(request: Request) -> str:
    """The page to come back to after signing in."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


@lru_cache
def static_url(name: str) -> str:
    """A static file's address, which changes with its content so that browsers may keep it."""
    digest = sha256((STATIC_FOLDER / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def category_styles(policy: Policy) -> str:
    """The policy's colours as a style sheet: the page allows no inline styles."""
    return "\n".join(
        f'[data-category="{_css_string(name)}"] {{ --category: {category.colour}; }}'
        for name, category in policy.categories.items()
    )


def _css_string(text: str) -> str:
    return "".join(c if c.isalnum() or c in "_-" else f"\\{ord(c):x} " for c in text)


def _day(day: date | str | None) -> str:
    """A day without a time: 24 Nov 2026."""
    if isinstance(day, str):
        day = date.fromisoformat(day)
    return day.strftime("%-d %b %Y") if day else "–"


def _pretty(value: Any) -> str:
    """JSON for people: an entry of the log."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")
