"""What an administrator does before the first vehicle passes: cameras and hot list, over REST."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from alpr_local.demo.sign_ins import SignIn, trained_until
from alpr_local.demo.story import DemoCamera, DemoEntry
from alpr_local.errors import LocalStackError

_ENTRY_DAYS = 7


class Administrator:
    """The demo's administrator, signed in."""

    def __init__(self, urls: dict[str, str], person: SignIn) -> None:
        self._urls = urls
        self._client = httpx.Client(timeout=60, trust_env=False)
        answer = self._client.post(
            f"{urls['identity']}/v1/sessions",
            json={"username": person.username, "password": person.password},
        )
        session = _checked(answer)
        self.token = str(session["access_token"])
        self._client.headers["Authorization"] = f"Bearer {self.token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def add_people(self, people: list[SignIn]) -> None:
        """Add whoever is not there yet, trained for a year."""
        url = f"{self._urls['identity']}/v1/people"
        there = {person["username"] for person in _checked(self._client.get(url))["items"]}
        until = trained_until()
        for person in people:
            if person.username not in there:
                body = {**asdict(person), "leads_until": until, "alpr_until": until}
                _checked(self._client.post(url, json=body))

    def camera_credential(self, camera: DemoCamera) -> str:
        """Register the camera, or give it a new credential if it is there from an earlier run."""
        cameras = f"{self._urls['ingest']}/v1/cameras"
        known = self._client.get(f"{cameras}/{camera.camera_id}")
        if known.status_code == httpx.codes.NOT_FOUND:
            made = self._client.post(
                cameras,
                json={
                    "camera_id": camera.camera_id,
                    "name": camera.name,
                    "kind": "fixed",
                    "latitude": camera.latitude,
                    "longitude": camera.longitude,
                    "heading_degrees": camera.heading_degrees,
                    "attestation": {
                        "site_description": f"{camera.name}: public roadway",
                        "exposed_to_public_view": True,
                    },
                },
            )
        else:
            _checked(known)
            made = self._client.post(f"{cameras}/{camera.camera_id}/credential")
        return str(_checked(made)["credential"])

    def add_entry(self, entry: DemoEntry) -> None:
        """Put the plate on the agency's hot list unless it is there."""
        entries = f"{self._urls['matcher']}/v1/hotlist/entries"
        there = _checked(self._client.get(entries, params={"plate": entry.plate}))
        if there["items"]:
            return
        body = {
            "plate": entry.plate,
            "jurisdiction": entry.jurisdiction,
            "category": entry.category,
            "reason": entry.reason,
            "vehicle": entry.vehicle or None,
            "caution": entry.caution or None,
            "expires_at": (datetime.now(UTC) + timedelta(days=_ENTRY_DAYS)).isoformat(),
        }
        _checked(self._client.post(entries, json=body))

    def import_hot_list(self, file: Path) -> dict[str, Any]:
        """Import a CSV hot list; what was wrong with which line comes back."""
        with file.open("rb") as content:
            answer = self._client.post(
                f"{self._urls['matcher']}/v1/hotlist/import",
                params={"source": "file"},
                files={"file": (file.name, content, "text/csv")},
            )
        return _checked(answer)


def _checked(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        raise LocalStackError(
            f"{answer.request.method} {answer.request.url} answered {answer.status_code}: "
            f"{answer.text[:600]}"
        )
    return dict(answer.json())
