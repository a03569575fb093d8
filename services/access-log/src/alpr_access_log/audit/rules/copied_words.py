"""Suspicions that were copied instead of had (131.7-3b): by one person, and among people."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from alpr_access_log.audit.finding import Finding, Rule, moments
from alpr_access_log.audit.records import Looked, Record, by_plate
from alpr_access_log.audit.shingles import alike
from alpr_access_log.audit.spoken import SameWords, Spoken, Words


def _by_one(looked: Looked) -> Iterator[Finding]:
    limits = looked.limits
    for person, searches in looked.searches.items():
        for group in _groups(searches, looked):
            cases = {s.case_key for s in group if s.case_key}
            if min(len(by_plate(group)), len(cases)) < limits.copied_words_searches:
                continue
            yield COPIED_WORDS.finding(
                looked, person, _about(group), group,
                f"Nearly the same words stand in {moments(group)}, for {len(by_plate(group))} "
                f"plates under {len(cases)} case numbers.",
                words=group[-1].suspicion,
            )  # fmt: skip


def _among_people(looked: Looked) -> Iterator[Finding]:
    everybody = [s for searches in looked.searches.values() for s in searches]
    everybody.sort(key=lambda s: (s.occurred_at, s.record_id))
    spoken = Spoken()
    earliest = looked.since(looked.limits.repeated_plate_days)
    given = [s for s in everybody if s.occurred_at >= earliest]
    spoken.add(words for s in given if (words := words_of(s)))
    by_id = {s.record_id: s for s in given}
    for same in same_words_in(spoken, looked):
        group = [by_id[one] for one in spoken.record_ids(same.positions)]
        yield finding_among(looked, same, group, group[-1].suspicion)


def words_of(search: Record) -> Words | None:
    """What it is compared by; None for a search without words."""
    if not search.suspicion:
        return None
    return Words(
        search.record_id, search.occurred_at, search.person_id, search.case_number,
        search.suspicion,
    )  # fmt: skip


def same_words_in(spoken: Spoken, looked: Looked) -> Iterator[SameWords]:
    """What is pointed out among people, of words from the time before `begin` on."""
    limits = looked.limits
    return spoken.same_words(
        limits.copied_words_similarity, limits.copied_words_people, looked.begin, looked.end
    )


def finding_among(
    looked: Looked, same: SameWords, group: Sequence[Record], words: str | None,
    last_at: datetime | None = None,
) -> Finding:  # fmt: skip
    """The finding that it is; `group` may be the first of them alone, with the last one's time."""
    count = len(same.positions)
    searches = f"{count} searches on {same.days} day{'s' if same.days != 1 else ''}"
    return COPIED_AMONG_PEOPLE.finding(
        looked, same.people, _about(group), group,
        f"{len(same.people)} people gave nearly the same words for {searches} under "
        f"{same.cases} case numbers.",
        words=words, count=count, last_at=last_at,
    )  # fmt: skip


def _about(group: Sequence[Record]) -> str:
    return f"words {group[0].record_id}"


def _groups(searches: Sequence[Record], looked: Looked) -> list[list[Record]]:
    """Searches of alike words of which one at least is inside."""
    earliest = looked.since(looked.limits.repeated_plate_days)
    spoken = [s for s in searches if s.suspicion and s.occurred_at >= earliest]
    groups = alike([s.suspicion or "" for s in spoken], looked.limits.copied_words_similarity)
    chosen = [[spoken[n] for n in group] for group in groups]
    return [g for g in chosen if any(looked.is_inside(s.occurred_at) for s in g)]


COPIED_WORDS = Rule(
    name="copied_words",
    title="Copied suspicion",
    looks_for="Nearly the same words of suspicion for several plates under several cases by one "
    "person. Numbers are left out of the comparison.",
    clause="131.7-3b",
    find=_by_one,
    limits=("copied_words_similarity", "copied_words_searches"),
)
COPIED_AMONG_PEOPLE = Rule(
    name="copied_among_people",
    title="The same suspicion from several people",
    looks_for="Nearly the same words of suspicion by several people, each for other cases.",
    clause="131.7-3b",
    find=_among_people,
    limits=("copied_words_similarity", "copied_words_people"),
)
