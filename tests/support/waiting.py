"""Waiting on a condition with a deadline; what tests do instead of sleeping."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def eventually(
    predicate: Callable[[], Awaitable[T]],
    deadline_seconds: float = ...,
    *,
    interval_seconds: float = ...,
    what: str = ...,
) -> T: ...
@overload
async def eventually(
    predicate: Callable[[], T],
    deadline_seconds: float = ...,
    *,
    interval_seconds: float = ...,
    what: str = ...,
) -> T: ...
async def eventually(
    predicate: Callable[[], Any],
    deadline_seconds: float = 30,
    *,
    interval_seconds: float = 0.05,
    what: str = "",
) -> Any:
    """Ask until the answer is truthy, and return it.

    The predicate may be a plain or an async function. An AssertionError inside counts as "not yet".
    Raises AssertionError with `what` and the last answer when the deadline passes.
    """
    deadline = time.monotonic() + deadline_seconds
    while True:
        last: object
        try:
            answer = predicate()
            value = await answer if inspect.isawaitable(answer) else answer
            if value:
                return value
            last = value
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(_message(predicate, what, deadline_seconds, last))
        await asyncio.sleep(interval_seconds)


def wait_until(
    predicate: Callable[[], T],
    deadline_seconds: float = 30,
    *,
    interval_seconds: float = 0.05,
    what: str = "",
) -> T:
    """`eventually` for tests without an event loop; it blocks."""
    deadline = time.monotonic() + deadline_seconds
    while True:
        last: object
        try:
            value = predicate()
            if value:
                return value
            last = value
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(_message(predicate, what, deadline_seconds, last))
        time.sleep(interval_seconds)


def _message(predicate: Callable[..., object], what: str, seconds: float, last: object) -> str:
    asked = what or getattr(predicate, "__qualname__", repr(predicate))
    return f"not within {seconds} s: {asked}; the last answer was {last!r}"
