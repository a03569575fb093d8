"""What the routes work with, and what all their answers have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request, Response

from alpr_alerts.stream import Wakeups
from alpr_common.objects import Pictures
from alpr_common.policy import Policies
from alpr_common.postgres import Database

# 131.7-1b: nothing of an alert stays on the client.
NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True)
class Dependencies:
    """Put into `app.state.dependencies` when the service starts."""

    database: Database
    pictures: Pictures
    policies: Policies
    wakeups: Wakeups
    clock: Callable[[], datetime]
    stream_heartbeat_seconds: float
    stream_send_timeout_seconds: float


def _dependencies(request: Request) -> Dependencies:
    found = request.app.state.dependencies
    assert isinstance(found, Dependencies)
    return found


Deps = Annotated[Dependencies, Depends(_dependencies)]


async def no_store(response: Response) -> None:
    response.headers.update(NO_STORE)
