"""The matcher's worker where order matters most, as it is or with a bug planted.

    python -m tests.faults.join_worker sound|matches_early|commits_early

The list comes late (once the worker has its partitions of reads) and hits go out slowly, so that
whoever matches before the table is complete, or commits before the hits are published, is seen.
"""

import asyncio
import sys
from typing import Any

from alpr_matcher import consumers
from alpr_matcher.__main__ import main
from alpr_matcher.consumers import ReadsConsumer
from alpr_matcher.follower import HotListFollower
from alpr_matcher.join import Join

LIST_LATE_SECONDS = 0.5
HITS_SLOW_SECONDS = 0.2

_assigned = asyncio.Event()
_follow, _publish = HotListFollower._follow, Join._publish


class Sound(ReadsConsumer):
    async def on_partitions_assigned(self, *given: Any) -> None:
        await super().on_partitions_assigned(*given)
        _assigned.set()


class MatchesEarly(Sound):
    async def _wait_for_the_table(self) -> None:
        """The planted bug: whatever is in the table by now has to do."""


class CommitsEarly(Sound):
    async def _wait_next_records(self, timeout: float) -> Any:
        """The planted bug: what was fetched is committed before it is handled."""
        fetched, active = await super()._wait_next_records(timeout)
        if fetched:
            await self._commit_behind(fetched)
        return fetched, active


async def _follow_late(self: HotListFollower, consumer: Any) -> None:
    await _assigned.wait()
    await asyncio.sleep(LIST_LATE_SECONDS)
    await _follow(self, consumer)


async def _publish_slowly(self: Join, hits: Any) -> None:
    await asyncio.sleep(HITS_SLOW_SECONDS)
    await _publish(self, hits)


VARIANTS = {"sound": Sound, "matches_early": MatchesEarly, "commits_early": CommitsEarly}

if __name__ == "__main__":
    consumers._JoinTransport.Consumer = VARIANTS[sys.argv[1]]
    HotListFollower._follow = _follow_late  # type: ignore[method-assign]
    Join._publish = _publish_slowly  # type: ignore[method-assign]
    sys.exit(main(["worker"]))
