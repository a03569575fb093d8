"""The door, for every way in which it is tried."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from alpr_local.processes import Services
from tests.support.door import SECONDS, Door, make_one_read


@pytest.fixture
async def door(services: Services) -> AsyncIterator[Door]:
    process = await asyncio.to_thread(services.start, "access-log", deadline_seconds=120)
    async with httpx.AsyncClient(timeout=SECONDS * 2, trust_env=False) as client:
        made = Door(services, process, client)
        await make_one_read(made)
        yield made
