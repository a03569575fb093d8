"""Logs in one shape, and traces that travel in Kafka headers."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from alpr_common.telemetry import trace_context, trace_headers

TRACER = TracerProvider().get_tracer("test")


def test_a_trace_travels_in_kafka_headers_and_back() -> None:
    with TRACER.start_as_current_span("sent") as sent:
        headers = trace_headers()
    assert [name for name, _ in headers] == ["traceparent"]
    for carried in (headers, dict(headers), [*headers, ("alpr-frame", b"\xff\xfe not text")]):
        context = trace_context(carried)
        with TRACER.start_as_current_span("received", context=context) as received:
            assert received.get_span_context().trace_id == sent.get_span_context().trace_id


def test_a_given_context_is_sent_rather_than_the_current_one() -> None:
    with TRACER.start_as_current_span("first") as first:
        context = trace_context(trace_headers())
    with TRACER.start_as_current_span("second"):
        (_, value) = trace_headers(context)[0]
    assert f"{first.get_span_context().trace_id:032x}" in value.decode()


def test_without_a_trace_there_are_no_headers() -> None:
    assert trace_headers() == []


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("traceparent", b"")],
        [("traceparent", b"00-nonsense-01")],
        [("traceparent", b"\xff\xfe")],
        [("other", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")],
    ],
)
def test_headers_that_carry_no_trace_give_an_empty_context(
    headers: list[tuple[str, bytes]],
) -> None:
    span = trace.get_current_span(trace_context(headers))
    assert not span.get_span_context().is_valid


_PROGRAM = """
import logging, structlog
from alpr_common.settings import CommonSettings
from alpr_common.telemetry import start_telemetry, tracer
early = structlog.get_logger()
start_telemetry("sample", CommonSettings(log_format="{format}", log_level="{level}"))
early.info("started", camera_id="cam-1")
early.debug("too.fine")
with tracer("t").start_as_current_span("s"):
    early.warning("traced")
try:
    1 / 0
except ZeroDivisionError as error:
    early.error("failed", error=repr(error), exc_info=error)
    logging.getLogger("library").exception("library failed: %s", "why")
logging.getLogger("library").info("chatter")
logging.getLogger("library").warning("library %s", "warns")
"""


def lines_of(log_format: str, level: str = "INFO") -> list[str]:
    program = _PROGRAM.replace("{format}", log_format).replace("{level}", level)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "", "standard output belongs to programs' answers"
    return done.stderr.splitlines()


@pytest.fixture(scope="module")
def lines() -> dict[str, dict[str, Any]]:
    """JSON lines by what they say."""
    return {line["event"]: line for line in map(json.loads, lines_of("json"))}


def test_every_log_line_is_json_with_time_level_and_service(
    lines: dict[str, dict[str, Any]],
) -> None:
    assert lines["started"] == {
        "event": "started",
        "camera_id": "cam-1",
        "level": "info",
        "service": "sample",
        "timestamp": lines["started"]["timestamp"],
    }
    assert lines["started"]["timestamp"].endswith("Z")
    assert all(line["service"] == "sample" for line in lines.values())


def test_a_line_inside_a_trace_names_it(lines: dict[str, dict[str, Any]]) -> None:
    assert len(lines["traced"]["trace_id"]) == 32
    assert "trace_id" not in lines["started"]


def test_what_libraries_log_has_the_same_shape_warnings_and_worse_alone(
    lines: dict[str, dict[str, Any]],
) -> None:
    assert lines["library warns"]["level"] == "warning"
    assert "chatter" not in lines


def test_an_error_brings_its_traceback_ours_and_a_librarys(
    lines: dict[str, dict[str, Any]],
) -> None:
    for event in ("failed", "library failed: why"):
        assert "ZeroDivisionError" in lines[event]["exception"]
        assert "Traceback" in lines[event]["exception"]


def test_lines_below_the_level_are_left_out(lines: dict[str, dict[str, Any]]) -> None:
    assert "too.fine" not in lines
    quiet = [json.loads(line)["event"] for line in lines_of("json", "ERROR")]
    assert "started" not in quiet
    assert "failed" in quiet


def test_the_console_format_is_for_people() -> None:
    text = "\n".join(lines_of("console"))
    assert "started" in text
    assert "cam-1" in text
    assert "ZeroDivisionError" in text
    assert not text.lstrip().startswith("{")
