"""How large a request's body may be, and what a caller is told whose body is larger.

Starlette counts (announced or in chunks) and stops reading at the limit of the app, the router or
the route, the nearest one first; what it answers by itself is plain text, which becomes a problem
detail here.
"""

import sys
from collections.abc import Callable
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_MAX_BYTES = 1024 * 1024
"""What any route takes that does not say otherwise (`max_body_size=`)."""

LIMITS_ITSELF = sys.maxsize
"""`max_body_size` of a route that reads its body itself and stops in time (a frame, a file)."""

TooLarge = Callable[[int], JSONResponse]


class LimitedApp(FastAPI):
    """A FastAPI app whose refusals of large bodies are `too_large(limit_bytes)`."""

    too_large: TooLarge

    def build_middleware_stack(self) -> ASGIApp:
        return _Told(super().build_middleware_stack(), self.too_large)


class _Told:
    def __init__(self, app: ASGIApp, too_large: TooLarge) -> None:
        self._app, self._too_large = app, too_large

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        replaced = False

        async def tell(message: Message) -> None:
            nonlocal replaced
            if _is_starlettes_own(message):
                replaced = True
                await self._too_large(limit_of(scope))(scope, receive, send)
            elif not replaced:
                await send(message)

        await self._app(scope, receive, tell)


def _is_starlettes_own(message: Message) -> bool:
    if message["type"] != "http.response.start":
        return False
    if message["status"] != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return False
    return Headers(raw=message["headers"]).get("content-type", "").startswith("text/plain")


def limit_of(scope: Scope) -> int:
    """The limit that holds for this request, in bytes."""
    return int(scope.get(MAX_BODY_SIZE_SCOPE_KEY, BODY_MAX_BYTES))
