"""Mappers: what a small file may say, and what is wrong with one that says something else."""

import io
from pathlib import Path

import pytest

from alpr_common.policy import Policy
from alpr_matcher.list_file import ListReader
from alpr_matcher.mapper import (
    LineRefused,
    Mapper,
    MapperInvalid,
    date_reader,
    load_mapper,
    renderer,
    table_lookup,
)

MINIMAL = """
format = "delimited"
header = false
delimiter = "|"
[fields]
LIC = 1
MKE = 2
[tables.MKE]
EV = "stolen_vehicle"
[values]
plate = "{LIC}"
category = "{MKE}"
reason = "Listed"
"""


def read(content: bytes, mapper: Mapper) -> ListReader:
    reader = ListReader(io.BytesIO(content), mapper, Policy(), "A", "s", 1000)
    reader.entries_read = list(reader.entries())  # type: ignore[attr-defined]
    return reader


def ncic(lic: str = "HUK379", mke: str = "EV", vco: str = "RED", dot: str = "20260501") -> str:
    return (
        f"{mke:4}{lic:10}IL2027PC{'1HGCM82633A000001':20}2019HOND{'ACC':3}MC{vco:7}"
        f"{'V000000001':10}IL0222900{'22-1':20}{dot:8}{'':8}{'':4}\n"
    )


@pytest.mark.parametrize(
    ("template", "fields", "text"),
    [
        ("fixed words", {}, "fixed words"),
        ("{A}", {"A": "x"}, "x"),
        ("{A}", {}, ""),
        ("[{A} ][{B} ]{C}", {"A": "1", "B": "", "C": "3"}, "1 3"),
        ("[{A}, case {B}]", {"A": "1", "B": ""}, ""),
        ("Stolen[ on {D}] by {O}", {"D": "", "O": "IL1"}, "Stolen by IL1"),
    ],
)
def test_a_part_in_brackets_goes_when_a_field_in_it_is_empty(
    template: str, fields: dict[str, str], text: str
) -> None:
    assert renderer(template)(fields) == text


def test_a_code_table_keeps_replaces_or_refuses_other_codes() -> None:
    assert table_lookup("VCO", {"BLU": "blue"})("blu") == "blue"
    assert table_lookup("VCO", {"*": "*"})("XYZ") == "XYZ"
    assert table_lookup("VCO", {"*": ""})("XYZ") == ""
    with pytest.raises(LineRefused, match="VCO 'XYZ'"):
        table_lookup("VCO", {"BLU": "blue"})("XYZ")


def test_a_date_is_read_as_the_mapper_says_and_nothing_else_is() -> None:
    assert date_reader("DOT", "%Y%m%d")("20260501") == "2026-05-01"
    assert date_reader("DOT", "%Y%m%d%H%M")("202605011200") == "2026-05-01T12:00:00+00:00"
    with pytest.raises(LineRefused, match="DOT"):
        date_reader("DOT", "%Y%m%d")("20261301")


def test_the_shipped_fixed_width_mapper_reads_ncic_fields() -> None:
    lines = "HDR 2\n" + ncic() + ncic("WHO123", vco="BLU/WHI", dot="20269999") + "TRL 2\n"
    reader = read(lines.encode(), load_mapper("ncic-fixed", None))
    (entry,) = reader.entries_read  # type: ignore[attr-defined]
    assert (entry.plate, entry.jurisdiction, entry.category) == (
        "HUK379",
        "US-IL",
        "stolen_vehicle",
    )
    assert entry.reason == "NCIC record V000000001 of IL0222900, 2026-05-01"
    assert entry.vehicle == ("2019 red HOND ACC, VIN 1HGCM82633A000001, plate type PC of 2027")
    assert (entry.vehicle_type, entry.vehicle_colour, entry.vehicle_year) == (
        "motorcycle", "red", 2019,
    )  # fmt: skip
    assert [(b.line, "DOT" in b.what) for b in reader.bad_lines] == [(3, True)]


def test_immigration_records_of_the_shipped_mapper_are_dropped() -> None:
    reader = read(ncic(mke="EN").encode(), load_mapper("ncic-fixed", None))
    assert reader.entries_read == []  # type: ignore[attr-defined]
    assert dict(reader.dropped) == {"immigration_violator": 1}


def test_an_encoding_is_the_mappers_and_a_foreign_byte_is_a_bad_line() -> None:
    mapper = Mapper.parse(MINIMAL.replace("header", 'encoding = "cp1252"\nheader'))
    reader = read("KÖ1|EV\n".encode("cp1252") + b"AB1|EV\nK\x811|EV\n", mapper)
    assert [e.plate for e in reader.entries_read] == ["KO1", "AB1"]  # type: ignore[attr-defined]
    assert [b.line for b in reader.bad_lines] == [3]


def test_an_own_mapper_comes_before_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "ncic-fixed.toml").write_text(MINIMAL)
    assert load_mapper("ncic-fixed", tmp_path).format == "delimited"
    assert load_mapper("house-csv", tmp_path).format == "delimited"
    with pytest.raises(MapperInvalid):
        load_mapper("../secrets", tmp_path)
    with pytest.raises(MapperInvalid):
        load_mapper("no-such", tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("format = ", "TOML"),
        (MINIMAL.replace('"{LIC}"', '"{PLATE}"'), "PLATE"),
        (MINIMAL.replace('reason = "Listed"', ""), "reason"),
        (MINIMAL + 'colour = "{LIC}"\n', "colour"),
        (MINIMAL.replace("LIC = 1", 'LIC = "plate"'), "header"),
        (MINIMAL.replace("delimited", "fixed"), "5-14"),
        (MINIMAL.replace("[tables.MKE]", "[tables.XYZ]"), "XYZ"),
        (MINIMAL.replace("header", 'encoding = "utf-16"\nheader'), "ASCII"),
        (MINIMAL.replace("header", 'encoding = "klingon"\nheader'), "klingon"),
        (MINIMAL.replace('"|"', '"||"'), "delimiter"),
    ],
)
def test_what_is_wrong_with_a_mapper_is_said(text: str, says: str) -> None:
    with pytest.raises(MapperInvalid) as refused:
        Mapper.parse(text)
    assert says in refused.value.detail
