"""The hot lists on a real PostgreSQL, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from alpr_common.policy import Policy
from alpr_common.postgres import Database, migrate
from alpr_local.stack import Stack
from alpr_matcher.expiry import expired_kept
from alpr_matcher.handlers import HotLists


@pytest.fixture
async def hot_lists(fresh_stack: Stack) -> AsyncIterator[HotLists]:
    await migrate(fresh_stack.postgres_dsn("alpr_matcher_owner"), "alpr_matcher")
    database = await Database.connect(fresh_stack.postgres_dsn("alpr_matcher"))
    policy = Policy()
    yield HotLists(database, policy, expired_kept(policy, None))
    await database.close()
