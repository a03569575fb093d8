"""The sections on passwords, training and sessions: identity's answers, read with care.

They come from another service and another version of it: what is missing is left out, and nothing
that is new makes a package fail.
"""

from collections.abc import Mapping
from typing import Any

from alpr_access_log.audit.charts import Bar, Bars
from alpr_access_log.audit.document.blocks import Block, Chart, Facts, Section, Table, Words
from alpr_access_log.audit.document.telling import day, moment, number, person, words
from alpr_access_log.audit.summary import FromIdentity, Summary

_MOST_ROWS = 60

Said = Mapping[str, Any]


def passwords(summary: Summary) -> Section:
    part = summary.password_security
    blocks: list[Block] = _not_answered(part) or [
        *_policy(_of(part.data, "policy")),
        _accounts(part.data or {}),
        _factors(part.data or {}),
        *_ages(_of(part.data, "password_ages")),
        _lockouts(part.data or {}),
        _closed(part.data or {}),
        *_sign_ins(_of(part.data, "sign_ins")),
        *_sessions(summary.sessions),
    ]
    return Section("passwords", "Password security and sessions", "131.7-3c", blocks)


def training(summary: Summary) -> Section:
    part = summary.training
    blocks: list[Block] = _not_answered(part) or [
        _lapses(part.data or {}),
        _roster(part.data or {}),
    ]
    return Section("training", "Training", "131.5-a", blocks)


def _not_answered(part: FromIdentity) -> list[Block]:
    if part.answered:
        return []
    return [Words(f"This part is missing: {part.why_not}.", tone="attention")]


def _of(said: Said | None, name: str) -> Said:
    found = (said or {}).get(name)
    return found if isinstance(found, Mapping) else {}


def _rows(said: Said, name: str) -> list[Said]:
    found = said.get(name)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _policy(policy: Said) -> list[Block]:
    if not policy:
        return []
    minutes = {
        name: f"{int(policy[name]) // 60} minutes" for name in policy if name.endswith("_seconds")
    }
    factors = policy.get("second_factor_roles") or []
    facts = (
        ("Password length", f"{policy.get('password_min_characters')} characters at least"),
        ("Stored as", str(policy.get("password_hash", "–"))),
        ("Banned passwords", number(policy.get("banned_passwords", "–"))),
        ("Locked after", f"{policy.get('sign_in_failures_max')} failures in "
                         f"{minutes.get('sign_in_failure_window_seconds')}, until an administrator "
                         "releases"),
        ("Sessions end", f"after {minutes.get('session_idle_seconds')} idle, "
                         f"{minutes.get('session_max_seconds')} at most"),
        ("Unused accounts", f"disabled after {policy.get('inactive_days_max')} days"),
        ("Second factor", ", ".join(map(str, factors)) or "required of no role"),
    )  # fmt: skip
    return [Facts(facts)]


def _accounts(said: Said) -> Table:
    names = ("active", "disabled", "locked", "never_signed_in")
    rows = [
        (str(one.get("role", "–")), *(number(one.get(name, "–")) for name in names))
        for one in _rows(said, "accounts")
    ]
    return Table(
        "Accounts by role", ("Role", "Active", "Disabled", "Locked", "Never signed in"), rows,
        (32, 17, 17, 17, 17), frozenset({1, 2, 3, 4}),
    )  # fmt: skip


def _factors(said: Said) -> Table:
    rows = []
    for one in _rows(said, "second_factors"):
        without, accounts = one.get("none", 0), one.get("accounts", 0)
        covered = f"{100 * (accounts - without) / accounts:.0f} %" if accounts else "–"
        rows.append(
            (
                str(one.get("role", "–")), "yes" if one.get("required") else "no",
                number(accounts), number(one.get("totp", 0)), number(one.get("passkey", 0)),
                number(without), covered,
            )
        )  # fmt: skip
    return Table(
        "Second factors by role",
        ("Role", "Required", "Accounts", "Time-based", "Passkey", "None", "Covered"), rows,
        (22, 13, 13, 13, 13, 13, 13), frozenset({2, 3, 4, 5, 6}),
    )  # fmt: skip


def _ages(ages: Said) -> list[Block]:
    buckets = _rows(ages, "buckets")
    if not buckets:
        return []
    bars = [
        Bar(
            f"{one.get('from_days')}–{one.get('to_days')} days"
            if one.get("to_days") is not None
            else f"over {one.get('from_days')} days",
            int(one.get("accounts", 0)),
        )
        for one in buckets
    ]
    said = f"Ages of passwords (oldest {ages.get('oldest_days')} days, median "
    said += f"{ages.get('median_days')} days)"
    return [Chart(Bars(said, bars, ("accounts", None)), lying=True)]


def _lockouts(said: Said) -> Table:
    lockouts = _rows(said, "lockouts")
    rows = [
        (
            person(one), moment(one.get("locked_at")), number(one.get("failures", "–")),
            str(one.get("address") or "–"), moment(one.get("released_at")),
        )
        for one in lockouts[:_MOST_ROWS]
    ]  # fmt: skip
    return Table(
        f"Locked accounts ({len(lockouts)} times; {said.get('releases', 0)} releases)",
        ("Person", "Locked at", "Failures", "Address", "Released at"), rows,
        (28, 20, 12, 20, 20), frozenset({2}), empty="No account was locked.",
        more=max(0, len(lockouts) - _MOST_ROWS),
    )  # fmt: skip


def _closed(said: Said) -> Table:
    closed = _rows(said, "closed_accounts")
    rows = [
        (person(one), str(one.get("role", "–")), words(one.get("standing")),
         moment(one.get("last_used_at")))
        for one in closed[:_MOST_ROWS]
    ]  # fmt: skip
    return Table(
        "Accounts that are disabled or hardly used",
        ("Person", "Role", "Standing", "Last used"), rows, (36, 18, 18, 28),
        more=max(0, len(closed) - _MOST_ROWS),
    )  # fmt: skip


def _sign_ins(said: Said) -> list[Block]:
    if not said:
        return []
    parts = {
        "by method": _of(said, "by_method"),
        "refused because": _of(said, "refused_because"),
    }
    rows = [
        (label, words(name), number(count))
        for label, part in parts.items()
        for name, count in sorted(part.items())
    ]
    title = f"Sign-ins: {number(said.get('done', '–'))} done, {number(said.get('refused', '–'))} "
    return [
        Table(f"{title}refused", ("", "", "Sign-ins"), rows, (40, 40, 20), frozenset({2})),
    ]


def _sessions(part: FromIdentity) -> list[Block]:
    missing = _not_answered(part)
    if missing:
        return missing
    said = part.data or {}
    text = (
        f"{number(said.get('sessions', 0))} sessions of {number(said.get('people', 0))} people "
        f"were open in the period, from {number(said.get('addresses', 0))} addresses; "
        f"{number(said.get('with_second_factor', 0))} with a second factor."
    )
    endings = _of(said, "by_ending")
    rows = [(words(name), number(count)) for name, count in endings.items()]
    return [
        Words(text),
        Table("How sessions ended", ("Ending", "Sessions"), rows, (70, 30), frozenset({1})),
    ]


def _lapses(said: Said) -> Table:
    lapses = _rows(said, "lapses")
    rows = [
        (
            person(one), words(one.get("kind")).upper(), moment(one.get("lapsed_at")),
            words(one.get("because")), moment(one.get("restored_at")),
            "yes" if one.get("had_access") else "no",
            number(one.get("sessions_opened_during", 0)),
        )
        for one in lapses[:_MOST_ROWS]
    ]  # fmt: skip
    return Table(
        "Lapses in the period (every request to ALPR data was refused from then on)",
        ("Person", "Training", "Lapsed at", "Because", "Restored at", "Had access", "Sessions"),
        rows, (22, 11, 18, 11, 18, 10, 11), frozenset({6}), empty="Nobody's training lapsed.",
        more=max(0, len(lapses) - _MOST_ROWS),
    )  # fmt: skip


def _roster(said: Said) -> Table:
    people = [one for one in _rows(said, "people") if one.get("role") != "service"]
    rows = []
    for one in people[:_MOST_ROWS]:
        latest: dict[str, Said] = {}
        for record in _rows(one, "training"):
            latest[str(record.get("kind"))] = record
        rows.append(
            (
                person(one), str(one.get("role", "–")), "yes" if one.get("active") else "no",
                _until(latest.get("leads")), _until(latest.get("alpr")),
            )
        )  # fmt: skip
    return Table(
        "Roster", ("Person", "Role", "Active", "LEADS until", "ALPR until"), rows,
        (34, 18, 10, 19, 19), more=max(0, len(people) - _MOST_ROWS),
    )  # fmt: skip


def _until(record: Said | None) -> str:
    if record is None:
        return "never"
    certificate = record.get("certificate")
    return day(record.get("valid_until")) + (f" ({certificate})" if certificate else "")
