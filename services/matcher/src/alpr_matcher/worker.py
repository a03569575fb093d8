"""Composition root of the worker: Faust and a small HTTP server in one event loop.

uvicorn owns the process (SIGTERM ends it in order), Faust runs beside the requests; when Faust or
the hot list's follower ends by itself, so does the process, with status 1: it is restarted then.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
import uvicorn
from fastapi import FastAPI

from alpr_common.errors import Outage
from alpr_common.kafka import DeadLetterCap, Publisher, backoff_seconds
from alpr_common.policy import Policy
from alpr_common.web import create_web_app
from alpr_matcher.consumers import GROUP, JoinApp
from alpr_matcher.expiry import expired_kept
from alpr_matcher.follower import HotListFollower
from alpr_matcher.join import Join
from alpr_matcher.local_store import LocalStore
from alpr_matcher.settings import WorkerSettings
from alpr_matcher.table import HotListTable

log = structlog.get_logger()


class Worker:
    """The parts of one worker, from start to end."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        servers = settings.common.kafka_bootstrap_servers
        self._publisher = Publisher(servers)
        policy = Policy.load(settings.common.policy_file)
        settings.data_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._table = HotListTable(LocalStore(settings.data_folder / "hotlist.sqlite"))
        kept = expired_kept(policy, settings.expired_kept_seconds)
        self.follower = HotListFollower(servers, self._table, kept)
        self._join = Join(
            self._table,
            self._publisher,
            policy,
            GROUP,
            DeadLetterCap(settings.dead_letters_per_minute_max),
        )
        self._app: JoinApp | None = None

    @property
    def has_partitions(self) -> bool:
        """Whether the group has given this worker its part, be it none, and none is being moved."""
        app = self._app
        return app is not None and app.was_assigned and not app.rebalancing

    async def run(self) -> None:
        """Work until cancelled; raises what ended the follower or the Faust application."""
        await self._wait_for_kafka()
        following = asyncio.create_task(self.follower.run())
        app = self._app = JoinApp(
            self._settings.common.kafka_bootstrap_servers,
            handle=self._join.handle,
            caught_up=self.follower.caught_up,
            data_folder=str(self._settings.data_folder),
            batch_size=self._settings.batch_size,
            session_timeout_seconds=self._settings.session_timeout_seconds,
        )
        loading = asyncio.create_task(self.follower.caught_up())
        ended = asyncio.create_task(app.wait_until_stopped())
        try:
            await app.start()
            await asyncio.wait({following, ended}, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                following.result()
            raise app.crash_reason or RuntimeError("the Faust application stopped by itself")
        finally:
            for task in (following, loading, ended):
                task.cancel()
            await app.stop()
            await asyncio.gather(following, loading, ended, return_exceptions=True)
            await self._publisher.stop()
            self._table.close()

    async def _wait_for_kafka(self) -> None:
        """Faust ends when there is no broker at its start; wait for one first."""
        backoff = backoff_seconds()
        while True:
            try:
                return await self._publisher.start()
            except Outage as error:
                log.warning("kafka.away", error=str(error))
                await asyncio.sleep(next(backoff))


def run(settings: WorkerSettings) -> int:
    """Run a worker until SIGTERM or SIGINT (0), or until it ends by itself (1)."""
    failed = ending = False

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        worker = Worker(settings)
        app.state.checks |= {
            "hot_list_complete": lambda: worker.follower.is_complete,
            "partitions_assigned": lambda: worker.has_partitions,
        }
        working = asyncio.create_task(worker.run())
        working.add_done_callback(_ended)
        try:
            yield
        finally:
            nonlocal ending
            ending = True
            working.cancel()
            await asyncio.wait({working})

    def _ended(working: "asyncio.Task[None]") -> None:
        nonlocal failed
        if ending and working.cancelled():
            return
        failed = True
        error = None if working.cancelled() else working.exception()
        log.error("worker.ended", error=repr(error))
        server.should_exit = True

    app = create_web_app("matcher-worker", "Matcher worker", lifespan=lifespan)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=5,
        )
    )
    server.run()
    return 1 if failed else 0
