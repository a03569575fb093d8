"""What nobody can ask of the hot lists is refused as malformed; it is no error of the service."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from alpr_local.processes import ServiceProcess, Services
from tests.integration.matcher.line import client, person

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def matcher(services: Services) -> ServiceProcess:
    return services.start("matcher")


@pytest.fixture
async def officer(services: Services, matcher: ServiceProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with client(matcher.url, person(services.stack)) as http:
        yield http


def cursor(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


ENTRIES, ID = "/v1/hotlist/entries", str(UUID(int=4711))


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        (ENTRIES, {"category": "a\x00b"}),
        (ENTRIES, {"cursor": cursor("2026-05-04T10:00:00", ID)}),
        (ENTRIES, {"cursor": cursor("0001-01-01T00:00:00+14:00", ID)}),
        (ENTRIES, {"cursor": cursor("2026-05-04T10:00:00Z", 5)}),
        (ENTRIES, {"cursor": cursor({})}),
        (ENTRIES, {"cursor": "[" * 3000}),
        (ENTRIES, {"cursor": base64.b64encode(b"[" * 3000).decode()}),
        (f"{ENTRIES}/{ID}/history", {"cursor": cursor(10**30)}),
        (f"{ENTRIES}/{ID}/history", {"cursor": cursor(True)}),
        (f"{ENTRIES}/{ID}/history", {"cursor": cursor(0)}),
        (f"{ENTRIES}/{ID}/history", {"cursor": "grün"}),
    ],
)
async def test_a_question_that_is_none_is_refused(
    officer: httpx.AsyncClient, path: str, asked: dict[str, str]
) -> None:
    answer = await officer.get(path, params=asked)
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_plate_of_any_text_is_only_not_found(officer: httpx.AsyncClient) -> None:
    answer = await officer.get(ENTRIES, params={"plate": "A\x00B \ufffd" + "9" * 500})
    assert (answer.status_code, answer.json()["items"]) == (200, [])
