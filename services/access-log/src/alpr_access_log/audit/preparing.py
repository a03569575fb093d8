"""Packages in the making: what this process was asked for, and what another one has left.

A package belongs to the process that has its claim, which is renewed while the work goes on. The
claim of a process that died runs out, and any other takes the package up; one that lost its claim
while it was at work (it was cut off from the database, say) cannot store what it made.
"""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime
from uuid import uuid4

import structlog

from alpr_access_log.audit.handlers import packages, preparing
from alpr_access_log.audit.handlers.auditing import Audit
from alpr_access_log.audit.progress import Progress
from alpr_access_log.audit.refusals import ClaimLost, NobodyToAskWith
from alpr_access_log.audit.store import preparing as claims
from alpr_access_log.audit.store.keeping import Package
from alpr_access_log.audit.store.preparing import Claim
from alpr_common.auth import Principal
from alpr_common.errors import AlprError, Outage

log = structlog.get_logger()

_MOST_AT_ONCE = 2
"""Of all agencies: each takes a connection for itself and memory for months of records."""
_MOST_ATTEMPTS = 3
_AFTER_OUTAGE_SECONDS = 30.0


class Preparing:
    """The packages that this process prepares."""

    def __init__(
        self, audit: Audit, *, clock: Callable[[], datetime], looks_seconds: float = 15.0,
        hold_seconds: float = 60.0, beat_seconds: float = 1.0,
    ) -> None:  # fmt: skip
        """`looks_seconds`: how often it looks for what another process has left; `hold_seconds`:
        after how long without a sign of life that is; `beat_seconds`: how often it gives one."""
        self._audit, self._clock = audit, clock
        self._looks_seconds, self._beat_seconds = looks_seconds, beat_seconds
        self._hold_seconds = hold_seconds
        self._turns = asyncio.Semaphore(_MOST_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, principal: Principal, from_at: datetime, to_at: datetime) -> Package:
        """Ask for the package of [from, to), and begin with it; it is not waited for.

        Raises `PeriodImpossible`, `AnotherAuditRuns`, or an `Outage`.
        """
        package, claim = await packages.ask(
            self._audit, principal, from_at, to_at, self._clock(), self._hold_seconds
        )
        self._begin(claim, principal)
        return package

    async def run(self) -> None:
        """Take up what others have left, until cancelled; then what is under way is left, too."""
        try:
            while True:
                try:
                    await self.take_up()
                except Outage as error:
                    log.warning("audit.not_taken_up", error=str(error))
                await asyncio.sleep(self._looks_seconds)
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Leave what is under way to whoever takes it up."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def take_up(self) -> None:
        """Begin with what others have left, as long as there is a turn. Raises an `Outage`."""
        while len(self._tasks) < _MOST_AT_ONCE:
            async with self._audit.database.transaction() as connection:
                claim = await claims.take_up(connection, uuid4(), self._hold_seconds)
            if claim is None:
                return
            log.info("audit.taken_up", package_id=str(claim.package_id), attempts=claim.attempts)
            self._begin(claim, None)

    def _begin(self, claim: Claim, principal: Principal | None) -> None:
        task = asyncio.create_task(self._prepare(claim, principal))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _prepare(self, claim: Claim, principal: Principal | None) -> None:
        """To the end, whatever it is: ready, failed, or left to be taken up again."""
        try:
            try:
                await self._to_the_end(claim, principal)
            except Outage as error:
                await self._put_off(claim, error)
            except ClaimLost as error:
                log.warning("audit.claim_lost", package_id=str(claim.package_id), error=str(error))
            except NobodyToAskWith as error:
                await self._fail(claim, error.detail)
            except Exception as error:
                log.exception("audit.not_prepared", package_id=str(claim.package_id))
                await self._fail(claim, _why(error))
        except asyncio.CancelledError:
            with contextlib.suppress(Outage):
                await self._leave(claim, 0.0, counts=False)
            raise
        except Outage as error:
            # The claim runs out by itself.
            log.warning("audit.not_left", package_id=str(claim.package_id), error=str(error))

    async def _to_the_end(self, claim: Claim, principal: Principal | None) -> None:
        if claim.attempts > _MOST_ATTEMPTS:
            await self._fail(claim, f"The service stopped {_MOST_ATTEMPTS} times on the way.")
            return
        progress = Progress()
        work = asyncio.create_task(self._work(claim, principal, progress))
        try:
            while not (await asyncio.wait({work}, timeout=self._beat_seconds))[0]:
                await self._beat(claim, progress)
            await work
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _work(self, claim: Claim, principal: Principal | None, progress: Progress) -> None:
        # Identity first, without waiting for a turn: the token of whoever asked ends soon.
        work = await preparing.begun(self._audit, claim, principal, self._hold_seconds)
        progress.begin("waiting")
        async with self._turns:
            await preparing.prepare(self._audit, work, progress, self._clock)

    async def _beat(self, claim: Claim, progress: Progress) -> None:
        """Keep the claim and say how far it is. Raises `ClaimLost`."""
        try:
            async with self._audit.database.transaction(claim.agency_id) as connection:
                held = await claims.hold(connection, claim, self._hold_seconds)
                if held:
                    await claims.goes_on(connection, claim, progress.step, progress.share)
        except Outage as error:
            # Whether the work can go on is for the work to find out.
            log.warning("audit.no_sign_of_life", error=str(error))
            return
        if not held and not progress.is_ending:
            raise ClaimLost("Another process has its claim.")

    async def _put_off(self, claim: Claim, error: Outage) -> None:
        log.warning("audit.put_off", package_id=str(claim.package_id), error=str(error))
        if claim.attempts >= _MOST_ATTEMPTS:
            await self._fail(claim, _why(error))
        else:
            await self._leave(claim, _AFTER_OUTAGE_SECONDS, counts=True)

    async def _leave(self, claim: Claim, after_seconds: float, *, counts: bool) -> None:
        async with self._audit.database.transaction(claim.agency_id) as connection:
            await claims.leave(connection, claim, after_seconds, counts=counts)

    async def _fail(self, claim: Claim, why: str) -> None:
        await preparing.fail(self._audit, claim, why, self._clock())


def _why(error: Exception) -> str:
    """For whoever waits for it: domain facts as they are, of anything else its name alone."""
    if isinstance(error, AlprError):
        return f"{error.title}: {error.detail}"
    return f"The service made an error ({type(error).__name__}); it is in its log."
