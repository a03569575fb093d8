"""Work that waits in a table, and that a notification of PostgreSQL wakes somebody for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Never

import structlog

from alpr_common.errors import Outage
from alpr_common.postgres import Database

log = structlog.get_logger()

_LOOK_ANYWAY_SECONDS = 1.0
_AFTER_OUTAGE_SECONDS = 0.5


async def work_when_notified(
    database: Database, channel: str, some: Callable[[], Awaitable[bool]], *, name: str
) -> Never:
    """Call `some` until it answers that nothing is left, then again at every notification of the
    channel, until cancelled.

    An `Outage` of it, or of the database, is waited out and logged as `<name>.outage`.
    """
    while True:
        try:
            async with database.listening(channel) as wake:
                while True:
                    while await some():
                        pass
                    # A notification wakes at once; the time-out covers one that was lost.
                    try:
                        await asyncio.wait_for(wake.get(), timeout=_LOOK_ANYWAY_SECONDS)
                        while not wake.empty():
                            wake.get_nowait()
                    except TimeoutError:
                        pass
        except Outage as error:
            log.warning(f"{name}.outage", error=str(error))
            await asyncio.sleep(_AFTER_OUTAGE_SECONDS)
