"""The agency's people and their training: what a personnel or training system keeps in step."""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Any

from alpr_client.models import NewPerson, Page, Person, TrainedPerson
from alpr_client.transport import Transport, answer_as, every, without_none

_NOT_SAID: Any = object()


class People:
    """`client.people`: for administrators; the roster also for supervisors and auditors."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self, *, cursor: str | None = None, limit: int | None = None) -> Page[Person]:
        wanted = {"cursor": cursor, "limit": limit}
        return await self._transport.model(
            Page[Person], "identity", "GET", "/v1/people", params=wanted
        )

    def every(self) -> AsyncIterator[Person]:
        return every(lambda cursor: self.list(cursor=cursor, limit=500))

    async def get(self, person_id: str) -> Person:
        """With the history of their training."""
        return await self._transport.model(Person, "identity", "GET", f"/v1/people/{person_id}")

    async def add(
        self,
        username: str,
        *,
        name: str,
        role: str,
        rank: str = "",
        supervisor_rank: str | None = None,
        password: str | None = None,
        leads_until: date | None = None,
        leads_certificate: str | None = None,
        alpr_until: date | None = None,
        alpr_certificate: str | None = None,
    ) -> NewPerson:
        """Add somebody; without a password the answer shows a generated one, this once."""
        said = {
            "username": username, "name": name, "role": role, "rank": rank,
            "supervisor_rank": supervisor_rank, "password": password,
            "leads_until": leads_until and leads_until.isoformat(),
            "leads_certificate": leads_certificate,
            "alpr_until": alpr_until and alpr_until.isoformat(),
            "alpr_certificate": alpr_certificate,
        }  # fmt: skip
        return await self._transport.model(NewPerson, "identity", "POST", "/v1/people", json=said)

    async def change(
        self,
        person_id: str,
        *,
        name: str | None = None,
        rank: str | None = None,
        role: str | None = None,
        supervisor_rank: str | None = None,
        active: bool | None = None,
    ) -> Person:
        """What is None stays; an empty `supervisor_rank` takes it away. `active=False` ends their
        sessions within seconds."""
        said = without_none(
            {
                "name": name, "rank": rank, "role": role, "supervisor_rank": supervisor_rank,
                "active": active,
            }
        )  # fmt: skip
        path = f"/v1/people/{person_id}"
        return await self._transport.model(Person, "identity", "PATCH", path, json=said)

    async def record_training(
        self,
        person_id: str,
        *,
        leads_until: date | None = _NOT_SAID,
        alpr_until: date | None = _NOT_SAID,
        leads_certificate: str | None = None,
        alpr_certificate: str | None = None,
    ) -> Person:
        """What is not given stays; a date of None takes that training away (131.6-1, 131.6-2)."""
        dates = {"leads_until": leads_until, "alpr_until": alpr_until}
        said: dict[str, Any] = {
            name: until and until.isoformat()
            for name, until in dates.items()
            if until is not _NOT_SAID
        }
        said |= without_none(
            {"leads_certificate": leads_certificate, "alpr_certificate": alpr_certificate}
        )
        path = f"/v1/people/{person_id}/training"
        # `call`: a date that is None has to be said, not left out.
        answer = await self._transport.call("identity", "PUT", path, json=said)
        return answer_as(Person, answer.json(), f"identity answered PUT {path}")

    async def release(self, person_id: str) -> Person:
        """Unlock an account that failed sign-ins have locked."""
        path = f"/v1/people/{person_id}/release"
        return await self._transport.model(Person, "identity", "POST", path)

    async def training_roster(self) -> Sequence[TrainedPerson]:
        """Everybody's training as it stands today, with the days that are left."""
        found = await self._transport.model(
            Page[TrainedPerson], "identity", "GET", "/v1/training/roster"
        )
        return found.items
