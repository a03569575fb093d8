"""The service without servers: gates, decoding of hits, what an alert shows, wake-ups."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from prometheus_client import REGISTRY
from pydantic import ValidationError

from alpr_alerts import metrics
from alpr_alerts.app import build
from alpr_alerts.consumers import decode_hit
from alpr_alerts.refusals import TooManyStreams
from alpr_alerts.settings import Settings
from alpr_alerts.store import OpenAlerts
from alpr_alerts.stream import Wakeups
from alpr_alerts.view import view
from alpr_common.auth import ungated_routes
from alpr_common.errors import MalformedMessage
from alpr_common.kafka import Received
from alpr_common.messages.hit import Hit
from alpr_common.policy import NOT_PROBABLE_CAUSE, Policy
from alpr_common.settings import CommonSettings
from tests.unit.alerts.samples import AGENCY, NOON, OTHER_AGENCY, hit, new_alert


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    key = tmp_path / "public.pem"
    key.write_bytes(
        Ed25519PrivateKey.generate()
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return build(
        Settings(
            database_url="postgresql://nowhere",
            migration_database_url="postgresql://nowhere",
            common=CommonSettings(token_public_key_file=key),
        )
    )


@pytest.mark.policy("131.1", "131.6-1", "131.6-2")
def test_no_route_is_without_a_gate(app: FastAPI) -> None:
    assert ungated_routes(app) == []
    paths = {route.path for route in iter_route_contexts(app.routes)}
    for path in ("", "/stream", "/{alert_id}", "/{alert_id}/pictures/{kind}", "/{alert_id}/accept"):
        assert f"/v1/alerts{path}" in paths


def test_the_api_describes_itself(app: FastAPI) -> None:
    described = app.openapi()
    accept = described["components"]["schemas"]["AcceptRequest"]["properties"]
    assert set(accept) == {
        "characters_match",
        "state_matches",
        "confirmed_jurisdiction",
        "checked_positions",
        "expected_sequence",
    }


def received(value: bytes | None) -> Received:
    return Received("alpr.hits.v1", 0, 0, b"key", value, {}, 0)


def test_a_hit_is_what_its_message_says() -> None:
    assert decode_hit(received(hit().to_bytes())) == hit()


def test_a_message_that_is_no_hit_is_malformed() -> None:
    for value in (b"", None):
        with pytest.raises(MalformedMessage):
            decode_hit(received(value))
    for value in (b"{", b"{}", b"\xff"):
        with pytest.raises(ValidationError):
            decode_hit(received(value))


@pytest.mark.policy("131.4")
def test_a_hit_that_would_show_one_agencys_data_to_another_is_malformed() -> None:
    foreign_read = hit().model_copy(update={"agency_id": OTHER_AGENCY})
    with pytest.raises(MalformedMessage, match="belongs to"):
        decode_hit(received(foreign_read.to_bytes()))
    with pytest.raises(MalformedMessage, match="does not serve"):
        decode_hit(received(listed_by_others(()).to_bytes()))
    served = listed_by_others((OTHER_AGENCY, AGENCY))
    assert decode_hit(received(served.to_bytes())) == served


def listed_by_others(serves: tuple[str, ...]) -> Hit:
    """A hit of our read with another agency's entry."""
    made = hit()
    entry = made.entry.model_copy(update={"agency_id": OTHER_AGENCY, "serves_agency_ids": serves})
    return made.model_copy(update={"entry": entry})


@pytest.mark.policy("131.6-4", "131.3-alert")
def test_every_alert_says_that_a_hit_is_no_reason_for_a_stop() -> None:
    shown = view(new_alert(), Policy())
    assert shown.notice == NOT_PROBABLE_CAUSE
    assert shown.assigned_person_id is None
    assert shown.handed_off is False


def test_a_category_that_the_policy_does_not_name_is_shown_all_the_same() -> None:
    shown = view(new_alert(hit(category="gone_category")), Policy())
    assert (shown.category_label, shown.sound) == ("gone category", "notice")


def test_streams_are_woken_by_their_agencys_news_alone_and_limited_in_number() -> None:
    wakeups = Wakeups(database=None, most=2, check_seconds=1)  # type: ignore[arg-type]
    with wakeups.subscribed(AGENCY) as ours, wakeups.subscribed(OTHER_AGENCY) as theirs:
        wakeups._wake(AGENCY)
        assert ours.is_set()
        assert not theirs.is_set()
        with pytest.raises(TooManyStreams) as refused:
            wakeups.require_room()
        assert refused.value.retry_after_seconds
    wakeups.require_room()
    wakeups._wake(AGENCY)
    assert wakeups._sleepers == {}


def test_the_figures_of_open_alerts_show_what_there_is_now_and_nothing_else() -> None:
    def figure(name: str, **labels: str) -> float | None:
        return REGISTRY.get_sample_value(name, labels)

    now = NOON + timedelta(seconds=90)
    early, late = NOON, NOON + timedelta(seconds=60)
    metrics.show_open(
        [OpenAlerts("new", "scofflaw", 3, late), OpenAlerts("new", "amber_alert", 1, early)], now
    )
    assert figure("alpr_alerts_open", state="new", category="scofflaw") == 3
    assert figure("alpr_alerts_oldest_open_seconds", state="new") == 90
    metrics.show_open([], now)
    assert figure("alpr_alerts_open", state="new", category="scofflaw") is None
    assert figure("alpr_alerts_oldest_open_seconds", state="new") is None
