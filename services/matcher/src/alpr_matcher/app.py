"""Composition root of the hot-list API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import structlog
from fastapi import FastAPI

from alpr_common.auth import Gate, Revocations, TokenVerifier
from alpr_common.errors import Outage
from alpr_common.kafka import Publisher
from alpr_common.outbox import OutboxRelay
from alpr_common.policy import Policy
from alpr_common.postgres import Database, migrate
from alpr_common.revocations import follow
from alpr_common.web import all_alive, create_web_app, running
from alpr_matcher.api import LateHotLists, routes
from alpr_matcher.handlers import HotLists, sweep_expired
from alpr_matcher.settings import Settings

log = structlog.get_logger()


def build(settings: Settings) -> FastAPI:
    """The API of the hot lists, with the outbox relay and the expiry sweep beside it."""
    policy = Policy.load(settings.common.policy_file)
    revocations = Revocations()
    verifier = TokenVerifier.from_file(settings.common.token_public_key_file)
    gate = Gate(verifier, policy, revocations)
    lists = LateHotLists()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await migrate(settings.migration_database_url, "alpr_matcher")
        database = await Database.connect(settings.database_url, settings.database_pool_size)
        publisher = Publisher(settings.common.kafka_bootstrap_servers)
        lists.opened = HotLists(database, policy, _expired_kept(settings, policy))
        relay = OutboxRelay(database, publisher)
        try:
            sweep = _sweep(lists.opened, settings.expiry_sweep_seconds)
            following = follow(settings.common.kafka_bootstrap_servers, revocations)
            async with running(relay.run(), sweep, following) as loops:
                app.state.checks |= {
                    "database": database.is_ready,
                    "revocations": lambda: revocations.is_loaded,
                    "loops": lambda: all_alive(loops),
                }
                yield
        finally:
            await publisher.stop()
            await database.close()

    app = create_web_app("matcher", "Hot lists", lifespan=lifespan)
    app.include_router(
        routes(
            gate,
            lists,
            import_max_bytes=settings.import_max_bytes,
            import_max_lines=settings.import_max_lines,
        )
    )
    return app


def _expired_kept(settings: Settings, policy: Policy) -> timedelta:
    if settings.expired_kept_seconds is None:
        return timedelta(seconds=policy.delivery_delay_max_seconds)
    return timedelta(seconds=settings.expired_kept_seconds)


async def _sweep(lists: HotLists, every_seconds: float) -> None:
    """Take expired entries off the topic, for ever; an outage is waited out."""
    while True:
        try:
            while swept := await sweep_expired(lists, datetime.now(UTC)):
                log.info("hotlist.expired", keys=swept)
        except Outage as error:
            log.warning("sweep.outage", error=str(error))
        await asyncio.sleep(every_seconds)
