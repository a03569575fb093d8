"""Purposes that do not belong to the person's role (131.1, 131.6-2)."""

from collections import Counter
from collections.abc import Iterator

from alpr_access_log.audit.finding import Finding, Rule, moments
from alpr_access_log.audit.records import Looked


def _find(looked: Looked) -> Iterator[Finding]:
    allowed = looked.limits.role_purposes
    for person, searches in looked.searches.items():
        out = [
            s
            for s in looked.inside(searches)
            if s.role in allowed and s.purpose not in allowed[s.role]
        ]
        if out:
            purposes = Counter(s.purpose or "" for s in out)
            said = ", ".join(f"{name} ({count})" for name, count in purposes.most_common())
            yield PURPOSE_OUT_OF_ROLE.finding(
                looked, person, "purposes", out,
                f"{moments(out)} for a purpose that the policy file does not give to the role "
                f"{out[0].role}: {said}.",
            )  # fmt: skip


PURPOSE_OUT_OF_ROLE = Rule(
    name="purpose_out_of_role",
    title="A purpose out of the role",
    looks_for="Searches for a purpose that the policy file does not give to the person's role.",
    clause="131.1",
    find=_find,
    limits=("role_purposes",),
)
