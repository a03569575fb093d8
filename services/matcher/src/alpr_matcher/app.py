"""Composition root of the hot-list API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

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
from alpr_matcher.api import routes
from alpr_matcher.expiry import expired_kept
from alpr_matcher.folder import WatchedFolder
from alpr_matcher.handlers import HotLists, sweep_expired
from alpr_matcher.imports import Importing
from alpr_matcher.lists import measure, tell_unchecked
from alpr_matcher.lists_api import import_routes, list_routes
from alpr_matcher.retro import RetroMatch
from alpr_matcher.retro_reads import Accounts, StoredReads
from alpr_matcher.settings import Settings
from alpr_matcher.subscriptions import serve_lists
from alpr_matcher.telling import BATCH_BYTES, TopicRelay

log = structlog.get_logger()

_SERVE_SECONDS = 1.0


def build(settings: Settings) -> FastAPI:
    """The API of the hot lists, with the outbox relay and the expiry sweep beside it."""
    policy = Policy.load(settings.common.policy_file)
    revocations = Revocations()
    verifier = TokenVerifier.from_file(settings.common.token_public_key_file)
    gate = Gate(verifier, policy, revocations)
    opened: list[Importing] = []
    accounts = Accounts.load(settings.retro_accounts_file)

    def importing() -> Importing:
        assert opened, "no request is answered before the lifespan began"
        return opened[0]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await migrate(settings.migration_database_url, "alpr_matcher")
        database = await Database.connect(settings.database_url, settings.database_pool_size)
        publisher = Publisher(settings.common.kafka_bootstrap_servers, batch_bytes=BATCH_BYTES)
        looks_back = bool(accounts.agency_ids) and policy.retro_match_hours > 0
        kept = expired_kept(policy, settings.expired_kept_seconds)
        lists = HotLists(database, policy, kept, looks_back)
        opened[:] = [Importing(lists, settings.import_max_lines, settings.mappers_folder)]
        endless = [
            OutboxRelay(database, publisher).run(),
            TopicRelay(lists, publisher).run(),
            _serve(lists),
            _sweep(lists, settings.expiry_sweep_seconds),
            _upkeep(lists, settings.upkeep_seconds),
            follow(settings.common.kafka_bootstrap_servers, revocations),
        ]
        reads = StoredReads(accounts, settings.common.access_log_url, settings.common.identity_url)
        if looks_back:
            retro = RetroMatch(lists, reads, settings.retro_settle_seconds)
            endless.append(retro.run(settings.retro_interval_seconds))
        if settings.import_folder is not None:
            watched = WatchedFolder(settings.import_folder, importing())
            endless.append(watched.run(settings.import_folder_seconds))
        try:
            async with running(*endless) as loops:
                app.state.checks |= {
                    "database": database.is_ready,
                    "revocations": lambda: revocations.is_loaded,
                    "loops": lambda: all_alive(loops),
                }
                yield
        finally:
            await reads.close()
            await publisher.stop()
            await database.close()

    app = create_web_app("matcher", "Hot lists", lifespan=lifespan)
    app.include_router(routes(gate, lambda: importing().lists))
    app.include_router(list_routes(gate, importing))
    app.include_router(import_routes(gate, importing, import_max_bytes=settings.import_max_bytes))
    return app


async def _sweep(lists: HotLists, every_seconds: float) -> None:
    """Take expired entries off the topic, for ever; an outage is waited out."""
    while True:
        try:
            while swept := await sweep_expired(lists, datetime.now(UTC)):
                log.info("hotlist.expired", entries=swept)
        except Outage as error:
            log.warning("sweep.outage", error=str(error))
        await asyncio.sleep(every_seconds)


async def _serve(lists: HotLists) -> None:
    """Have lists' entries follow their subscriptions, for ever; an outage is waited out."""
    while True:
        try:
            await serve_lists(lists)
        except Outage as error:
            log.warning("serving.outage", error=str(error))
        await asyncio.sleep(_SERVE_SECONDS)


async def _upkeep(lists: HotLists, every_seconds: float) -> None:
    """Tell of overdue checks and measure freshness, for ever; an outage is waited out."""
    while True:
        try:
            while await tell_unchecked(lists, datetime.now(UTC)):
                pass
            await measure(lists, datetime.now(UTC))
        except Outage as error:
            log.warning("upkeep.outage", error=str(error))
        await asyncio.sleep(every_seconds)
