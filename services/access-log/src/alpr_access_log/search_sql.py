"""The statement that a search becomes: its constants put together by what the query narrows.

Only conditions that are asked for stand in it, so that the planner sees what there is to use.
Parameters $1 to $9 are those of every search (`store.find_reads`); what narrows begins at $10.
"""

from typing import Any

from alpr_access_log.domain import LARGEST, METERS_PER_DEGREE, Area, Circle, PlateQuestion, Query

_FOUND = """
SELECT read_id, captured_at, message FROM {table}
WHERE agency_id = $1 AND captured_at >= $2 AND captured_at < $3
  AND ($4::text[] IS NULL OR camera_id = ANY($4))
  AND ($5::timestamptz IS NULL OR (captured_at, read_id) < ($5, $6::uuid))
  AND {narrowed} AND {shown}
ORDER BY captured_at DESC, read_id DESC LIMIT $7
"""
# What is past its retention is not shown, purged or not; what a hold or its category keeps is.
_SHOWN = "captured_at >= $8::timestamptz"
HELD_SHOWN = """(captured_at >= $8::timestamptz OR keep_until > $9::timestamptz OR EXISTS (
    SELECT FROM hold_read m JOIN hold h USING (hold_id)
    WHERE m.read_id = held_read.read_id AND h.released_at IS NULL))"""
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
        first = _FIRST + len(self.values)
        self.texts.append(text.format(*(f"${first + n}" for n in range(len(values)))))
        self.values += values


def find_statement(query: Query) -> tuple[str, list[Any]]:
    """The statement for `query`, and the values of its parameters from $10 on."""
    narrowed = _Conditions()
    question = query.plate_question
    if question is not None:
        _plate(narrowed, question)
    if query.jurisdictions:
        narrowed.add("jurisdiction = ANY({0}::text[])", list(query.jurisdictions))
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
    statement = _FIND.format(
        stored=_FOUND.format(table="read", narrowed=text.replace("found.", "read."), shown=_SHOWN),
        held=_FOUND.format(
            table="held_read", narrowed=text.replace("found.", "held_read."), shown=HELD_SHOWN
        ),
    )
    return statement, narrowed.values


def _plate(narrowed: _Conditions, asked: PlateQuestion) -> None:
    if asked.equal is not None:
        narrowed.add(f"{asked.column} = {{0}}", asked.equal)
    elif asked.ending:
        # Comparisons are leakproof, so a policy lets an index serve them; the pattern filters.
        narrowed.add(
            "match_key_reversed >= {1} AND match_key_reversed < {2} AND "
            + asked.column + " LIKE {0}",
            asked.like, asked.ending, asked.ending + LARGEST,
        )  # fmt: skip
    else:
        narrowed.add(
            f"{asked.column} >= {{1}} AND {asked.column} < {{2}} AND {asked.column} LIKE {{0}}",
            asked.like, asked.low, asked.high,
        )  # fmt: skip


def _area(narrowed: _Conditions, area: Area) -> None:
    box = area.box if isinstance(area, Circle) else area
    narrowed.add(
        "latitude BETWEEN {0}::float8 AND {1}::float8 "
        "AND longitude BETWEEN {2}::float8 AND {3}::float8",
        box.south, box.north, box.west, box.east,
    )  # fmt: skip
    if isinstance(area, Circle):
        narrowed.add(
            "((latitude - {0}::float8) * {2}::float8) ^ 2 "
            "+ ((longitude - {1}::float8) * {3}::float8) ^ 2 <= {4}::float8 ^ 2",
            area.latitude, area.longitude, METERS_PER_DEGREE, area.meters_per_degree_east,
            float(area.radius_meters),
        )  # fmt: skip
