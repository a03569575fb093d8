"""The lists that people give for the audit, as they come from a file. Pure."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from alpr_common.errors import AlprError

_SHOWN_FAULTS = 20
MOST_CHARACTERS = 8_000_000
_NOT_TEXT = "It has to be a CSV file in UTF-8, as spreadsheets save it under “CSV UTF-8”."
_COLUMNS = ("person_id", "begins_at", "ends_at")


class ListUnread(AlprError):
    """A file or field that cannot be sent on. `extra["faults"]`: pairs of where and what."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The file could not be read"
    clause = "131.5-d"


class ListEmpty(ListUnread):
    title = "There is nothing in the file"


class ListTooLarge(ListUnread):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    title = "The file is too large"


class NobodyKnown(ListUnread):
    title = "The list names people whom nobody knows"


class PlatesMissing(ListUnread):
    title = "Say whose plates, and which"
    clause = "131.6-3c"


def text_of(content: bytes) -> str:
    """The text of an uploaded file; raises `ListUnread`."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ListUnread(_NOT_TEXT) from error
    if "\x00" in text:
        raise ListUnread(_NOT_TEXT)
    if len(text.splitlines()) < 2:
        raise ListEmpty("Choose a CSV file with a heading line. To have no list, take it back.")
    if len(text) > MOST_CHARACTERS:
        raise ListTooLarge("Files of up to 8 million characters are taken here.")
    return text


def has_usernames(text: str) -> bool:
    """Whether a list of shifts names people by what they sign in with; raises `ListUnread`."""
    names = _names(_Lines(text))
    return "username" in names and "person_id" not in names


def with_person_ids(text: str, people: Iterable[Mapping[str, Any]]) -> str:
    """The list with a column person_id instead of username; raises `NobodyKnown` that names the
    lines whose name is nobody's, or `ListUnread`.

    `people` have `username` and `person_id`.
    """
    known = {str(one["username"]).lower(): str(one["person_id"]) for one in people}
    lines = _Lines(text)
    names = _names(lines)
    out = io.StringIO()
    writer = csv.DictWriter(out, _COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    faults = []
    for line, fields in lines:
        row = dict(zip(names, fields, strict=False))
        name = (row.get("username") or "").strip()
        person_id = known.get(name.lower())
        if person_id is None:
            faults.append((f"line {line}", f"nobody of the agency signs in as “{name}”"))
        else:
            writer.writerow({**row, "person_id": person_id})
    if faults:
        shown = faults[:_SHOWN_FAULTS]
        if len(faults) > len(shown):
            shown.append(("and", f"{len(faults) - len(shown)} more"))
        raise NobodyKnown("; ".join(f"{where}: {what}" for where, what in shown), faults=shown)
    return out.getvalue()


class _Lines:
    """The records of a CSV, each with the line that it begins on; blank lines are none.

    Raises `ListUnread`, which names the line, where what stands there is no record.
    """

    def __init__(self, text: str) -> None:
        self._reader = csv.reader(io.StringIO(text))

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        while True:
            line = self._reader.line_num + 1
            try:
                fields = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                fault = (f"line {line}", _what(error))
                raise ListUnread(f"{fault[0]}: {fault[1]}", faults=[fault]) from error
            if fields:
                yield line, fields


def _what(error: csv.Error) -> str:
    if "field limit" in str(error):
        return f"a field has more than {csv.field_size_limit()} characters: is a quote left open?"
    return "its end is not that of a line of CSV; save the file as “CSV UTF-8” again"


def _names(lines: _Lines) -> list[str]:
    _, names = next(iter(lines), (0, []))
    return [name.strip().lower() for name in names]


def plates_of(text: str) -> list[str]:
    """Plates as they were typed, one a line; raises `PlatesMissing`."""
    plates = [line.strip() for line in text.splitlines() if line.strip()]
    if not plates:
        raise PlatesMissing("Type at least one plate. To have none, take the person off the list.")
    return plates
