"""What PostgreSQL counted and what the rules found, as the package says it. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from alpr_access_log.audit.rules import BY_NAME
from alpr_access_log.audit.store.keeping import File, Package, Review
from alpr_access_log.audit.store.lists import Note, OwnPlates
from alpr_access_log.audit.store.records import Named
from alpr_access_log.audit.store.usage import Counted
from alpr_access_log.audit.summary import (
    Actions,
    Approvals,
    DayUsage,
    DeciderUsage,
    FileShown,
    FindingShown,
    GivenList,
    HourUsage,
    PackageShown,
    PersonNamed,
    PersonUsage,
    Purge,
    PurposeUsage,
    RefusalUsage,
    ReviewShown,
    ServiceUsage,
    Totals,
    Usage,
)
from alpr_common.policy import Policy


def usage_of(counted: Counted, policy: Policy) -> Usage:
    """The figures of usage."""
    return Usage(
        time_zone=policy.misuse.time_zone,
        totals=_totals(counted),
        people=[PersonUsage(**person) for person in counted.people if _is_user(person)],
        purposes=[
            PurposeUsage(label=policy.purposes.get(one["purpose"], one["purpose"] or "none"), **one)
            for one in counted.purposes
        ],
        days=[DayUsage(**day) for day in counted.days],
        hours=[HourUsage(**hour) for hour in counted.hours],
        refusals=[RefusalUsage(**one) for one in counted.refusals],
        approvals=Approvals(
            **counted.approvals, deciders=[DeciderUsage(**one) for one in counted.deciders]
        ),
        retro=[ServiceUsage(**one) for one in counted.retro],
        actions=[Actions(**one) for one in counted.actions],
    )


_USES = ("searches", "refused", "pictures", "alert_pictures", "evidence")


def _is_user(person: Mapping[str, Any]) -> bool:
    """Whether somebody used stored data or tried to; others appear with what they did alone."""
    return any(person[name] for name in _USES)


def _totals(counted: Counted) -> Totals:
    by_action = {(one["service"], one["action"]): one for one in counted.actions}

    def count(action: str, service: str = "access-log", outcome: str = "done") -> int:
        return int(by_action.get((service, action), {}).get(outcome, 0))

    return Totals(
        searches=count("search"),
        refused=count("search", outcome="refused"),
        failed=count("search", outcome="failed"),
        people=sum(1 for one in counted.people if one["searches"] or one["refused"]),
        pages=count("search.page"),
        sweeps=counted.sweeps,
        pictures=count("read.picture.viewed"),
        alert_pictures=count("alert.picture.viewed", "alerts"),
        evidence_sealed=count("evidence.sealed"),
        evidence_downloaded=count("evidence.downloaded"),
        holds_placed=count("hold.placed"),
        holds_released=count("hold.released"),
        retro_accesses=count("search.retro"),
    )


def purges_of(rows: Sequence[Mapping[str, Any]]) -> list[Purge]:
    """The purges with their certificates."""
    return [
        Purge(
            certificate_id=row["record_id"],
            purged_at=row["occurred_at"],
            subject=row["subject"],
            from_at=_at(row["query"].get("from")),
            to_at=_at(row["query"].get("to")),
            count=int(row["query"].get("count", 0)),
            kept=int(row["query"].get("kept", 0)),
            ids_root=row["query"].get("ids_root"),
        )
        for row in rows
    ]


def _at(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def finding_of(
    said: Mapping[str, Any],
    names: Mapping[str, Named],
    reviews: Sequence[Review] = (),
    words: str | None = None,
) -> FindingShown:
    """A stored finding with names, reviews and, in a package, words."""
    rule = BY_NAME.get(said["rule"])
    stored = {name: value for name, value in said.items() if name not in ("people", "found_at")}
    return FindingShown(
        **stored,
        title=rule.title if rule else said["rule"],
        clause=rule.clause if rule else "policy file",
        people=[_named(person, names) for person in said["people"]],
        words=words,
        reviews=[review_of(review) for review in reviews],
    )


def _named(person_id: str, names: Mapping[str, Named]) -> PersonNamed:
    known = names.get(person_id, Named(person_id, "", ""))
    return PersonNamed(person_id=person_id, name=known.name, role=known.role)


def review_of(review: Review) -> ReviewShown:
    return ReviewShown(
        review_id=review.review_id,
        outcome="explained" if review.outcome == "explained" else "referred",
        note=review.note,
        reviewed_at=review.reviewed_at,
        reviewed_by=review.reviewed_by_name or review.reviewed_by_id,
    )


def lists_of(notes: Mapping[str, Note], plates: Sequence[OwnPlates]) -> list[GivenList]:
    """The lists that the agency gave, by kind."""
    other_key = sum(one.of_another_key for one in plates)
    return [
        GivenList(
            kind=kind,
            entries=note.entries,
            from_at=note.from_at,
            to_at=note.to_at,
            given_at=note.given_at,
            given_by=note.given_by_name or note.given_by_id,
            of_another_key=other_key if kind == "plates" else 0,
        )
        for kind, note in sorted(notes.items())
    ]


def package_of(package: Package) -> PackageShown:
    return PackageShown(
        package_id=package.package_id,
        from_at=package.from_at,
        to_at=package.to_at,
        state=package.state,
        step=package.step,
        progress=package.progress,
        failure=package.failure,
        asked_at=package.asked_at,
        prepared_at=package.prepared_at,
        prepared_by=package.prepared_by.person_name or package.prepared_by.person_id,
        files=[file_of(file) for file in package.files],
    )


def file_of(file: File) -> FileShown:
    return FileShown(
        name=file.name, media_type=file.media_type, size_bytes=file.size_bytes, sha256=file.sha256
    )


def ids_of(findings: Sequence[Mapping[str, Any]]) -> list[UUID]:
    return [UUID(str(one["finding_id"])) for one in findings]


def people_of(findings: Sequence[Mapping[str, Any]]) -> set[str]:
    return {person for one in findings for person in one["people"]}
