"""An ASGI app on a loopback port, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import uvicorn
from fastapi import FastAPI

from alpr_local.ports import choose_port
from tests.support.waiting import wait_until

T = TypeVar("T")


class Served:
    """A running app: its address, and a way onto its event loop."""

    def __init__(self, app: FastAPI, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        config = uvicorn.Config(
            app, host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._server.serve())

    def start(self) -> None:
        self._thread.start()
        wait_until(lambda: self._server.started, what="the app listens")

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive(), "the app did not end"

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run something where the app runs, and wait for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)


@contextmanager
def served(app: FastAPI, port: int | None = None) -> Iterator[Served]:
    running = Served(app, port or choose_port())
    running.start()
    try:
        yield running
    finally:
        running.stop()
