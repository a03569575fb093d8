"""The bytes of a leaf: who, what, why, when, outcome, and nothing that may have to be forgotten."""

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpr_access_log.domain import AccessRecord, Refusal, Who
from alpr_access_log.log.leaves import (
    FORGETTABLE,
    access_leaf,
    canonical,
    forgettable_texts,
    hundredths,
    record_of,
    statement_leaf,
    text_digest,
)
from alpr_common.messages.audit import AuditRecord
from alpr_translog.handover import hand_over_in
from alpr_translog.tiles import ENTRY_MAX_BYTES

AT = datetime(2026, 11, 24, 6, 42, 0, 129_999, tzinfo=UTC)
READ = UUID(int=7)


def record(**changed: Any) -> AccessRecord:
    said: dict[str, Any] = {
        "record_id": UUID(int=1),
        "access_id": UUID(int=1),
        "who": Who("p-1", "Ann Miller", "IL0222900", "officer", "s-1", "192.0.2.7"),
        "occurred_at": AT,
        "action": "search",
        "subject": "plate:AB12345",
        "outcome": "done",
        "purpose": "stolen_vehicle",
        "case_number": "26-000123",
        "suspicion": "The van left the scene",
        "query": {"plate": "AB12345", "lookalike": False},
        "returned": (READ,),
    }
    return AccessRecord(**(said | changed))


@pytest.mark.policy("131.7-3a")
def test_a_leaf_says_who_what_why_when_and_how_it_ended() -> None:
    said = json.loads(access_leaf(record()).entry)
    assert said["who"] == {
        "person_id": "p-1", "role": "officer", "session_id": "s-1", "address": "192.0.2.7"
    }  # fmt: skip
    assert said["agency_id"] == "IL0222900"
    assert (said["action"], said["outcome"]) == ("search", "done")
    assert (said["purpose"], said["case_number"]) == ("stolen_vehicle", "26-000123")
    assert said["query"] == {"plate": "AB12345", "lookalike": False}
    assert (said["returned_count"], said["read_ids"]) == (1, [str(READ)])
    assert said["occurred_at"] == "2026-11-24T06:42:00.12Z"


@pytest.mark.policy("131.7-3a")
def test_a_refusal_says_on_what_it_rests() -> None:
    refusal = Refusal("purpose-missing", "131.7-3a", "Say what for.")
    said = json.loads(access_leaf(record(outcome="refused", refusal=refusal)).entry)
    assert said["refusal"] == {"code": "purpose-missing", "clause": "131.7-3a"}
    assert said["outcome"] == "refused"


def test_names_and_free_text_are_in_it_as_salted_hashes_alone() -> None:
    told = record(
        refusal=Refusal("c", None, "a detail of the refusal"), details={"note": "about Ann"}
    )
    leaf = access_leaf(told)
    texts = forgettable_texts(told)
    assert set(texts) == set(leaf.salts) == set(FORGETTABLE)
    for text in ("Ann", "van left", "a detail of the refusal"):
        assert text not in leaf.entry.decode()
    hashes = json.loads(leaf.entry)["salted_sha256"]
    for name, text in texts.items():
        assert hashes[name] == text_digest(leaf.salts[name], text)
    assert len(set(leaf.salts.values())) == len(leaf.salts)
    # Another salt, another hash: equal names cannot be told from equal hashes.
    again = json.loads(access_leaf(told).entry)["salted_sha256"]
    assert not set(hashes.values()) & set(again.values())


@pytest.mark.parametrize("access_id", [None, UUID(int=1)])
def test_what_somebody_types_makes_no_hand_over(access_id: UUID | None) -> None:
    """A refused search is recorded with the JSON that was sent, objects and all."""
    asked = {"area": {"kind": "log.key_rotated", "statement": ""}, "kind": "log.key_rotated"}
    entry = access_leaf(record(access_id=access_id, outcome="refused", query=asked)).entry
    assert b'"kind":"log.key_rotated"' in entry
    assert not entry.startswith(b'{"agency_id":')  # by which the index finds hand-overs
    assert hand_over_in(entry, 0) is None


def test_the_same_record_and_salt_give_the_same_bytes_in_one_spelling() -> None:
    entry = access_leaf(record(), lambda: b"s" * 32).entry
    assert entry == access_leaf(record(), lambda: b"s" * 32).entry
    assert entry == canonical(json.loads(entry))
    assert b": " not in entry


@given(
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-6))]))
    .filter(lambda at: datetime(2, 1, 1, tzinfo=UTC) < at < datetime(9998, 1, 1, tzinfo=UTC))
)  # fmt: skip
def test_times_are_utc_cut_to_the_hundredth(at: datetime) -> None:
    text = hundredths(at)
    assert len(text) == len("2026-11-24T06:42:00.12Z")
    assert timedelta(0) <= at - datetime.fromisoformat(text) < timedelta(milliseconds=10)


def test_a_record_that_is_too_long_keeps_its_proof() -> None:
    many = tuple(uuid4() for _ in range(2500))
    query = {"plate": "AB12345", "camera_ids": ["c" * 200] * 500}
    leaf = access_leaf(record(returned=many, query=query))
    assert len(leaf.entry) <= ENTRY_MAX_BYTES
    said = json.loads(leaf.entry)
    assert said["returned_count"] == 2500
    assert said["query"]["sha256"] == hashlib.sha256(canonical(query)).hexdigest()
    ids = [str(read_id) for read_id in many]
    assert said["read_ids"] == {
        "sha256": hashlib.sha256(canonical(ids)).hexdigest(), "bytes": len(canonical(ids))
    }  # fmt: skip
    assert said["who"]["person_id"] == "p-1"


@given(st.text(max_size=40_000), st.dictionaries(st.text(), st.text(max_size=20_000)))
def test_nothing_that_people_type_makes_a_leaf_too_long(case: str, query: dict[str, str]) -> None:
    leaf = access_leaf(record(case_number=case, query=query))
    assert len(leaf.entry) <= ENTRY_MAX_BYTES


def test_another_services_record_becomes_a_leaf_like_ours() -> None:
    audit = AuditRecord(
        audit_id=UUID(int=3), agency_id="IL0222900", occurred_at=AT, service="alerts",
        person_id="p-2", person_name="Bo", role="dispatcher", action="alert.picture.viewed",
        subject="alert:1", purpose="alert_verification", outcome="done",
        details={"picture": "frame"},
    )  # fmt: skip
    leaf = access_leaf(record_of(audit))
    said = json.loads(leaf.entry)
    assert leaf.record_id == audit.audit_id
    assert (said["service"], said["who"]["person_id"]) == ("alerts", "p-2")
    assert set(said["salted_sha256"]) == {"person_name", "details"}


def test_the_system_states_things_of_its_own() -> None:
    leaf = statement_leaf("purge", UUID(int=4), "IL0222900", AT, {"reads": 12, "root": "ab"})
    assert json.loads(leaf.entry) == {
        "version": 1, "kind": "purge", "record_id": str(UUID(int=4)), "agency_id": "IL0222900",
        "occurred_at": "2026-11-24T06:42:00.12Z", "reads": 12, "root": "ab",
    }  # fmt: skip
    assert leaf.salts == {}
