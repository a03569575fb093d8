"""Hot list files: every bad line is named, none takes another along."""

import io
import random
from dataclasses import dataclass
from datetime import UTC, datetime, time

import pytest

from alpr_common.policy import Policy
from alpr_matcher.domain import FileNotReadable, FileTooLarge
from alpr_matcher.list_file import BadLine, ListReader
from alpr_matcher.listed_entries import ListedEntry
from alpr_matcher.mapper import HOUSE, Mapper, load_mapper

HEADER = "plate,category,reason,jurisdiction,expires_at,case_number,vehicle,caution\n"
GOOD = "ABC{:04d},stolen_vehicle,Stolen,US-IL,2099-01-01,22-1,red Ford,armed\n"
BAD = [
    b"A?1,stolen_vehicle,Too wide,,,,,\n",
    b"ABC01,no_such_category,Stolen,,,,,\n",
    b"ABC02,stolen_vehicle,,,,,,\n",
    b"ABC03,stolen_vehicle,Stolen,Illinois,,,,\n",
    b"ABC04,stolen_vehicle,Stolen,,tomorrow,,,\n",
    b"ABC05,stolen_vehicle\n",
    b'ABC06,stolen_vehicle,"Stolen,,,,,\n',
    b"ABC07,stolen_vehicle,Stol\xe9n,,,,,\n",
    b"ABC08,stolen_vehicle,Stolen,,2099-01-01T10:00:00,,,\n",
    b"ABC09,stolen_vehicle," + b"x" * 9000 + b",,,,,\n",
    b",stolen_vehicle,Stolen,,,,,\n",
    b"ABC10,stolen_vehicle,Sto\x00len,,,,,\n",
]


@dataclass(frozen=True)
class Parsed:
    plates: list[ListedEntry]
    bad_lines: list[BadLine]
    dropped: dict[str, int]


def parsed(
    content: bytes | str, *, max_lines: int = 10_000, mapper: Mapper | None = None
) -> Parsed:
    raw = content.encode() if isinstance(content, str) else content
    mapper = mapper or load_mapper(HOUSE, None)
    reader = ListReader(io.BytesIO(raw), mapper, Policy(), "A", "leads", max_lines)
    plates = list(reader.entries())
    return Parsed(plates, reader.bad_lines, dict(reader.dropped))


def test_every_bad_line_is_named_and_every_good_one_taken() -> None:
    lines = [GOOD.format(n).encode() for n in range(2_000)]
    rng = random.Random(7)
    bad_at = set(rng.sample(range(2_000), len(BAD)))
    for place, bad in zip(sorted(bad_at), BAD, strict=True):
        lines[place] = bad
    found = parsed(HEADER.encode() + b"".join(lines))
    assert [b.line for b in found.bad_lines] == [place + 2 for place in sorted(bad_at)]
    assert [p.line for p in found.plates] == [n + 2 for n in range(2_000) if n not in bad_at]
    assert all(bad.what for bad in found.bad_lines)


def test_a_line_gives_all_its_columns() -> None:
    (plate,) = parsed(HEADER + GOOD.format(7)).plates
    assert (plate.plate, plate.category, plate.priority) == ("ABC0007", "stolen_vehicle", 2)
    assert (plate.reason, plate.jurisdiction, plate.case_number) == ("Stolen", "US-IL", "22-1")
    assert (plate.vehicle, plate.caution) == ("red Ford", "armed")
    assert plate.expires_at == datetime.combine(datetime(2099, 1, 1).date(), time.max, UTC)  # noqa: DTZ001


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_delimiter_and_line_ending_are_recognized(delimiter: str, ending: str) -> None:
    text = (HEADER + GOOD.format(1)).replace(",", delimiter).replace("\n", ending)
    assert len(parsed("\ufeff" + text).plates) == 1


def test_columns_may_be_fewer_in_any_order_and_others_are_ignored() -> None:
    (plate,) = parsed("reason,colour,PLATE,category\nStolen,red,b-mw 1,other\n").plates
    assert (plate.plate, plate.jurisdiction, plate.expires_at) == ("BMW1", None, None)


def test_a_quoted_field_may_hold_the_delimiter() -> None:
    (plate,) = parsed('plate,category,reason\nAB1,other,"Taken, then seen"\n').plates
    assert plate.reason == "Taken, then seen"


@pytest.mark.parametrize(
    "content",
    [b"", b"plate,category\nAB1,other\n", "plate,category,reason\n".encode("utf-16"), b"pl\xe4te,"],
)
def test_a_file_without_a_readable_header_is_refused_whole(content: bytes) -> None:
    with pytest.raises(FileNotReadable):
        parsed(content)


def test_a_file_with_too_many_lines_is_refused_whole() -> None:
    with pytest.raises(FileTooLarge):
        parsed(HEADER + GOOD.format(1) * 11, max_lines=10)


def test_a_line_without_end_is_one_bad_line() -> None:
    content = HEADER + "A" * 100_000 + "\n" + GOOD.format(1)
    found = parsed(content)
    assert [(b.line, "longer" in b.what) for b in found.bad_lines] == [(2, True)]
    assert [p.line for p in found.plates] == [3]


def test_the_same_line_is_the_same_entry_in_every_file() -> None:
    (one,) = parsed(HEADER + GOOD.format(7)).plates
    (again,) = parsed(HEADER + "\n" + GOOD.format(7).replace("Stolen", "Armed")).plates
    assert one.entry_id == again.entry_id
    (elsewhere,) = parsed(HEADER + GOOD.format(7).replace("US-IL", "US-WI")).plates
    assert elsewhere.entry_id != one.entry_id


def test_a_wildcard_is_an_entry_and_keeps_its_wildcards() -> None:
    (plate,) = parsed("plate,category,reason\nab?-o2*,amber_alert,Silver van\n").plates
    assert (plate.plate, plate.match_key) == ("AB?O2*", "A8?02*")


def test_dropped_records_are_counted_and_are_no_bad_lines() -> None:
    line = "AB1,immigration_violator,Administrative warrant\n"
    found = parsed("plate,category,reason\n" + line * 2 + "AB2,other,Seen\n")
    assert found.dropped == {"immigration_violator": 2}
    assert (len(found.plates), found.bad_lines) == (1, [])


def test_an_action_column_says_what_a_delta_removes() -> None:
    text = "plate,category,reason,action\nAB1,other,x,remove\nAB2,other,x,\nAB3,other,x,gone\n"
    found = parsed(text)
    assert [(p.plate, p.removes) for p in found.plates] == [("AB1", True), ("AB2", False)]
    assert [b.line for b in found.bad_lines] == [4]
