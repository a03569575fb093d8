"""Patterns: what fits, and an index that finds exactly what trying every pattern would find."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alpr_common.plates import match_key
from alpr_matcher.patterns import PatternIndex, differences, named_characters


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("ABC123", "AB?12*", ()),
        ("ABC12", "AB?12*", ()),
        ("AB12", "AB?12*", None),
        ("ABC123", "*", ()),
        ("", "*", ()),
        ("ABC", "???", ()),
        ("ABCD", "???", None),
        ("A8C12", "AB?12", ((1, "B"),)),
        ("A8CI2Z", "AB?12*", ((1, "B"), (3, "1"))),
        ("XBB1", "*B?", ()),  # of two ways the one that differs nowhere
        ("X8B1", "*B?", ()),
        ("X8B1", "?B*", ((1, "B"),)),
        ("AXB", "A*B", ()),
        ("AB", "A*B", ()),
        ("A", "A*A", None),
    ],
)
def test_a_question_mark_is_one_character_and_a_star_any_number(
    text: str, pattern: str, expected: object
) -> None:
    assert differences(text, pattern) == expected


def test_only_named_characters_are_counted() -> None:
    assert [named_characters(p) for p in ("AB?12*", "*", "ABC")] == [4, 0, 3]


PATTERNS = st.text("AB81?*", min_size=1, max_size=7)
TEXTS = st.text("AB8I", min_size=0, max_size=7)


@settings(max_examples=150, deadline=None)
@given(TEXTS, PATTERNS)
def test_differences_are_the_fewest_of_all_ways_to_lay_the_pattern(text: str, pattern: str) -> None:
    def ways(text: str, pattern: str) -> list[int]:
        if not pattern:
            return [] if text else [0]
        if pattern[0] == "*":
            return [w for n in range(len(text) + 1) for w in ways(text[n:], pattern[1:])]
        if not text or (pattern[0] != "?" and match_key(text[0]) != match_key(pattern[0])):
            return []
        more = pattern[0] not in ("?", text[0])
        return [more + way for way in ways(text[1:], pattern[1:])]

    found, all_ways = differences(text, pattern), ways(text, pattern)
    assert (None if found is None else len(found)) == min(all_ways, default=None)
    for position, wanted in found or ():
        assert text[position] != wanted
        assert match_key(text[position]) == match_key(wanted)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(TEXTS, min_size=1, max_size=20),
    st.lists(st.tuples(st.integers(0, 6), st.one_of(st.none(), PATTERNS)), max_size=25),
)
def test_the_index_finds_what_trying_every_pattern_finds(
    texts: list[str], changes: list[tuple[int, str | None]]
) -> None:
    index, listed = PatternIndex(), dict[bytes, str]()
    for number, pattern in changes:
        key = str(number).encode()
        if pattern is None:
            index.remove(key)
            listed.pop(key, None)
        else:
            index.put(key, pattern, pattern.encode())
            listed[key] = pattern
    assert len(index) == len(listed)
    for text in texts:
        folded = match_key(text)
        expected = sorted(
            p.encode()
            for p in listed.values()
            if re.fullmatch(match_key(p).replace("?", ".").replace("*", ".*"), folded)
        )
        assert sorted(index.fitting(folded.encode())) == expected
        assert index.may_fit(folded.encode()) == bool(expected)
