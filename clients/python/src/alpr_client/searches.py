"""Stored reads: searching them, and asking a supervisor where a search needs one."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Literal
from uuid import UUID

from alpr_client.asking import Query, Reason, form
from alpr_client.models import (
    AccessRecord,
    Approval,
    ConvoyAnswer,
    Page,
    Read,
    SearchAnswer,
)
from alpr_client.transport import Transport, every

_DOOR = "access_log"


class Searches:
    """`client.searches`: the only door to stored reads (131.7). Each search is recorded before
    anything is answered, and each page of it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def search(
        self, query: Query, reason: Reason, *, limit: int | None = None
    ) -> SearchAnswer:
        """The first page. Raises `RefusedError`, of code sweep-needs-approval,
        repeat-needs-approval or convoy-needs-approval where `approvals.request` is the way."""
        return await self._ask(**form(query, reason), limit=limit)

    async def next_page(self, cursor: str, *, limit: int | None = None) -> SearchAnswer:
        """The page after one's `next_cursor`: of one's own search, for an hour by default."""
        return await self._ask(cursor=cursor, limit=limit)

    async def search_approved(
        self, approval_id: UUID | str, *, limit: int | None = None
    ) -> SearchAnswer:
        """What was approved, once: the approval says what and why."""
        return await self._ask(approval_id=str(approval_id), limit=limit)

    async def pages(self, first: SearchAnswer) -> AsyncIterator[SearchAnswer]:
        """A search's pages, beginning with the one that was answered; the next ones have as many
        reads as the first."""
        page = first
        while True:
            yield page
            if page.next_cursor is None:
                return
            page = await self.next_page(page.next_cursor, limit=len(first.items))

    async def reads(self, first: SearchAnswer) -> AsyncIterator[Read]:
        """All reads of a search, newest first: `reads(await search(query, reason))`."""
        async for page in self.pages(first):
            for read in page.items:
                yield read

    async def convoy(self, approval_id: UUID | str) -> ConvoyAnswer:
        """Plates seen together with one at several cameras, as a supervisor approved, once."""
        said = {"approval_id": str(approval_id)}
        return await self._transport.model(
            ConvoyAnswer, _DOOR, "POST", "/v1/searches/convoy", json=said
        )

    async def picture(
        self, read_id: UUID | str, which: Literal["frame", "plate"], *, access_id: UUID | str
    ) -> bytes:
        """A JPEG of a read that this access answered. Recorded; do not keep it (131.7-1b)."""
        path = f"/v1/reads/{read_id}/pictures/{which}"
        wanted = {"access_id": str(access_id)}
        return (await self._transport.call(_DOOR, "GET", path, params=wanted)).content

    async def records(
        self,
        *,
        person_id: str | None = None,
        action: str | None = None,
        outcome: Literal["done", "refused", "failed"] | None = None,
        begin: datetime | None = None,
        end: datetime | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[AccessRecord]:
        """The agency's access records, newest first (supervisors, administrators, auditors)."""
        wanted = {
            "person_id": person_id, "action": action, "outcome": outcome,
            "from": begin and begin.isoformat(), "to": end and end.isoformat(),
            "cursor": cursor, "limit": limit,
        }  # fmt: skip
        return await self._transport.model(
            Page[AccessRecord], _DOOR, "GET", "/v1/searches", params=wanted
        )

    def every_record(
        self,
        *,
        person_id: str | None = None,
        action: str | None = None,
        outcome: Literal["done", "refused", "failed"] | None = None,
        begin: datetime | None = None,
        end: datetime | None = None,
    ) -> AsyncIterator[AccessRecord]:
        """As `records`, page by page to the last."""
        return every(
            lambda cursor: self.records(
                person_id=person_id, action=action, outcome=outcome, begin=begin, end=end,
                cursor=cursor, limit=500,
            )
        )  # fmt: skip

    async def _ask(self, **said: object) -> SearchAnswer:
        return await self._transport.model(SearchAnswer, _DOOR, "POST", "/v1/searches", json=said)


class Approvals:
    """`client.approvals`: searches that a supervisor approves first (131.6-3)."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def request(self, query: Query, reason: Reason) -> Approval:
        """Ask for a search. Use it, once approved, with `searches.search_approved` or `.convoy`."""
        return await self._transport.model(
            Approval, _DOOR, "POST", "/v1/search-approvals", json=form(query, reason)
        )

    async def list(
        self, *, pending: bool = False, cursor: str | None = None, limit: int | None = None
    ) -> Page[Approval]:
        """One's own; supervisors and administrators see the agency's. `pending`: undecided ones."""
        wanted = {"pending": pending, "cursor": cursor, "limit": limit}
        return await self._transport.model(
            Page[Approval], _DOOR, "GET", "/v1/search-approvals", params=wanted
        )

    def every(self, *, pending: bool = False) -> AsyncIterator[Approval]:
        return every(lambda cursor: self.list(pending=pending, cursor=cursor))

    async def get(self, approval_id: UUID | str) -> Approval:
        path = f"/v1/search-approvals/{approval_id}"
        return await self._transport.model(Approval, _DOOR, "GET", path)

    async def approve(self, approval_id: UUID | str, note: str | None = None) -> Approval:
        """As a supervisor, who did not ask for it."""
        return await self._decide(approval_id, "approve", note)

    async def deny(self, approval_id: UUID | str, note: str | None = None) -> Approval:
        return await self._decide(approval_id, "deny", note)

    async def _decide(self, approval_id: UUID | str, how: str, note: str | None) -> Approval:
        path = f"/v1/search-approvals/{approval_id}/{how}"
        return await self._transport.model(Approval, _DOOR, "POST", path, json={"note": note})
