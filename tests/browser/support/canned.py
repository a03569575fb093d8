"""Answers of services that a test gives in advance, and what was asked of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from alpr_common.auth import Gate, Principal
from alpr_common.errors import AlprError, NotFound


@dataclass(frozen=True)
class Asked:
    """One request that came."""

    method: str
    path: str
    params: dict[str, str]
    json: Any
    person_id: str


@dataclass
class Canned:
    """What is answered where nothing else is served.

    An answer is JSON, bytes, a text, or an error, which is then raised.
    """

    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def answer(self, method: str, path: str, answer: Any = None) -> None:
        self.answers[method, path] = answer

    def sent(self, method: str, path: str) -> list[Any]:
        """The bodies that were sent there."""
        return [a.json for a in self.asked if (a.method, a.path) == (method, path)]

    def params(self, path: str) -> list[dict[str, str]]:
        return [a.params for a in self.asked if a.path == path]

    def serve(self, app: FastAPI, gate: Gate) -> None:
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]

        @app.api_route("/{path:path}", methods=methods, max_body_size=_BODY_MAX_BYTES)
        async def whatever(
            request: Request, person: Principal = Depends(gate.enrolling())
        ) -> Response:
            content = await request.body()
            said = await request.json() if content else None
            path = request.url.path
            self.asked.append(
                Asked(request.method, path, dict(request.query_params), said, person.person_id)
            )
            return _response(self.answers.get((request.method, path), _NOT_THERE))


_BODY_MAX_BYTES = 16 * 1024 * 1024
"""As much as any service takes: which limits its routes have is for its own tests."""
_NOT_THERE = NotFound("No test has said what to answer here.")


def _response(answer: Any) -> Response:
    match answer:
        case AlprError():
            raise answer
        case None:
            return Response(status_code=204)
        case bytes():
            return Response(answer, media_type="application/octet-stream")
        case str():
            return Response(answer, media_type="text/plain")
    return JSONResponse(answer)
