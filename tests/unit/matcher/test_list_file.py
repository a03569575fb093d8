"""Hot list files: every bad line is named, none takes another along."""

import random
from datetime import UTC, datetime, time

import pytest

from alpr_common.policy import Policy
from alpr_matcher.domain import FileNotReadable, FileTooLarge
from alpr_matcher.list_file import ListFile, parse

HEADER = "plate,category,reason,jurisdiction,expires_at,case_number,vehicle,caution\n"
GOOD = "ABC{:04d},stolen_vehicle,Stolen,US-IL,2099-01-01,22-1,red Ford,armed\n"
BAD = [
    b"ABC?01,stolen_vehicle,Stolen,,,,,\n",
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


def parsed(content: bytes | str, *, max_lines: int = 10_000) -> ListFile:
    raw = content.encode() if isinstance(content, str) else content
    return parse(raw, Policy(), max_lines=max_lines)


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
