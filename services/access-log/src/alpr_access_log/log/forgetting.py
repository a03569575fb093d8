"""`python -m alpr_access_log forget …`: erase a text that must not be kept, the log staying whole.

Done by the operator, as the schema's owner, on an order that is named: the erasing is itself an
entry of the log.
"""

import argparse
import asyncio
import getpass
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

from alpr_access_log import store
from alpr_access_log.domain import AccessRecord, Who
from alpr_access_log.log import store as log_store
from alpr_access_log.log.leaves import FORGETTABLE
from alpr_access_log.settings import Settings
from alpr_common.errors import Outage
from alpr_common.postgres import Database, migrate


@dataclass(frozen=True)
class Erasure:
    """What is to be forgotten: a field of all records of a person, or of one record."""

    agency_id: str
    fields: tuple[str, ...]
    whose: str | UUID
    order: str
    """The court order or decision that it rests on; it becomes the entry's case number."""
    operator: str


async def forget(database: Database, erasure: Erasure, now: datetime) -> dict[str, int]:
    """Erase, and record the erasing, in one transaction; how many texts of each field went.

    `database` is signed in as the schema's owner. Rows, leaves and proofs stay. What is erased is
    gone from the tables; backups and the server's free pages follow by their own schedules.
    """
    erased = {}
    async with store.recording(database, erasure.agency_id) as connection:
        for name in erasure.fields:
            gone = await log_store.forget(connection, erasure.agency_id, name, erasure.whose, now)
            erased[name] = len(gone)
        await store.append(connection, _record(erasure, erased, now))
    return erased


def _record(erasure: Erasure, erased: dict[str, int], now: datetime) -> AccessRecord:
    kind = "record" if isinstance(erasure.whose, UUID) else "person"
    return AccessRecord(
        record_id=uuid4(),
        who=Who(f"operator:{erasure.operator}", "", erasure.agency_id, "operator", None, None),
        occurred_at=now,
        action="log.text.forgotten",
        subject=f"{kind}:{erasure.whose}",
        outcome="done",
        case_number=erasure.order,
        query=dict(erased),
    )


def main(arguments: Sequence[str]) -> int:
    """Run the command; 0 when something was erased, 1 when nothing matched, 2 on an outage."""
    erasure = _parsed(arguments)
    try:
        erased = asyncio.run(_forget(Settings(), erasure))
    except Outage as error:
        print(f"nothing was erased: {error}", file=sys.stderr)
        return 2
    for name, count in erased.items():
        print(f"{name}: erased in {count} records")
    return 0 if any(erased.values()) else 1


async def _forget(settings: Settings, erasure: Erasure) -> dict[str, int]:
    await migrate(settings.migration_database_url, "alpr_access_log")
    database = await Database.connect(settings.migration_database_url, 1)
    try:
        return await forget(database, erasure, datetime.now(UTC))
    finally:
        await database.close()


def _parsed(arguments: Sequence[str]) -> Erasure:
    parser = argparse.ArgumentParser(
        prog="python -m alpr_access_log forget",
        description="Erase texts beside the access log. The log itself stays whole and verifiable.",
    )
    parser.add_argument("--agency", required=True)
    parser.add_argument("--field", required=True, action="append", choices=FORGETTABLE)
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("--person-id", help="in all records of this person")
    whose.add_argument("--record-id", type=UUID, help="in this record")
    parser.add_argument("--order", required=True, help="the court order that this rests on")
    given = parser.parse_args(arguments)
    return Erasure(
        given.agency, tuple(dict.fromkeys(given.field)), given.record_id or given.person_id,
        given.order, getpass.getuser(),
    )  # fmt: skip
