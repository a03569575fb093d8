"""Who sets malformed reads aside: access-log every one, the worker what it can tell cheaply."""

import json

import pytest

from alpr_common.plates import match_key
from alpr_common.topics import READS
from alpr_local.processes import Services
from tests.integration.matcher.line import (
    Topic,
    entry_of,
    publish_list,
    publish_reads,
    publishing,
    read_of,
    until,
)

pytestmark = pytest.mark.integration

WORKER, STORE = "alpr-matcher-worker", "alpr-access-log"


async def test_every_malformed_read_ends_in_the_dead_letters_listed_or_not(
    services: Services,
) -> None:
    stack = services.stack
    listed, unlisted = "L1STED7", "UNL1ST7"
    async with publishing(stack) as publisher:
        await publish_list(publisher, [entry_of(listed)])
    services.start("matcher-worker")
    services.start("access-log")

    def wrong_latitude(plate: str, number: int) -> bytes:
        said = json.loads(read_of(number, plate).to_bytes())
        return json.dumps(said | {"latitude": "north"}, separators=(",", ":")).encode()

    messages = {
        "listed, no JSON": (listed, b"nothing"),
        "unlisted, no JSON": (unlisted, b"never a read"),
        "listed, a wrong field": (listed, wrong_latitude(listed, 1)),
        "unlisted, a wrong field": (unlisted, wrong_latitude(unlisted, 2)),
        "unlisted, cut off": (unlisted, read_of(3, unlisted).to_bytes()[:-20]),
    }
    async with publishing(stack) as publisher, Topic(stack, READS.dead_letter_name) as dead:
        for plate, value in messages.values():
            await publisher.publish(READS, match_key(plate), value)
        await publish_reads(publisher, [read_of(4, listed), read_of(5, unlisted)])

        names = {value: name for name, (_, value) in messages.items()}

        # A group that was moved in between sets one aside again: sets, then, and no counts.
        def who(seen: Topic) -> set[tuple[str, str]]:
            return {
                (names.get(value or b"", repr(value)), headers["alpr-dead-letter-group"].decode())
                for _, value, headers in seen.messages
            }

        every = {(name, group) for name in messages for group in (WORKER, STORE)}
        expected = every - {("unlisted, a wrong field", WORKER)}
        await until(dead.look, lambda t: who(t) == expected)
