"""What was once on a topic can be read for ever; fields were only added, and as optional ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from alpr_common.messages.base import Message
from alpr_common.messages.frame import HEADER, Frame
from alpr_common.messages.hit import Hit
from alpr_common.messages.read import Read
from alpr_common.topics import TOPICS
from tests.contracts.schemas import broken_promises, file_of, messages, objects_of

every_message = pytest.mark.parametrize(
    "message", sorted(messages(), key=str), ids=lambda m: str(m.__name__)
)


def example(message: type[Message]) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads(file_of(message, "json").read_text())
    return stored


def _as_stored(now: Any, stored: Any) -> Any:
    """`now` without the fields that were added since, however deep."""
    if isinstance(stored, dict):
        return {name: _as_stored(now[name], value) for name, value in stored.items()}
    if isinstance(stored, list) and len(now) == len(stored):
        return [_as_stored(a, b) for a, b in zip(now, stored, strict=True)]
    return now


def encoded(values: object) -> bytes:
    return json.dumps(values).encode()


@every_message
def test_every_message_has_a_stored_example_and_a_stored_schema(message: type[Message]) -> None:
    assert file_of(message, "json").exists()
    assert file_of(message, "schema.json").exists(), "run python -m tests.contracts.schemas"


@every_message
def test_the_stored_example_is_understood_and_says_the_same_again(message: type[Message]) -> None:
    stored = example(message)
    understood = message.from_bytes(encoded(stored))
    assert message.from_bytes(understood.to_bytes()) == understood
    again = json.loads(understood.to_bytes())
    assert _as_stored(again, stored) == stored, "a stored field got lost"


@every_message
def test_the_stored_example_shows_every_field_that_was_promised(message: type[Message]) -> None:
    promised = json.loads(file_of(message, "schema.json").read_text())[message.__name__]
    assert set(example(message)) == set(promised["properties"])


@every_message
def test_fields_of_a_later_version_are_passed_over(message: type[Message]) -> None:
    later = {**example(message), "added_later": {"a": 1}}
    assert message.from_bytes(encoded(later)) == message.from_bytes(encoded(example(message)))


@every_message
def test_optional_fields_may_be_missing_and_required_ones_may_not(message: type[Message]) -> None:
    for name, field in message.model_fields.items():
        fewer = {k: v for k, v in example(message).items() if k != name}
        if field.is_required():
            with pytest.raises(ValidationError, match=name):
                message.from_bytes(encoded(fewer))
        else:
            message.from_bytes(encoded(fewer))


@every_message
def test_fields_were_only_added_and_as_optional_ones(message: type[Message]) -> None:
    stored = json.loads(file_of(message, "schema.json").read_text())
    assert broken_promises(stored, objects_of(message)) == [], (
        "this breaks messages that are on the topic now: make a v2 of the topic instead"
    )


def test_a_broken_promise_is_noticed() -> None:
    stored = objects_of(Frame)
    changes: list[tuple[Callable[[dict[str, Any]], object], str]] = [
        (lambda s: s["properties"].pop("sequence"), "Frame.sequence is gone"),
        (lambda s: s["required"].append("sequence"), "Frame.sequence was made required"),
        (lambda s: s["required"].remove("width"), "Frame.width is no longer always there"),
        (
            lambda s: s["properties"].update(width={"type": "string"}),
            "Frame.width means something else now",
        ),
    ]
    for change, fault in changes:
        now = deepcopy(stored)
        change(now["Frame"])
        assert broken_promises(stored, now) == [fault]
    added = deepcopy(stored)
    added["Frame"]["properties"]["weather"] = {"type": "string", "default": ""}
    assert broken_promises(stored, added) == []


def test_a_frame_travels_in_the_header_beside_its_picture() -> None:
    assert HEADER == "alpr-frame"
    frame = Frame.from_headers({HEADER: encoded(example(Frame))})
    assert frame.camera_id == example(Frame)["camera_id"]


def test_ids_are_what_they_always_were() -> None:
    """A changed id would make a second read, hit and alert of what is redelivered."""
    frame, read, hit = example(Frame), example(Read), example(Hit)
    taken = datetime(2026, 5, 4, 10, 0, 0, 250_000, UTC)
    assert str(Frame.id_of(frame["camera_id"], taken)) == frame["frame_id"]
    first = UUID(frame["frame_id"])
    assert str(Read.id_of(read["camera_id"], first, 0)) == read["read_id"]
    entry_id = UUID(hit["entry"]["entry_id"])
    assert str(Hit.id_of(UUID(read["read_id"]), entry_id)) == hit["hit_id"]
    assert frame["frame_id"] == "4f34591a-c2db-506e-8135-0b0243636cf3"
    assert read["read_id"] == "cf7f5c0f-05e4-5750-b386-0eff51ce7485"
    assert hit["hit_id"] == "868e485f-5945-5a57-97c7-44f9ab65272b"


def test_every_topic_has_one_message_type_and_a_version() -> None:
    assert all(topic.name.rsplit(".", 1)[1].startswith("v") for topic in TOPICS)
