"""Gives committed leaves their place in the tree and signs what results, once a moment.

Any number of replicas run it: an agency's tree is extended under its advisory lock, indexes,
hashes and checkpoint are one transaction, and so a crash leaves all of it or nothing.

It looks for work instead of being notified: PostgreSQL takes a lock around every commit that
notifies, so that searches could no longer share a flush to disk (docs/decisions/0006).
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog
from prometheus_client import Counter, Gauge, Histogram

from alpr_access_log.log import store as log_store
from alpr_access_log.log.key import LogKey
from alpr_access_log.log.signing import Signing, hand_over_leaf
from alpr_access_log.log.store import Sequenced, StoredCheckpoint
from alpr_access_log.log.tree import Edge, Node
from alpr_access_log.log.trust import LogRewritten, Trust
from alpr_common.errors import Outage
from alpr_common.postgres import Connection, Database
from alpr_translog.checkpoint import Checkpoint
from alpr_translog.handover import HandOverInvalid, hand_over_in
from alpr_translog.merkle import leaf_hash

log = structlog.get_logger()

SEQUENCED = Counter("alpr_log_entries_total", "Entries that got their place in a tree")
SIZE = Gauge("alpr_log_size", "Entries that this replica's newest checkpoint covers", ["agency"])
COVER_SECONDS = Histogram(
    "alpr_log_cover_seconds", "From an entry's appending to a checkpoint over it",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 3600),
)  # fmt: skip
COPIED_AT = Gauge("alpr_log_witness_copied_timestamp_seconds", "When the witness had every copy")
NOT_COPIED = Counter("alpr_log_witness_failures_total", "Copies that the witness did not take")

POLL_SECONDS = 0.2
_AFTER_OUTAGE_SECONDS = 1.0
_AFTER_FAILURE_SECONDS = 30.0
_BATCH_SIZE = 4096


class Sequencer:
    """Extends and signs the trees of all agencies."""

    def __init__(
        self, database: Database, trust: Trust, *, poll_seconds: float = POLL_SECONDS,
        batch_size: int = _BATCH_SIZE,
    ) -> None:  # fmt: skip
        self._database, self.trust = database, trust
        self._poll_seconds, self._batch_size = poll_seconds, batch_size
        self._not_before: dict[str, float] = {}
        self._handed_over: set[str] = set()
        self._keys_then: Sequence[LogKey] = ()

    async def run(self) -> None:
        """Sequence until cancelled; outages are waited out."""
        while True:
            try:
                while await self.extend_all():
                    pass
                await asyncio.sleep(self._poll_seconds)
            except Outage as error:
                log.warning("log.outage", error=str(error))
                await asyncio.sleep(_AFTER_OUTAGE_SECONDS)

    async def extend_all(self) -> bool:
        """Extend every agency's tree by a batch at most; whether more is waiting.

        Raises `Outage` when the database is away.
        """
        async with self._database.transaction() as connection:
            waiting = await log_store.pending_agencies(connection)
            waiting += await self._to_hand_over(connection, waiting)
        more = False
        now = asyncio.get_running_loop().time()
        for agency_id in waiting:
            if agency_id in self.trust.alarms or now < self._not_before.get(agency_id, 0):
                continue
            try:
                more |= await self.extend(agency_id) == self._batch_size
            except LogRewritten as error:
                self.trust.alarm(agency_id, error)
            except Outage as error:  # one agency's trouble is not the others'
                self._not_before[agency_id] = now + _AFTER_OUTAGE_SECONDS
                log.warning("log.not_extended", agency_id=agency_id, error=str(error))
            except Exception as error:  # noqa: BLE001 - nor is what nobody thought of
                self._not_before[agency_id] = now + _AFTER_FAILURE_SECONDS
                self.trust.failed(agency_id, "extending", error)
            else:
                self.trust.went_well(agency_id, "extending")
        return more

    async def _to_hand_over(self, connection: Connection, but: Sequence[str]) -> list[str]:
        """Agencies without new entries whose log may have to be handed over to another key."""
        keys = self.trust.keys.now()
        if keys is not self._keys_then:
            self._keys_then, self._handed_over = keys, set()
        if len(keys) == 1:
            return []
        agencies = await log_store.agencies(connection)
        return [one for one in agencies if one not in self._handed_over and one not in but]

    async def extend(self, agency_id: str) -> int:
        """Extend one tree by at most a batch; how many entries it got. Zero when another replica
        is at it. Raises `LogRewritten` or an `Outage`; then the tree is as it was."""
        await self.trust.ask_witness(agency_id)  # the first time: not under the lock
        async with log_store.extending(self._database, agency_id) as connection:
            if not await log_store.try_lock(connection, agency_id):
                return 0
            vouched = await self.trust.vouched(connection, agency_id)
            edge, signing = vouched.edge, vouched.signing
            if signing.successor:
                taken, signing = await self._hand_over(connection, agency_id, edge, signing)
            else:
                self._handed_over.add(agency_id)
                taken = await self._sequence(connection, agency_id, edge.size)
            if not taken:
                return 0
            nodes: list[Node] = []
            for one in taken:
                if one.index != edge.size:
                    raise LogRewritten(f"Entry {one.index} came where {edge.size} is next.")
                nodes += edge.append(one.leaf_hash)
            await log_store.add_nodes(connection, agency_id, nodes)
            checkpoint = Checkpoint(signing.signers[0].name, edge.size, edge.root())
            stored = StoredCheckpoint(
                checkpoint.size, checkpoint.root, checkpoint.sign(*signing.signers)
            )
            await log_store.add_checkpoint(connection, agency_id, stored)
        # Only now is it in the world; had the commit failed, nobody would have seen it.
        self.trust.remember(agency_id, checkpoint)
        now = datetime.now(UTC)
        for one in taken:
            COVER_SECONDS.observe(max(0.0, (now - one.appended_at).total_seconds()))
        SEQUENCED.inc(len(taken))
        SIZE.labels(agency_id).set(checkpoint.size)
        if signing is not vouched.signing:
            key_id = signing.lineage.last.key_id.hex()
            log.info("log.handed_over", agency_id=agency_id, entry=taken[0].index, key_id=key_id)
        return len(taken)

    async def _sequence(self, connection: Connection, agency_id: str, size: int) -> list[Sequenced]:
        """Waiting leaves get the next indexes. A hand-over never waits: one that was put there is
        somebody's who cannot sign, or should not, and would stay in the log for ever."""
        taken = await log_store.sequence(connection, agency_id, self._batch_size)
        for index, entry in await log_store.hand_overs(connection, agency_id) if taken else ():
            try:
                is_foreign = index >= size and hand_over_in(entry, index) is not None
            except HandOverInvalid:
                is_foreign = True
            if is_foreign:
                raise LogRewritten("A hand-over of the log waits that its keeper did not make.")
        return taken

    async def _hand_over(
        self, connection: Connection, agency_id: str, edge: Edge, signing: Signing
    ) -> tuple[list[Sequenced], Signing]:
        """Append the entry that makes the successor the log's key, before all that waits."""
        made, then = signing.handed_over(edge.size, edge.root())
        leaf = hand_over_leaf(made, then, agency_id, datetime.now(UTC))
        await log_store.append_leaves(connection, agency_id, [leaf])
        taken = await log_store.sequence_hand_over(connection, agency_id, leaf.record_id)
        # Its id can be foreseen: what somebody stored under it before is not what gets signed.
        if taken is None or taken.leaf_hash != leaf_hash(leaf.entry):
            raise LogRewritten("Another entry is stored in place of the log's hand-over.")
        return [taken], then


class WitnessLoop:
    """Checks each log against what is trusted and copies its newest checkpoint to the witness."""

    def __init__(
        self, database: Database, trust: Trust, *, interval_seconds: float, retry_seconds: float = 5
    ) -> None:
        self._database, self._trust = database, trust
        self._interval_seconds, self._retry_seconds = interval_seconds, retry_seconds
        self._copied: dict[str, int] = {}

    async def run(self) -> None:
        """Copy until cancelled. What fails is tried again sooner."""
        while True:
            complete = False
            try:
                complete = await self.copy_all()
            except Outage as error:
                log.warning("witness.outage", error=str(error))
            await asyncio.sleep(self._interval_seconds if complete else self._retry_seconds)

    async def copy_all(self) -> bool:
        """Copy what is new; whether the witness has the newest checkpoint of every sound log.

        Raises `Outage` when the database is away.
        """
        async with self._database.transaction() as connection:
            agencies = await log_store.agencies(connection)
        complete = True
        for agency_id in agencies:
            if agency_id in self._trust.alarms:
                continue
            try:
                await self._copy(agency_id)
            except LogRewritten as error:
                self._trust.alarm(agency_id, error)
            except Outage as error:
                complete = False
                NOT_COPIED.inc()
                log.warning("witness.not_copied", agency_id=agency_id, error=str(error))
            except Exception as error:  # noqa: BLE001 - one agency's trouble is not the others'
                complete = False
                NOT_COPIED.inc()
                self._trust.failed(agency_id, "copying", error)
            else:
                self._trust.went_well(agency_id, "copying")
        if complete:
            COPIED_AT.set_to_current_time()
        return complete

    async def _copy(self, agency_id: str) -> None:
        await self._trust.ask_witness(agency_id)
        async with log_store.extending(self._database, agency_id) as connection:
            await log_store.lock(connection, agency_id)
            vouched = await self._trust.vouched(connection, agency_id)
        size = vouched.edge.size
        if size and size != self._copied.get(agency_id):
            await self._trust.keep(agency_id, size, vouched.note)
            self._copied[agency_id] = size
