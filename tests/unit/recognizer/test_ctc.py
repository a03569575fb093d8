"""CTC decoding against enumeration of every alignment."""

import itertools

import numpy as np
import pytest

from alpr_recognizer.ctc import beam_search, ctc_candidates, extent, read_ctc, substitutions
from alpr_recognizer.domain import CHARSET, Floats

_COLUMNS = len(CHARSET) + 1


def random_steps(seed: int, count: int, alphabet: int = 3) -> Floats:
    """[count, 37] step probabilities over blank and the first few characters."""
    rng = np.random.default_rng(seed)
    steps = np.zeros((count, _COLUMNS))
    steps[:, : alphabet + 1] = rng.dirichlet(np.full(alphabet + 1, 0.6), count)
    return steps


def enumerated(steps: Floats, alphabet: int = 3) -> dict[str, float]:
    """Probability of every text, by walking all paths."""
    found: dict[str, float] = {}
    for path in itertools.product(range(alphabet + 1), repeat=len(steps)):
        text = "".join(
            CHARSET[c - 1] for i, c in enumerate(path) if c and (i == 0 or path[i - 1] != c)
        )
        found[text] = found.get(text, 0.0) + float(
            np.prod([steps[t, c] for t, c in enumerate(path)])
        )
    return found


@pytest.mark.parametrize("seed", range(8))
def test_the_texts_probability_is_the_sum_over_all_its_alignments(seed: int) -> None:
    steps = random_steps(seed, 6)
    texts = enumerated(steps)
    best = max((t for t in texts if t), key=lambda t: texts[t])
    _, total = substitutions(steps, [CHARSET.index(c) + 1 for c in best])
    assert total == pytest.approx(texts[best])


@pytest.mark.parametrize("seed", range(8))
def test_a_positions_posterior_is_that_of_texts_which_differ_there_alone(seed: int) -> None:
    steps = random_steps(seed, 6)
    texts = enumerated(steps)
    best = max((t for t in texts if len(t) >= 2), key=lambda t: texts[t])
    rows, _ = substitutions(steps, [CHARSET.index(c) + 1 for c in best])
    for position in range(len(best)):
        others = [best[:position] + c + best[position + 1 :] for c in CHARSET[:3]]
        weights = np.array([texts.get(o, 0.0) for o in others])
        assert rows[position, :3] == pytest.approx(weights / weights.sum(), abs=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_the_beam_search_finds_the_likeliest_text(seed: int) -> None:
    steps = random_steps(seed, 6)
    texts = enumerated(steps)
    found, probability = beam_search(steps)[0]
    assert texts[found] == pytest.approx(max(texts.values()), rel=0.05)
    assert probability <= texts[found] + 1e-12, "what the beams dropped is missing, no more"


def logits_of(path: str, strength: float = 8.0) -> Floats:
    """Logits that say this path ('-' is the blank)."""
    logits = np.zeros((len(path), _COLUMNS))
    for t, character in enumerate(path):
        logits[t, 0 if character == "-" else CHARSET.index(character) + 1] = strength
    return logits


def test_doubled_characters_need_a_blank_between() -> None:
    assert read_ctc(logits_of("-AA-A-11-2"), 1.0, CHARSET).text == "AA12"


def test_a_blank_picture_says_nothing() -> None:
    nothing = read_ctc(logits_of("----------"), 1.0, CHARSET)
    assert nothing.text == ""
    assert nothing.confidence == 0


def test_a_higher_temperature_makes_it_less_sure_of_the_same_text() -> None:
    sure, doubtful = (read_ctc(logits_of("-A-B-1-2-"), t, CHARSET) for t in (1.0, 2.5))
    assert sure.text == doubtful.text == "AB12"
    assert sure.confidence > doubtful.confidence + 0.1


def test_what_a_character_may_also_be_is_kept_with_its_probability() -> None:
    logits = logits_of("-A-B-0-2-")
    logits[5, CHARSET.index("O") + 1] = 7.0
    found = read_ctc(logits, 1.0, CHARSET)
    assert found.text == "AB02"
    (character, probability), *_ = found.alternatives(2)
    assert character == "O"
    assert probability == pytest.approx(1 / (1 + np.e), abs=0.02)
    assert found.confidence < 0.75


def test_separators_of_another_charset_vanish_and_its_letters_are_put_in_order() -> None:
    charset = "-abc123"
    logits = np.zeros((7, len(charset) + 1))
    for t, column in enumerate([2, 0, 3, 1, 5, 0, 6]):  # a b - 1 2
        logits[t, column] = 9.0
    assert read_ctc(logits, 1.0, charset).text == "AB12"


def test_leaving_out_sure_blanks_changes_nothing_that_counts() -> None:
    short = logits_of("-A-A-B-0-2-", 14.0)
    rng = np.random.default_rng(1)
    short += rng.normal(0, 1, short.shape)
    blank = logits_of("-" * 30, 14.0)
    long = np.concatenate([blank, short[:6], blank, short[6:], blank])
    a, b = read_ctc(short, 1.0, CHARSET), read_ctc(long, 1.0, CHARSET)
    assert a.text == b.text == "AAB02"
    assert a.confidence == pytest.approx(b.confidence, rel=1e-2)
    assert a.probabilities == pytest.approx(b.probabilities, abs=1e-2)


def placed(peaks: dict[int, str], count: int = 20) -> Floats:
    logits = np.zeros((count, len(CHARSET) + 1))
    logits[:, 0] = 5
    for step, character in peaks.items():
        logits[step, CHARSET.index(character) + 1] = 9
    return logits


def test_a_text_reaches_half_a_character_beyond_its_outermost_peaks() -> None:
    begin, end = extent(placed({2: "A", 4: "B", 6: "C", 8: "D"}), 10) or (0, 0)
    assert begin == pytest.approx(0.15)
    assert end == pytest.approx(0.95)


def test_two_rows_and_a_few_characters_have_no_extent() -> None:
    assert extent(placed({2: "A", 6: "B", 12: "C", 16: "D"}), 10) is None
    assert extent(placed({2: "A", 4: "B", 6: "C"}), 10) is None


def test_a_text_of_another_length_in_doubt_is_a_candidate_and_a_sure_one_has_none() -> None:
    doubtful = placed({2: "A", 5: "B", 8: "C"})
    doubtful[8, CHARSET.index("C") + 1] = 5.1
    doubtful *= 2
    assert {c.text for c in ctc_candidates(doubtful, 1.0, CHARSET)} == {"ABC", "AB"}
    sure = placed({2: "A", 5: "B", 8: "C"}) * 4
    assert [c.text for c in ctc_candidates(sure, 1.0, CHARSET)] == ["ABC"]
