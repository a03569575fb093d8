"""A year of access records and their log for `bench.audit`, put straight into PostgreSQL.

Everybody searches in their shifts, each time for another plate under another case, in words of
their own put together from phrases that many use. Among them are planted a suspicion that one
person copied for many cases, and one that several people share.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from alpr_access_log.domain import AccessRecord, Refusal, Who
from alpr_access_log.log.key import LogKey
from alpr_access_log.log.leaves import access_leaf
from alpr_local.stack import Stack
from alpr_translog.checkpoint import Checkpoint
from alpr_translog.merkle import leaf_hash, root_of
from alpr_translog.tiles import Tile, decode_tile, hash_reader, tiles_over

AGENCY = "IL0222900"
_DAYS = 365
_RECORDS_OF_A_PERSON = 4000
_FEWEST_PEOPLE = 12
_AT_ONCE = 20_000
_SLOTS, _PHRASES, _WORDS = 5, 80, 3000
COPIER, SHARERS = "person-0000", ("person-0003", "person-0004", "person-0005", "person-0006")
_COPIED = (
    "a grey saloon with two men in it was told of at the east gate of the yard by the guard, who "
    "had seen it pass several times that evening and thought it might be theirs, he said"
)
_RECORD = (
    "record_id", "agency_id", "access_id", "occurred_at", "service", "person_id", "person_name",
    "role", "session_id", "address", "action", "subject", "purpose", "case_number", "suspicion",
    "query", "outcome", "refusal_code", "refusal_clause", "refusal_detail",
)  # fmt: skip


@dataclass(frozen=True)
class Year:
    begin: datetime
    end: datetime


def year_before(now: datetime) -> Year:
    end = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Year(end - timedelta(days=_DAYS), end)


def records(count: int, year: Year) -> Iterator[AccessRecord]:
    """That many and the planted ones, in order of time."""
    rnd = random.Random(count)
    phrases = _phrases(rnd)
    people = max(_FEWEST_PEOPLE, count // _RECORDS_OF_A_PERSON)
    step = (year.end - year.begin) / count
    for number in range(count):
        day = year.begin + number * step
        at = day.replace(hour=8, minute=0) + (number * step) % timedelta(hours=9)
        said = " ".join(rnd.choice(slot) for slot in phrases)
        person = f"person-{rnd.randrange(people):04d}"
        if count // 2 <= number < count // 2 + 6:
            person, said = COPIER, f"{_COPIED} {rnd.choice(phrases[0])}"
        elif count // 2 + 6 <= number < count // 2 + 6 + len(SHARERS):
            person = SHARERS[number - count // 2 - 6]
            said = "somebody told the desk that this car had been loitering by the school"
        yield _record(rnd, person, at, number, said)


def _phrases(rnd: random.Random) -> list[list[str]]:
    syllables = [c + v for c in "bdfgklmnprstvw" for v in "aeiou"]
    words = ["".join(rnd.choices(syllables, k=rnd.randint(1, 3))) for _ in range(_WORDS)]
    return [
        [" ".join(rnd.choices(words, k=rnd.randint(2, 4))) for _ in range(_PHRASES)]
        for _ in range(_SLOTS)
    ]


def _record(
    rnd: random.Random, person: str, at: datetime, number: int, said: str
) -> AccessRecord:  # fmt: skip
    record_id = UUID(int=rnd.getrandbits(128), version=4)
    plate = f"{chr(65 + number % 26)}{chr(67 + number // 26 % 20)}{number * 7919 % 1000000:06d}"
    is_refused = number % 40 == 39
    return AccessRecord(
        record_id=record_id, access_id=None if is_refused else record_id,
        who=Who(person, f"Person {person[-4:]}", AGENCY, "officer", f"{person}-{at:%j}",
                f"10.0.{int(person[-4:]) // 250}.{int(person[-4:]) % 250}"),
        occurred_at=at, action="search", subject=f"plate:{plate}",
        outcome="refused" if is_refused else "done", purpose="stolen_vehicle",
        case_number=f"26-{number:07d}", suspicion=said, query={"plate": plate},
        refusal=Refusal("training-lapsed", "131.6-1", "Training lapsed.") if is_refused else None,
    )  # fmt: skip


async def load(stack: Stack, count: int, year: Year, key: LogKey) -> None:
    """Put them there, each with its entry in a log whose checkpoint the key signs."""
    connection = await asyncpg.connect(stack.postgres_admin_dsn)
    try:
        await connection.execute("SET search_path = access_log")
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("INSERT INTO log_agency VALUES ($1)", AGENCY)
        hashes: list[bytes] = []
        part: list[AccessRecord] = []
        for record in records(count, year):
            part.append(record)
            if len(part) == _AT_ONCE:
                hashes += await _copy(connection, part, len(hashes))
                part = []
        hashes += await _copy(connection, part, len(hashes))
        await _sign(connection, hashes, key, year.end - timedelta(minutes=1))
        await connection.execute(
            "SELECT setval(pg_get_serial_sequence('log_leaf', 'leaf_sequence'), $1)", count
        )
        await connection.execute("ANALYZE access_record, log_leaf, log_entry")
    finally:
        await connection.close()


async def _copy(
    connection: asyncpg.Connection, part: list[AccessRecord], first: int
) -> list[bytes]:
    leaves = [access_leaf(record) for record in part]
    hashes = [leaf_hash(leaf.entry) for leaf in leaves]
    async with connection.transaction():
        await connection.copy_records_to_table(
            "log_leaf", columns=("leaf_sequence", "record_id", "agency_id", "entry"),
            records=[(first + n + 1, leaf.record_id, AGENCY, leaf.entry)
                     for n, leaf in enumerate(leaves)],
        )  # fmt: skip
        await connection.copy_records_to_table(
            "log_entry", records=[(AGENCY, first + n, first + n + 1, h)
                                  for n, h in enumerate(hashes)],
        )  # fmt: skip
        await connection.copy_records_to_table(
            "access_record", columns=_RECORD, records=[_row(record) for record in part]
        )
    return hashes


def _row(r: AccessRecord) -> tuple[object, ...]:
    who, no = r.who, r.refusal
    return (
        r.record_id, AGENCY, r.access_id, r.occurred_at, r.service, who.person_id,
        who.person_name, who.role, who.session_id, who.address, r.action, r.subject, r.purpose,
        r.case_number, r.suspicion, f'{{"plate": "{r.query["plate"]}"}}' if r.query else None,
        r.outcome, no and no.code, no and no.clause, no and no.detail,
    )  # fmt: skip


async def _sign(
    connection: asyncpg.Connection, hashes: list[bytes], key: LogKey, at: datetime
) -> None:
    size, signer = len(hashes), key.signer(AGENCY)
    tiles: dict[Tile, bytes] = tiles_over(hashes)
    root = root_of(hash_reader(tiles.__getitem__, size), size)
    await connection.copy_records_to_table(
        "log_node",
        records=[
            (AGENCY, tile.level, tile.index * 256 + n, hashed)
            for tile, data in tiles.items()
            if tile.level
            for n, hashed in enumerate(decode_tile(data, tile.width))
        ],
    )
    await connection.execute(
        "INSERT INTO log_checkpoint (agency_id, size, root, note, signed_at) "
        "VALUES ($1, $2, $3, $4, $5)",
        AGENCY, size, root, Checkpoint(signer.name, size, root).sign(signer), at,
    )  # fmt: skip
