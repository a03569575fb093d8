"""Hot lists, their entries, and imports into them."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, BinaryIO
from uuid import UUID

from alpr_client.models import (
    EntryVersion,
    HotListEntry,
    HotListOnFile,
    ImportRecord,
    ImportReport,
    Page,
    Subscription,
    UncheckedEntry,
)
from alpr_client.transport import Transport, every


class HotList:
    """`client.hotlist`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def add(
        self, plate: str, *, category: str, reason: str, expires_at: datetime, **more: Any
    ) -> HotListEntry:
        """A manual entry: it carries its reason and ends by itself (131.6-7).

        `plate` may be a pattern (`*` and `?`). `more`: jurisdiction, case_number, vehicle,
        caution, effective_at, priority, list_id, …
        """
        form = {
            "plate": plate,
            "category": category,
            "reason": reason,
            "expires_at": expires_at.isoformat(),
            **{k: v.isoformat() if isinstance(v, datetime) else v for k, v in more.items()},
        }
        return await self._transport.model(
            HotListEntry, "matcher", "POST", "/v1/hotlist/entries", json=form
        )

    async def list(
        self,
        *,
        plate: str | None = None,
        category: str | None = None,
        state: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[HotListEntry]:
        """Entries, newest first; of a plate, look-alikes and patterns that it fits too."""
        wanted = {
            "plate": plate, "category": category, "state": state, "cursor": cursor, "limit": limit,
        }  # fmt: skip
        return await self._transport.model(
            Page[HotListEntry], "matcher", "GET", "/v1/hotlist/entries", params=wanted
        )

    def every(
        self, *, plate: str | None = None, category: str | None = None, state: str | None = None
    ) -> AsyncIterator[HotListEntry]:
        """As `list`, page by page to the last."""
        return every(
            lambda cursor: self.list(
                plate=plate, category=category, state=state, cursor=cursor, limit=100
            )
        )

    async def get(self, entry_id: UUID | str) -> HotListEntry:
        path = f"/v1/hotlist/entries/{entry_id}"
        return await self._transport.model(HotListEntry, "matcher", "GET", path)

    def history(self, entry_id: UUID | str) -> AsyncIterator[EntryVersion]:
        """An entry's versions, newest first."""
        path = f"/v1/hotlist/entries/{entry_id}/history"

        async def page(cursor: str | None) -> Page[EntryVersion]:
            return await self._transport.model(
                Page[EntryVersion], "matcher", "GET", path, params={"cursor": cursor}
            )

        return every(page)

    async def check(self, entry_id: UUID | str, note: str | None = None) -> HotListEntry:
        """As the second person, who did not enter it: it is right (131.6-7)."""
        path = f"/v1/hotlist/entries/{entry_id}/check"
        return await self._transport.model(
            HotListEntry, "matcher", "POST", path, json={"note": note}
        )

    async def retract(self, entry_id: UUID | str, reason: str) -> HotListEntry:
        path = f"/v1/hotlist/entries/{entry_id}/retract"
        return await self._transport.model(
            HotListEntry, "matcher", "POST", path, json={"reason": reason}
        )

    async def unchecked(self) -> Sequence[UncheckedEntry]:
        """Entries by hand that wait for a second person, the longest overdue first."""
        found = await self._transport.model(
            Page[UncheckedEntry], "matcher", "GET", "/v1/hotlist/unchecked"
        )
        return found.items

    async def lists(self) -> Sequence[HotListOnFile]:
        """The agency's lists and those offered to it, with size, freshness and subscriptions."""
        found = await self._transport.model(
            Page[HotListOnFile], "matcher", "GET", "/v1/hotlist/lists"
        )
        return found.items

    async def answer_subscription(
        self, list_id: UUID | str, *, accept: bool, reason: str
    ) -> Subscription:
        """As an administrator: have the agency's reads compared with another's list, or not (any
        more). `RefusedError` when the list is not offered, or was answered so before."""
        path = f"/v1/hotlist/lists/{list_id}/subscription"
        form = {"accept": accept, "reason": reason}
        return await self._transport.model(Subscription, "matcher", "POST", path, json=form)

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
    ) -> ImportReport:
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
        return await self._transport.model(
            ImportReport, "matcher", "POST", "/v1/hotlist/import", params=wanted, files=files,
            timeout=timeout_seconds,
        )  # fmt: skip

    async def import_record(self, import_id: UUID | str) -> ImportRecord:
        """How an import stands: `state`, `lines_read`, and `report` at the end."""
        path = f"/v1/hotlist/imports/{import_id}"
        return await self._transport.model(ImportRecord, "matcher", "GET", path)
