"""The matcher's two ends for tests: what comes in over Kafka and HTTP, what goes out."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar
from uuid import UUID, uuid5

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from alpr_common.auth import Principal, TokenIssuer
from alpr_common.errors import Outage
from alpr_common.kafka import Publisher
from alpr_common.messages.hit import Hit
from alpr_common.messages.hotlist import HotListEntry, HotListRecord
from alpr_common.messages.read import Box, Character, Read
from alpr_common.plates import match_key
from alpr_common.policy import Role
from alpr_common.topics import HITS, HOTLIST, READS
from alpr_local.stack import Stack
from alpr_matcher import telling_store
from alpr_matcher.handlers import HotLists

AGENCY = "IL0222900"
OTHER_AGENCY = "IL0160000"
_IDS = UUID("6f0f7f3e-9df0-4f5e-9b0e-000000000001")
START = datetime.now(UTC) - timedelta(minutes=10)
T = TypeVar("T")


def read_of(number: int, plate: str, *, agency_id: str = AGENCY) -> Read:
    """The number-th read of a test, always the same for the same number."""
    at = START + timedelta(milliseconds=number)
    return Read(
        read_id=uuid5(_IDS, f"read {number}"),
        agency_id=agency_id,
        camera_id=f"camera-{number % 7}",
        plate=plate,
        match_key=match_key(plate),
        captured_at=at,
        first_captured_at=at,
        last_captured_at=at,
        latitude=42.0,
        longitude=-88.0,
        confidence=0.9,
        characters=tuple(Character(character=c, probability=0.9) for c in plate),
        frame_id=uuid5(_IDS, f"frame {number}"),
        frame_object="frames/x.jpg",
        plate_object="frames/x-plate.jpg",
        plate_box=Box(x1=0, y1=0, x2=10, y2=5),
        emitted_at=datetime.now(UTC),
    )


def entry_of(
    plate: str, *, agency_id: str = AGENCY, category: str = "stolen_vehicle"
) -> HotListEntry:
    return HotListEntry(
        entry_id=uuid5(_IDS, f"entry {agency_id} {plate} {category}"),
        agency_id=agency_id,
        serves_agency_ids=(agency_id,),
        plate=plate,
        match_key=match_key(plate),
        category=category,
        priority=2,
        source="test",
        reason="A test looks for it",
        effective_at=START - timedelta(days=1),
    )


def plate_of(number: int) -> str:
    """A plate of seven characters, another for each number, none of them look-alikes."""
    digits = "3479ACEFHJKMNPRTUVWXY"
    text = ""
    for _ in range(7):
        number, place = divmod(number, len(digits))
        text += digits[place]
    return text


@asynccontextmanager
async def publishing(stack: Stack) -> AsyncIterator[Publisher]:
    publisher = Publisher(stack.kafka_bootstrap_servers, linger_ms=5)
    await publisher.start()
    try:
        yield publisher
    finally:
        await publisher.stop()


async def publish_reads(publisher: Publisher, reads: Sequence[Read]) -> None:
    """Until all are acknowledged, as a recognizer would: an outage means doing it again."""
    waiting = list(reads)
    while waiting:
        outcomes = await asyncio.gather(*(_published(publisher, r) for r in waiting))
        waiting = [read for read, taken in zip(waiting, outcomes, strict=True) if not taken]
        if waiting:
            await asyncio.sleep(0.2)


async def _published(publisher: Publisher, read: Read) -> bool:
    try:
        await publisher.publish(READS, read.match_key, read.to_bytes())
    except Outage:
        return False
    return True


async def publish_list(publisher: Publisher, entries: Sequence[HotListEntry]) -> None:
    """One record per key, each holding the key's entries among these.

    All of them again when Kafka was too busy for some: a list said twice is the same list.
    """
    by_key: dict[str, list[HotListEntry]] = {}
    for entry in entries:
        by_key.setdefault(entry.match_key, []).append(entry)
    records = [HotListRecord(match_key=key, entries=tuple(e)) for key, e in by_key.items()]

    async def said() -> bool:
        try:
            waits = [await publisher.enqueue(HOTLIST, r.match_key, r.to_bytes()) for r in records]
            await asyncio.gather(*waits)
        except Outage:
            return False
        return True

    await until(said, bool, seconds=120)


async def until(
    condition: Callable[[], Awaitable[T]], holds: Callable[[T], bool], *, seconds: float = 120
) -> T:
    """What `condition` gives once it holds; fails, showing it, when the deadline passes."""
    deadline = time.monotonic() + seconds
    while True:
        found = await condition()
        if holds(found):
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s; last: {str(found)[:600]}"
        await asyncio.sleep(0.05)


class Topic:
    """All that is on a topic so far, read anew from where the last look ended."""

    def __init__(self, stack: Stack, name: str) -> None:
        self._servers, self._name = stack.kafka_bootstrap_servers, name
        self._consumer: AIOKafkaConsumer | None = None
        self.messages: list[tuple[bytes | None, bytes | None, dict[str, bytes]]] = []

    async def __aenter__(self) -> "Topic":
        self._consumer = AIOKafkaConsumer(
            self._name,
            bootstrap_servers=self._servers,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._consumer is not None
        # aiokafka passes on the cancelling of a fetch of its own, after a broker was away.
        await asyncio.wait({asyncio.ensure_future(self._consumer.stop())})

    async def look(self) -> "Topic":
        """Take what came since; everything that is on the topic now is in `messages` then."""
        consumer = self._consumer
        assert consumer is not None
        ends: dict[TopicPartition, int] = await consumer.end_offsets(consumer.assignment())
        while True:
            fetched = await consumer.getmany(timeout_ms=50)
            self.messages += [
                (m.key, m.value, dict(m.headers)) for ms in fetched.values() for m in ms
            ]
            if not fetched and all([await consumer.position(tp) >= e for tp, e in ends.items()]):
                return self

    @property
    def records(self) -> dict[str, HotListRecord]:
        """The compacted view of a hot list topic: the last record of each key that has one."""
        last = {k: v for k, v, _ in self.messages if k is not None}
        return {k.decode(): HotListRecord.from_bytes(v) for k, v in last.items() if v is not None}

    @property
    def hits(self) -> list[Hit]:
        return [Hit.from_bytes(value) for _, value, _ in self.messages if value is not None]


def hits_topic(stack: Stack) -> Topic:
    return Topic(stack, HITS.name)


def person(
    stack: Stack,
    *,
    agency_id: str = AGENCY,
    role: Role = Role.OFFICER,
    leads_until: date | None = date(2099, 1, 1),
) -> dict[str, str]:
    """The header that a signed-in and trained person's browser sends."""
    issuer = TokenIssuer.from_file(stack.secrets.token_private_key)
    principal = Principal(
        person_id=f"person-{agency_id}-{role}",
        name="Pat Example",
        agency_id=agency_id,
        role=role,
        session_id="session-1",
        leads_training_until=leads_until,
        alpr_training_until=date(2099, 1, 1),
    )
    return {"Authorization": f"Bearer {issuer.issue(principal, datetime.now(UTC))}"}


async def expire(stack: Stack, entry_id: str) -> None:
    """Let an entry's time be over now, however long it took to get here."""
    connection = await asyncpg.connect(stack.postgres_admin_dsn)
    try:
        await connection.execute(
            "UPDATE matcher.hotlist_entry SET expires_at = now() WHERE entry_id = $1", entry_id
        )
    finally:
        await connection.close()


def client(url: str, headers: dict[str, str]) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=120, trust_env=False)


async def waiting(lists: HotLists) -> int:
    """How many changed keys and patterns the topics have not been told of."""
    async with lists.database.transaction() as connection:
        return sum((await telling_store.count(connection)).values())
