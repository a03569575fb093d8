"""The witness: copies of checkpoints in a place that whoever rewrites the database cannot reach.

A copy is never replaced. A folder has one file per checkpoint, `<agency>/<size>`; an http(s)
address is given `PUT <address>/<agency>/<size>` and `…/latest`, which any WebDAV or object store
takes.
"""

import asyncio
import contextlib
import os
from http import HTTPStatus
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname
from uuid import uuid4

import httpx

from alpr_common.errors import AlprError, Outage

_TIMEOUT_SECONDS = 5.0
_DIGITS = 19
_TAKEN = (HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED)


class WitnessAway(Outage):
    title = "The witness of the log cannot be reached"


class WitnessDisagrees(AlprError):
    title = "The witness holds another checkpoint of that size"


class Witness(Protocol):
    """Keeps checkpoints. Both methods raise `WitnessAway`."""

    async def newest(self, agency_id: str) -> str | None:
        """The largest checkpoint it holds (a signed note); None if it has none."""

    async def keep(self, agency_id: str, size: int, note: str) -> None:
        """Durable when this returns; the same once more changes nothing.

        Raises `WitnessDisagrees` when it holds another note of that size.
        """


def witness_at(url: str) -> Witness:
    """From `file:///folder` or `https://host/path`; raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path:
        return FolderWitness(Path(url2pathname(parts.path)))
    if parts.scheme in ("http", "https") and parts.netloc:
        return HttpWitness(url)
    raise ValueError(f"{url!r} is neither a file:// folder nor an http(s) address")


class FolderWitness:
    """A folder, on other storage than the database's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def newest(self, agency_id: str) -> str | None:
        return await asyncio.to_thread(self._newest, self._of(agency_id))

    async def keep(self, agency_id: str, size: int, note: str) -> None:
        path = self._of(agency_id) / f"{size:0{_DIGITS}d}"
        await asyncio.to_thread(self._keep, path, note.encode())

    def _of(self, agency_id: str) -> Path:
        # A name that begins with a dot could climb out of the folder.
        return self._folder / quote(agency_id, safe="").replace(".", "%2E")

    def _newest(self, folder: Path) -> str | None:
        try:
            names = sorted(p for p in folder.iterdir() if len(p.name) == _DIGITS)
            return names[-1].read_text() if names else None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise WitnessAway(f"{folder}: {error}") from error

    def _keep(self, path: Path, note: bytes) -> None:
        temporary = path.with_name(f".{path.name}.{uuid4().hex}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                file.write(note)
                file.flush()
                os.fsync(file.fileno())
            # Linked, not renamed: what lies there already is never replaced.
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(temporary)
            temporary.unlink()
            _sync_folder(path.parent)
            kept = path.read_bytes()
        except OSError as error:
            raise WitnessAway(f"{path}: {error}") from error
        if kept != note:
            raise WitnessDisagrees(f"{path} is another checkpoint than ours of the same size.")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class HttpWitness:
    """Something at an http(s) address that keeps what is put there."""

    def __init__(self, url: str, client: httpx.AsyncClient | None = None) -> None:
        self._url = url.rstrip("/")
        self._client = client or httpx.AsyncClient(timeout=_TIMEOUT_SECONDS)

    async def newest(self, agency_id: str) -> str | None:
        response = await self._send("GET", self._of(agency_id, "latest"))
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        self._raise_for(response)
        return response.text

    async def keep(self, agency_id: str, size: int, note: str) -> None:
        address = self._of(agency_id, str(size))
        response = await self._send("PUT", address, note, {"If-None-Match": "*"})
        if response.status_code in _TAKEN:
            held = await self._send("GET", address)
            self._raise_for(held)
            if held.text != note:
                raise WitnessDisagrees(f"{address} is another checkpoint of the same size.")
        else:
            self._raise_for(response)
        self._raise_for(await self._send("PUT", self._of(agency_id, "latest"), note))

    def _of(self, agency_id: str, name: str) -> str:
        return f"{self._url}/{quote(agency_id, safe='')}/{name}"

    async def _send(
        self, method: str, address: str, note: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:  # fmt: skip
        sent = {"Content-Type": "text/plain; charset=utf-8", **(headers or {})} if note else {}
        try:
            return await self._client.request(
                method, address, content=note.encode() if note else None, headers=sent
            )
        except httpx.HTTPError as error:
            raise WitnessAway(f"{address}: {error or type(error).__name__}") from error

    def _raise_for(self, response: httpx.Response) -> None:
        if not response.is_success:
            raise WitnessAway(f"{response.url} answered {response.status_code}")
