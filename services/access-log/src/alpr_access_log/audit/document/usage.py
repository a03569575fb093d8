"""The section on system usage."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from alpr_access_log.audit import charts
from alpr_access_log.audit.document.blocks import Block, Chart, Facts, Heat, Section, Table
from alpr_access_log.audit.document.telling import moment, number, share
from alpr_access_log.audit.summary import Summary, Usage

_MOST_PEOPLE = 60


def usage(summary: Summary) -> Section:
    said = summary.usage
    zone = ZoneInfo(said.time_zone)
    begin = summary.from_at.astimezone(zone).date()
    end = (summary.to_at - timedelta(microseconds=1)).astimezone(zone).date()
    blocks: list[Block] = [
        _totals(said),
        Chart(charts.over_time(said.days, begin, end), lying=False),
        Chart(charts.by_hour(said.hours, said.time_zone), lying=False),
        Heat(f"Answered searches by weekday and hour ({said.time_zone})", charts.week(said.hours)),
        Chart(charts.by_person(summary), lying=True),
        _people(said),
        Chart(charts.by_purpose(summary), lying=True),
        _purposes(said),
        _refusals(said),
        _approvals(said),
        _retro(said),
    ]
    return Section("usage", "System usage", "131.7-3a", blocks)


def _totals(said: Usage) -> Facts:
    t = said.totals
    asked = t.searches + t.refused + t.failed
    return Facts(
        (
            ("Searches answered", f"{number(t.searches)} by {number(t.people)} people; "
                                  f"{number(t.pages)} further pages"),
            ("Refused", f"{number(t.refused)} ({share(t.refused, asked)} of {number(asked)}); "
                        f"{number(t.failed)} could not be answered"),
            ("Sweeps (area or cameras, no plate)", f"{number(t.sweeps)}, each after an approval"),
            ("Pictures of reads opened", number(t.pictures)),
            ("Pictures of alerts opened", number(t.alert_pictures)),
            ("Evidence packages", f"{number(t.evidence_sealed)} sealed, "
                                  f"{number(t.evidence_downloaded)} downloads"),
            ("Legal holds", f"{number(t.holds_placed)} placed, "
                            f"{number(t.holds_released)} released"),
            ("Retro-match", f"{number(t.retro_accesses)} accesses by the system itself"),
        )
    )  # fmt: skip


def _people(said: Usage) -> Table:
    shown = said.people[:_MOST_PEOPLE]
    rows = [
        (
            p.name or p.person_id, p.role, number(p.searches), number(p.refused),
            number(p.pictures), number(p.alert_pictures), number(p.evidence),
            moment(p.last_search_at).removesuffix(" UTC"),
        )
        for p in shown
    ]  # fmt: skip
    return Table(
        "People",
        ("Person", "Role", "Searches", "Refused", "Pictures", "Alert pict.", "Evidence",
         "Last search (UTC)"),
        rows, (24, 12, 10, 9, 10, 11, 11, 17), frozenset({2, 3, 4, 5, 6}),
        empty="Nobody used stored data in this period.", more=len(said.people) - len(shown),
    )  # fmt: skip


def _purposes(said: Usage) -> Table:
    total = sum(one.searches for one in said.purposes)
    rows = [
        (one.label, number(one.searches), share(one.searches, total), number(one.people))
        for one in said.purposes
    ]
    return Table(
        "Purposes", ("Purpose", "Searches", "Share", "People"), rows, (55, 15, 15, 15),
        frozenset({1, 2, 3}), empty="No search was answered.",
    )  # fmt: skip


def _refusals(said: Usage) -> Table:
    rows = [
        (charts.words(one.code), one.clause or "–", number(one.count), number(one.people))
        for one in said.refusals
    ]
    return Table(
        "Refused requests, by reason and clause",
        ("Reason", "Clause", "Requests", "People"), rows, (50, 20, 15, 15), frozenset({2, 3}),
        empty="Nothing was refused.",
    )  # fmt: skip


def _approvals(said: Usage) -> Table:
    one = said.approvals
    rows = [(d.name or d.person_id or "–", number(d.approved), number(d.denied))
            for d in one.deciders]  # fmt: skip
    return Table(
        f"Approvals: {number(one.asked)} asked for, {number(one.approved)} approved "
        f"({number(one.used)} used), {number(one.denied)} denied, "
        f"{number(one.undecided)} undecided",
        ("Decided by", "Approved", "Denied"), rows, (60, 20, 20), frozenset({1, 2}),
        empty="Nobody decided on a request in this period.",
    )  # fmt: skip


def _retro(said: Usage) -> Table:
    rows = [(one.person_id, number(one.accesses), number(one.reads_shown)) for one in said.retro]
    return Table(
        "Retro-match: what the system itself looked up for new hot list entries",
        ("Service account", "Accesses", "Reads shown"), rows, (60, 20, 20), frozenset({1, 2}),
    )  # fmt: skip
