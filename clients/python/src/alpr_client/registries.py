"""Cameras, frames, hot list entries and searches."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO
from uuid import UUID

from alpr_client.models import (
    Camera,
    FrameReceipt,
    HotListEntry,
    Page,
    RegisteredCamera,
    SearchAnswer,
)
from alpr_client.transport import Transport, without_none


class Cameras:
    """`client.cameras`: the registry, for supervisors and administrators."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def register(
        self,
        camera_id: str,
        *,
        name: str,
        kind: str = "fixed",
        latitude: float | None = None,
        longitude: float | None = None,
        heading_degrees: float | None = None,
        site_description: str | None = None,
        privacy_masks: Sequence[Sequence[tuple[float, float]]] = (),
    ) -> RegisteredCamera:
        """`site_description` attests that the camera sees only what is exposed to public view
        (131.6-3a); without it the camera is registered, but its frames are refused."""
        attestation = None
        if site_description:
            attestation = {"site_description": site_description, "exposed_to_public_view": True}
        form = {
            "camera_id": camera_id,
            "name": name,
            "kind": kind,
            "latitude": latitude,
            "longitude": longitude,
            "heading_degrees": heading_degrees,
            "attestation": attestation,
            "privacy_masks": [list(polygon) for polygon in privacy_masks],
        }
        answer = await self._transport.json("ingest", "POST", "/v1/cameras", json=form)
        return RegisteredCamera.model_validate(answer)

    async def list(self, *, cursor: str | None = None, limit: int | None = None) -> Page[Camera]:
        wanted = {"cursor": cursor, "limit": limit}
        found = await self._transport.json("ingest", "GET", "/v1/cameras", params=wanted)
        return Page[Camera].model_validate(found)

    async def get(self, camera_id: str) -> Camera:
        return Camera.model_validate(
            await self._transport.json("ingest", "GET", f"/v1/cameras/{camera_id}")
        )

    async def change(self, camera_id: str, **fields: Any) -> Camera:
        """Name, position, attestation or privacy masks; what is not given stays."""
        return Camera.model_validate(
            await self._transport.json("ingest", "PUT", f"/v1/cameras/{camera_id}", json=fields)
        )

    async def renew_credential(self, camera_id: str) -> RegisteredCamera:
        """The old credential ends within seconds."""
        path = f"/v1/cameras/{camera_id}/credential"
        return RegisteredCamera.model_validate(await self._transport.json("ingest", "POST", path))

    async def retire(self, camera_id: str) -> Camera:
        path = f"/v1/cameras/{camera_id}/retire"
        return Camera.model_validate(await self._transport.json("ingest", "POST", path))


class Frames:
    """`client.frames`: what a camera does."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def send(
        self,
        credential: str,
        jpeg: bytes,
        *,
        captured_at: datetime,
        latitude: float | None = None,
        longitude: float | None = None,
        heading: float | None = None,
        sequence: int | None = None,
    ) -> FrameReceipt:
        """Send one picture. After `UnavailableError` send it again, before any later one."""
        details = {
            "Alpr-Captured-At": captured_at.isoformat(),
            "Alpr-Sent-At": datetime.now(UTC).isoformat(),
            "Alpr-Latitude": latitude,
            "Alpr-Longitude": longitude,
            "Alpr-Heading": heading,
            "Alpr-Sequence": sequence,
        }
        headers = {name: str(value) for name, value in without_none(details).items()}
        headers |= {"Authorization": f"Camera {credential}", "Content-Type": "image/jpeg"}
        response = await self._transport.call(
            "ingest", "POST", "/v1/frames", signed=False, content=jpeg, headers=headers
        )
        return FrameReceipt.model_validate(response.json())


class HotList:
    """`client.hotlist`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def add(
        self, plate: str, *, category: str, reason: str, expires_at: datetime, **more: Any
    ) -> HotListEntry:
        """A manual entry: it carries its reason and ends by itself (131.6-7).

        `more`: jurisdiction, case_number, vehicle, caution, effective_at, priority, list_id, …
        """
        form = {
            "plate": plate,
            "category": category,
            "reason": reason,
            "expires_at": expires_at.isoformat(),
            **{k: v.isoformat() if isinstance(v, datetime) else v for k, v in more.items()},
        }
        answer = await self._transport.json("matcher", "POST", "/v1/hotlist/entries", json=form)
        return HotListEntry.model_validate(answer)

    async def list(
        self,
        *,
        plate: str | None = None,
        category: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[HotListEntry]:
        wanted = {"plate": plate, "category": category, "cursor": cursor, "limit": limit}
        found = await self._transport.json("matcher", "GET", "/v1/hotlist/entries", params=wanted)
        return Page[HotListEntry].model_validate(found)

    async def get(self, entry_id: UUID | str) -> HotListEntry:
        return HotListEntry.model_validate(
            await self._transport.json("matcher", "GET", f"/v1/hotlist/entries/{entry_id}")
        )

    async def check(self, entry_id: UUID | str, note: str | None = None) -> HotListEntry:
        """As the second person, who did not enter it: it is right (131.6-7)."""
        path = f"/v1/hotlist/entries/{entry_id}/check"
        answer = await self._transport.json("matcher", "POST", path, json={"note": note})
        return HotListEntry.model_validate(answer)

    async def unchecked(self) -> Sequence[dict[str, Any]]:
        """Entries by hand that wait for a second person, the longest overdue first."""
        found = await self._transport.json("matcher", "GET", "/v1/hotlist/unchecked")
        items: Sequence[dict[str, Any]] = found["items"]
        return items

    async def lists(self) -> Sequence[dict[str, Any]]:
        """The agency's lists and those offered to it, with size, freshness and subscriptions."""
        found = await self._transport.json("matcher", "GET", "/v1/hotlist/lists")
        items: Sequence[dict[str, Any]] = found["items"]
        return items

    async def answer_subscription(
        self, list_id: UUID | str, *, accept: bool, reason: str
    ) -> dict[str, Any]:
        """As an administrator: have the agency's reads compared with another's list, or not (any
        more). `RefusedError` when the list is not offered, or was answered so before."""
        path = f"/v1/hotlist/lists/{list_id}/subscription"
        form = {"accept": accept, "reason": reason}
        return dict(await self._transport.json("matcher", "POST", path, json=form))

    async def import_file(
        self,
        file: BinaryIO,
        file_name: str,
        source: str,
        *,
        mode: str | None = None,
        mapper: str | None = None,
        mapper_file: bytes | None = None,
        dry_run: bool = False,
        confirm_removals: bool = False,
        import_id: UUID | str | None = None,
        timeout_seconds: float = 1800,
    ) -> dict[str, Any]:
        """Take a file's good lines into the agency's list of that source; answers the report.

        `mode`: delta or refresh; `mapper`: the name of one that the server has, `mapper_file` one
        for this import alone. What is None follows the list. Ask `import_record` for the progress.
        """
        wanted = {
            "source": source,
            "mode": mode,
            "mapper": mapper,
            "dry_run": dry_run,
            "confirm_removals": confirm_removals,
            "import_id": None if import_id is None else str(import_id),
        }
        files: dict[str, Any] = {"file": (file_name, file)}
        if mapper_file is not None:
            files["mapper"] = ("mapper.toml", mapper_file)
        answer = await self._transport.json(
            "matcher", "POST", "/v1/hotlist/import", params=wanted, files=files,
            timeout=timeout_seconds,
        )  # fmt: skip
        return dict(answer)

    async def import_record(self, import_id: UUID | str) -> dict[str, Any]:
        """How an import stands: `state`, `lines_read`, and `report` at the end."""
        path = f"/v1/hotlist/imports/{import_id}"
        return dict(await self._transport.json("matcher", "GET", path))

    async def retract(self, entry_id: UUID | str, reason: str) -> HotListEntry:
        path = f"/v1/hotlist/entries/{entry_id}/retract"
        answer = await self._transport.json("matcher", "POST", path, json={"reason": reason})
        return HotListEntry.model_validate(answer)


class Searches:
    """`client.searches`: the only door to stored reads (131.7)."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def search(
        self,
        plate: str,
        *,
        purpose: str,
        case_number: str,
        suspicion: str,
        attested: bool,
        begin: datetime,
        end: datetime,
        lookalike: bool = False,
        camera_ids: Sequence[str] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> SearchAnswer:
        """Stored reads of a plate (`*` and `?` stand for any characters).

        The search is recorded before anything is answered; `attested` is the searching person's
        word that it is no misuse (131.6-3b…e).
        """
        form = {
            "plate": plate,
            "lookalike": lookalike,
            "from": begin.isoformat(),
            "to": end.isoformat(),
            "camera_ids": None if camera_ids is None else list(camera_ids),
            "purpose": purpose,
            "case_number": case_number,
            "suspicion": suspicion,
            "attested": attested,
            "limit": limit,
            "cursor": cursor,
        }
        answer = await self._transport.json("access_log", "POST", "/v1/searches", json=form)
        return SearchAnswer.model_validate(answer)

    async def picture(self, read_id: UUID | str, which: str, *, access_id: UUID | str) -> bytes:
        """`which`: frame or plate. Only for a read that this access answered."""
        path = f"/v1/reads/{read_id}/pictures/{which}"
        wanted = {"access_id": str(access_id)}
        return (await self._transport.call("access_log", "GET", path, params=wanted)).content
