"""Copied words among very many texts: what comparing all pairs finds, in time that grows with the
texts; and people's words held as columns."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from alpr_access_log.audit import shingles
from alpr_access_log.audit.records import Looked, Record
from alpr_access_log.audit.rules.copied_words import COPIED_AMONG_PEOPLE, finding_among
from alpr_access_log.audit.shingles import alike, content_of, jaccard, linked
from alpr_access_log.audit.shingles import shingles as runs_of
from alpr_access_log.audit.spoken import Spoken, Words
from alpr_common.misuse import MisuseLimits

AT = datetime(2026, 5, 1, tzinfo=UTC)


def vocabulary(rnd: random.Random, size: int) -> list[str]:
    return ["".join(rnd.choices("abdegiklmnoprstuw", k=4)) for _ in range(size)]


def originals_with_copies(seed: int, lengths: tuple[int, int], count: int) -> list[str]:
    """Texts of those numbers of words, every third with a copy of which a few words differ."""
    rnd = random.Random(seed)
    words = vocabulary(rnd, 60)
    texts = []
    for n in range(count):
        said = rnd.choices(words, k=rnd.randint(*lengths))
        texts.append(" ".join(said))
        if n % 3 == 0:
            for _ in range(rnd.randint(1, 1 + len(said) // 20)):
                said[rnd.randrange(len(said))] = rnd.choice(words)
            texts.append(" ".join(said))
    return texts


@pytest.mark.policy("131.7-3b")
@pytest.mark.parametrize("similarity", [0.5, 0.7, 0.8, 0.9, 1.0])
@pytest.mark.parametrize("lengths", [(1, 6), (4, 20), (12, 24), (40, 90), (60, 250)])
def test_of_short_and_long_texts_those_are_found_that_comparing_all_pairs_finds(
    lengths: tuple[int, int], similarity: float
) -> None:
    texts = originals_with_copies(7, lengths, 120)
    sets = [runs_of(text) for text in texts]
    expected = {
        n
        for n, one in enumerate(sets)
        for other in (*sets[:n], *sets[n + 1 :])
        if jaccard(one, other) >= similarity
    }
    groups = alike(texts, similarity)
    assert {n for group in groups for n in group} == expected
    for group in groups:
        for n in group:
            assert any(jaccard(sets[n], sets[m]) >= similarity for m in group if m != n)


def test_the_outcome_is_the_same_every_time_and_in_every_process() -> None:
    texts = originals_with_copies(3, (8, 20), 80)
    assert alike(texts, 0.8) == alike(list(texts), 0.8)
    assert content_of("He saw it") == content_of("he SAW it 7"[:-2])
    assert content_of("he saw it").hex() == "bfc455601dc9ed3c"


@pytest.mark.parametrize("text", ["", " ", "!?", "\u2028"])
def test_a_text_without_words_is_alike_nothing(text: str) -> None:
    assert content_of(text) == b""
    assert alike([text, text], 0.8) == []


def test_ten_times_the_texts_take_about_ten_times_the_comparisons(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Counted, not timed. The texts are put together from the same few phrases, so that most pairs
    have something in common and hardly any is alike."""
    compared = 0
    real = shingles._Groups._are_alike

    def counting(self: shingles._Groups, one: int, other: int) -> bool:
        nonlocal compared
        compared += 1
        return real(self, one, other)

    monkeypatch.setattr(shingles._Groups, "_are_alike", counting)
    counts = []
    for size in (1_000, 10_000):
        rnd = random.Random(1)
        slots = [
            [" ".join(rnd.choices(vocabulary(rnd, 300), k=3)) for _ in range(40)] for _ in range(5)
        ]
        texts = [" ".join(rnd.choice(slot) for slot in slots) for _ in range(size)]
        compared = 0
        linked(list({content_of(text): None for text in texts}), 0.8)
        counts.append(compared)
    assert counts[1] <= 15 * max(counts[0], 1_000), counts


def test_a_form_that_thousands_filled_in_does_not_take_for_ever() -> None:
    """All share their runs but for a word: they are alike, and are found by few comparisons."""
    rnd = random.Random(2)
    form = "the vehicle described in the bulletin of today was told of by a caller near the"
    texts = [f"{form} {word}" for word in dict.fromkeys(vocabulary(rnd, 5_000))]
    (group,) = alike(texts, 0.8)
    assert len(group) == len(texts)


def said(n: int, person: str, suspicion: str, case: str | None = None) -> Words:
    return Words(
        UUID(int=n + 1), AT + timedelta(hours=n), person, case or f"26-{n}", suspicion
    )  # fmt: skip


def test_words_of_several_people_are_found_and_what_was_long_ago_is_forgotten() -> None:
    spoken = Spoken()
    copied = "somebody told the desk that this car had been loitering by the school"
    spoken.add([said(0, "ann", copied), said(1, "ann", "something else entirely was the reason")])
    spoken.add(said(n, person, f"{copied}, call {n}") for n, person in ((30, "bea"), (31, "cy")))
    spoken.add([said(32, "dee", "!?")])  # says nothing
    assert len(spoken) == 4
    (same,) = spoken.same_words(0.8, 3, AT, AT + timedelta(days=9))
    assert (list(same.positions), same.people) == ([0, 2, 3], ("ann", "bea", "cy"))
    assert (same.cases, same.days) == (3, 2)
    assert spoken.record_ids(same.positions) == [UUID(int=n + 1) for n in (0, 30, 31)]
    assert spoken.occurred_at(3) == AT + timedelta(hours=31)
    assert not list(spoken.same_words(0.8, 3, AT + timedelta(days=8), AT + timedelta(days=9)))
    spoken.forget_before(AT + timedelta(hours=1))
    assert len(spoken) == 3
    assert not list(spoken.same_words(0.8, 3, AT, AT + timedelta(days=9)))
    (two,) = spoken.same_words(0.8, 2, AT, AT + timedelta(days=9))
    assert two.people == ("bea", "cy")


def test_people_who_share_one_case_are_not_pointed_out() -> None:
    spoken = Spoken()
    spoken.add(said(n, f"p{n}", "the same words from all of them", "26-1") for n in range(5))
    assert not list(spoken.same_words(0.8, 3, AT, AT + timedelta(days=9)))


def test_a_finding_with_its_first_records_alone_says_how_many_there_are() -> None:
    records = [
        Record(UUID(int=n), AT + timedelta(hours=n), "access-log", "search", "done", f"p{n % 3}",
               "officer", case_number=f"26-{n}", suspicion="the same words from all of them")
        for n in range(90)
    ]  # fmt: skip
    looked = Looked(records, AT, AT + timedelta(days=9), MisuseLimits())
    (whole,) = COPIED_AMONG_PEOPLE.find(looked)
    spoken = Spoken()
    spoken.add(said(n, f"p{n % 3}", "the same words from all of them") for n in range(90))
    (same,) = spoken.same_words(0.8, 3, AT, AT + timedelta(days=9))
    part = finding_among(looked, same, records[:50], records[-1].suspicion, records[-1].occurred_at)
    assert part.to_json("IL1", AT) == whole.to_json("IL1", AT)
    assert part.record_count == 90
