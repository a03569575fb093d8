"""Composition root: builds recognizer, passes, loops; the only reader of settings."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import structlog
from fastapi import FastAPI

from alpr_common.kafka import Publisher
from alpr_common.objects import Pictures
from alpr_common.topics import Topic
from alpr_common.web import all_alive, create_web_app, running
from alpr_recognizer.association import PassRules
from alpr_recognizer.consumers import frames_loop
from alpr_recognizer.domain import ReadingLimits
from alpr_recognizer.handlers import Line
from alpr_recognizer.passes import Passes
from alpr_recognizer.settings import Settings
from alpr_recognizer.tracking import EmissionRules
from alpr_recognizer.weights import limits_of, load_recognizer

log = structlog.get_logger()


def build(settings: Settings) -> FastAPI:
    """The service: `/live`, `/ready` and `/metrics` beside the loop over frames.

    Start-up raises `WeightsRefused` when the weights are not what their configuration says.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        recognizer = await asyncio.to_thread(load_recognizer, settings)
        log.info("models.loaded", detector=recognizer.detector.name, reader=recognizer.reader.name)
        publisher = Publisher(settings.common.kafka_bootstrap_servers)
        pictures = Pictures.at(settings.common.object_store_url)

        async def publish(topic: Topic, key: str, value: bytes) -> None:
            await publisher.publish(topic, key, value)

        threshold = settings.jurisdiction_threshold
        line = Line(
            recognizer=recognizer,
            passes=make_passes(settings, recognizer.reader.limits),
            put_picture=pictures.put,
            publish=publish,
            jurisdiction_threshold=(
                recognizer.reader.jurisdiction_threshold if threshold is None else threshold
            ),
            now=lambda: datetime.now(UTC),
        )
        loop = frames_loop(
            line,
            bootstrap_servers=settings.common.kafka_bootstrap_servers,
            publisher=publisher,
            batch_frames=settings.batch_frames,
            poll_seconds=settings.poll_seconds,
            quiet_seconds=settings.quiet_seconds,
            monotonic=time.monotonic,
        )
        async with running(loop.run()) as tasks:
            app.state.checks |= {
                "consuming": lambda: all_alive(tasks),
                "assigned": lambda: loop.is_ready,
            }
            yield
        await publisher.stop()
        recognizer.close()

    app = create_web_app("recognizer", "Recognizer", lifespan=lifespan)
    # Until the lifespan has got as far as the loop.
    app.state.checks["models"] = lambda: "assigned" in app.state.checks
    return app


def make_passes(settings: Settings, limits: ReadingLimits) -> Passes:
    """The pass rules that the settings make; `limits` are the reader's own."""
    return Passes(
        PassRules(settings.pass_gap_seconds, settings.rejoin_seconds, settings.reread_seconds),
        limits_of(settings, limits),
        EmissionRules(settings.emit_confidence, settings.emit_after_seconds),
    )
