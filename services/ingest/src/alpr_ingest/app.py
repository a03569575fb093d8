"""Composition root: the only reader of settings."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Never

import structlog
from fastapi import FastAPI

from alpr_common.auth import Gate, Revocations, TokenVerifier
from alpr_common.errors import Outage
from alpr_common.kafka import Publisher
from alpr_common.lateness import spooled_at_most
from alpr_common.outbox import OutboxRelay
from alpr_common.policy import Policy
from alpr_common.postgres import Database, migrate
from alpr_common.revocations import follow
from alpr_common.topics import DEAD_LETTER_RETENTION_SECONDS
from alpr_common.web import all_alive, create_web_app, running
from alpr_ingest import store
from alpr_ingest.api import Parts, camera_routes, frame_problem, frame_routes
from alpr_ingest.bodies import InFlight
from alpr_ingest.delivery import Delivery, KafkaFrames
from alpr_ingest.domain import Camera, refuse_frames_that_outgrow_their_topic
from alpr_ingest.known_cameras import KnownCameras
from alpr_ingest.last_frames import LastFrames
from alpr_ingest.pictures import PictureLimits, PictureThreads
from alpr_ingest.refusals import FrameRefused
from alpr_ingest.settings import Settings
from alpr_ingest.spool import Spool

log = structlog.get_logger()

_FLUSH_SECONDS = 3.0
_FORGET_SECONDS = 3600.0
_LAST_FRAMES_EVERY_SECONDS = 5.0
_PEOPLE_MAY_WAIT_SECONDS = 10.0
_TORN_KEPT = timedelta(seconds=DEAD_LETTER_RETENTION_SECONDS)


def build(settings: Settings) -> FastAPI:
    """The service, not yet started. Raises `FramesOutgrowTopic` for a policy it cannot keep."""
    policy = Policy.load(settings.common.policy_file)
    refuse_frames_that_outgrow_their_topic(policy)
    revocations = Revocations()
    verifier = TokenVerifier.from_file(settings.common.token_public_key_file)
    gate = Gate(verifier, policy, revocations)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            spool = Spool(
                settings.spool_folder,
                max_bytes=settings.spool_max_bytes,
                min_free_bytes=settings.spool_min_free_bytes,
            )
            stack.callback(spool.close)
            await spool.open()
            publisher = await stack.enter_async_context(_publisher(settings))
            delivery = Delivery(
                KafkaFrames(publisher),
                spool,
                kafka_timeout_seconds=settings.kafka_timeout_seconds,
                waits_at_most=spooled_at_most(policy),
                clock=_now,
            )
            # Before PostgreSQL is asked: what an earlier process acknowledged needs it not.
            sending = await stack.enter_async_context(
                running(delivery.run(), _forget_torn_frames(spool))
            )
            database = await _database(settings)
            stack.push_async_callback(database.close)
            audit = await stack.enter_async_context(_publisher(settings))
            relaying = await stack.enter_async_context(
                running(
                    OutboxRelay(database, audit).run(),
                    follow(settings.common.kafka_bootstrap_servers, revocations),
                )
            )
            app.state.parts = _parts(settings, policy, database, delivery, stack)
            await stack.enter_async_context(_keeping(app.state.parts.last_frames, database))
            app.state.checks["loops"] = lambda: all_alive([*sending, *relaying])
            # Neither PostgreSQL nor Kafka: without them frames are still taken, and a service
            # that is taken out of rotation takes none.
            app.state.checks["frames"] = lambda: delivery.can_take_frames
            # Who asks for the registry right after a start need not be told to come again; but
            # not for long, since with Kafka away frames are taken and people are not let in.
            let_in_at = time.monotonic() + _PEOPLE_MAY_WAIT_SECONDS
            app.state.checks["revocations"] = lambda: (
                revocations.is_loaded or time.monotonic() > let_in_at
            )
            yield

    app = create_web_app("ingest", "ALPR ingest", lifespan=lifespan)
    app.state.checks["started"] = lambda: hasattr(app.state, "parts")
    app.add_exception_handler(FrameRefused, frame_problem)
    app.include_router(frame_routes())
    app.include_router(camera_routes(gate))
    return app


def _parts(
    settings: Settings,
    policy: Policy,
    database: Database,
    delivery: Delivery,
    stack: contextlib.AsyncExitStack,
) -> Parts:
    async def load(camera_id: str) -> Camera | None:
        async with database.transaction() as connection:
            return await store.get_camera_of_credential(connection, camera_id)

    pictures = PictureThreads(
        settings.picture_threads, PictureLimits(policy.frame_max_bytes, policy.frame_max_pixels)
    )
    stack.callback(pictures.close)
    return Parts(
        database=database,
        known=KnownCameras(
            load,
            time.monotonic,
            fresh_seconds=settings.camera_fresh_seconds,
            outage_seconds=settings.camera_outage_seconds,
        ),
        pictures=pictures,
        delivery=delivery,
        policy=policy,
        in_flight=InFlight(settings.frames_in_flight_max),
        body_timeout_seconds=settings.body_timeout_seconds,
        clock=_now,
    )


@contextlib.asynccontextmanager
async def _publisher(settings: Settings) -> AsyncIterator[Publisher]:
    publisher = Publisher(settings.common.kafka_bootstrap_servers)
    try:
        yield publisher
    finally:
        # While Kafka is away there is nothing to flush to; what it has not taken is in the spool
        # or the outbox.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(publisher.stop(), _FLUSH_SECONDS)


@contextlib.asynccontextmanager
async def _keeping(last_frames: LastFrames, database: Database) -> AsyncIterator[None]:
    """No part of readiness: frames are taken whether or not their time is written."""
    try:
        async with running(last_frames.run(database, _LAST_FRAMES_EVERY_SECONDS)):
            yield
    finally:
        await last_frames.leave(database)


async def _forget_torn_frames(spool: Spool) -> Never:
    while True:
        try:
            await spool.forget_torn(_now() - _TORN_KEPT)
        except OSError as error:
            log.warning("spool.torn_files_kept", error=str(error))
        await asyncio.sleep(_FORGET_SECONDS)


async def _database(settings: Settings) -> Database:
    """The pool on a migrated schema; waits for PostgreSQL as long as it takes."""
    while True:
        try:
            await migrate(settings.migration_database_url, "alpr_ingest")
            return await Database.connect(settings.database_url, settings.database_pool_size)
        except Outage as error:
            log.warning("postgres.away", error=str(error))
            await asyncio.sleep(1)


def _now() -> datetime:
    return datetime.now(UTC)
