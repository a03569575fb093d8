"""A simulated year of three agencies with different retentions, day by day, against a model.

`now` is injected; PostgreSQL, the object store's folder, the log's leaves and the purge are real.
The model knows nothing of partitions: a read may be seen while it is within its agency's retention,
while its category keeps it, or while a hold in force names it.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from alpr_access_log import handlers, store
from alpr_access_log.domain import Query
from alpr_access_log.evidence.alerts import Alerts
from alpr_access_log.holds import handlers as holds
from alpr_access_log.holds.domain import PlateRange, Wanted, ids_root
from alpr_access_log.holds.handlers import Holds
from alpr_access_log.retention import handlers as retention
from alpr_common.auth import Principal
from alpr_common.messages.alert import AlertChanged, AlertState
from alpr_common.messages.hit import Hit, HitKind, JurisdictionAgreement
from alpr_common.messages.hotlist import HotListEntry
from alpr_common.messages.read import Read
from alpr_common.objects import Pictures, picture_key
from alpr_common.plates import match_key
from alpr_common.policy import AgencyPolicies, Category, Policy, Role
from alpr_common.postgres import Database
from alpr_local.stack import Stack
from tests.integration.access_log.conftest import make_read

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1500)]

RETENTION_DAYS = {"IL-SHORT": 14, "IL-USUAL": 30, "IL-LONG": 90}
CATEGORY_DAYS = 60
DAYS = 365
SEED = 131
PLATES = [f"YR{n:04d}" for n in range(12)]


def policies() -> AgencyPolicies:
    categories = dict(Policy().categories)
    stolen = categories["stolen_vehicle"].model_dump()
    categories["stolen_vehicle"] = Category(**stolen | {"reads_retention_days": CATEGORY_DAYS})
    own = {
        agency: Policy(reads_retention_days=days, categories=categories)
        for agency, days in RETENTION_DAYS.items()
    }
    return AgencyPolicies(Policy(), own)


def person(agency: str, name: str) -> Principal:
    return Principal(name, name, agency, Role.SUPERVISOR, "s", date.max, date.max)


@dataclass
class Model:
    """What ought to be: reads, and what keeps each."""

    reads: dict[UUID, Read] = field(default_factory=dict)
    keep_until: dict[UUID, datetime] = field(default_factory=dict)
    holds: dict[UUID, tuple[str, set[UUID]]] = field(default_factory=dict)
    ranges: dict[UUID, PlateRange] = field(default_factory=dict)
    gone: set[UUID] = field(default_factory=set)

    def held(self) -> set[UUID]:
        return {read_id for _, named in self.holds.values() for read_id in named}

    def is_within(self, read: Read, now: datetime) -> bool:
        return read.captured_at >= now - timedelta(days=RETENTION_DAYS[read.agency_id])

    def visible(self, agency: str, now: datetime) -> set[UUID]:
        held = self.held()
        return {
            read.read_id
            for read in self.reads.values()
            if read.agency_id == agency
            and read.read_id not in self.gone
            and (
                self.is_within(read, now)
                or self.keep_until.get(read.read_id, now) > now
                or read.read_id in held
            )
        }

    def note_gone(self, visible: Iterable[UUID]) -> None:
        """What nobody could see at a purge never comes back."""
        self.gone |= set(self.reads) - set(visible)


@dataclass
class Year:
    """The system under the model's eyes."""

    keeping: Holds
    stack: Stack
    folder: Path
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))
    model: Model = field(default_factory=Model)
    tally: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    async def store_some(self, agency: str, now: datetime) -> None:
        """Two to four reads of the last day; sometimes two in one frame."""
        reads: list[Read] = []
        for _ in range(self.chance.randint(2, 4)):
            reads.append(self._read(agency, now, reads[-1] if reads else None))
        for read in reads:
            await self.keeping.pictures.put(read.frame_object, b"frame")
            await self.keeping.pictures.put(read.plate_object, b"plate")
            self.model.reads[read.read_id] = read
        messages = [(read, read.to_bytes()) for read in reads]
        await handlers.store_reads(self.keeping.database, messages, self.keeping.policies, now)
        for hold_id, seen in self.model.ranges.items():
            holder, named = self.model.holds[hold_id]
            if holder == agency:
                named |= {r.read_id for r in reads if _is_seen(r, seen)}
        self.tally["reads"] += len(reads)

    def _read(self, agency: str, now: datetime, before: Read | None) -> Read:
        read_id, frame_id = (UUID(int=self.chance.getrandbits(128)) for _ in range(2))
        at = now - timedelta(seconds=self.chance.randint(1, 86_000))
        if before is not None and self.chance.random() < 0.3:
            frame_id, at = before.frame_id, before.captured_at
        plate = self.chance.choice(PLATES)
        return make_read(
            plate, agency=agency, read_id=read_id, frame_id=frame_id, captured_at=at,
            first_captured_at=at, last_captured_at=at, match_key=match_key(plate),
            frame_object=picture_key(agency, "cam-1", at, frame_id),
            plate_object=picture_key(agency, "cam-1", at, frame_id, f"-plate-{read_id}"),
        )  # fmt: skip

    async def decide(self, agency: str, now: datetime) -> None:
        """Place, release, act on an alert, hit: at random."""
        seen = sorted(self.model.visible(agency, now))
        what = self.chance.random()
        if what < 0.05 and seen:
            await self._place_ids(agency, self.chance.sample(seen, min(3, len(seen))), now)
        elif what < 0.08:
            await self._place_range(agency, now)
        elif what < 0.14 and seen:
            await self._act_on_alert(agency, self.chance.sample(seen, min(2, len(seen))), now)
        elif what < 0.24:
            await self._release(agency, now)
        elif what < 0.32:
            await self._hit(agency, now)

    async def _place_ids(self, agency: str, ids: list[UUID], now: datetime) -> None:
        wanted = Wanted("They belong to the burglary.", "26-1", tuple(ids))
        hold = await holds.place(self.keeping, person(agency, "kim"), wanted, now)
        assert hold.held_count == len(ids)
        self.model.holds[hold.hold_id] = (agency, set(ids))
        self.tally["holds by ids"] += 1

    async def _place_range(self, agency: str, now: datetime) -> None:
        days = self.chance.randint(1, 20)
        ahead = self.chance.randint(0, 5)
        seen = PlateRange(
            self.chance.choice(PLATES), False, now - timedelta(days=days),
            now + timedelta(days=ahead),
        )  # fmt: skip
        wanted = Wanted("The van of the burglary.", "26-2", plate_range=seen)
        visible = self.model.visible(agency, now)
        hold = await holds.place(self.keeping, person(agency, "kim"), wanted, now)
        named = {i for i in visible if _is_seen(self.model.reads[i], seen)}
        assert hold.named_count == hold.held_count == len(named)
        self.model.holds[hold.hold_id] = (agency, named)
        self.model.ranges[hold.hold_id] = seen
        self.tally["holds by plate"] += 1

    async def _act_on_alert(self, agency: str, ids: list[UUID], now: datetime) -> None:
        change = AlertChanged(
            change_id=uuid4(), alert_id=uuid4(), agency_id=agency, sequence=2, step="accepted",
            state=AlertState.ACCEPTED, plate="X", category="amber_alert", priority=1,
            camera_id="cam-1", person_id="ann", occurred_at=now, read_ids=tuple(ids),
        )  # fmt: skip
        for _ in range(2):  # a redelivery
            await holds.hold_alert(self.keeping, change, now)
        rows = await self.rows(
            "SELECT hold_id FROM access_log.hold WHERE alert_id = $1", change.alert_id
        )
        assert len(rows) == 1
        self.model.holds[rows[0]["hold_id"]] = (agency, set(ids))
        self.tally["holds by alert"] += 1

    async def _release(self, agency: str, now: datetime) -> None:
        mine = [h for h, (holder, _) in self.model.holds.items() if holder == agency]
        if not mine:
            return
        hold_id = self.chance.choice(mine)  # in the order of placing, the same in every run
        await holds.release(
            self.keeping, person(agency, "lee"), hold_id, "The case is closed.", now
        )
        del self.model.holds[hold_id]
        self.model.ranges.pop(hold_id, None)
        self.tally["releases"] += 1

    async def _hit(self, agency: str, now: datetime) -> None:
        fresh = [
            r for r in self.model.reads.values()
            if r.agency_id == agency and now - r.captured_at < timedelta(days=1)
        ]  # fmt: skip
        read = self.chance.choice(fresh)
        category = self.chance.choice(["stolen_vehicle", "scofflaw"])
        entry = HotListEntry(
            entry_id=uuid4(), agency_id=agency, serves_agency_ids=(agency,), plate=read.plate,
            match_key=read.match_key, category=category, priority=2, source="manual", reason="x",
            effective_at=now - timedelta(days=1),
        )  # fmt: skip
        hit = Hit(
            hit_id=Hit.id_of(read.read_id, entry.entry_id), agency_id=agency, kind=HitKind.EXACT,
            jurisdiction=JurisdictionAgreement.UNKNOWN, read=read, entry=entry, matched_at=now,
        )  # fmt: skip
        await holds.keep_hits(self.keeping, [hit, hit], now)
        longer = RETENTION_DAYS[agency] < CATEGORY_DAYS
        if category == "stolen_vehicle" and longer:
            self.model.keep_until[read.read_id] = read.captured_at + timedelta(days=CATEGORY_DAYS)
        self.tally["hits"] += 1

    async def seen(self, agency: str, now: datetime) -> set[UUID]:
        """What a search over everything finds."""
        query = Query("*", False, now - timedelta(days=1000), now + timedelta(days=1))
        days = self.keeping.policies.of(agency).reads_retention_days
        kept = store.Kept(now - timedelta(days=days), now)
        async with self.keeping.database.transaction(agency) as connection:
            found = await store.find_reads(connection, agency, query, None, 100_000, kept)
        ids = [one.read_id for one in found]
        assert len(ids) == len(set(ids)), "a read is shown once, however often it lies about"
        return set(ids)

    async def rows(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.stack.postgres_admin_dsn)
        try:
            return await connection.fetch(statement, *arguments)
        finally:
            await connection.close()

    def files(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*.jpg")}


def _is_seen(read: Read, seen: PlateRange) -> bool:
    return read.plate == seen.plate and seen.from_at <= read.captured_at < seen.to_at


def _expected_files(year: Year, now: datetime) -> tuple[set[str], set[str]]:
    """Pictures that must be there, and those that may be: a day's pictures go with the day, which
    goes when all of it is past."""
    must, may = set(), set()
    for agency, days in RETENTION_DAYS.items():
        newest = retention.last_day(now, days)
        held = year.model.held()
        for read in year.model.reads.values():
            if read.agency_id != agency:
                continue
            objects = {read.frame_object, read.plate_object}
            if read.captured_at.date() > newest:
                must |= objects
            is_held = read.read_id in held or year.model.keep_until.get(read.read_id, now) > now
            if is_held:
                must |= {f"held/{key}" for key in objects}
            elif read.captured_at.date() > newest:
                may |= {f"held/{key}" for key in objects}
    return must, may


@pytest.mark.policy("131.5-c", "131.7-1d")
async def test_for_a_year_nothing_outstays_its_retention_and_nothing_held_is_lost(
    migrated: Stack, tmp_path: Path
) -> None:
    database = await Database.connect(migrated.postgres_dsn("alpr_access_log"))
    folder = tmp_path / "objects"
    keeping = Holds(database, Pictures.at(folder.as_uri()), policies(), Alerts("http://none"))
    year = Year(keeping, migrated, folder)
    purged: list[retention.Purged] = []
    begin = datetime.combine(datetime.now(UTC).date() - timedelta(days=DAYS + 5), time(11), UTC)
    try:
        for number in range(DAYS):
            # The hour wanders, so that purges meet days in all stages.
            now = begin + timedelta(days=number, minutes=7 * (number % 100))
            for agency in RETENTION_DAYS:
                await year.store_some(agency, now)
                await year.decide(agency, now)
                assert await year.seen(agency, now) == year.model.visible(agency, now)
            done = await retention.enforce(keeping, now)
            assert done is not None
            purged += done
            for agency in RETENTION_DAYS:
                assert await year.seen(agency, now) == year.model.visible(agency, now)
            year.model.note_gone(
                i for agency in RETENTION_DAYS for i in year.model.visible(agency, now)
            )
            must, may = _expected_files(year, now)
            files = year.files()
            assert must <= files
            assert files - must <= may
    finally:
        await database.close()
    await _certificates_tell_what_went(year, purged, now)
    print(json.dumps(dict(year.tally) | {"certificates": len(purged)}))


async def _certificates_tell_what_went(
    year: Year, purged: list[retention.Purged], now: datetime
) -> None:
    """Every purge has its leaf, and the leaves together name each read that went, once."""
    stored = {
        row["read_id"]
        for table in ("read", "held_read")
        for row in await year.rows(f"SELECT read_id FROM access_log.{table}")
    }
    went = set(year.model.reads) - stored
    certified = 0
    leaves = await year.rows(
        "SELECT record_id, entry FROM access_log.log_leaf WHERE convert_from(entry, 'UTF8')::jsonb"
        "->>'action' = $1", retention.ACTION,
    )  # fmt: skip
    entries = {row["record_id"]: json.loads(row["entry"]) for row in leaves}
    assert {one.certificate_id for one in purged} == set(entries)
    by_day = defaultdict(set)
    for read_id in went:
        read = year.model.reads[read_id]
        by_day[read.agency_id, read.captured_at.date()].add(read_id)
    for one in purged:
        assert one.certificate_id is not None
        said = entries[one.certificate_id]
        assert said["agency_id"] == one.agency_id
        assert said["query"]["count"] == one.tally.count
        assert said["query"]["ids_root"] == one.tally.ids_root
        certified += one.tally.count
        ids = by_day.get((one.agency_id, one.day), set()) if one.day else set()
        if one.day and one.tally.kept == 0:
            assert one.tally.ids_root == ids_root(ids)
    assert certified == len(went)
    partitions = await year.rows(
        "SELECT relname FROM pg_class WHERE relname ~ '^read_[0-9]{8}$' AND relkind = 'r'"
    )
    oldest = retention.last_day(now, max(RETENTION_DAYS.values()))
    assert all(row["relname"] > f"read_{oldest:%Y%m%d}" for row in partitions)
    assert len(await year.rows("SELECT * FROM access_log.picture_removal")) == 0
    year.tally["purged"] = certified
    year.tally["still held past retention"] = sum(
        1 for i in stored if not year.model.is_within(year.model.reads[i], now)
    )
