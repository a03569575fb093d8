"""What all answers have in common."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

T = TypeVar("T")


class Answer(BaseModel):
    """Base: frozen; unknown fields are reachable as attributes."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Page(Answer, Generic[T]):
    """Part of a list; `next_cursor` fetches the next part, None says that this is the last.

    Of alerts, `stream_position` is where `alerts.stream(after=…)` goes on from this page.
    """

    items: list[T]
    next_cursor: str | None = None
    stream_position: int | None = None
