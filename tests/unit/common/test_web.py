"""What every service answers alike: problem details, health, figures, loops beside requests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Any

import httpx
import pytest
import uvicorn
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import StreamingResponse
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import REGISTRY
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from structlog.testing import capture_logs

from alpr_common.auth import public
from alpr_common.body_limit import BODY_MAX_BYTES
from alpr_common.errors import AlprError, Conflict, Outage
from alpr_common.policy import CLAUSES
from alpr_common.web import StorableText, all_alive, create_web_app, failing_checks, running
from tests.support.waiting import eventually


class ReasonMissing(AlprError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "A manual entry needs its reason"
    clause = "131.6-7"


class Asked(BaseModel):
    name: StorableText
    count: int = Field(ge=1)


def app() -> FastAPI:
    built = create_web_app("sample", "Sample")
    router = APIRouter(prefix="/v1", dependencies=[Depends(public)])

    @router.get("/refused")
    async def refused() -> None:
        raise ReasonMissing("Say why you look for this plate.", field="reason", most=3)

    @router.get("/conflict")
    async def conflict() -> None:
        raise Conflict("It has been done already.")

    @router.get("/outage")
    async def outage() -> None:
        raise Outage("Kafka is away.")

    @router.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(418, "Short and stout.", headers={"X-Spout": "yes"})

    @router.get("/broken/{name}")
    async def broken(name: str) -> None:
        raise RuntimeError(f"secret {name}")

    @router.post("/things")
    async def things(asked: Asked) -> Asked:
        return asked

    @router.get("/trace")
    async def traced() -> str:
        return f"{trace.get_current_span().get_span_context().trace_id:032x}"

    @router.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            for n in range(3):
                yield f"{n}\n".encode()

        return StreamingResponse(parts())

    @router.post("/small", max_body_size=100)
    async def small(asked: Asked) -> Asked:
        return asked

    @router.post("/large", max_body_size=3 * BODY_MAX_BYTES)
    async def large(request: Request) -> int:
        return len(await request.body())

    built.include_router(router)
    return built


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
        yield opened


def answered(route: str, status: int, method: str = "GET") -> float:
    labels = {"service": "sample", "method": method, "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("alpr_http_request_seconds_count", labels) or 0.0


async def test_a_refusal_is_a_problem_detail_that_cites_and_quotes_its_clause(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/v1/refused")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:alpr:problem:reason-missing",
        "title": "A manual entry needs its reason",
        "status": 422,
        "detail": "Say why you look for this plate.",
        "clause": "131.6-7",
        "clause_text": CLAUSES["131.6-7"],
        "field": "reason",
        "most": 3,
    }


async def test_a_refusal_that_rests_on_no_clause_names_none(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/conflict")
    assert answer.status_code == 409
    assert "clause" not in answer.json()


async def test_an_outage_says_when_to_try_again(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/outage")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert "retry_after_seconds" not in answer.json()


async def test_a_malformed_request_is_told_field_by_field_without_repeating_what_was_sent(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/v1/things", json={"name": "secret", "count": "many"})
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:alpr:problem:request-malformed"
    assert [f["where"] for f in answer.json()["faults"]] == ["body.count"]
    assert "many" not in answer.text
    assert (await client.post("/v1/things", content=b"{")).status_code == 422


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
async def test_text_that_the_database_cannot_hold_is_malformed(
    client: httpx.AsyncClient, text: str
) -> None:
    escaped = "".join(f"\\u{ord(c):04x}" for c in text)
    body = f'{{"name": "{escaped}", "count": 1}}'
    answer = await client.post(
        "/v1/things", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422


def json_of(size: int) -> bytes:
    """A well-formed body of exactly that many bytes."""
    return b'{"count": 1, "name": "' + b"x" * (size - 24) + b'"}'


async def in_chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 64 * 1024):
        yield body[start : start + 64 * 1024]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("route", "limit"),
    [("/v1/things", BODY_MAX_BYTES), ("/v1/small", 100), ("/v1/large", 3 * BODY_MAX_BYTES)],
)
async def test_a_body_is_read_up_to_the_nearest_limit_and_the_refusal_says_it(
    client: httpx.AsyncClient, route: str, limit: int, chunked: bool
) -> None:
    for size, status in ((limit, 200), (limit + 1, 413), (10 * limit, 413)):
        body = json_of(size)
        answer = await client.post(
            route,
            content=in_chunks(body) if chunked else body,
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code == status, size
        if status == 413:
            assert answer.headers["content-type"] == "application/problem+json"
            told = answer.json()
            assert (told["type"], told["limit_bytes"]) == ("urn:alpr:problem:body-too-large", limit)
            assert str(limit) in told["detail"]


async def test_of_a_body_without_end_no_more_than_the_limit_is_read(
    client: httpx.AsyncClient,
) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 64 * 1024
            yield b" " * 64 * 1024

    answer = await client.post("/v1/things", content=endless())
    assert answer.status_code == 413
    assert sent <= BODY_MAX_BYTES + 2 * 64 * 1024


async def test_a_large_body_is_refused_on_a_real_connection_and_counted() -> None:
    before = answered("/v1/things", 413, "POST")
    server = uvicorn.Server(uvicorn.Config(app(), port=0, log_config=None, lifespan="off"))
    async with running(server.serve()):
        await eventually(lambda: server.started, 20, what="the server has started")
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as caller:
            for _ in range(2):
                answer = await caller.post("/v1/things", content=json_of(4 * BODY_MAX_BYTES))
                assert answer.status_code == 413
                assert answer.json()["limit_bytes"] == BODY_MAX_BYTES
            assert (await caller.get("/live")).status_code == 200
        server.should_exit = True
    assert answered("/v1/things", 413, "POST") == before + 2


async def test_what_the_framework_refuses_is_a_problem_detail_too(
    client: httpx.AsyncClient,
) -> None:
    missing = await client.get("/v1/nothing")
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:alpr:problem:not-found")
    wrong_method = await client.post("/v1/refused")
    assert wrong_method.status_code == 405
    assert wrong_method.headers["allow"] == "GET"
    teapot = await client.get("/v1/teapot")
    assert (teapot.status_code, teapot.json()["detail"]) == (418, "Short and stout.")
    assert teapot.headers["x-spout"] == "yes"


async def test_a_fault_of_ours_tells_nothing_of_the_inside_and_is_counted(
    client: httpx.AsyncClient,
) -> None:
    before = answered("/v1/broken/{name}", 500)
    with capture_logs() as logged:
        answer = await client.get("/v1/broken/ABC123")
    assert [line["event"] for line in logged] == ["request.failed"]
    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:alpr:problem:unexpected"
    assert "secret" not in answer.text
    assert answered("/v1/broken/{name}", 500) == before + 1


async def test_every_answer_is_counted_by_its_route_not_by_its_path(
    client: httpx.AsyncClient,
) -> None:
    before = answered("unmatched", 404), answered("/v1/refused", 422)
    await client.get("/v1/nothing/1")
    await client.get("/v1/nothing/2")
    await client.get("/v1/refused")
    assert (answered("unmatched", 404), answered("/v1/refused", 422)) == (
        before[0] + 2,
        before[1] + 1,
    )
    figures = await client.get("/metrics")
    assert 'route="/v1/refused"' in figures.text
    assert "nothing/1" not in figures.text


async def test_the_callers_trace_is_continued(client: httpx.AsyncClient) -> None:
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(TracerProvider())
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    answer = await client.get(
        "/v1/trace", headers={"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
    )
    assert answer.json() == trace_id


async def test_a_stream_passes_part_by_part(client: httpx.AsyncClient) -> None:
    async with client.stream("GET", "/v1/stream") as answer:
        assert [line async for line in answer.aiter_lines()] == ["0", "1", "2"]


async def test_the_service_is_live_at_once_and_ready_when_every_check_holds() -> None:
    built = app()
    holds: dict[str, Any] = {"kafka": True, "postgres": True}

    async def postgres() -> bool:
        return bool(holds["postgres"])

    built.state.checks |= {"kafka": lambda: holds["kafka"], "postgres": postgres}
    transport = httpx.ASGITransport(built)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/live")).json() == {"status": "live", "service": "sample"}
        ready = await client.get("/ready")
        assert (ready.status_code, ready.json()) == (200, {"ready": True, "failing": []})
        holds["postgres"] = False
        unready = await client.get("/ready")
        assert (unready.status_code, unready.json()["failing"]) == (503, ["postgres"])
        assert (await client.get("/live")).status_code == 200


async def test_a_check_that_raises_does_not_hold() -> None:
    def broken() -> bool:
        raise RuntimeError("no idea")

    assert await failing_checks({"good": lambda: True, "broken": broken}) == ["broken"]


async def test_loops_run_beside_requests_and_are_cancelled_at_the_end() -> None:
    ended = asyncio.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with running(forever(), forever()) as tasks:
        await asyncio.sleep(0)
        assert all_alive(tasks)
    assert ended.is_set()
    assert all(task.cancelled() for task in tasks)


async def test_a_loop_that_died_makes_the_service_unready_instead_of_silently_idle() -> None:
    async def dies() -> None:
        raise RuntimeError("a bug")

    async def forever() -> None:
        await asyncio.Event().wait()

    @asynccontextmanager
    async def lifespan(built: FastAPI) -> AsyncIterator[None]:
        async with running(dies(), forever()) as tasks:
            built.state.checks["loops"] = lambda: all_alive(tasks)
            with contextlib.suppress(RuntimeError):
                await tasks[0]
            yield

    built = create_web_app("sample", "Sample", lifespan=lifespan)
    async with lifespan(built):
        assert await failing_checks(built.state.checks) == ["loops"]


async def test_a_dependency_may_refuse_before_the_route_runs() -> None:
    built = create_web_app("sample", "Sample")

    async def refuse() -> None:
        raise ReasonMissing("Not like this.")

    @built.get("/guarded")
    async def guarded(_: Annotated[None, Depends(refuse)]) -> None: ...

    transport = httpx.ASGITransport(built)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/guarded")).json()["clause"] == "131.6-7"
