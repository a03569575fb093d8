"""Pictures in the object store: a local folder by default, S3 by setting.

Keys are deterministic, so that a redelivered frame overwrites a picture with itself. Layout:
`<agency_id>/<yyyy>/<mm>/<dd>/<camera_id>/<frame_id>[...].jpg`: an agency's pictures share a prefix
and retention can drop a day of them. What a legal hold keeps is copied under `held/` first.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime
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
            # Of a day that retention dropped not even empty folders stay.
            return cls(LocalStore(Path(parsed.path), mkdir=True, automatic_cleanup=True))
        return cls(from_url(url))

    async def put(self, key: str, jpeg: bytes) -> None:
        """Store `jpeg` under `key`; raises `Outage` when the store is away."""
        try:
            await obstore.put_async(self._store, key, jpeg)
        except (BaseError, OSError) as error:
            raise Outage(f"The object store did not take a picture: {error}") from error

    async def get(self, key: str) -> bytes:
        """The JPEG under `key`, or the copy that a legal hold keeps of it.

        Raises `ObjectNotFound`, or `Outage` when the store is away.
        """
        try:
            return await self._get(key)
        except ObjectNotFound:
            return await self._get(held_key(key))

    async def _get(self, key: str) -> bytes:
        try:
            got = await obstore.get_async(self._store, key)
            return bytes(await got.bytes_async())
        except (NotFoundError, FileNotFoundError) as error:
            raise ObjectNotFound(f"No picture under {key}.") from error
        except (BaseError, OSError) as error:
            raise Outage(f"The object store did not give a picture: {error}") from error

    async def hold(self, key: str) -> bool:
        """Copy a picture to where no purge goes; False when there is none. Repeating is harmless.

        Raises `Outage`.
        """
        try:
            await obstore.copy_async(self._store, key, held_key(key))
        except (NotFoundError, FileNotFoundError):
            return await self._exists(held_key(key))
        except (BaseError, OSError) as error:
            raise Outage(f"The object store did not copy a picture: {error}") from error
        return True

    async def _exists(self, key: str) -> bool:
        try:
            await obstore.head_async(self._store, key)
        except (NotFoundError, FileNotFoundError):
            return False
        except (BaseError, OSError) as error:
            raise Outage(f"The object store did not answer: {error}") from error
        return True

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete what lies under these keys; what does not exist is as good as deleted.

        Raises `Outage`; then some of it may be deleted.
        """
        try:
            await obstore.delete_async(self._store, list(keys))
        except (NotFoundError, FileNotFoundError):
            # A folder on disk stops at the first that is missing, a bucket does not mind.
            for key in keys:
                await self._delete_one(key)
        except (BaseError, OSError) as error:
            raise Outage(f"The object store did not delete pictures: {error}") from error

    async def _delete_one(self, key: str) -> None:
        try:
            await obstore.delete_async(self._store, key)
        except (NotFoundError, FileNotFoundError):
            pass
        except (BaseError, OSError) as error:
            raise Outage(f"The object store did not delete a picture: {error}") from error

    async def keys(self, prefix: str, batch_size: int = 1000) -> AsyncIterator[list[str]]:
        """Keys under a prefix (which ends with a slash), in batches. Raises `Outage`."""
        try:
            async for batch in obstore.list(self._store, prefix, chunk_size=batch_size):
                yield [one["path"] for one in batch]
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise Outage(f"The object store did not list pictures: {error}") from error

    async def folders(self, prefix: str) -> list[str]:
        """Names of the folders right under a prefix (which ends with a slash). Raises `Outage`."""
        try:
            found = await obstore.list_with_delimiter_async(self._store, prefix)
        except FileNotFoundError:
            return []
        except (BaseError, OSError) as error:
            raise Outage(f"The object store did not list folders: {error}") from error
        return [one.rstrip("/").rsplit("/", 1)[-1] for one in found["common_prefixes"]]


def held_key(key: str) -> str:
    """Where the copy of a picture lies that a legal hold keeps."""
    return f"held/{key}"


def day_prefix(agency_id: str, day: date) -> str:
    """Under what all pictures of an agency lie that were taken on that day (UTC)."""
    return f"{agency_id}/{day:%Y/%m/%d}/"


def picture_key(
    agency_id: str, camera_id: str, captured_at: datetime, frame_id: UUID, suffix: str = ""
) -> str:
    """Where a frame's picture lies; a plate crop's with a `suffix` like `-plate-<read_id>`."""
    day = captured_at.astimezone(UTC).strftime("%Y/%m/%d")
    return f"{agency_id}/{day}/{camera_id}/{frame_id}{suffix}.jpg"
