"""The double's camera registry: ingest's own forms and rules, cameras in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from fastapi import Depends, FastAPI

from alpr_common.auth import Gate, Principal
from alpr_common.errors import AlprError
from alpr_common.policy import Role
from alpr_ingest.camera_forms import CameraChangeForm, CameraForm, camera_json
from alpr_ingest.domain import Camera, new_credential
from alpr_ingest.handlers import CameraIdTaken, CameraNotFound, refuse_other_masks
from tests.browser.support.sightings import AGENCY


class CameraRoutes:
    """Part of `Double`, which holds what these routes keep."""

    gate: Gate
    cameras: dict[str, Camera]
    camera_changes: list[dict[str, Any]]
    """The bodies of changes, as they were sent."""
    cameras_refused: AlprError | None

    def _camera_registry(self, app: FastAPI) -> None:
        anybody = Depends(self.gate.signed_in())
        keeper = Depends(self.gate.signed_in(Role.ADMINISTRATOR, Role.SUPERVISOR))

        @app.post("/v1/cameras", status_code=201)
        async def register(form: CameraForm, caller: Principal = keeper) -> dict[str, Any]:
            self._heard()
            if form.camera_id in self.cameras:
                raise CameraIdTaken(f"Choose another id than {form.camera_id}.")
            now = datetime.now(UTC)
            said = form.details(caller.name, now)
            credential, digest = new_credential(form.camera_id)
            camera = Camera(
                form.camera_id, AGENCY, said.name or form.camera_id, form.kind, said.place,
                said.heading_degrees, said.attestation, said.privacy_masks or (), digest, now, now,
                None,
            )  # fmt: skip
            self.cameras[form.camera_id] = camera
            return {**camera_json(camera), "credential": credential}

        @app.get("/v1/cameras")
        async def listed(
            cursor: str = "", limit: int = 100, _p: Principal = anybody
        ) -> dict[str, Any]:
            self._heard()
            left = [c for name, c in sorted(self.cameras.items()) if name > cursor]
            more = len(left) > limit
            return {
                "items": [camera_json(camera) for camera in left[:limit]],
                "next_cursor": left[limit - 1].camera_id if more else None,
            }

        @app.get("/v1/cameras/{camera_id}")
        async def one(camera_id: str, _p: Principal = anybody) -> dict[str, Any]:
            self._heard()
            return camera_json(self._camera(camera_id))

        @app.put("/v1/cameras/{camera_id}")
        async def change(
            camera_id: str, form: CameraChangeForm, caller: Principal = keeper
        ) -> dict[str, Any]:
            self._heard()
            self.camera_changes.append(form.model_dump(exclude_unset=True))
            refuse_other_masks(self._camera(camera_id), form.expected_masks)
            said = form.details(caller.name, datetime.now(UTC))
            given = {name: value for name, value in vars(said).items() if value is not None}
            if form.clears_heading:
                given["heading_degrees"] = None
            return camera_json(self._keep_camera(camera_id, **given))

        @app.post("/v1/cameras/{camera_id}/credential")
        async def renew(camera_id: str, _p: Principal = keeper) -> dict[str, Any]:
            self._heard()
            credential, digest = new_credential(camera_id)
            camera = self._keep_camera(camera_id, credential_sha256=digest)
            return {**camera_json(camera), "credential": credential}

        @app.post("/v1/cameras/{camera_id}/retire")
        async def retire(camera_id: str, _p: Principal = keeper) -> dict[str, Any]:
            self._heard()
            return camera_json(self._keep_camera(camera_id, retired_at=datetime.now(UTC)))

    def _heard(self) -> None:
        if self.cameras_refused is not None:
            raise self.cameras_refused

    def _camera(self, camera_id: str) -> Camera:
        if camera_id not in self.cameras:
            raise CameraNotFound(f"Your agency has no camera {camera_id}.")
        return self.cameras[camera_id]

    def _keep_camera(self, camera_id: str, **changes: Any) -> Camera:
        camera = replace(self._camera(camera_id), **changes, updated_at=datetime.now(UTC))
        self.cameras[camera_id] = camera
        return camera
