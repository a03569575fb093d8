"""Retention of alerts over simulated months on a real PostgreSQL, day by day, against a model.

`now` is injected. The model knows nothing of tables: an alert may be seen while its reads are
within the retention of its agency and category; what was acted on, or ran out, leaves a record; the
rest leaves a number.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from opentelemetry.context import Context

from alpr_alerts import domain, handlers, store
from alpr_alerts.domain import Action, Alert, Move, RejectionReason, StatusSource, VisualCheck
from alpr_alerts.raising import Arrived, take_hits
from alpr_alerts.refusals import AlertNotFound, ReadsRemoved
from alpr_alerts.retention import handlers as retention
from alpr_alerts.retention.domain import ids_root
from alpr_common.auth import Principal
from alpr_common.errors import Outage
from alpr_common.messages.alert import AlertChanged, AlertState, StatusAnswer
from alpr_common.messages.audit import AuditRecord
from alpr_common.messages.hit import Hit
from alpr_common.policy import AgencyPolicies, Category, Policy, Role
from alpr_common.postgres import Database, migrate
from alpr_common.topics import ALERTS, AUDIT
from alpr_local.stack import Stack
from tests.support.waiting import eventually
from tests.unit.alerts.samples import hit

pytestmark = pytest.mark.integration

# Far enough in the past that the database, which has no simulated clock, lets two years be over.
BEGAN = datetime.combine(datetime.now(UTC).date() - timedelta(days=1000), time(12), UTC)
KEPT_DAYS = {"IL-SHORT": 14, "IL-USUAL": 30}
LONGER_DAYS = 45
DAYS = 70
SEEN = VisualCheck(characters_match=True, state_matches=True)


def policies() -> AgencyPolicies:
    categories = dict(Policy().categories)
    stolen = categories["stolen_vehicle"].model_dump()
    categories["stolen_vehicle"] = Category(**stolen | {"reads_retention_days": LONGER_DAYS})
    own = {
        agency: Policy(reads_retention_days=days, categories=categories)
        for agency, days in KEPT_DAYS.items()
    }
    return AgencyPolicies(Policy(), own)


def officer(agency_id: str) -> Principal:
    return Principal("p-1", "Officer Lopez", agency_id, Role.OFFICER, "s", date.max, date.max)


@pytest.fixture
async def database(fresh_stack: Stack) -> AsyncIterator[Database]:
    await migrate(fresh_stack.postgres_dsn("alpr_alerts_owner"), "alpr_alerts")
    opened = await Database.connect(fresh_stack.postgres_dsn("alpr_alerts"), 4)
    yield opened
    await opened.close()


@dataclass
class Known:
    """What the model knows of one alert."""

    made_of: Hit
    end: str
    """How people left it: open, accepted, rejected, closed, enforced."""

    @property
    def kept(self) -> timedelta:
        usual = KEPT_DAYS[self.made_of.agency_id]
        return timedelta(
            days=LONGER_DAYS if self.made_of.entry.category == "stolen_vehicle" else usual
        )

    def is_kept(self, now: datetime) -> bool:
        return self.made_of.read.captured_at + self.kept > now

    def is_expired(self, now: datetime) -> bool:
        return self.made_of.read.captured_at + self.kept - timedelta(days=1) <= now

    def outcome(self, now: datetime) -> str:
        if self.end in ("open", "accepted"):
            return "expired" if self.is_expired(now) else "open"
        return self.end


@dataclass
class Months:
    """The service's handlers under the model's eyes."""

    database: Database
    admin: asyncpg.Connection
    chance: random.Random = field(default_factory=lambda: random.Random(131))
    known: dict[UUID, Known] = field(default_factory=dict)
    told: list[AuditRecord] = field(default_factory=list)
    changes: list[AlertChanged] = field(default_factory=list)

    async def pass_by(self, agency_id: str, now: datetime) -> None:
        """Two or three vehicles pass, and people answer what they answer."""
        for _ in range(self.chance.randint(2, 3)):
            category = self.chance.choice(["stolen_vehicle", "scofflaw", "other"])
            plate = f"Q{len(self.known):05d}"
            one = hit(0, plate=plate, agency_id=agency_id, category=category, began_at=now)
            more = hit(60, plate=plate, agency_id=agency_id, category=category, began_at=now)
            arrived = [Arrived(each, Context()) for each in (one, more)]
            await take_hits(self.database, policies(), arrived, now)
            alert_id = await self._alert_of(agency_id, plate)
            end = self.chance.choice(["open", "accepted", "rejected", "closed", "enforced"])
            await self._answer(agency_id, alert_id, plate, end, now)
            self.known[alert_id] = Known(one, end)

    async def _alert_of(self, agency_id: str, plate: str) -> UUID:
        async with self.database.transaction(agency_id) as connection:
            (alert,) = [
                a
                for a in await store.alerts_page(connection, None, None, 1000)
                if a.hit.read.plate == plate
            ]
        return alert.alert_id

    async def _answer(
        self, agency_id: str, alert_id: UUID, plate: str, end: str, now: datetime
    ) -> None:
        async def step(action: Action, decide: Callable[[Alert], Move]) -> None:
            await handlers.take_step(
                self.database, policies(), officer(agency_id), alert_id, action, decide, None,
                now + timedelta(minutes=2),
            )  # fmt: skip

        if end == "rejected":
            why = RejectionReason.MISREAD
            await step(Action.REJECT, lambda a: domain.reject(a, why, f"{plate} it is not"))
        elif end != "open":
            await step(Action.ACCEPT, lambda a: domain.accept(a, SEEN))
        if end in ("closed", "enforced"):
            answer, source = StatusAnswer.CONFIRMED, StatusSource.LEADS
            await step(Action.STATUS, lambda a: domain.status(a, answer, source, "L-1"))
        if end == "closed":
            await step(Action.CLOSE, lambda a: domain.close(a, f"{plate} was gone"))
        if end == "enforced":
            await step(Action.ENFORCE, lambda a: domain.enforce(a, "26-1", f"towed {plate}"))

    async def relay(self) -> None:
        """What the outbox's relay does: what was sent is deleted."""
        rows = await self.admin.fetch("DELETE FROM alerts.outbox RETURNING topic, value")
        for row in rows:
            if row["topic"] == AUDIT.name:
                self.told.append(AuditRecord.from_bytes(row["value"]))
            elif row["topic"] == ALERTS.name:
                self.changes.append(AlertChanged.from_bytes(row["value"]))

    async def everything_stored(self) -> str:
        """Every row of the schema, as text."""
        tables = await self.admin.fetch(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'alerts'"
        )
        rows = []
        for table in tables:
            name = table["table_name"]
            rows += await self.admin.fetch(f"SELECT to_jsonb(t)::text AS row FROM alerts.{name} t")
        return "\n".join(row["row"] for row in rows)

    async def look(self, agency_id: str, now: datetime) -> None:
        """What is there is what the model says, to the alert."""
        mine = {i: k for i, k in self.known.items() if k.made_of.agency_id == agency_id}
        async with self.database.transaction(agency_id) as connection:
            alerts = await store.alerts_page(connection, None, None, 10_000)
        assert {a.alert_id for a in alerts} == {i for i, k in mine.items() if k.is_kept(now)}
        for alert in alerts:
            known = mine[alert.alert_id]
            expired = known.outcome(now) == "expired"
            assert (alert.last.step.value == "expired") == expired
            if expired:
                assert alert.state is AlertState.CLOSED
        figures = await retention.show_figures(
            self.database, officer(agency_id), date.min, date.max
        )
        counted = Counter[str]()
        for figure in figures:
            counted[figure.outcome] += figure.alerts
            assert figure.hits == 2 * figure.alerts
        assert counted == Counter(k.outcome(now) for k in mine.values())


@pytest.fixture
async def months(database: Database, fresh_stack: Stack) -> AsyncIterator[Months]:
    admin = await asyncpg.connect(fresh_stack.postgres_admin_dsn)
    yield Months(database, admin)
    await admin.close()


@pytest.mark.slow
@pytest.mark.policy("131.7-1d", "131.5-c", "131.6-5")
@pytest.mark.timeout(600)
async def test_over_months_alerts_are_there_for_as_long_as_the_policy_says_and_leave_no_plate(
    months: Months,
) -> None:
    for n in range(DAYS):
        now = BEGAN + timedelta(days=n)
        for agency_id in KEPT_DAYS:
            await months.pass_by(agency_id, now)
        await months.relay()
        evening = now + timedelta(hours=8)
        await retention.enforce(months.database, policies(), evening)
        await months.relay()
        if n % 7 == 6:
            for agency_id in KEPT_DAYS:
                await months.look(agency_id, evening)
    evening = BEGAN + timedelta(days=DAYS, hours=-16)

    # No trace of a plate, place or picture of what is past its retention, in any table.
    stored = await months.everything_stored()
    gone = {i: k for i, k in months.known.items() if not k.is_kept(evening)}
    assert len(gone) > 100
    for known in gone.values():
        read = known.made_of.read
        for trace in (read.plate, read.frame_object, read.plate_object):
            assert trace not in stored, f"{trace}, {known.end}"

    # Each purge was certified: together, the alerts that went and no others.
    certificates = [t for t in months.told if t.action == retention.ACTION]
    assert sum(int(c.details["count"]) for c in certificates) == len(gone)
    for agency_id in KEPT_DAYS:
        for certificate in (c for c in certificates if c.agency_id == agency_id):
            before = certificate.occurred_at
            then = [
                i
                for i, k in months.known.items()
                if k.made_of.agency_id == agency_id
                and not k.is_kept(before)
                and k.is_kept(before - timedelta(days=1))
            ]
            assert certificate.details["ids_root"] == ids_root(then)

    # What ran out unanswered did not vanish silently, and nothing else was said to have.
    expired = {t.subject for t in months.told if t.action == "alert.expired"}
    assert expired == {
        f"alert:{i}" for i, k in months.known.items() if k.outcome(evening) == "expired"
    }
    told = [c for c in months.changes if c.step == "expired"]
    assert {f"alert:{c.alert_id}" for c in told} == expired
    assert all(c.plate == "" and c.state is AlertState.CLOSED for c in told)

    await records_say_who_did_what(months, gone, evening)
    await and_go_after_two_years(months, gone, evening)


async def records_say_who_did_what(
    months: Months, gone: dict[UUID, Known], evening: datetime
) -> None:
    for alert_id, known in gone.items():
        who = officer(known.made_of.agency_id)
        looked = handlers.show_alert(months.database, policies(), who, alert_id, evening)
        if known.end == "rejected":
            with pytest.raises(AlertNotFound):
                await looked
            continue
        with pytest.raises(ReadsRemoved, match="/record") as removed:
            await looked
        assert (removed.value.status, removed.value.clause) == (410, "131.7-1d")
        record = await retention.show_record(months.database, policies(), who, alert_id, evening)
        assert record.hits[0].read.read_id == known.made_of.read.read_id
        assert len(record.hits) == 2
        steps = [step.step for step in record.history]
        assert steps[0] == "raised"
        assert steps[-1] == {"open": "expired", "accepted": "expired"}.get(known.end, known.end)
        by_people = [step for step in record.history if step.person_id]
        assert bool(by_people) == (known.end != "open")
        assert all(step.person_name == "Officer Lopez" for step in by_people)
        stranger = officer(next(a for a in KEPT_DAYS if a != who.agency_id))
        with pytest.raises(AlertNotFound):
            await retention.show_record(months.database, policies(), stranger, alert_id, evening)


async def and_go_after_two_years(
    months: Months, gone: dict[UUID, Known], evening: datetime
) -> None:
    recorded = {i for i, k in gone.items() if k.end != "rejected"}
    everything = len(months.known)
    kept = await months.admin.fetch("SELECT alert_id FROM alerts.alert_record")
    assert {row["alert_id"] for row in kept} == recorded
    done = await retention.enforce(months.database, policies(), evening + timedelta(days=730))
    # All reads are past their retention by then; a record is kept for two years from the alert's
    # end, so those alone that ran out only now have theirs still.
    ended = sum(known.end != "rejected" for known in months.known.values()) - done.expired
    assert (done.records_purged, done.expired > 0) == (ended, True)
    left = await months.admin.fetchval("SELECT count(*) FROM alerts.alert_record")
    assert left == done.expired
    await months.relay()
    certified = [t for t in months.told if t.subject == "alert-records"]
    assert sum(int(c.details["count"]) for c in certified) == done.records_purged
    figures = [
        figure
        for agency_id in KEPT_DAYS
        for figure in await retention.show_figures(
            months.database, officer(agency_id), date.min, date.max
        )
    ]
    assert sum(figure.alerts for figure in figures) == everything


@pytest.mark.policy("131.7-1d")
async def test_a_hit_that_comes_after_its_read_had_to_go_raises_nothing(months: Months) -> None:
    late = BEGAN + timedelta(days=31)
    for days, raised in ((31, False), (29, True)):
        one = hit(0, plate=f"LATE{days}", agency_id="IL-LATE", began_at=late - timedelta(days=days))
        await take_hits(months.database, policies(), [Arrived(one, Context())], late)
        async with months.database.transaction("IL-LATE") as connection:
            found = await store.alerts_page(connection, None, None, 10)
        assert any(a.hit.read.plate == one.read.plate for a in found) == raised


@pytest.mark.policy("131.7-1d", "131.5-c")
async def test_the_database_removes_nothing_that_is_uncertified_open_young_or_unrecorded(
    months: Months,
) -> None:
    agency_id = "IL-GUARD"
    for plate, began_at in (("OPEN1", BEGAN), ("ACT1", BEGAN), ("YOUNG1", datetime.now(UTC))):
        one = hit(0, plate=plate, agency_id=agency_id, began_at=began_at)
        await take_hits(months.database, policies(), [Arrived(one, Context())], began_at)
        alert_id = await months._alert_of(agency_id, plate)
        end = {"OPEN1": "open", "ACT1": "enforced", "YOUNG1": "rejected"}[plate]
        await months._answer(agency_id, alert_id, plate, end, began_at)
        for certified, why in (
            (False, "no certificate"),
            (True, "open, or younger" if end != "enforced" else "has no record"),
        ):
            with pytest.raises(asyncpg.RaiseError, match=why):
                await _purge_by_hand(months.database, agency_id, alert_id, certified)
    async with months.database.transaction(agency_id) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM alert_record")


async def _purge_by_hand(
    database: Database, agency_id: str, alert_id: UUID, certified: bool
) -> None:
    certificate = uuid4()
    said = f'{{"audit_id": "{certificate}"}}'.encode()
    async with database.transaction(agency_id) as connection:
        if certified:
            await connection.execute(
                "INSERT INTO outbox (topic, key, value) VALUES ($1, $2, $3)",
                AUDIT.name, agency_id, said,
            )  # fmt: skip
        await connection.execute(
            "SELECT purge_alerts($1, $2, $3)", agency_id, [alert_id], certificate
        )


@pytest.mark.policy("131.7-1d")
async def test_an_outage_half_way_leaves_nothing_half_done(
    months: Months, fresh_stack: Stack
) -> None:
    agency_id = "IL-CUT"
    for n in range(5):
        one = hit(0, plate=f"CUT{n}", agency_id=agency_id, began_at=BEGAN)
        await take_hits(months.database, policies(), [Arrived(one, Context())], BEGAN)
        alert_id = await months._alert_of(agency_id, f"CUT{n}")
        await months._answer(agency_id, alert_id, f"CUT{n}", "rejected", BEGAN)
    later = BEGAN + timedelta(days=40)
    blocker = await asyncpg.connect(fresh_stack.postgres_admin_dsn)
    try:
        # The purge's last statement waits, and its connection is cut while it does.
        async with blocker.transaction():
            await blocker.execute("LOCK TABLE alerts.alert_figure IN EXCLUSIVE MODE")
            purge = retention.enforce(months.database, policies(), later)
            cut = _cut_when_waiting(months.admin)
            with pytest.raises(Outage):
                await asyncio.gather(purge, cut)
    finally:
        await blocker.close()
    before = await months.admin.fetchval(
        "SELECT count(*) FROM alerts.alert WHERE agency_id = $1", agency_id
    )
    assert before == 5
    done = await retention.enforce(months.database, policies(), later)
    assert done.purged >= 5
    counted = await months.admin.fetchval(
        "SELECT sum(alerts) FROM alerts.alert_figure WHERE agency_id = $1", agency_id
    )
    assert counted == 5


async def _cut_when_waiting(admin: asyncpg.Connection) -> None:
    async def waiting() -> bool:
        cut = await admin.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'alpr_alerts'"
            " AND wait_event_type = 'Lock' AND query LIKE '%alert_figure%'"
        )
        return bool(cut)

    await eventually(waiting, 30, what="the purge waits for the figures")
