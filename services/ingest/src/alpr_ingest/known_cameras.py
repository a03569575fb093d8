"""Who sends: cameras by credential, from memory, so that a frame costs no trip to PostgreSQL.

What is known is asked for again after `fresh_seconds`. While PostgreSQL is away cameras that are
known go on being let in, and a camera that is not known (or whose credential seems wrong, since
it may just have been changed) is told to try again: it is not refused.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from prometheus_client import Counter

from alpr_common.errors import Outage
from alpr_ingest.domain import Camera, camera_id_of, credential_fits, wrong_credential

log = structlog.get_logger()

STALE = Counter("alpr_ingest_camera_stale_total", "Frames let in while PostgreSQL was away")

_WAIT_SECONDS = 1.0
_ASK_AGAIN_SECONDS = 2.0
# A wrong credential asks PostgreSQL again, but strangers must not make it busy.
_WRONG_FRESH_SECONDS = 0.25
_MOST_REMEMBERED = 20_000


@dataclass(frozen=True)
class _Known:
    camera: Camera | None
    asked_at: float


class KnownCameras:
    """`load` fetches a camera by its id (None: there is none) and raises `Outage`."""

    def __init__(
        self,
        load: Callable[[str], Awaitable[Camera | None]],
        clock: Callable[[], float],
        *,
        fresh_seconds: float,
        outage_seconds: float,
    ) -> None:
        self._load, self._clock = load, clock
        self._fresh, self._outage = fresh_seconds, outage_seconds
        self._known: dict[str, _Known] = {}
        self._loading: dict[str, asyncio.Task[Camera | None]] = {}
        self._away_until = float("-inf")

    async def authenticate(self, credential: str) -> Camera:
        """The camera whose credential this is, whether or not it may send.

        Raises `WrongCredential`, or `Outage` when that cannot be known now.
        """
        camera_id = camera_id_of(credential)
        camera = await self._look_up(camera_id)
        if camera is None or not credential_fits(credential, camera):
            camera = await self._ask(camera_id, _WRONG_FRESH_SECONDS)
        if camera is None or not credential_fits(credential, camera):
            raise wrong_credential()
        return camera

    def forget(self, camera_id: str) -> None:
        """The camera was changed here: take it from PostgreSQL next time."""
        self._known.pop(camera_id, None)
        self._loading.pop(camera_id, None)

    async def _look_up(self, camera_id: str) -> Camera | None:
        """What is known, asking for it when it is not fresh and PostgreSQL answers."""
        known = self._known.get(camera_id)
        usable = known is not None and known.camera is not None
        if known is not None and usable and self._clock() < self._away_until:
            return self._stale(known)
        try:
            return await self._ask(camera_id, self._fresh)
        except Outage:
            self._away_until = self._clock() + _ASK_AGAIN_SECONDS
            if known is None or not usable:
                raise
            return self._stale(known)

    def _stale(self, known: _Known) -> Camera | None:
        age = self._clock() - known.asked_at
        if age > self._outage:
            raise Outage("PostgreSQL has been away for too long to know this camera still.")
        if age > self._fresh:
            STALE.inc()
        return known.camera

    async def _ask(self, camera_id: str, fresh_seconds: float) -> Camera | None:
        """No older than `fresh_seconds`; raises `Outage`."""
        known = self._known.get(camera_id)
        if known is not None and self._clock() - known.asked_at <= fresh_seconds:
            return known.camera
        task = self._loading.get(camera_id)
        if task is None:
            task = asyncio.ensure_future(self._fetch(camera_id))
            self._loading[camera_id] = task
            task.add_done_callback(lambda done: self._loaded(camera_id, done))
        await asyncio.wait({task}, timeout=_WAIT_SECONDS)
        if not task.done():
            raise Outage("PostgreSQL did not say in time whose credential this is.")
        return task.result()

    async def _fetch(self, camera_id: str) -> Camera | None:
        asked_at = self._clock()
        task = asyncio.current_task()
        camera = await self._load(camera_id)
        if self._loading.get(camera_id) is task:  # not forgotten while it was on its way
            if len(self._known) >= _MOST_REMEMBERED:
                self._known = {k: v for k, v in self._known.items() if v.camera is not None}
            self._known[camera_id] = _Known(camera, asked_at)
        self._away_until = float("-inf")
        return camera

    def _loaded(self, camera_id: str, task: "asyncio.Task[Camera | None]") -> None:
        if self._loading.get(camera_id) is task:
            del self._loading[camera_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("camera.not_loaded", camera_id=camera_id, error=str(error))
