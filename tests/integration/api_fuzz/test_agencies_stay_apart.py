"""Whatever agency A sends to any route of any service: nothing of agency B, and no 500.

Requests are made from the services' own OpenAPI descriptions, a few per route, always the same
ones. Ids in paths and queries are, every other time, those of things that agency B really has: an
answer that shows one of them would carry the marker that stands in all of B's texts.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from alpr_common.auth import Principal, TokenIssuer
from alpr_common.kafka import Publisher
from alpr_common.messages.base import Message
from alpr_common.messages.hit import Hit, HitKind, JurisdictionAgreement
from alpr_common.messages.hotlist import HotListEntry
from alpr_common.messages.read import Box, Read
from alpr_common.plates import match_key
from alpr_common.policy import Role
from alpr_common.topics import HITS, READS, Topic
from alpr_local.processes import Services
from tests.support.waiting import eventually, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1200)]

OURS, THEIRS = "IL0222900", "IL0160000"
MARKER = "ZQX7MARK"
SERVICES = ("identity", "ingest", "matcher", "alerts", "access-log")
EXAMPLES = 6
AWAY_MOST_SECONDS = 60  # PostgreSQL or Kafka, on a machine that is busy with other tests
# Never ends by itself; that it shows only the caller's agency is tested with the alerts.
ENDLESS = {"/v1/alerts/stream"}
ROLES = (Role.ADMINISTRATOR, Role.SUPERVISOR)


@dataclass
class Agencies:
    """Both agencies at the services: people of A who send anything, and what B has."""

    services: Services
    theirs: dict[str, str] = field(default_factory=dict)
    """Ids of things of B by the name of the parameter that they fit."""
    answered: Counter[tuple[str, int]] = field(default_factory=Counter)
    """How often each service answered with each hundred of statuses."""

    def headers(self, agency: str, role: Role) -> dict[str, str]:
        issuer = TokenIssuer.from_file(self.services.stack.secrets.token_private_key)
        name = MARKER if agency == THEIRS else "Ann Miller"
        principal = Principal(
            str(uuid4()), name, agency, role, str(uuid4()), date.max, date.max
        )  # fmt: skip
        token = issuer.issue(principal, datetime.now(UTC))
        return {"Authorization": f"Bearer {token}"}

    def send(
        self, service: str, method: str, path: str, body: Any = None,
        role: Role = Role.ADMINISTRATOR,
    ) -> httpx.Response:  # fmt: skip
        """As somebody of B."""
        return httpx.request(
            method, self.services.url(service) + path, json=body, timeout=60,
            headers=self.headers(THEIRS, role), trust_env=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def agencies(services: Services) -> Agencies:
    services.start_all(*SERVICES, deadline_seconds=240)
    both = Agencies(services)
    _people_and_cameras(both)
    entry = _entry(both)
    read = _read()
    hit = Hit(
        hit_id=uuid4(), agency_id=THEIRS, kind=HitKind.EXACT,
        jurisdiction=JurisdictionAgreement.SAME, read=read, entry=entry,
        matched_at=datetime.now(UTC),
    )  # fmt: skip
    asyncio.run(_publish(services.stack.kafka_bootstrap_servers, (READS, read), (HITS, hit)))
    asyncio.run(_searches_and_alerts(both, read))
    return both


def _people_and_cameras(both: Agencies) -> None:
    person = {"username": f"{MARKER.lower()}", "name": MARKER, "role": "officer", "rank": MARKER}
    made = both.send("identity", "POST", "/v1/people", person)
    assert made.status_code == 201, made.text
    both.theirs["person_id"] = made.json()["person_id"]
    signed_in = httpx.post(
        f"{both.services.url('identity')}/v1/sessions",
        json={"username": person["username"], "password": made.json()["password"]},
        timeout=60,
        trust_env=False,
    )
    listed = both.send("identity", "GET", f"/v1/people/{both.theirs['person_id']}/sessions")
    assert signed_in.status_code == 200, signed_in.text
    both.theirs["session_id"] = listed.json()["items"][0]["session_id"]
    camera = {
        "camera_id": f"{MARKER}-cam", "name": MARKER, "kind": "fixed", "latitude": 41.8,
        "longitude": -87.9,
        "attestation": {"site_description": MARKER, "exposed_to_public_view": True},
    }  # fmt: skip
    made = both.send("ingest", "POST", "/v1/cameras", camera)
    assert made.status_code == 201, made.text
    both.theirs["camera_id"] = f"{MARKER}-cam"


def _entry(both: Agencies) -> HotListEntry:
    now = datetime.now(UTC)
    said = {
        "plate": MARKER, "category": "stolen_vehicle", "reason": MARKER,
        "expires_at": (now + timedelta(days=1)).isoformat(), "vehicle": MARKER,
    }  # fmt: skip
    made = both.send("matcher", "POST", "/v1/hotlist/entries", said, Role.OFFICER)
    assert made.status_code == 201, made.text
    both.theirs["entry_id"] = made.json()["entry_id"]
    return HotListEntry(
        entry_id=made.json()["entry_id"], agency_id=THEIRS, serves_agency_ids=(THEIRS,),
        plate=MARKER, match_key=match_key(MARKER), category="stolen_vehicle", priority=2,
        source="manual", reason=MARKER, vehicle=MARKER, effective_at=now - timedelta(hours=1),
    )  # fmt: skip


def _read() -> Read:
    at = datetime.now(UTC) - timedelta(minutes=5)
    return Read(
        read_id=uuid4(), agency_id=THEIRS, camera_id=f"{MARKER}-cam", plate=MARKER,
        match_key=match_key(MARKER), captured_at=at, first_captured_at=at, last_captured_at=at,
        latitude=41.8, longitude=-87.9, confidence=0.9, frame_id=uuid4(),
        frame_object=f"{MARKER}.jpg", plate_object=f"{MARKER}-plate.jpg",
        plate_box=Box(x1=0, y1=0, x2=10, y2=5), emitted_at=at,
    )  # fmt: skip


async def _publish(servers: str, *messages: tuple[Topic, Message]) -> None:
    publisher = Publisher(servers)
    for topic, message in messages:
        await publisher.publish(topic, match_key(MARKER), message.to_bytes())
    await publisher.stop()


async def _searches_and_alerts(both: Agencies, read: Read) -> None:
    now = datetime.now(UTC)
    said = {
        "from": (now - timedelta(hours=1)).isoformat(), "to": now.isoformat(),
        "purpose": "stolen_vehicle", "case_number": MARKER, "attested": True,
    }  # fmt: skip

    def found() -> dict[str, Any]:
        body = said | {"plate": MARKER, "suspicion": f"{MARKER} was seen at the scene {uuid4()}"}
        answer = both.send("access-log", "POST", "/v1/searches", body)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        assert page["items"]
        return page

    page = await eventually(found, 120, interval_seconds=1, what="B's read is stored")
    both.theirs |= {"access_id": page["access_id"], "read_id": str(read.read_id)}
    sweep = said | {"suspicion": f"{MARKER} passed here before", "camera_ids": [f"{MARKER}-cam"]}
    asked = both.send("access-log", "POST", "/v1/search-approvals", sweep)
    assert asked.status_code == 201, asked.text
    both.theirs["approval_id"] = asked.json()["approval_id"]

    def alerted() -> list[dict[str, Any]]:
        answer = both.send("alerts", "GET", "/v1/alerts")
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    both.theirs["alert_id"] = (await eventually(alerted, 120, what="B's alert"))[0]["alert_id"]


def _answer(agencies: Agencies, service: str, case: Any, role: Role) -> Any:
    """What is answered; asked again while the service says that something of its own is away."""
    url = agencies.services.url(service)

    def answered() -> list[Any]:
        answer = case.call(base_url=url, headers=agencies.headers(OURS, role), timeout=60)
        is_away = answer.status_code == 503 and "retry-after" in answer.headers
        return [] if is_away else [answer]

    what = f"{case.method} {case.path} is answered"
    (answer,) = wait_until(answered, AWAY_MOST_SECONDS, interval_seconds=0.5, what=what)
    return answer


def _judge(response: Any, what: str) -> None:
    """No fault of the service, and nothing of B: `what` was asked for, in words."""
    assert response.status_code < 500, f"{what}: {response.status_code} {response.text[:300]}"
    assert MARKER not in response.text.upper(), f"{what} shows what is another agency's"


@pytest.mark.policy("131.4", "131.7-3a")
@pytest.mark.parametrize("service", SERVICES)
def test_no_request_of_one_agency_shows_anything_of_another_or_breaks_a_service(
    agencies: Agencies, service: str
) -> None:
    url = agencies.services.url(service)
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    faults: list[str] = []
    tried = 0
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]
        if operation.path in ENDLESS:
            continue
        tried += 1
        try:
            _fuzz(agencies, service, operation)
        except AssertionError as fault:
            faults.append(str(fault).splitlines()[0])
    assert tried > 5
    assert faults == []
    # Some of it must have got through to what is stored.
    assert agencies.answered[service, 2] > 2
    assert agencies.answered[service, 4] > 2


def _fuzz(agencies: Agencies, service: str, operation: Any) -> None:
    @settings(
        max_examples=EXAMPLES, derandomize=True, deadline=None, database=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(), role=st.sampled_from(ROLES), theirs=st.booleans())
    def one(case: Any, role: Role, theirs: bool) -> None:
        if theirs:
            for place in (case.path_parameters, case.query):
                for name in place or {}:
                    if name in agencies.theirs:
                        place[name] = agencies.theirs[name]
        what = f"{role.value}: {operation.method.upper()} {case.path} {case.path_parameters}"
        answer = _answer(agencies, service, case, role)
        agencies.answered[service, answer.status_code // 100] += 1
        # A camera id of B is itself marked: what merely repeats the question shows nothing.
        if theirs and "camera_id" in (case.path_parameters or {}):
            assert answer.status_code < 500, f"{what}: {answer.status_code}"
            assert answer.status_code >= 400, f"{what} was answered"
            return
        _judge(answer, what)

    one()


def test_the_marker_stands_in_what_the_other_agency_sees_itself(agencies: Agencies) -> None:
    """Or its absence would prove nothing."""
    seen = [
        ("identity", f"/v1/people/{agencies.theirs['person_id']}"),
        ("ingest", "/v1/cameras"),
        ("matcher", f"/v1/hotlist/entries/{agencies.theirs['entry_id']}"),
        ("alerts", f"/v1/alerts/{agencies.theirs['alert_id']}"),
        ("access-log", "/v1/searches"),
        ("access-log", f"/v1/search-approvals/{agencies.theirs['approval_id']}"),
    ]
    for service, path in seen:
        answer = agencies.send(service, "GET", path)
        assert answer.status_code == 200, (path, answer.text)
        assert MARKER in answer.text.upper(), path
