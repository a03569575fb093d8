"""The section on what asks for a human: rules, and findings with their reasons."""

from alpr_access_log.audit import charts
from alpr_access_log.audit.document.blocks import Block, Chart, Hint, Section, Table, Words
from alpr_access_log.audit.document.telling import moment, number, words
from alpr_access_log.audit.summary import (
    HINTS_NOTE,
    PLATES_NOTE,
    FindingShown,
    RecordShown,
    Summary,
)

_MOST_RECORDS = 12
_KINDS = {"shifts": "Shifts", "cases": "Case numbers", "plates": "Own and relatives' plates"}


def findings(summary: Summary) -> Section:
    misuse = summary.misuse
    blocks: list[Block] = [Words(HINTS_NOTE, tone="quiet"), Words(PLATES_NOTE, tone="quiet")]
    if misuse.findings:
        blocks.append(Chart(charts.by_rule(summary), lying=True))
    blocks.append(_rules(summary))
    blocks.append(_lists(summary))
    blocks += [_hint(n, one) for n, one in enumerate(misuse.findings, 1)]
    if not misuse.findings:
        blocks.append(Words("Nothing asks for a human to look at it.", tone="good"))
    return Section("findings", "What asks for a human to look at it", "131.4", blocks)


def _rules(summary: Summary) -> Table:
    rows = [
        (
            one.title, one.clause,
            "not applied" if one.why_not else number(one.findings),
            one.why_not or "; ".join(f"{words(k)} {v}" for k, v in one.limits.items()) or "–",
        )
        for one in summary.misuse.rules
    ]  # fmt: skip
    return Table(
        "Rules", ("Rule", "Clause", "Findings", "Limits of the policy file, or why not applied"),
        rows, (27, 11, 11, 51),
    )  # fmt: skip


def _lists(summary: Summary) -> Table:
    rows = [
        (
            _KINDS[one.kind], number(one.entries),
            (f"{moment(one.from_at)} to " if one.from_at else "until ") + moment(one.to_at),
            f"{one.given_by}, {moment(one.given_at)}"
            + (f" ({one.of_another_key} of another key: give them again)"
               if one.of_another_key else ""),
        )
        for one in summary.misuse.lists
    ]  # fmt: skip
    return Table(
        "Lists that the agency gave", ("List", "Entries", "Covers", "Given by"), rows,
        (22, 10, 36, 32), frozenset({1}), empty="None was given.",
    )  # fmt: skip


def _hint(number_: int, one: FindingShown) -> Hint:
    people = "; ".join(
        f"{p.name} ({p.role})" if p.name else f"{p.person_id} ({p.role or 'role unknown'})"
        for p in one.people
    )
    facts = [
        ("Clause", one.clause),
        ("From – to", f"{moment(one.first_at)} – {moment(one.last_at)}"),
    ]
    if one.limits:
        facts.append(("Limits", "; ".join(f"{words(k)}: {v}" for k, v in one.limits.items())))
    return Hint(
        number=str(number_),
        title=one.title,
        who=people,
        why=one.why,
        words=one.words,
        strength="weaker sign" if one.strength == "weaker" else "direct",
        facts=facts,
        records=_records(one),
        reviews=[
            f"{r.outcome.capitalize()} by {r.reviewed_by}, {moment(r.reviewed_at)}: {r.note}"
            for r in one.reviews
        ],
        finding_id=str(one.finding_id),
    )


def _records(one: FindingShown) -> Table:
    shown = one.records[:_MOST_RECORDS]
    several = len(one.people) > 1
    names = {p.person_id: p.name or p.person_id for p in one.people}
    rows = [
        (
            f"{record.occurred_at:%Y-%m-%d %H:%M:%S}",
            names.get(record.person_id, record.person_id) if several else _what(record),
            record.plate or "–", record.case_number or "–", words(record.purpose),
            str(record.record_id)[:8],
        )
        for record in shown
    ]  # fmt: skip
    return Table(
        f"The {number(one.record_count)} records that it rests on"
        if one.record_count != 1
        else "The record that it rests on",
        ("When (UTC)", "Who" if several else "What", "Plate", "Case", "Purpose", "Record"), rows,
        (20, 22, 13, 16, 19, 10), more=max(0, one.record_count - len(shown)),
    )  # fmt: skip


def _what(record: RecordShown) -> str:
    said = words(record.action.replace(".", " "))
    if record.outcome != "done":
        said = f"{record.outcome}: {words(record.refusal_code)}"
    return f"{said}, {record.address}" if record.address else said
