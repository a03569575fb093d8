"""Lists that an agency gives as CSV: what cannot be read is named by its line."""

import pytest

from alpr_access_log.audit.given import ListMalformed, cases_of, rows_of, shifts_of

HEAD = "person_id,begins_at,ends_at\n"
GOOD = "ann,2026-01-01T06:00Z,2026-01-01T16:00Z\n"


def faults(text: str) -> list[str]:
    with pytest.raises(ListMalformed) as refused:
        shifts_of(rows_of(text))
    return [one["where"] for one in refused.value.extra["faults"]]


@pytest.mark.parametrize(
    ("bad", "where", "what"),
    [
        ("an\x00n,2026-01-01T06:00Z,2026-01-01T16:00Z\n", "line 3", "U+0000"),
        ("an\ud800n,2026-01-01T06:00Z,2026-01-01T16:00Z\n", "line 3", "half"),
        (f"{'x' * 140_000},2026-01-01T06:00Z,2026-01-01T16:00Z\n", "line 3", "more than 131072"),
        ('"ann,2026-01-01T06:00Z,2026-01-01T16:00Z\n', "line 3", "quote left open"),
        ('"a"nn,2026-01-01T06:00Z,2026-01-01T16:00Z\n', "line 3", "expected"),
        ("ann,2026-01-01T06:00Z,2026-01-01T16:00Z,more\n", "line 3", "4 fields"),
        ("ann,yesterday,2026-01-01T16:00Z\n", "line 3", "yesterday"),
        (",2026-01-01T06:00Z,2026-01-01T16:00Z\n", "line 3", "person_id"),
        ("ann\n", "line 3", ""),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(bad: str, where: str, what: str) -> None:
    with pytest.raises(ListMalformed, match=where) as refused:
        shifts_of(rows_of(HEAD + GOOD + bad))
    assert refused.value.status == 422
    assert what in str(refused.value)


def test_lines_are_those_of_the_file_with_blank_ones_and_breaks_in_quotes() -> None:
    assert faults(f'\n{HEAD}\n\n{GOOD}"a\nb",x,y\n{GOOD}ann,x,y\n') == ["line 7", "line 9"]
    assert faults(f"{HEAD}{GOOD}ann,x,y\n".replace("\n", "\r")) == ["line 3"]
    assert faults(f"{HEAD}{GOOD}ann,x,y\n".replace("\n", "\r\n")) == ["line 3"]


def test_empty_fields_behind_the_last_name_are_no_fault() -> None:
    assert cases_of(rows_of("case_number\n26-1,,\n26-2, \n")) == ["261", "262"]
    assert rows_of("") == []
    assert rows_of("\n\n") == []
