"""HTTP: frames from cameras, and the camera registry for people."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from prometheus_client import Counter

from alpr_common.auth import Gate, Principal
from alpr_common.body_limit import LIMITS_ITSELF
from alpr_common.policy import Policy, Role
from alpr_common.postgres import Database
from alpr_common.web import StorableText, problem_of
from alpr_ingest import handlers
from alpr_ingest.bodies import AnswerThenClose, InFlight, read_body
from alpr_ingest.camera_forms import CameraChangeForm, CameraForm, camera_json
from alpr_ingest.delivery import Delivery
from alpr_ingest.domain import CAMERA_ID, DETAILS, Camera, parse_capture, wrong_credential
from alpr_ingest.known_cameras import KnownCameras
from alpr_ingest.last_frames import LastFrames
from alpr_ingest.pictures import PictureThreads
from alpr_ingest.refusals import FrameRefused, FrameTooLarge

REFUSED = Counter("alpr_frames_refused_total", "Frames that were not taken", ["reason"])


@dataclass(frozen=True)
class Parts:
    """What the routes work with; `app.py` puts it into `app.state.parts`."""

    database: Database
    known: KnownCameras
    pictures: PictureThreads
    delivery: Delivery
    policy: Policy
    in_flight: InFlight
    body_timeout_seconds: float
    clock: Callable[[], datetime]
    last_frames: LastFrames = field(default_factory=LastFrames)


def parts(request: Request) -> Parts:
    found: Parts = request.app.state.parts
    return found


CameraId = Annotated[str, Path(pattern=CAMERA_ID)]
PartsOf = Annotated[Parts, Depends(parts)]


async def camera_gate(request: Request) -> Camera:
    """The gate of the frames' route: a camera by its credential. Raises `WrongCredential`."""
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "camera":
        raise wrong_credential()
    return await parts(request).known.authenticate(credential.strip())


camera_gate.alpr_gate = "camera"  # type: ignore[attr-defined]


def _details(request: Request) -> dict[str, str]:
    """The frame's details from headers (`Alpr-Captured-At`), or else the query."""
    found = {}
    for name in DETAILS:
        header = request.headers.get("alpr-" + name.replace("_", "-"))
        text = header if header is not None else request.query_params.get(name)
        if text is not None:
            found[name] = text
    return found


_FRAME_DOCUMENTATION: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"image/jpeg": {}}},
    "parameters": [
        {
            "name": "Alpr-" + name.replace("_", "-").title(),
            "in": "header",
            "required": name.endswith("_at"),
            "description": f"or `{name}` in the query",
            "schema": {"type": "string"},
        }
        for name in DETAILS
    ],
}


def frame_routes() -> APIRouter:
    router = APIRouter()

    @router.post(
        "/v1/frames",
        status_code=HTTPStatus.ACCEPTED,
        openapi_extra=_FRAME_DOCUMENTATION,
        max_body_size=LIMITS_ITSELF,
    )
    async def post_frame(
        request: Request, of: PartsOf, camera: Annotated[Camera, Depends(camera_gate)]
    ) -> dict[str, Any]:
        """Take one JPEG. 202 means that it will not be lost."""
        now = of.clock()
        capture = parse_capture(_details(request))
        place = handlers.admit(camera, capture, now, of.policy)
        with of.in_flight.one():
            body = await read_body(request, of.policy.frame_max_bytes, of.body_timeout_seconds)
            receipt = await handlers.accept_frame(
                camera,
                capture,
                place,
                body,
                received_at=now,
                pictures=of.pictures,
                delivery=of.delivery,
            )
        of.last_frames.note(camera, now)
        return {"frame_id": receipt.frame_id, "spooled": receipt.spooled}

    return router


async def frame_problem(_request: Request, error: Exception) -> Response:
    """Count the refusal and say why."""
    assert isinstance(error, FrameRefused)
    REFUSED.labels(error.code).inc()
    response: Response = problem_of(error)
    if error.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Camera"
    if isinstance(error, FrameTooLarge):
        return AnswerThenClose(response)
    return response


def camera_routes(gate: Gate) -> APIRouter:
    router = APIRouter(prefix="/v1/cameras")
    anybody = Annotated[Principal, Depends(gate.signed_in())]
    keeper = Annotated[Principal, Depends(gate.signed_in(Role.ADMINISTRATOR, Role.SUPERVISOR))]

    @router.post("", status_code=HTTPStatus.CREATED)
    async def register(form: CameraForm, of: PartsOf, principal: keeper) -> dict[str, Any]:
        """Register a camera. The answer is the only place that ever shows its credential."""
        now = of.clock()
        details = form.details(principal.name or principal.person_id, now)
        camera, credential = await handlers.register_camera(
            of.database, principal, form.camera_id, form.kind, details, now
        )
        return {**camera_json(camera), "credential": credential}

    @router.get("")
    async def list_all(
        of: PartsOf,
        principal: anybody,
        cursor: StorableText = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> dict[str, Any]:
        found = await handlers.list_cameras(of.database, principal, cursor, limit + 1)
        more = len(found) > limit
        return {
            "items": [camera_json(camera) for camera in found[:limit]],
            "next_cursor": found[limit - 1].camera_id if more else None,
        }

    @router.get("/{camera_id}")
    async def get(camera_id: CameraId, of: PartsOf, principal: anybody) -> dict[str, Any]:
        return camera_json(await handlers.get_camera(of.database, principal, camera_id))

    @router.put("/{camera_id}")
    async def change(
        camera_id: CameraId, form: CameraChangeForm, of: PartsOf, principal: keeper
    ) -> dict[str, Any]:
        """Change name, position, attestation or masks; what is left out stays as it is.

        `heading_degrees: null` takes the heading away. `privacy_masks` that cross themselves are
        refused (131.6-3a). `expected_privacy_masks`: 409 where a colleague has changed the masks
        meanwhile.
        """
        now = of.clock()
        details = form.details(principal.name or principal.person_id, now)
        camera = await handlers.change_camera(
            of.database, of.known, principal, camera_id, details, now,
            expected_masks=form.expected_masks, clears_heading=form.clears_heading,
        )  # fmt: skip
        return camera_json(camera)

    @router.post("/{camera_id}/credential")
    async def renew(camera_id: CameraId, of: PartsOf, principal: keeper) -> dict[str, Any]:
        """A new credential, shown once; the old one ends within seconds."""
        camera, credential = await handlers.renew_credential(
            of.database, of.known, principal, camera_id, of.clock()
        )
        return {**camera_json(camera), "credential": credential}

    @router.post("/{camera_id}/retire")
    async def retire(camera_id: CameraId, of: PartsOf, principal: keeper) -> dict[str, Any]:
        camera = await handlers.retire_camera(
            of.database, of.known, principal, camera_id, of.clock()
        )
        return camera_json(camera)

    return router
