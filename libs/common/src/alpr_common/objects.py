"""Pictures in the object store: a local folder by default, S3 by setting.

Keys are deterministic, so that a redelivered frame overwrites a picture with itself. Layout:
`<agency_id>/<yyyy>/<mm>/<dd>/<camera_id>/<frame_id>[...].jpg`: an agency's pictures share a prefix
and retention can drop a day of them.
"""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlparse
from uuid import UUID

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, from_url

from alpr_common.errors import NotFound, Outage


class ObjectNotFound(NotFound):
    title = "The picture is not in the store (any more)"


class Pictures:
    """The store of frames and plate crops (JPEG)."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def at(cls, url: str) -> "Pictures":
        """`file:///folder` (made when absent) or `s3://bucket/prefix` (credentials from the
        environment, as obstore documents)."""
        parsed = urlparse(url)
        if parsed.scheme == "file":
            return cls(LocalStore(Path(parsed.path), mkdir=True))
        return cls(from_url(url))

    async def put(self, key: str, jpeg: bytes) -> None:
        """Store `jpeg` under `key`; raises `Outage` when the store is away."""
        try:
            await obstore.put_async(self._store, key, jpeg)
        except (BaseError, OSError) as error:
            raise Outage(f"The object store did not take a picture: {error}") from error

    async def get(self, key: str) -> bytes:
        """The JPEG under `key`; raises `ObjectNotFound`, or `Outage` when the store is away."""
        try:
            got = await obstore.get_async(self._store, key)
            return bytes(await got.bytes_async())
        except (NotFoundError, FileNotFoundError) as error:
            raise ObjectNotFound(f"No picture under {key}.") from error
        except (BaseError, OSError) as error:
            raise Outage(f"The object store did not give a picture: {error}") from error


def picture_key(
    agency_id: str, camera_id: str, captured_at: datetime, frame_id: UUID, suffix: str = ""
) -> str:
    """Where a frame's picture lies; a plate crop's with a `suffix` like `-plate-<read_id>`."""
    day = captured_at.astimezone(UTC).strftime("%Y/%m/%d")
    return f"{agency_id}/{day}/{camera_id}/{frame_id}{suffix}.jpg"
