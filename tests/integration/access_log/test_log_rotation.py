"""The log's key is changed: handed over once, in the log itself, by who has both keys alone."""

import asyncio
import json
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from alpr_access_log.audit.logcheck import checked
from alpr_access_log.audit.witnessed import copies_at
from alpr_access_log.log import reading as log_reading
from alpr_access_log.log import store as log_store
from alpr_access_log.log.key import LogKey, LogKeys
from alpr_access_log.log.leaves import Leaf, statement_leaf
from alpr_access_log.log.rotating import RotationImpossible, begin, changing, finish
from alpr_access_log.log.sequencer import WitnessLoop
from alpr_access_log.log.signing import KeyNotHeld, Signing, hand_over_leaf
from alpr_access_log.log.store.tree import _HAND_OVERS
from alpr_access_log.log.trust import ALARM, LogRewritten
from alpr_evidence.package import Contents, LogProof, seal
from alpr_evidence.verify import verify_package
from alpr_translog.checkpoint import Checkpoint
from alpr_translog.handover import HandOver
from alpr_translog.note import NoteInvalid, SignerKey
from tests.support import tampering
from tests.support.verifiable_log import (
    KEY,
    NAME,
    NEXT_KEY,
    LogUnderTest,
    as_superuser,
    make_record,
    rewrite,
    stored_entries,
    wipe,
)
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.policy("131.7-3a")]

THIEF = LogKey(NAME, tampering.THIEF.private_key)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "log-key.pem"
    path.write_text(KEY.to_pem())
    return path


async def hand_overs(log: LogUnderTest) -> list[int]:
    return [one["index"] for one in await log_reading.hand_overs(log.log, log.agency_id)]


def signed_by(log: LogUnderTest, note: str) -> list[LogKey]:
    def signed(key: LogKey) -> bool:
        try:
            Checkpoint.open(note, key.verifier(log.agency_id))
        except NoteInvalid:
            return False
        return True

    return [key for key in (KEY, NEXT_KEY, THIEF) if signed(key)]


async def test_both_keys_sign_from_the_hand_over_on_until_the_old_one_is_gone(
    log: LogUnderTest,
) -> None:
    before = await log.grow(300)
    log.keys = LogKeys(KEY, NEXT_KEY)
    both = await log.grow(5)
    log.keys = LogKeys(NEXT_KEY)
    after = await log.grow(2)
    assert [signed_by(log, note) for note in (before, both, after)] == [
        [KEY], [KEY, NEXT_KEY], [NEXT_KEY],
    ]  # fmt: skip
    assert await hand_overs(log) == [300]
    entry = json.loads((await stored_entries(log.stack, log.agency_id))[300])
    assert entry["kind"] == "log.key_rotated"
    assert HandOver.open(entry["statement"]).new == NEXT_KEY.verifier(log.agency_id)
    for key in (KEY, NEXT_KEY):
        report = await log.verify(before, both, after, key=key)
        assert report.is_good, report.faults
        assert report.held == [(300, True), (306, True), (308, True)]
    assert not (await log.verify(key=THIEF)).is_good


async def test_a_running_service_hands_over_when_the_file_changes_also_a_log_at_rest(
    log: LogUnderTest, key_file: Path
) -> None:
    log.keys = LogKeys.from_file(key_file, NAME)
    at_rest = LogUnderTest(log.stack, log.database, log.witness, log.keys)
    await at_rest.grow(3)
    running = asyncio.create_task(log.sequencer().run())
    try:
        await log.append(2)
        await eventually(partial(covered, log, 2), 30)
        begin(key_file, NAME)
        new = changing(key_file, NAME)[1]
        await eventually(partial(covered, at_rest, 4), 60, what="the log at rest is handed over")
        await eventually(partial(covered, log, 3), 60, what="the other one is")
        with pytest.raises(RotationImpossible, match="finish"):
            begin(key_file, NAME)
        finish(key_file, NAME)
        await log.append()
        await eventually(partial(covered, log, 4), 30)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    with pytest.raises(RotationImpossible, match="no change"):
        finish(key_file, NAME)
    assert [key.to_pem() for key in LogKeys.from_file(key_file, NAME).now()] == [new.to_pem()]
    for one, place in ((log, 2), (at_rest, 3)):
        assert await hand_overs(one) == [place]
        for key in (KEY, new):
            report = await one.verify(key=key)
            assert report.is_good, report.faults
    await wipe(log.stack, at_rest.agency_id)


async def covered(log: LogUnderTest, size: int) -> bool:
    async with log.database.transaction(log.agency_id) as connection:
        newest = await log_store.newest_checkpoint(connection, log.agency_id)
    return newest is not None and newest.size >= size


async def test_a_log_that_begins_while_two_keys_sign_begins_with_its_hand_over(
    log: LogUnderTest,
) -> None:
    log.keys = LogKeys(KEY, NEXT_KEY)
    await log.append(4)
    sequencer = log.sequencer()
    assert await sequencer.extend(log.agency_id) == 1
    assert await sequencer.extend(log.agency_id) == 4
    assert await hand_overs(log) == [0]
    for key in (KEY, NEXT_KEY):
        assert (await log.verify(key=key)).size == 5


async def test_replicas_that_hand_over_at_once_do_it_once(log: LogUnderTest) -> None:
    await log.grow(300)
    await log.append_many(50)
    log.keys = LogKeys(KEY, NEXT_KEY)
    replicas = [log.sequencer() for _ in range(4)]
    for _ in range(3):
        await asyncio.gather(*(one.extend(log.agency_id) for one in replicas))
    assert await hand_overs(log) == [300]
    report = await log.verify()
    assert (report.is_good, report.size) == (True, 351)


async def test_keys_follow_each_other_and_each_leads_to_all(log: LogUnderTest) -> None:
    held = [await log.grow(3)]
    for keys in ((KEY, NEXT_KEY), (NEXT_KEY,), (NEXT_KEY, THIEF), (THIEF,)):
        log.keys = LogKeys(*keys)
        held.append(await log.grow(3))
    assert await hand_overs(log) == [3, 10]
    for key in (KEY, NEXT_KEY, THIEF):
        report = await log.verify(*held, key=key)
        assert report.is_good, report.faults


async def test_a_replica_without_the_new_key_signs_nothing_until_it_has_it(
    log: LogUnderTest, key_file: Path
) -> None:
    await log.grow(3)
    log.keys = LogKeys.from_file(key_file, NAME)
    late = log.sequencer()
    assert await late.extend(log.agency_id) == 0
    log.keys = LogKeys(KEY, NEXT_KEY)
    await log.grow(1)
    await log.append()
    await late.extend_all()
    alarm = ALARM.labels(log.agency_id)._value
    assert (alarm.get(), log.agency_id in late.trust.alarms) == (1, False)
    with pytest.raises(KeyNotHeld):
        await late.extend(log.agency_id)
    await asyncio.to_thread(key_file.write_text, NEXT_KEY.to_pem() + KEY.to_pem())
    assert await late.extend(log.agency_id) == 1
    assert alarm.get() == 0
    assert (await log.verify()).size == 6


async def test_the_witness_keeps_what_each_key_signed_and_vouches_for_it_after_a_restart(
    log: LogUnderTest,
) -> None:
    notes = []
    for keys in ((KEY,), (KEY, NEXT_KEY), (NEXT_KEY,)):
        log.keys = LogKeys(*keys)
        # Its last copy is of the keys before: a start begins with that.
        loop = WitnessLoop(log.database, log.sequencer().trust, interval_seconds=60)
        assert await loop.copy_all()
        notes.append(await log.grow(4))
        assert await loop.copy_all()
    # The last checkpoint of two keys is given to the witness once more, by a process with one.
    log.keys = LogKeys(NEXT_KEY)
    sequencer = log.sequencer()
    loop = WitnessLoop(log.database, sequencer.trust, interval_seconds=60)
    assert await loop.copy_all()
    assert log.agency_id not in sequencer.trust.alarms
    assert await log.witness.newest(log.agency_id) == notes[-1]
    report = await log.verify(*notes, key=NEXT_KEY)
    assert report.held == [(4, True), (9, True), (13, True)]


async def test_a_process_that_has_one_key_left_keeps_the_copy_that_two_signed(
    log: LogUnderTest,
) -> None:
    log.keys = LogKeys(KEY, NEXT_KEY)
    note = await log.grow(4)
    for keys in (log.keys, LogKeys(NEXT_KEY)):
        log.keys = keys
        loop = WitnessLoop(log.database, log.sequencer().trust, interval_seconds=60)
        assert await loop.copy_all()
    assert await log.witness.newest(log.agency_id) == note


def leaf_of(log: LogUnderTest, old: SignerKey, new: SignerKey, size: int, root: bytes) -> Leaf:
    statement = HandOver(size, root, old.verifier, new.verifier).sign(old, new)
    facts = {"statement": statement}
    record = make_record(log.agency_id)
    now = datetime.now(UTC)
    return statement_leaf("log.key_rotated", record.record_id, log.agency_id, now, facts)


async def put(log: LogUnderTest, leaf: Leaf) -> None:
    async with log_store.extending(log.database, log.agency_id) as connection:
        await log_store.append_leaves(connection, log.agency_id, [leaf])


async def test_hand_overs_are_found_without_reading_the_log(log: LogUnderTest) -> None:
    """They are looked for whenever a tree grows."""
    log.keys = LogKeys(KEY, NEXT_KEY)
    await log.grow(300)
    many = "SELECT gen_random_uuid(), '{0}', repeat('x', 300)::bytea FROM generate_series(1, 50000)"
    await as_superuser(
        log.stack,
        f"INSERT INTO log_leaf (record_id, agency_id, entry) {many.format(log.agency_id)}",
        f"SELECT sequence_leaves('{log.agency_id}', 100000)",
        "ANALYZE log_leaf",
        "ANALYZE log_entry",
    )
    async with log.database.transaction(log.agency_id) as connection:
        plan = await connection.fetch(f"EXPLAIN ANALYZE {_HAND_OVERS}", log.agency_id)
        assert [index for index, _ in await log_store.hand_overs(connection, log.agency_id)] == [0]
    text = "\n".join(row[0] for row in plan)
    assert "log_leaf_hand_overs" in text, text
    assert "Seq Scan" not in text, text


@pytest.mark.parametrize("has_the_old_key", [True, False])
async def test_a_hand_over_that_somebody_put_into_the_queue_is_not_signed(
    log: LogUnderTest, has_the_old_key: bool
) -> None:
    note = await log.grow(3)
    newest = Checkpoint.open(note, KEY.verifier(log.agency_id))
    name = KEY.verifier(log.agency_id).name
    old = KEY if has_the_old_key else THIEF
    leaf = leaf_of(
        log, old.signer(log.agency_id), SignerKey(name, NEXT_KEY.private_key), 3, newest.root
    )
    await put(log, leaf)
    sequencer = log.sequencer()
    await sequencer.extend_all()
    assert "its keeper did not make" in sequencer.trust.alarms[log.agency_id]
    assert await log_reading.checkpoint(log.log, log.agency_id) == note


@pytest.mark.parametrize("is_hand_over", [True, False])
async def test_an_entry_in_place_of_the_hand_over_is_not_signed(
    log: LogUnderTest, is_hand_over: bool
) -> None:
    """Its id can be foreseen by who knows the new key's public half."""
    note = await log.grow(3)
    log.keys = LogKeys(KEY, NEXT_KEY)
    newest = Checkpoint.open(note, KEY.verifier(log.agency_id))
    true, then = Signing.of(log.keys.now(), log.agency_id, []).handed_over(3, newest.root)
    theirs = hand_over_leaf(true, then, log.agency_id, datetime(2020, 1, 1, tzinfo=UTC))
    await put(log, theirs if is_hand_over else replace(theirs, entry=b"{}"))
    with pytest.raises(LogRewritten, match="in place of"):
        await log.sequencer().extend(log.agency_id)
    assert await log_reading.checkpoint(log.log, log.agency_id) == note


async def test_who_stole_the_old_key_cannot_make_the_service_go_on_with_theirs(
    log: LogUnderTest,
) -> None:
    """With the database's superuser as well they can write what they like; it is not signed."""
    await log.grow(3)
    entries = await stored_entries(log.stack, log.agency_id)
    old, theirs = KEY.signer(log.agency_id), THIEF.signer(log.agency_id)
    stolen = tampering.hand_over(entries, old, theirs)
    await rewrite(log.stack, log.agency_id, [*entries, stolen], theirs)
    await log.append()
    with pytest.raises(KeyNotHeld):
        await log.sequencer().extend(log.agency_id)


async def test_a_key_that_was_handed_over_does_not_go_on_with_the_log(log: LogUnderTest) -> None:
    await log.grow(3)
    log.keys = LogKeys(KEY, NEXT_KEY)
    await log.grow(3)
    log.keys = LogKeys(NEXT_KEY)
    entries = await stored_entries(log.stack, log.agency_id)
    old = KEY.signer(log.agency_id)
    await rewrite(log.stack, log.agency_id, [*entries, b"one more"], old)
    with pytest.raises(LogRewritten, match="had handed the log over"):
        await log.sequencer().extend(log.agency_id)
    # Without the hand-over: then nothing leads to the key that the service has.
    await rewrite(log.stack, log.agency_id, [*entries[:3], *entries[4:]], old)
    with pytest.raises(LogRewritten, match="not signed by"):
        await log.sequencer().extend(log.agency_id)


async def test_a_log_of_two_hand_overs_of_one_key_is_signed_no_more(log: LogUnderTest) -> None:
    await log.grow(3)
    log.keys = LogKeys(KEY, NEXT_KEY)
    await log.grow(3)
    entries = await stored_entries(log.stack, log.agency_id)
    second = tampering.hand_over(entries, KEY.signer(log.agency_id), THIEF.signer(log.agency_id))
    new = NEXT_KEY.signer(log.agency_id)
    await rewrite(log.stack, log.agency_id, [*entries, second], new)
    with pytest.raises(LogRewritten, match="since entry 3"):
        await log.sequencer().extend(log.agency_id)


async def test_the_audit_checks_each_period_with_the_key_that_signed_at_its_end(
    log: LogUnderTest, tmp_path: Path
) -> None:
    begin_at = datetime.now(UTC) - timedelta(days=1)
    witness = (tmp_path / "witness").as_uri()
    changes = []
    for keys in ((KEY,), (KEY, NEXT_KEY), (NEXT_KEY,)):
        log.keys = LogKeys(*keys)
        await log.grow(3)
        loop = WitnessLoop(log.database, log.sequencer().trust, interval_seconds=60)
        assert await loop.copy_all()
        changes.append(await database_time(log))
    for end, key, entries in zip(changes, (KEY, NEXT_KEY, NEXT_KEY), (3, 7, 10), strict=True):
        found = await checked(
            log.log, copies_at(witness), witness, log.agency_id, begin_at, end, end
        )
        assert (found.is_good, found.entries, found.faults) == (True, entries, [])
        assert found.key == str(key.verifier(log.agency_id))


async def database_time(log: LogUnderTest) -> datetime:
    async with log.database.transaction() as connection:
        now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return now


async def test_packages_sealed_before_during_and_after_verify_with_the_key_of_their_time(
    log: LogUnderTest, tmp_path: Path
) -> None:
    opened = []
    for number, keys in enumerate(((KEY,), (KEY, NEXT_KEY), (NEXT_KEY,))):
        log.keys = LogKeys(*keys)
        await log.grow(3)
        note, checkpoint = await log_reading.opened(log.log, log.agency_id)
        said = await log_reading.inclusion(log.log, log.agency_id, 1, checkpoint.size)
        path = await packed(log, tmp_path / f"{number}.zip", note, said)
        opened.append([key for key in (KEY, NEXT_KEY) if is_good(log, path, key)])
    assert opened == [[KEY], [KEY, NEXT_KEY], [NEXT_KEY]]


async def packed(log: LogUnderTest, path: Path, note: str, said: dict[str, Any]) -> Path:
    proof = LogProof(1, b64decode(said["entry"]), tuple(map(b64decode, said["path"])))
    now = datetime.now(UTC)
    contents = Contents("EV-1", "26-1", log.agency_id, "Ann", now, {}, (), note, (proof,))
    await asyncio.to_thread(seal, path, contents, THIEF.signer(log.agency_id))
    return path


def is_good(log: LogUnderTest, package: Path, key: LogKey) -> bool:
    seal_key = THIEF.verifier(log.agency_id)
    return verify_package(package, seal_key, key.verifier(log.agency_id)).is_good
