"""Periods and moments as they are typed on the command line."""

from datetime import UTC, date, datetime, time
from typing import Annotated

import typer

From = Annotated[str, typer.Option("--from", help="a day (UTC), or a time with its offset")]
To = Annotated[str, typer.Option("--to", help="the first day, or moment, that is not in it")]


def period(from_at: str, to_at: str) -> dict[str, str]:
    """As the routes take it. Raises `typer.BadParameter`."""
    return {"from": moment(from_at, "--from"), "to": moment(to_at, "--to")}


def moment(text: str, option: str) -> str:
    """A day begins at midnight UTC; a time has to say its offset. Raises `typer.BadParameter`."""
    try:
        if len(text) == len("2026-01-01"):
            return datetime.combine(date.fromisoformat(text), time(), UTC).isoformat()
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{option}: {error}") from error
    if at.tzinfo is None:
        raise typer.BadParameter(f"{option}: say a day, or a time with its offset from UTC")
    return at.isoformat()
