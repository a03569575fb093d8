"""What is told on the topics: as it was entered, once, and wholly, whoever is killed meanwhile."""

import asyncio
import io
import os
import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer

from alpr_common.auth import Principal
from alpr_common.errors import Outage
from alpr_common.kafka import Publisher
from alpr_common.messages.hotlist import HotListEntry, HotListPattern
from alpr_common.plates import match_key
from alpr_common.policy import Role
from alpr_common.topics import HITS, HOTLIST, HOTLIST_PATTERNS
from alpr_local.ports import choose_port
from alpr_local.processes import Services
from alpr_local.stack import Stack
from alpr_matcher import handlers, lists
from alpr_matcher.handlers import HotLists, WantedEntry
from alpr_matcher.imports import Importing, WantedImport, import_file
from alpr_matcher.lists_domain import ListKind
from alpr_matcher.mapper import Mapper
from alpr_matcher.telling import TopicRelay
from tests.integration.matcher.line import AGENCY, OTHER_AGENCY, Topic, plate_of, until, waiting

pytestmark = pytest.mark.integration

KEEPER = Principal("p-2", "Sam Keeper", AGENCY, Role.SUPERVISOR, "s-2", None, None)
STRANGE = 'a "b" \\ \\u0041 {c}, [d]: é ß 漢 🚓 \t\r\n\x01\x7f </script> %s'


async def entered(lists_: HotLists, wanted: WantedEntry) -> HotListEntry:
    return (await handlers.add_entry(lists_, KEEPER, wanted, datetime.now(UTC))).entry


async def imported(lists_: HotLists, plates: list[str], source: str) -> None:
    lines = "plate,category,reason\n" + "".join(f"{p},stolen_vehicle,Stolen\n" for p in plates)
    wanted = WantedImport(source=source, file_name="list.csv", confirm_removals=True)
    file = io.BytesIO(lines.encode())
    await import_file(Importing(lists_, 1_000_000), KEEPER, wanted, file, datetime.now(UTC))


async def tell_all(lists_: HotLists, publisher: Publisher) -> None:
    relay = TopicRelay(lists_, publisher)
    while await relay.tell_some(datetime.now(UTC)):
        pass


async def test_a_record_says_every_field_as_it_was_entered_whatever_the_words(
    fresh_stack: Stack, hot_lists: HotLists
) -> None:
    now = datetime.now(UTC)
    shared = lists.WantedList(
        "county", "County", ListKind.NEIGHBOUR, subscribed_agency_ids=(OTHER_AGENCY,)
    )
    made = await lists.add_list(hot_lists, KEEPER, shared, now)
    whole = WantedEntry(
        "TELL777", "amber_alert", STRANGE, now + timedelta(days=1), "US-IL", STRANGE, STRANGE,
        STRANGE, now - timedelta(microseconds=1), 3, made.list_id, ("lookalike",), 2,
        "van", "\"'", "\\", "r\u00f6d", 1999,
    )  # fmt: skip
    least = WantedEntry("TELL778", "stolen_vehicle", "Stolen", now + timedelta(hours=1))
    plain = [await entered(hot_lists, one) for one in (whole, least)]
    wild = [
        await entered(hot_lists, replace(one, plate=f"T*{one.plate[-3:]}"))
        for one in (whole, least)
    ]
    publisher = Publisher(fresh_stack.kafka_bootstrap_servers)
    async with (
        Topic(fresh_stack, HOTLIST.name) as records,
        Topic(fresh_stack, HOTLIST_PATTERNS.name) as patterns,
    ):
        await tell_all(hot_lists, publisher)
        await records.look()
        await patterns.look()
    await publisher.stop()
    assert [records.records[one.match_key].entries for one in plain] == [(one,) for one in plain]
    told = {k: v for k, v, _ in patterns.messages if k is not None and v is not None}
    assert [
        HotListPattern.from_bytes(told[str(one.entry_id).encode()]).entry for one in wild
    ] == wild
    for _, value, _ in records.messages + patterns.messages:
        assert value is not None
        assert b":null" not in value, "what is not said is not there"


async def test_an_import_tells_a_key_once_however_many_entries_look_alike(
    fresh_stack: Stack, hot_lists: HotLists
) -> None:
    alike = [f"TE{a}{b}{c}77" for a in "0DO" for b in "1LI" for c in "8B"]
    more = [plate_of(n) for n in range(200_000, 200_600)]
    publisher = Publisher(fresh_stack.kafka_bootstrap_servers)
    await tell_all(hot_lists, publisher)
    async with Topic(fresh_stack, HOTLIST.name) as topic:
        before = len((await topic.look()).messages)
        await imported(hot_lists, alike + more, "alike")
        await tell_all(hot_lists, publisher)
        new = [key for key, *_ in (await topic.look()).messages[before:]]
        entries = topic.records[match_key(alike[0])].entries
    await publisher.stop()
    assert new.count(match_key(alike[0]).encode()) == 1
    assert len(new) == len({match_key(p) for p in alike + more})
    assert {e.plate for e in entries} == set(alike)


async def test_a_key_with_more_entries_than_a_message_holds_keeps_no_other_waiting(
    fresh_stack: Stack, hot_lists: HotLists
) -> None:
    """Lists of a state have thousands of vehicles whose plate is NONE."""
    mapper = Mapper.parse(
        'format = "delimited"\n[fields]\nP = "plate"\nC = "category"\nR = "reason"\n'
        'N = "record_id"\n[values]\nplate = "{P}"\ncategory = "{C}"\nreason = "{R}"\n'
        'record_id = "{N}"\n'
    )
    reason = "No plate " * 50
    lines = [f"N0NE,stolen_vehicle,{reason},N{n}" for n in range(8000)]
    lines.insert(1500, f"N0NE,amber_alert,{reason},N9000")
    wanted = WantedImport(source="crowd", file_name="list.csv", mapper=mapper)
    file = io.BytesIO("\n".join(["plate,category,reason,record_id", *lines, ""]).encode())
    await import_file(Importing(hot_lists, 10_000), KEEPER, wanted, file, datetime.now(UTC))
    await imported(hot_lists, [plate_of(n) for n in range(500_000, 500_010)], "crowded")
    publisher = Publisher(fresh_stack.kafka_bootstrap_servers)
    async with Topic(fresh_stack, HOTLIST.name) as topic:
        await tell_all(hot_lists, publisher)
        records = (await topic.look()).records
    await publisher.stop()
    assert await waiting(hot_lists) == 0
    assert match_key(plate_of(500_009)) in records
    entries = records[match_key("N0NE")].entries
    assert 1000 < len(entries) < 8001, "those that fit"
    assert "amber_alert" in {e.category for e in entries}, "the most urgent first"


async def test_keys_are_looked_up_in_their_index_whatever_the_statistics_say(
    fresh_stack: Stack, hot_lists: HotLists
) -> None:
    """After a first import PostgreSQL vacuums the table and then samples it. In between it knows of
    a million rows and of no keys, and would look for each among all entries of all lists."""
    administrator = await asyncpg.connect(fresh_stack.postgres_admin_dsn)
    await administrator.execute("SET search_path = matcher")
    await administrator.execute("ALTER TABLE hotlist_entry SET (autovacuum_enabled = off)")
    publisher = Publisher(fresh_stack.kafka_bootstrap_servers)

    async def rows_looked_at() -> int:
        await administrator.execute("SELECT pg_stat_clear_snapshot()")
        return int(await administrator.fetchval(_ROWS_LOOKED_AT))

    try:
        await imported(hot_lists, [plate_of(n) for n in range(600_000, 620_000)], "unsampled")
        await administrator.execute("VACUUM hotlist_entry")
        before = await rows_looked_at()
        await tell_all(hot_lists, publisher)
        # The backends count when they are idle, at the latest when they end.
        await hot_lists.database.close()
        looked_at = await rows_looked_at() - before
        assert looked_at < 10 * 20_000, f"{looked_at} rows for 20,000 keys"
    finally:
        await administrator.execute("ALTER TABLE hotlist_entry RESET (autovacuum_enabled)")
        await administrator.close()
        await publisher.stop()


_ROWS_LOOKED_AT = """
SELECT (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relid = 'hotlist_entry'::regclass)
    + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relid = 'hotlist_entry'::regclass)
"""


async def test_keys_wait_on_while_kafka_is_away(hot_lists: HotLists) -> None:
    await imported(hot_lists, [plate_of(n) for n in range(300_000, 300_010)], "away")
    before = await waiting(hot_lists)
    publisher = Publisher(f"127.0.0.1:{choose_port()}")
    with pytest.raises(Outage):
        await tell_all(hot_lists, publisher)
    assert await waiting(hot_lists) == before > 0
    await publisher.stop()


async def test_messages_handed_over_in_batches_go_where_single_ones_go_and_in_their_order(
    fresh_stack: Stack,
) -> None:
    keys = [f"KEY{n}".encode() for n in range(200)]
    publisher = Publisher(fresh_stack.kafka_bootstrap_servers)
    for key in keys:
        await publisher.publish(HITS, key, b"single")
    # Far more than a batch holds, and one message that is larger than a batch.
    many = [(key, b"%d " % n + b"x" * 500, [("n", b"%d" % n)]) for n in range(20) for key in keys]
    many.insert(7, (keys[0], b"-1 " + b"x" * 100_000, []))
    await publisher.publish_many(HITS.name, many)
    await publisher.publish(HITS, keys[0], None)
    await publisher.publish_many(HITS.name, [])
    await publisher.stop()
    consumer = AIOKafkaConsumer(
        HITS.name, bootstrap_servers=fresh_stack.kafka_bootstrap_servers,
        auto_offset_reset="earliest", enable_auto_commit=False,
    )  # fmt: skip
    await consumer.start()
    seen: dict[bytes, list[tuple[int, bytes | None]]] = {key: [] for key in keys}
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            for tp, messages in (await consumer.getmany(timeout_ms=100)).items():
                for m in messages:
                    if m.key in seen:
                        seen[m.key].append((tp.partition, m.value and m.value.split()[0]))
    finally:
        await consumer.stop()
    assert {len({partition for partition, _ in found}) for found in seen.values()} == {1}
    numbers = [b"%d" % n for n in range(20)]
    first = [value for _, value in seen[keys[0]]]
    assert first == [b"single", b"0", b"-1", *numbers[1:], None]
    assert all([v for _, v in seen[key]] == [b"single", *numbers] for key in keys[1:])


async def test_replicas_that_are_killed_while_they_tell_leave_nothing_out_and_nothing_old_behind(
    fresh_stack: Stack, hot_lists: HotLists
) -> None:
    plates = [plate_of(n) for n in range(400_000, 440_000)]
    by_hand: dict[str, UUID] = {}
    services = Services(fresh_stack)
    try:
        replicas = [
            await asyncio.to_thread(services.start, "matcher", instance=name)
            for name in ("one", "other")
        ]
        await until(lambda: waiting(hot_lists), lambda left: left == 0)
        await imported(hot_lists, plates, "killed")
        left = len(plates)
        for killed in replicas:
            left = await until(lambda: waiting(hot_lists), lambda now, left=left: now < left)  # type: ignore[misc]
            for plate in (plates[-1 - len(by_hand)], plates[len(by_hand)]):
                until_tomorrow = datetime.now(UTC) + timedelta(days=1)
                wanted = WantedEntry(plate, "amber_alert", "Taken", until_tomorrow)
                by_hand[plate] = (await entered(hot_lists, wanted)).entry_id
            assert killed.pid is not None
            os.kill(killed.pid, signal.SIGKILL)
        assert await waiting(hot_lists) > 0, "both were killed in the midst of it"
        await asyncio.to_thread(replicas[0].restart)
        await until(lambda: waiting(hot_lists), lambda left: left == 0)
        async with Topic(fresh_stack, HOTLIST.name) as topic:
            records = (await topic.look()).records
    finally:
        await asyncio.to_thread(services.stop_all)
    assert {match_key(p) for p in plates} <= records.keys()
    for plate, entry_id in by_hand.items():
        entries = {e.entry_id: e.source for e in records[match_key(plate)].entries}
        assert entries[entry_id] == "manual"
        assert "killed" in entries.values()
