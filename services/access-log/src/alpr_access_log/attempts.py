"""What somebody tried, told from a request that was refused: it may be malformed in any way."""

import contextlib
import json
from http import HTTPStatus
from itertools import islice
from typing import Any
from uuid import UUID

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from alpr_access_log.domain import Refusal
from alpr_access_log.handlers import Attempt
from alpr_common.errors import AlprError

_QUERY_FIELDS = (
    "plate", "lookalike", "from", "to", "camera_ids", "area", "jurisdictions", "hit", "convoy",
    "approval_id", "limit", "cursor",
)  # fmt: skip
_APPROVALS = "/v1/search-approvals"
_MOST_CHARACTERS = 2000
_MOST_ITEMS = 500
_DEEPEST = 2
# What every reader of JSON takes for the same number.
_LARGEST_INTEGER = 2**53
_DECISIONS = ("/v1/holds", "/v1/evidence")
_AUDIT = "/v1/audit"


async def attempt_of(request: Request) -> Attempt:
    """The attempt behind a request to search, to see a picture, to look at the records, or about
    holds, evidence and audits."""
    if request.url.path.startswith(_DECISIONS):
        return await _decision(request)
    if request.url.path.startswith(_AUDIT):
        # Never what was sent: lists of an audit are not the log's to keep.
        path = (_text(request.url.path) or "").removeprefix("/v1/")
        return Attempt("audit.request", path, query={"method": request.method})
    if request.url.path.startswith(_APPROVALS):
        return await _approval(request)
    if request.method == "GET" and "read_id" not in request.path_params:
        asked = {name: _text(value) for name, value in request.query_params.items()}
        return Attempt("access_records.listed", "access-records", query=asked)
    if request.method == "GET":
        read_id = _text(request.path_params.get("read_id"))
        kind = _text(request.path_params.get("kind"))
        access_id = None
        with contextlib.suppress(ValueError):
            access_id = UUID(request.query_params.get("access_id", ""))
        return Attempt("read.picture.viewed", f"read:{read_id}", access_id, query={"picture": kind})
    said = await _body(request)
    action = "search.page" if said.get("cursor") else "search"
    return _search(said, action, f"plate:{_text(said.get('plate')) or ''}")


async def _approval(request: Request) -> Attempt:
    """Something about a search that a supervisor approves."""
    subject = (_text(request.url.path) or "").removeprefix("/v1/")
    said = await _body(request) if request.method == "POST" else {}
    return _search(said, "search_approval.request", subject)


def _search(said: dict[str, Any], action: str, subject: str) -> Attempt:
    return Attempt(
        action=action,
        subject=subject,
        purpose=_text(said.get("purpose")),
        case_number=_text(said.get("case_number")),
        suspicion=_text(said.get("suspicion")),
        query={
            name: _json(name, said[name]) for name in _QUERY_FIELDS if said.get(name) is not None
        },
    )


async def _decision(request: Request) -> Attempt:
    """Something about holds or evidence packages."""
    said = await _body(request) if request.method == "POST" else {}
    path = _text(request.url.path) or ""
    words = ("purpose", "case_number", "reason", "suspicion")
    return Attempt(
        action="hold.request" if path.startswith("/v1/holds") else "evidence.request",
        subject=path.removeprefix("/v1/"),
        purpose=_text(said.get("purpose")),
        case_number=_text(said.get("case_number")),
        suspicion=_text(said.get("suspicion") or said.get("reason")),
        query={"method": request.method}
        | {
            _text(n) or "": _json(n, v) for n, v in said.items() if n not in words and v is not None
        },
    )


async def _body(request: Request) -> dict[str, Any]:
    try:
        said = await request.json()
    except (ValueError, RecursionError, HTTPException):
        return {}  # not JSON, nested without end, or larger than a request may be
    except ExceptionGroup as group:
        # A middleware's task group wraps what the limit of the body raised.
        if group.split(HTTPException)[1] is not None:
            raise
        return {}
    return said if isinstance(said, dict) else {}


def _json(name: str, value: Any) -> Any:
    """As the record of what was done would hold it (`Query.to_record`): JSON without floats, of an
    area without any numbers. Of a bounded size, whatever was sent."""
    return _cut(value, _DEEPEST, numbers_as_text=name == "area")


def _cut(value: Any, depth: int, *, numbers_as_text: bool) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int) and abs(value) <= _LARGEST_INTEGER and not numbers_as_text:
        return value
    if isinstance(value, list | dict) and depth == 0:
        return _nested(value)
    if isinstance(value, list):
        return [
            _cut(one, depth - 1, numbers_as_text=numbers_as_text) for one in value[:_MOST_ITEMS]
        ]
    if isinstance(value, dict):
        return {
            _text(name) or "": _cut(one, depth - 1, numbers_as_text=numbers_as_text)
            for name, one in islice(value.items(), _MOST_ITEMS)
        }
    return _text(value)


def _nested(value: Any) -> str | None:
    try:
        return _text(json.dumps(value))
    except RecursionError:
        return "nested without end"


def _text(value: Any) -> str | None:
    """Something PostgreSQL can hold, of a bounded length."""
    if value is None:
        return None
    text = str(value)[:_MOST_CHARACTERS].replace("\x00", "\N{REPLACEMENT CHARACTER}")
    return text.encode("utf-8", "replace").decode()


def refusal_of(error: AlprError | RequestValidationError | HTTPException) -> Refusal:
    """The refusal as the record keeps it."""
    if isinstance(error, AlprError):
        return Refusal(error.code, error.clause, _text(error.detail) or "")
    if isinstance(error, HTTPException):
        return Refusal("request-malformed", None, _text(error.detail) or "")
    faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    return Refusal("request-malformed", None, _text(faults) or str(HTTPStatus.BAD_REQUEST))
