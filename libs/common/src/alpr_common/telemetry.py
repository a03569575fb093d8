"""Structured logs, OpenTelemetry traces that travel in Kafka headers, Prometheus metrics."""

import logging
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from alpr_common.settings import CommonSettings

KafkaHeaders = list[tuple[str, bytes]]


def start_telemetry(service: str, settings: CommonSettings) -> None:
    """Set up logging and tracing for this process; call it once, first thing in `__main__`."""
    _start_logging(service, settings)
    provider = TracerProvider(resource=Resource.create({"service.name": f"alpr-{service}"}))
    if settings.otlp_endpoint:
        # A fifth of a second of every start that exports nothing.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.otlp_endpoint))
        )
    trace.set_tracer_provider(provider)


def _start_logging(service: str, settings: CommonSettings) -> None:
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_service(service),
        _with_trace,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        # Plain tracebacks: the pretty ones print local variables, which hold plates and tokens.
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    rendering = (
        [structlog.processors.format_exc_info, renderer]
        if settings.log_format == "json"
        else [renderer]
    )
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.log_level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries log through the standard library: the same shape, warnings and worse only.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def _with_service(service: str) -> Any:
    def add(_logger: Any, _name: str, line: dict[str, Any]) -> dict[str, Any]:
        line["service"] = service
        return line

    return add


def _with_trace(_logger: Any, _name: str, line: dict[str, Any]) -> dict[str, Any]:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        line["trace_id"] = f"{context.trace_id:032x}"
    return line


def tracer(name: str) -> trace.Tracer:
    return trace.get_tracer(name)


def trace_headers(context: Context | None = None) -> KafkaHeaders:
    """The current (or given) trace context as Kafka headers (W3C `traceparent`)."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier, context=context)
    return [(name, value.encode()) for name, value in carrier.items()]


def trace_context(headers: Mapping[str, bytes] | Iterable[tuple[str, bytes]]) -> Context:
    """The trace context that a message's headers carry (an empty one if they carry none)."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    carrier = {k: v.decode("ascii", "replace") for k, v in pairs if k in _W3C}
    return propagate.extract(carrier)


_W3C = frozenset({"traceparent", "tracestate", "baggage"})
