"""The statement that a search becomes: its constants put together by what the query narrows.

Only conditions that are asked for stand in it, so that the planner sees what there is to use.
Parameters $1 to $9 are those of every search (`store.find_reads`); what narrows begins at $10.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from alpr_access_log.domain import (
    METERS_PER_DEGREE,
    Area,
    Circle,
    PlateQuestion,
    Position,
    Query,
)

_FOUND = """
SELECT found.read_id, found.captured_at, found.message FROM {source}
WHERE found.agency_id = $1 AND found.captured_at >= $2 AND found.captured_at < $3
  AND ($4::text[] IS NULL OR found.camera_id = ANY($4))
  AND ($5::timestamptz IS NULL OR (found.captured_at, found.read_id) < ($5, $6::uuid))
  AND {narrowed} AND {shown}
ORDER BY found.captured_at DESC, found.read_id DESC LIMIT $7
"""
# Plates of the pattern, each with its days, from the one place that may look pieces up; the reads
# themselves are found under their policy. Limited inside as well: or the planner would rather join
# all reads of the days than look up each plate in its day.
_OF_SEEN_PLATES = """
SELECT found.read_id, found.captured_at, found.message
FROM seen_plates({pairs}::text[], {like}, {folded}::boolean,
    ($2::timestamptz AT TIME ZONE 'UTC')::date,
    (($3::timestamptz - interval '1 microsecond') AT TIME ZONE 'UTC')::date) AS seen
CROSS JOIN LATERAL ({found}) AS found
ORDER BY found.captured_at DESC, found.read_id DESC LIMIT $7
"""
_SEEN_THEN = """found.plate = seen.plate
  AND found.captured_at >= seen.first_at AND found.captured_at < seen.end_at"""
# What is past its retention is not shown, purged or not; what a hold or its category keeps is.
_SHOWN = "found.captured_at >= $8::timestamptz"
HELD_SHOWN = """({held}.captured_at >= $8::timestamptz OR {held}.keep_until > $9::timestamptz
  OR EXISTS (
    SELECT FROM hold_read m JOIN hold h USING (hold_id)
    WHERE m.read_id = {held}.read_id AND h.released_at IS NULL))"""
# A read lies in its partition, among the held, or in both; each branch gives its newest.
_FIND = """
SELECT DISTINCT ON (captured_at, read_id) read_id, captured_at, message::text AS message
FROM (({stored}) UNION ALL ({held})) found
ORDER BY captured_at DESC, read_id DESC LIMIT $7
"""
_FIRST = 10


class _Conditions:
    """Conditions and the values of their parameters."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.values: list[Any] = []

    def add(self, text: str, *values: Any) -> None:
        """`text` names its values {0}, {1}, …"""
        self.texts.append(self.named(text, *values))

    def named(self, text: str, *values: Any) -> str:
        """`text` with the parameters of its values in it."""
        first = _FIRST + len(self.values)
        self.values += values
        return text.format(*(f"${first + n}" for n in range(len(values))))


def find_statement(query: Query) -> tuple[str, list[Any]]:
    """The statement for `query`, and the values of its parameters from $10 on."""
    narrowed = _Conditions()
    question = query.plate_question
    by_pairs = question is not None and question.pairs is not None
    if question is not None and not by_pairs:
        _plate(narrowed, question)
    if query.jurisdictions:
        narrowed.add("found.jurisdiction = ANY({0}::text[])", list(query.jurisdictions))
    if query.area is not None:
        _area(narrowed, query.area)
    if query.hit is not None:
        # A marker beside the read, so that the index of the plate or the time stays in charge.
        narrowed.add(
            "EXISTS (SELECT FROM read_hit h WHERE h.agency_id = $1 AND h.read_id = found.read_id)"
            " = {0}::boolean",
            query.hit,
        )
    text = " AND ".join(narrowed.texts) or "true"
    stored = _FOUND.format(source="read AS found", narrowed=text, shown=_SHOWN)
    of_plate = "true"
    if question is not None and by_pairs:
        like = narrowed.named("{0}::text", question.like)
        stored = _OF_SEEN_PLATES.format(
            pairs=narrowed.named("{0}", list(question.pairs or ())),
            like=like,
            folded=narrowed.named("{0}", question.column == "match_key"),
            found=_FOUND.format(
                source="read AS found", narrowed=f"{_SEEN_THEN} AND {text}", shown=_SHOWN
            ),
        )
        of_plate = f"found.{question.column} LIKE {like}"
    held = _FOUND.format(
        source="held_read AS found",
        narrowed=f"{of_plate} AND {text}",
        shown=HELD_SHOWN.format(held="found"),
    )
    return _FIND.format(stored=stored, held=held), narrowed.values


def spans(query: Query, after: Position | None) -> Iterator[tuple[datetime, datetime]]:
    """The times that are asked for one after another, the newest first, until the page is full.

    The whole window at once, but for patterns of pairs: each plate and day of theirs is looked up,
    and a pattern that many plates have fills its page within a day.
    """
    question = query.plate_question
    end_at = query.to_at
    if question is None or question.pairs is None:
        yield query.from_at, end_at
        return
    if after is not None:
        end_at = min(end_at, after.captured_at + timedelta(microseconds=1))
    days = 1
    while end_at > query.from_at:
        midnight = (end_at.astimezone(UTC) - timedelta(microseconds=1)).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        before = timedelta(days=days - 1)
        from_at = midnight - before if midnight - query.from_at > before else query.from_at
        yield from_at, end_at
        end_at, days = from_at, days * 2


def _plate(narrowed: _Conditions, asked: PlateQuestion) -> None:
    column = f"found.{asked.column}"
    if asked.equal is not None:
        narrowed.add(f"{column} = {{0}}", asked.equal)
    else:
        # Comparisons are leakproof, so a policy lets an index serve them; the pattern filters.
        narrowed.add(
            f"{column} >= {{1}} AND {column} < {{2}} AND {column} LIKE {{0}}",
            asked.like, asked.low, asked.high,
        )  # fmt: skip


def _area(narrowed: _Conditions, area: Area) -> None:
    box = area.box if isinstance(area, Circle) else area
    narrowed.add(
        "found.latitude BETWEEN {0}::float8 AND {1}::float8 "
        "AND found.longitude BETWEEN {2}::float8 AND {3}::float8",
        box.south, box.north, box.west, box.east,
    )  # fmt: skip
    if isinstance(area, Circle):
        narrowed.add(
            "((found.latitude - {0}::float8) * {2}::float8) ^ 2 "
            "+ ((found.longitude - {1}::float8) * {3}::float8) ^ 2 <= {4}::float8 ^ 2",
            area.latitude, area.longitude, METERS_PER_DEGREE, area.meters_per_degree_east,
            float(area.radius_meters),
        )  # fmt: skip
