"""The daily run of the misuse analytics: once a day for each agency, of any number of replicas.

It asks nobody and has nobody's token: rules that need what identity knows wait for the next package
or analysis that somebody asks for. What is new is told by a record of the log, which the
administrator reads, and by a metric.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from prometheus_client import Gauge

from alpr_access_log import store
from alpr_access_log.audit import analysis
from alpr_access_log.audit.analysis import Beside
from alpr_access_log.audit.handlers.auditing import Audit, record_of_the_system
from alpr_access_log.audit.handlers.findings import keep
from alpr_access_log.audit.store import keeping
from alpr_access_log.log import store as log_store
from alpr_common.errors import Outage

log = structlog.get_logger()

ANALYSED_AT = Gauge(
    "alpr_misuse_analysed_timestamp_seconds", "When all agencies' records were last looked through"
)
NOTED = "audit.findings.noted"
_AFTER_OUTAGE_SECONDS = 60.0
_AFTER_START_SECONDS = 60.0
# Records of the last days of a month can still arrive from other services.
_MONTH_BEFORE_DAYS = 3


async def analyse_all(audit: Audit, now: datetime) -> dict[str, int]:
    """Look through each agency whose day nobody has looked through yet; new findings by agency.

    Raises an `Outage`; agencies that were done stay done.
    """
    async with audit.database.transaction() as connection:
        agencies = await log_store.agencies(connection)
    done = {}
    for agency_id in agencies:
        new = await analyse_agency(audit, agency_id, now)
        if new is not None:
            done[agency_id] = new
    ANALYSED_AT.set(now.timestamp())
    return done


async def analyse_agency(audit: Audit, agency_id: str, now: datetime) -> int | None:
    """Look through the month so far (early in it the one before, too); None when it was done."""
    begin = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if now - begin < timedelta(days=_MONTH_BEFORE_DAYS):
        begin = (begin - timedelta(days=1)).replace(day=1)
    async with store.recording(audit.database, agency_id) as connection:
        if not await keeping.try_alone(connection, agency_id):
            return None
        if not await keeping.take_day(connection, agency_id, now.date(), now):
            return None
        found = await analysis.analysed(
            audit.database, agency_id, begin, now, audit.policies.of(agency_id).misuse,
            audit.plate_key, Beside(),
        )  # fmt: skip
        new = await keep(connection, agency_id, found.findings, now)
        if new:
            rules = Counter(one["rule"] for one in new)
            record = record_of_the_system(
                agency_id, NOTED, f"audit:{now.date()}", now, new=len(new), rules=dict(rules)
            )
            await store.append(connection, record)
    if new:
        log.info("audit.findings", agency_id=agency_id, new=len(new))
    return len(new)


class DailyLoop:
    """Looks whether a day has to be looked through, again and again."""

    def __init__(
        self, audit: Audit, *, interval_seconds: float, clock: Callable[[], datetime]
    ) -> None:
        self._audit, self._interval_seconds, self._clock = audit, interval_seconds, clock

    async def run(self) -> None:
        """Look until cancelled. What fails is tried again sooner."""
        # A service that has only just started has other things to do.
        await asyncio.sleep(min(self._interval_seconds, _AFTER_START_SECONDS))
        while True:
            pause = self._interval_seconds
            try:
                await analyse_all(self._audit, self._clock())
            except Outage as error:
                log.warning("audit.not_analysed", error=str(error))
                pause = min(pause, _AFTER_OUTAGE_SECONDS)
            await asyncio.sleep(pause)
