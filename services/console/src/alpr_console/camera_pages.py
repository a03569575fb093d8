"""The camera registry: attested sites, privacy masks, credentials (131.6-3a)."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from alpr_common.errors import AlprError
from alpr_console.domain import cameras
from alpr_console.domain.forms import Typed, with_times
from alpr_console.domain.navigation import DECIDERS
from alpr_console.error_pages import problem_of
from alpr_console.pages import Pages
from alpr_console.session import Session
from alpr_console.sessions import Sessions
from alpr_console.upstream import Fault, Problem, Refused

Show = Literal["in-use", "not-attested", "retired"]
CameraId = Annotated[str, Path(pattern=cameras.CAMERA_ID)]

NEW = "/new-camera"
"""Not under /cameras/, where it would be the address of a camera that is called so."""
_ASKED_AT_ONCE = 500
_LISTED_MAX = 5_000
_ON_A_PAGE = 200
_OVERTAKEN = "masks-changed-meanwhile"
# A credential is shown once, on the answer: where that was lost, so is the credential.
_IF_REGISTERED = (
    "Look for the camera in the list. If it is there, make another credential on its page: the "
    "first one was not shown to anybody."
)
_IF_RENEWED = (
    "The old credential may have ended, and a new one was not shown to anybody. Make another "
    "credential and give it to the camera."
)


def routes(sessions: Sessions, pages: Pages) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    _all(router, sessions, pages)
    _one(router, sessions, pages)
    return router


def _all(router: APIRouter, sessions: Sessions, pages: Pages) -> None:
    signed_in = Depends(sessions.gate())

    @router.get("/cameras")
    async def listing(
        request: Request, show: Annotated[Show, Query()] = "in-use",
        cursor: Annotated[str, Query()] = "", session: Session = signed_in,
    ) -> Response:  # fmt: skip
        found, complete = await load_cameras(session)
        of_kind = [camera for camera in found if cameras.shown_as(camera, show)]
        left = [camera for camera in of_kind if camera["camera_id"] > cursor]
        more = len(left) > _ON_A_PAGE
        return pages.page(
            request, "cameras.html", session, cameras=left[:_ON_A_PAGE], which=show,
            counts={which: sum(cameras.shown_as(camera, which) for camera in found)
                    for which in cameras.SHOWN},
            next_cursor=left[_ON_A_PAGE - 1]["camera_id"] if more else None, complete=complete,
            most=_LISTED_MAX, standing_of=cameras.camera_standing,
            heading=cameras.heading_in_words, may_keep=session.principal.role in DECIDERS,
        )  # fmt: skip

    def form(
        request: Request, session: Session, typed: Typed, problem: Problem | None = None
    ) -> Response:
        status = problem.status if problem else HTTPStatus.OK
        return pages.page(
            request, "camera_new.html", session, status=status, typed=typed, problem=problem,
            drawn=_drawn(typed["masks"]),
        )  # fmt: skip

    @router.get(NEW)
    async def new(request: Request, session: Session = signed_in) -> Response:
        return form(request, session, Typed({"kind": "fixed"}))

    @router.post("/cameras")
    async def register(request: Request, session: Session = signed_in) -> Response:
        typed = Typed.of((await request.form()).items())
        try:
            body = cameras.registration(typed)
            camera = await session.call("ingest", "POST", "/v1/cameras", json=body)
        except AlprError as error:
            return form(request, session, typed, _problem(error, _IF_REGISTERED))
        # Shown on the answer itself and not after a redirect: this once is all that it is shown.
        return pages.page(
            request, "camera_credential.html", session, camera=camera, registered=True
        )


def _one(router: APIRouter, sessions: Sessions, pages: Pages) -> None:
    signed_in = Depends(sessions.gate())

    async def show(
        request: Request, session: Session, camera_id: str, *, problem: Problem | None = None,
        at: str = "", typed: Typed | None = None,
    ) -> Response:  # fmt: skip
        """`at`: the part of the page that was refused."""
        try:
            camera = await session.call("ingest", "GET", f"/v1/cameras/{camera_id}")
        except Refused as error:
            error.here()
            if problem is None or not typed:
                raise
            # ingest is away: what was typed is on the page to be sent again, alone.
            return pages.page(
                request, "camera_unsent.html", session, status=problem.status, typed=typed,
                camera_id=camera_id, problem=problem, at=at, drawn=_drawn(typed["masks"]),
            )  # fmt: skip
        masks = cameras.masks_of(camera)
        signed, text, typed = camera["attestation"], cameras.masks_text(masks), typed or Typed()
        overtaken = False
        if problem is not None and problem.code == _OVERTAKEN:
            overtaken, said = True, cameras.overtaken_in_words(masks)
            problem = problem.model_copy(update={"detail": said})
        # What this page showed stays what is compared with, until it shows what a colleague drew.
        refused_unseen = at == "masks" and problem is not None and not overtaken
        return pages.page(
            request, "camera.html", session, status=problem.status if problem else HTTPStatus.OK,
            camera=with_times(camera), attestation=signed and with_times(signed), problem=problem,
            at=at, typed=typed, masks=masks, masks_text=text, crossing=cameras.crossing(masks),
            was_masks=typed["was_masks"] if refused_unseen else text,
            drawn=_drawn(typed["masks"]) if at == "masks" else masks,
            overtaken=overtaken,
            standing=cameras.camera_standing(camera), done=request.query_params.get("done", ""),
            heading=cameras.heading_in_words(camera["heading_degrees"]),
            in_fields=cameras.place_in_fields(camera), masks_words=cameras.masks_in_words(masks),
            may_keep=session.principal.role in DECIDERS and camera["retired_at"] is None,
        )  # fmt: skip

    async def changed(
        request: Request, session: Session, camera_id: str, at: str,
        body_of: Callable[[Typed], dict[str, Any]],
    ) -> Response:  # fmt: skip
        """Ask ingest for a change and come back to the camera; nothing to change asks nothing."""
        typed = Typed.of((await request.form()).items())
        try:
            if body := body_of(typed):
                await session.call("ingest", "PUT", f"/v1/cameras/{camera_id}", json=body)
        except AlprError as error:
            return await show(
                request, session, camera_id, problem=_problem(error), at=at, typed=typed
            )
        done = at if body else "nothing"
        return RedirectResponse(f"/cameras/{camera_id}?done={done}#{at}", HTTPStatus.SEE_OTHER)

    @router.get("/cameras/{camera_id}")
    async def camera(
        request: Request, camera_id: CameraId, session: Session = signed_in
    ) -> Response:
        return await show(request, session, camera_id)

    @router.post("/cameras/{camera_id}/place")
    async def place(
        request: Request, camera_id: CameraId, session: Session = signed_in
    ) -> Response:
        return await changed(request, session, camera_id, "place", cameras.place_changes)

    @router.post("/cameras/{camera_id}/attestation")
    async def attest(
        request: Request, camera_id: CameraId, session: Session = signed_in
    ) -> Response:
        return await changed(
            request, session, camera_id, "attestation", cameras.attestation_changes
        )

    @router.post("/cameras/{camera_id}/masks")
    async def masks(
        request: Request, camera_id: CameraId, session: Session = signed_in
    ) -> Response:
        return await changed(request, session, camera_id, "masks", cameras.mask_changes)

    @router.post("/cameras/{camera_id}/credential")
    async def renew(
        request: Request, camera_id: CameraId, session: Session = signed_in
    ) -> Response:
        typed = Typed.of((await request.form()).items())
        try:
            cameras.check_renewal_confirmed(typed)
            path = f"/v1/cameras/{camera_id}/credential"
            camera = await session.call("ingest", "POST", path)
        except AlprError as error:
            problem = _problem(error, _IF_RENEWED)
            return await show(request, session, camera_id, problem=problem, at="credential")
        return pages.page(
            request, "camera_credential.html", session, camera=camera, registered=False
        )

    @router.post("/cameras/{camera_id}/retire")
    async def retire(
        request: Request, camera_id: CameraId, session: Session = signed_in
    ) -> Response:
        typed = Typed.of((await request.form()).items())
        try:
            cameras.check_retirement_confirmed(typed, camera_id)
            await session.call("ingest", "POST", f"/v1/cameras/{camera_id}/retire")
        except AlprError as error:
            return await show(
                request, session, camera_id, problem=_problem(error), at="retire", typed=typed
            )
        return RedirectResponse(f"/cameras/{camera_id}?done=retire", HTTPStatus.SEE_OTHER)


async def load_cameras(session: Session) -> tuple[list[dict[str, Any]], bool]:
    """The agency's cameras by id, and whether these are all; raises `Refused`.

    The registry has no filter: which of them are not attested shows only when all were looked at.
    """
    found: list[dict[str, Any]] = []
    cursor = ""
    while len(found) < _LISTED_MAX:
        params = {"cursor": cursor, "limit": _ASKED_AT_ONCE}
        answer = await session.call("ingest", "GET", "/v1/cameras", params=params)
        found += [with_times(camera) for camera in answer["items"]]
        cursor = answer["next_cursor"] or ""
        if not cursor:
            return found, True
    return found, False


def _drawn(text: str) -> tuple[cameras.Mask, ...]:
    """What of a text of masks can be drawn before any script runs: all of it, or nothing."""
    try:
        return cameras.parse_masks(text)
    except cameras.MasksMalformed:
        return ()


def _problem(error: AlprError, if_unanswered: str = "") -> Problem:
    """A refusal, of ingest or of the form, to be shown beside what was typed; raises it when it is
    about the session. `if_unanswered`: what to do where ingest may have taken it all the same."""
    if isinstance(error, Refused):
        if if_unanswered:
            error.advise(if_unanswered)
        return error.here()
    faults = tuple(Fault(where=where, what=what) for where, what in error.extra.get("faults", ()))
    return problem_of(error).model_copy(update={"faults": faults})
