"""Who gave which words of suspicion when, in columns: some 50 bytes a search, and the text of none.

A year of a large agency has a million searches, which are too many to be held as records only to
compare their words. Pure.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from uuid import UUID

from alpr_access_log.audit.records import case_key
from alpr_access_log.audit.shingles import content_of, linked

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = 24 * 3600 * 1_000_000
_HALF = (1 << 64) - 1
_NO_CASE = 0


@dataclass(frozen=True, slots=True)
class Words:
    """What one answered search says about its reason."""

    record_id: UUID
    occurred_at: datetime
    person_id: str
    case_number: str | None
    suspicion: str


@dataclass(frozen=True)
class SameWords:
    """Searches of several people with nearly the same words, by their positions in order."""

    positions: Sequence[int]
    people: tuple[str, ...]
    """In the order in which they came to it."""
    cases: int
    days: int


class Spoken:
    """Words of searches in order of time; the oldest can be forgotten."""

    def __init__(self) -> None:
        self._at, self._ids, self._cases = array("q"), array("Q"), array("Q")
        self._person, self._content = array("I"), array("I")
        self._people: dict[str, int] = {}
        self._contents: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._at)

    def add(self, said: Iterable[Words]) -> None:
        """Append, none earlier than what is there; words without a letter or digit are passed
        over."""
        for one in said:
            content = content_of(one.suspicion)
            if not content:
                continue
            self._at.append(_microseconds(one.occurred_at))
            self._ids.extend((one.record_id.int >> 64, one.record_id.int & _HALF))
            self._cases.append(_case(one.case_number))
            self._person.append(self._people.setdefault(one.person_id, len(self._people)))
            self._content.append(self._contents.setdefault(content, len(self._contents)))

    def forget_before(self, at: datetime) -> None:
        """Drop what was before, contents that nobody has then included."""
        first = bisect_left(self._at, _microseconds(at))
        if not first:
            return
        del self._at[:first], self._cases[:first], self._person[:first], self._content[:first]
        del self._ids[: 2 * first]
        renumbered: dict[int, int] = {}
        for position, number in enumerate(self._content):
            self._content[position] = renumbered.setdefault(number, len(renumbered))
        left = {renumbered[n]: c for c, n in self._contents.items() if n in renumbered}
        self._contents = {left[n]: n for n in range(len(left))}

    def record_ids(self, positions: Iterable[int]) -> list[UUID]:
        return [UUID(int=self._ids[2 * n] << 64 | self._ids[2 * n + 1]) for n in positions]

    def occurred_at(self, position: int) -> datetime:
        return _EPOCH + self._at[position] * _MICROSECOND

    def same_words(
        self, similarity: float, people: int, begin: datetime, end: datetime
    ) -> Iterator[SameWords]:
        """Groups by that many people under that many cases at least, of which one search at least
        is in [begin, end)."""
        leaders = linked(list(self._contents), similarity)
        names = list(self._people)
        for positions in self._by_leader(leaders, people):
            least, most = _microseconds(begin), _microseconds(end)
            if not any(least <= self._at[n] < most for n in positions):
                continue
            by = tuple(dict.fromkeys(names[self._person[n]] for n in positions))
            cases = {self._cases[n] for n in positions} - {_NO_CASE}
            if min(len(by), len(cases)) >= people:
                days = {self._at[n] // _DAY for n in positions}
                yield SameWords(positions, by, len(cases), len(days))

    def _by_leader(self, leaders: Sequence[int], people: int) -> Iterator[Sequence[int]]:
        """Positions of each group that so many people are in, in order of its first."""
        of_leader: dict[int, set[int]] = {}
        for person, content in zip(self._person, self._content, strict=True):
            known = of_leader.setdefault(leaders[content], set())
            if len(known) < people:
                known.add(person)
        groups: dict[int, array[int]] = {}
        for position, content in enumerate(self._content):
            leader = leaders[content]
            if len(of_leader[leader]) >= people:
                groups.setdefault(leader, array("I")).append(position)
        yield from groups.values()


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _case(case_number: str | None) -> int:
    """A number for each case, by a hash that no two of a million cases can be expected to share."""
    key = case_key(case_number)
    if key is None:
        return _NO_CASE
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") or 1
