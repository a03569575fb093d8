"""Case numbers that do not exist, and case numbers that serve for everything (131.7-3b)."""

import re
from collections.abc import Iterator

from alpr_access_log.audit.finding import Finding, Rule, moments
from alpr_access_log.audit.records import Looked, Record, by_plate


def _unknown(looked: Looked) -> Iterator[Finding]:
    formats = [re.compile(pattern) for pattern in looked.limits.case_number_formats]
    listed = looked.lists.cases is not None
    for person, searches in looked.searches.items():
        unknown = [
            s
            for s in looked.inside(searches)
            if (_is_not_listed(s, looked) if listed else _fits_none(s, formats))
        ]
        if not unknown:
            continue
        named = sorted({s.case_number or "" for s in unknown})
        reason = (
            "not on the agency's list of cases"
            if listed
            else "of none of the formats that the agency's case numbers have"
        )
        yield NO_SUCH_CASE.finding(
            looked, person, "cases", unknown,
            f"{moments(unknown)} under {', '.join(named[:10])}"
            f"{' and more' if len(named) > 10 else ''}: {reason}.",
            is_weaker=not listed, by_limits=not listed,
        )  # fmt: skip


def _is_not_listed(search: Record, looked: Looked) -> bool:
    lists = looked.lists
    if lists.cases is None or (lists.cases_until and search.occurred_at >= lists.cases_until):
        return False
    return search.case_key not in lists.cases


def _fits_none(search: Record, formats: list[re.Pattern[str]]) -> bool:
    number = (search.case_number or "").strip()
    return not any(pattern.fullmatch(number) for pattern in formats)


def _neither_list_nor_format(looked: Looked) -> str | None:
    if looked.lists.cases is None and not looked.limits.case_number_formats:
        return "The agency has given neither a list of cases nor formats of case numbers."
    return None


def _of_many_plates(looked: Looked) -> Iterator[Finding]:
    most = looked.limits.case_plates_max
    for person, searches in looked.searches.items():
        by_case: dict[str, list[Record]] = {}
        for search in looked.inside(searches):
            if search.case_key and search.key:
                by_case.setdefault(search.case_key, []).append(search)
        for case, group in by_case.items():
            plates = len(by_plate(group))
            if plates > most:
                yield CASE_OF_MANY_PLATES.finding(
                    looked, person, case, group,
                    f"{plates} different plates under the case number "
                    f"{group[0].case_number} ({moments(group)}).",
                )  # fmt: skip


NO_SUCH_CASE = Rule(
    name="no_such_case",
    title="No such case",
    looks_for="Searches under a case number that is not on the agency's list of cases or, where it "
    "gave none, has none of the formats of its case numbers (a weaker sign).",
    clause="131.7-3b",
    find=_unknown,
    limits=("case_number_formats",),
    why_not=_neither_list_nor_format,
)
CASE_OF_MANY_PLATES = Rule(
    name="case_of_many_plates",
    title="One case number for many plates",
    looks_for="More different plates under one case number by one person than the policy allows "
    "for in a month.",
    clause="131.7-3b",
    find=_of_many_plates,
    limits=("case_plates_max",),
)
