"""Own and relatives' plates (131.6-3c), from the list that the administrator keeps."""

from collections.abc import Callable, Iterator
from itertools import product

from alpr_access_log.audit.finding import Finding, Rule, needs
from alpr_access_log.audit.records import Looked
from alpr_access_log.domain import has_wildcard
from alpr_common.plates import MAX_LENGTH, match_key

# One letter or digit of each group of look-alikes: what a match key can hold.
_ALPHABET = sorted({match_key(c) for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"})
_MOST_UNKNOWN = 2


def keys_of(pattern: str) -> Iterator[str]:
    """The match keys that a folded pattern may mean, up to two unknown characters.

    The list holds keyed hashes alone, so that a pattern can only be tried out; one that leaves more
    open is not.
    """
    if not has_wildcard(pattern):
        yield pattern
        return
    for stars in product(range(_MOST_UNKNOWN + 1), repeat=pattern.count("*")):
        lengths = iter(stars)
        opened = "".join("?" * next(lengths) if c == "*" else c for c in pattern)
        unknown = opened.count("?")
        if unknown > _MOST_UNKNOWN or len(opened) > MAX_LENGTH:
            continue
        pieces = opened.split("?")
        for letters in product(_ALPHABET, repeat=unknown):
            yield pieces[0] + "".join(a + b for a, b in zip(letters, pieces[1:], strict=True))


def _find(looked: Looked) -> Iterator[Finding]:
    is_own = looked.lists.is_own_plate
    if is_own is None:
        return
    for person, records in looked.people.items():
        asked: dict[str, bool] = {}
        own = []
        for record in looked.inside(records):
            key = record.key if record.is_search else None
            if key is None:
                continue
            if key not in asked:
                asked[key] = _any_own(person, key, is_own)
            if asked[key]:
                own.append(record)
        if own:
            refused = sum(record.outcome != "done" for record in own)
            yield OWN_PLATE.finding(
                looked, person, "own", own,
                f"{len(own)} search{'es' if len(own) != 1 else ''} ({refused} refused) for "
                f"{', '.join(sorted({r.plate for r in own if r.plate}))}: on the list of this "
                "person's own and relatives' plates, or a pattern that takes one of them in.",
            )  # fmt: skip


def _any_own(person: str, key: str, is_own: Callable[[str, str], bool]) -> bool:
    return any(is_own(person, one) for one in keys_of(key))


OWN_PLATE = Rule(
    name="own_plate",
    title="Own or relatives' plates",
    looks_for="Searches, refused ones too, for a plate on the list that the administrator keeps of "
    "the searching person's own and relatives' plates.",
    clause="131.6-3c",
    find=_find,
    limits=(),
    why_not=needs(
        lambda looked: looked.lists.is_own_plate,
        "The agency has given no list of own and relatives' plates.",
    ),
)
