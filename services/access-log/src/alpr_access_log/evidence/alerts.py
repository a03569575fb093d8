"""An alert with its hits and history, as its own service shows it to the person who asks.

The person's own token is sent along: the alert service decides whether they may see it, and
records that they did.
"""

from http import HTTPStatus
from typing import Any
from uuid import UUID

import httpx

from alpr_common.auth import Principal
from alpr_common.errors import AlprError, NotFound, Outage

_TIMEOUT_SECONDS = 10.0


class AlertNotShown(AlprError):
    status = HTTPStatus.FORBIDDEN
    title = "The alert service does not show you this alert"
    clause = "131.7-3a"


class Alerts:
    """The alert service's REST."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    async def alert(self, principal: Principal, alert_id: UUID) -> dict[str, Any]:
        """The alert with `hits` and `history`; once its reads are past their retention, its record,
        which names them by `read_id` alone.

        Raises `NotFound`, `AlertNotShown`, or an `Outage` when the service does not answer.
        """
        headers = {"Authorization": f"Bearer {principal.token}"}
        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS) as client:
                answer = await client.get(f"{self._url}/v1/alerts/{alert_id}", headers=headers)
                if answer.status_code == HTTPStatus.GONE:
                    # Its reads are past their retention there; what a hold keeps of them is here.
                    path = f"{self._url}/v1/alerts/{alert_id}/record"
                    answer = await client.get(path, headers=headers)
        except httpx.HTTPError as error:
            raise Outage(f"The alert service does not answer: {error!r}") from error
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise NotFound(f"There is no alert {alert_id}.")
        if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise AlertNotShown(f"Alert {alert_id}: {answer.json().get('detail', 'refused')}")
        if answer.status_code != HTTPStatus.OK:
            raise Outage(f"The alert service answered {answer.status_code} for {alert_id}.")
        alert: dict[str, Any] = answer.json()
        return alert
