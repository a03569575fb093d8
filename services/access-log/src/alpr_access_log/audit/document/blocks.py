"""What a document is made of. Pure data; nothing here knows HTML or PDF."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from alpr_access_log.audit.charts import Bars

Tone = Literal["plain", "good", "attention", "quiet"]


@dataclass(frozen=True)
class Words:
    """A paragraph."""

    text: str
    tone: Tone = "plain"
    kind: Literal["words"] = "words"


@dataclass(frozen=True)
class Tile:
    """A figure that stands out."""

    label: str
    value: str
    note: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True)
class Tiles:
    tiles: Sequence[Tile]
    kind: Literal["tiles"] = "tiles"


@dataclass(frozen=True)
class Facts:
    """Labels with what they are."""

    facts: Sequence[tuple[str, str]]
    kind: Literal["facts"] = "facts"


@dataclass(frozen=True)
class Table:
    """Rows under heads. `numbers` are columns that are set to the right, `widths` are shares."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    widths: Sequence[float]
    numbers: frozenset[int] = frozenset()
    empty: str = "None."
    more: int = 0
    """How many rows are left out here; the tables have them."""
    kind: Literal["table"] = "table"


@dataclass(frozen=True)
class Chart:
    """Bars: standing on a time or number axis, or lying, where labels are words."""

    bars: Bars
    lying: bool
    kind: Literal["chart"] = "chart"


@dataclass(frozen=True)
class Heat:
    """A week: weekdays by hours."""

    title: str
    grid: Sequence[Sequence[int]]
    kind: Literal["heat"] = "heat"


@dataclass(frozen=True)
class Hint:
    """A finding."""

    number: str
    title: str
    who: str
    why: str
    words: str | None
    strength: str
    facts: Sequence[tuple[str, str]]
    records: Table
    reviews: Sequence[str]
    finding_id: str
    kind: Literal["hint"] = "hint"


Block = Words | Tiles | Facts | Table | Chart | Heat | Hint


@dataclass(frozen=True)
class Section:
    """A part with its heading; `id` is its anchor."""

    id: str
    title: str
    clause: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    title: str
    agency_id: str
    period: str
    facts: Sequence[tuple[str, str]]
    prepared_at: datetime
    package_id: str
    sections: Sequence[Section] = field(repr=False)
