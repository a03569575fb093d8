"""What every HTTP service does alike: problem details, liveness, readiness, metrics, tracing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Any

import structlog
import uvicorn
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from opentelemetry import propagate, trace
from prometheus_client import CONTENT_TYPE_LATEST, Histogram, generate_latest
from pydantic import AfterValidator
from starlette.exceptions import HTTPException

from alpr_common.auth import public
from alpr_common.body_limit import BODY_MAX_BYTES, LimitedApp, limit_of
from alpr_common.errors import AlprError
from alpr_common.policy import CLAUSES
from alpr_common.settings import ListenSettings

log = structlog.get_logger()

PROBLEM = "application/problem+json"
REQUEST_SECONDS = Histogram(
    "alpr_http_request_seconds", "Time to answer", ["service", "method", "route", "status"]
)


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("the text holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("the text holds half of a surrogate pair") from error
    return text


StorableText = Annotated[str, AfterValidator(_storable)]
"""Text of a request that PostgreSQL can hold: anything else is malformed, not an outage."""

Check = Callable[[], Awaitable[bool] | bool]
"""One thing that must hold for `/ready`."""

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_web_app(
    service: str,
    title: str,
    *,
    lifespan: Lifespan | None = None,
    body_max_bytes: int = BODY_MAX_BYTES,
) -> FastAPI:
    """A FastAPI app with `/live`, `/ready`, `/metrics` and problem details.

    Readiness: put `Check`s by name into `app.state.checks`; `/ready` answers 503 naming those
    that fail, and 503 until the lifespan has begun. Bodies are read up to `body_max_bytes`, or to
    what a router or route says as `max_body_size`.
    """
    app = LimitedApp(
        title=title, version="1", lifespan=lifespan, docs_url=None, redoc_url=None,
        openapi_url="/openapi.json", max_body_size=body_max_bytes,
    )  # fmt: skip
    app.too_large = _too_large
    app.state.checks = {}
    app.add_exception_handler(AlprError, _alpr_problem)
    app.add_exception_handler(RequestValidationError, _validation_problem)
    app.add_exception_handler(HTTPException, _http_problem)
    app.add_exception_handler(Exception, _unexpected_problem)
    _observe(app, service)

    @app.get("/live", dependencies=[Depends(public)], include_in_schema=False)
    async def live() -> dict[str, str]:
        return {"status": "live", "service": service}

    @app.get("/ready", dependencies=[Depends(public)], include_in_schema=False)
    async def ready() -> JSONResponse:
        failing = await failing_checks(app.state.checks)
        status = HTTPStatus.SERVICE_UNAVAILABLE if failing else HTTPStatus.OK
        return JSONResponse({"ready": not failing, "failing": failing}, status)

    @app.get("/metrics", dependencies=[Depends(public)], include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app


async def failing_checks(checks: Mapping[str, Check]) -> list[str]:
    """Names of the checks that do not hold now."""
    failing = []
    for name, check in checks.items():
        try:
            holds = check()
            if not isinstance(holds, bool):
                holds = await holds
        except Exception as error:  # noqa: BLE001 - whatever is wrong, the service is not ready
            log.warning("check.raised", check=name, error=repr(error))
            holds = False
        if not holds:
            failing.append(name)
    return failing


def problem(
    status: int, title: str, detail: str, *, code: str, clause: str | None = None, **extra: Any
) -> JSONResponse:
    """An RFC 9457 problem details response; `clause` cites the policy and quotes its text."""
    body: dict[str, Any] = {
        "type": f"urn:alpr:problem:{code}",
        "title": title,
        "status": int(status),
        "detail": detail,
    }
    if clause:
        body["clause"] = clause
        body["clause_text"] = CLAUSES.get(clause, "")
    headers = {}
    if retry_after := extra.pop("retry_after_seconds", None):
        headers["Retry-After"] = str(retry_after)
    return JSONResponse(body | extra, status, headers=headers, media_type=PROBLEM)


def problem_of(error: AlprError) -> JSONResponse:
    """The problem details of a refusal."""
    return problem(
        error.status,
        error.title,
        error.detail,
        code=error.code,
        clause=error.clause,
        retry_after_seconds=error.retry_after_seconds,
        **error.extra,
    )


async def _alpr_problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AlprError)
    response = problem_of(error)
    if error.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


async def _validation_problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [
        {"where": ".".join(str(p) for p in e["loc"]), "what": e["msg"]} for e in error.errors()
    ]
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The request is not well-formed",
        "; ".join(f"{f['where']}: {f['what']}" for f in faults),
        code="request-malformed",
        faults=faults,
    )


def _too_large(limit_bytes: int) -> JSONResponse:
    return problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "The request's body is too large",
        f"This route takes {limit_bytes} bytes at most; the rest was not read.",
        code="body-too-large",
        limit_bytes=limit_bytes,
    )


async def _http_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return _too_large(limit_of(request.scope))
    response = problem(
        error.status_code,
        HTTPStatus(error.status_code).phrase,
        str(error.detail),
        code=HTTPStatus(error.status_code).phrase.lower().replace(" ", "-"),
    )
    response.headers.update(error.headers or {})
    return response


async def _unexpected_problem(request: Request, error: Exception) -> JSONResponse:
    log.error("request.failed", path=request.url.path, error=repr(error), exc_info=error)
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "This service made an error",
        "The request could not be handled and nothing of it was kept. It has been logged for "
        "the operators.",
        code="unexpected",
    )


def _observe(app: FastAPI, service: str) -> None:
    """One span and one histogram sample per request; the caller's trace is continued."""
    tracer = trace.get_tracer("alpr.web")

    @app.middleware("http")
    async def observe(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        started = asyncio.get_running_loop().time()
        context = propagate.extract(dict(request.headers))
        name = f"{request.method} {request.url.path}"
        status = int(HTTPStatus.INTERNAL_SERVER_ERROR)  # what an unexpected error is answered with
        try:
            with tracer.start_as_current_span(name, context=context) as span:
                try:
                    response = await call_next(request)
                    status = response.status_code
                finally:
                    route = getattr(request.scope.get("route"), "path", "unmatched")
                    span.update_name(f"{request.method} {route}")
                    span.set_attribute("http.response.status_code", status)
        finally:
            seconds = asyncio.get_running_loop().time() - started
            REQUEST_SECONDS.labels(service, request.method, route, status).observe(seconds)
        return response


@asynccontextmanager
async def running(*loops: Awaitable[None]) -> AsyncIterator[list["asyncio.Task[None]"]]:
    """Run endless loops beside the requests; cancel them and wait at the end.

    Put `lambda: all_alive(tasks)` into the readiness checks: a loop that died makes the service
    unready instead of silently idle.
    """
    tasks = [asyncio.ensure_future(loop) for loop in loops]
    for task in tasks:
        task.add_done_callback(_report)
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def all_alive(tasks: list["asyncio.Task[None]"]) -> bool:
    return not any(task.done() for task in tasks)


def _report(task: "asyncio.Future[Any]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("loop.died", error=repr(error), exc_info=error)


def serve(app: FastAPI, settings: ListenSettings) -> None:
    """Run the app until SIGTERM or SIGINT."""
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
