"""The witness's copies of an agency's checkpoints, read back for the audit.

Where copies lie in a folder all of them are found; an http(s) address can only be asked for the
copy of a size, so that checkpoints are asked for one by one, spread over the period.
"""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

import httpx

from alpr_access_log.log.witness import WitnessAway

_TIMEOUT_SECONDS = 10.0
_MOST_ASKED = 200
_DIGITS = 19  # as the witness names its files


class Copies(Protocol):
    """Copies that the witness keeps. Both methods raise `WitnessAway`."""

    async def sizes(self, agency_id: str, of: Sequence[int]) -> list[int]:
        """Those of the sizes that it holds a copy of, as far as it can be asked."""

    async def copy(self, agency_id: str, size: int) -> str | None:
        """The signed note that it keeps for that size."""


def copies_at(url: str) -> Copies:
    """From the address that the log's witness has; raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path:
        return FolderCopies(Path(url2pathname(parts.path)))
    if parts.scheme in ("http", "https") and parts.netloc:
        return HttpCopies(url)
    raise ValueError(f"{url!r} is neither a file:// folder nor an http(s) address")


def shown_address(url: str) -> str:
    """The address without what somebody signs in with there."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


class FolderCopies:
    """A folder of copies, as `log.witness.FolderWitness` writes them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def sizes(self, agency_id: str, of: Sequence[int]) -> list[int]:
        held = await asyncio.to_thread(self._held, self._of(agency_id))
        return [size for size in of if size in held]

    async def copy(self, agency_id: str, size: int) -> str | None:
        return await asyncio.to_thread(self._read, self._of(agency_id), size)

    def _of(self, agency_id: str) -> Path:
        return self._folder / quote(agency_id, safe="").replace(".", "%2E")

    def _held(self, folder: Path) -> set[int]:
        try:
            return {int(file.name) for file in folder.iterdir() if file.name.isdigit()}
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise WitnessAway(f"{folder}: {error}") from error

    def _read(self, folder: Path, size: int) -> str | None:
        try:
            return (folder / f"{size:0{_DIGITS}d}").read_text()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise WitnessAway(f"{folder}: {error}") from error


class HttpCopies:
    """An http(s) address that keeps copies, as `log.witness.HttpWitness` puts them."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url, self._transport = url.rstrip("/"), transport

    async def sizes(self, agency_id: str, of: Sequence[int]) -> list[int]:
        return [
            size for size in spread(of, _MOST_ASKED) if await self.copy(agency_id, size) is not None
        ]

    async def copy(self, agency_id: str, size: int) -> str | None:
        address = f"{self._url}/{quote(agency_id, safe='')}/{size}"
        try:
            async with httpx.AsyncClient(
                timeout=_TIMEOUT_SECONDS, transport=self._transport
            ) as http:
                answer = await http.get(address)
        except httpx.HTTPError as error:
            raise WitnessAway(f"{address}: {error or type(error).__name__}") from error
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        if not answer.is_success:
            raise WitnessAway(f"{address} answered {answer.status_code}")
        return answer.text


def spread(sizes: Sequence[int], most: int) -> list[int]:
    """At most that many of them, evenly, always with the first and the last."""
    if len(sizes) <= most:
        return list(sizes)
    step = (len(sizes) - 1) / (most - 1)
    return [sizes[round(n * step)] for n in range(most)]
