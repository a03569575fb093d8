"""What an agency gives for its audit: shifts, case numbers, own and relatives' plates; checked.

Lists come as JSON, or as CSV with a head line: `person_id,begins_at,ends_at` or `case_number`.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from alpr_access_log.audit.records import case_key
from alpr_common.errors import AlprError
from alpr_common.plates import MAX_LENGTH, match_key, normalize

_SHOWN_FAULTS = 20


class ListMalformed(AlprError):
    """A list of which some lines cannot be read; of none of it is anything kept."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The list cannot be read"


@dataclass(frozen=True, order=True)
class GivenShift:
    """When a person was on duty; times are aware."""

    person_id: str
    begins_at: datetime
    ends_at: datetime


def shifts_of(rows: Iterable[Mapping[str, str | None]]) -> list[GivenShift]:
    """Shifts in order, each once; raises `ListMalformed` that names the lines."""
    shifts, faults = set(), []
    for line, row in enumerate(rows, 2):
        try:
            person = (row.get("person_id") or "").strip()
            if not person or "\x00" in person:
                raise ValueError("`person_id` is missing")
            begins_at, ends_at = (_instant(row, name) for name in ("begins_at", "ends_at"))
            if begins_at >= ends_at:
                raise ValueError("the shift ends before it begins")
            shifts.add(GivenShift(person, begins_at, ends_at))
        except (ValueError, OverflowError) as error:
            faults.append((f"line {line}", str(error)))
    _refuse(faults)
    return sorted(shifts)


def _instant(row: Mapping[str, str | None], name: str) -> datetime:
    at = datetime.fromisoformat((row.get(name) or "").strip())
    if at.tzinfo is None:
        raise ValueError(f"`{name}` has no offset from UTC")
    return at.astimezone(UTC)


def cases_of(rows: Iterable[Mapping[str, str | None]]) -> list[str]:
    """Keys of case numbers in order, each once; raises `ListMalformed` that names the lines."""
    keys, faults = set(), []
    for line, row in enumerate(rows, 2):
        key = case_key(row.get("case_number"))
        if key is None:
            faults.append((f"line {line}", "`case_number` is missing"))
        else:
            keys.add(key)
    _refuse(faults)
    return sorted(keys)


def plates_of(plates: Iterable[str]) -> list[str]:
    """Match keys in order, each once; raises `ListMalformed`."""
    keys, faults = set(), []
    for number, plate in enumerate(plates, 1):
        written = normalize(plate)
        if not 1 <= len(written) <= MAX_LENGTH:
            said = f"a plate has 1 to {MAX_LENGTH} letters and digits"
            faults.append((f"plate {number}", said))
        else:
            keys.add(match_key(written))
    _refuse(faults)
    return sorted(keys)


def rows_of(text: str) -> list[dict[str, str | None]]:
    """The lines of a CSV by its head line; raises `ListMalformed`."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        return [
            {str(name).strip().lower(): value for name, value in row.items() if name is not None}
            for row in reader
        ]
    except csv.Error as error:
        raise _malformed([(f"line {reader.line_num}", str(error))]) from error


def _refuse(faults: list[tuple[str, str]]) -> None:
    if faults:
        raise _malformed(faults)


def _malformed(faults: list[tuple[str, str]]) -> ListMalformed:
    """A refusal that names what is wrong where, as text and for programs."""
    shown = faults[:_SHOWN_FAULTS]
    if len(faults) > len(shown):
        shown.append(("and", f"{len(faults) - len(shown)} more"))
    text = "; ".join(f"{where}: {what}" for where, what in shown)
    return ListMalformed(text, faults=[{"where": where, "what": what} for where, what in shown])
