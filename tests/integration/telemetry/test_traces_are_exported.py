"""Traces leave a service process as OTLP over HTTP: what arrives is decoded with OpenTelemetry's
own protocol definitions, as a collector does."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from alpr_common.auth import TokenIssuer
from alpr_common.kafka import Publisher
from alpr_common.topics import HITS
from alpr_local.ports import choose_port
from alpr_local.processes import Services
from tests.support.waiting import eventually
from tests.unit.alerts.samples import hit, principal

pytestmark = pytest.mark.integration

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "200"}


@dataclass
class Collector:
    """Spans by the service that made them."""

    port: int
    spans: dict[str, list[Span]] = field(default_factory=dict)
    content_types: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/traces"

    def take(self, request: ExportTraceServiceRequest) -> None:
        for of_resource in request.resource_spans:
            attributes = {a.key: a.value.string_value for a in of_resource.resource.attributes}
            found = self.spans.setdefault(attributes["service.name"], [])
            found += [span for scope in of_resource.scope_spans for span in scope.spans]

    def named(self, service: str, name: str) -> list[Span]:
        return [span for span in self.spans.get(service, []) if span.name == name]


@contextmanager
def collector(port: int) -> Iterator[Collector]:
    """An OTLP/HTTP receiver on that port of loopback."""
    made = Collector(port)

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            made.content_types.add(self.headers["Content-Type"])
            made.take(ExportTraceServiceRequest.FromString(body))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


async def test_a_trace_goes_on_in_the_service_and_arrives_at_the_collector(
    services: Services,
) -> None:
    port = choose_port()
    environment = {**QUICK, "ALPR_OTLP_ENDPOINT": f"http://127.0.0.1:{port}/v1/traces"}
    alerts = services.start("alerts", environment=environment)
    token = TokenIssuer.from_file(services.stack.secrets.token_private_key).issue(
        principal(), datetime.now(UTC)
    )
    headers = {"Authorization": f"Bearer {token}"}
    publisher = Publisher(services.stack.kafka_bootstrap_servers)
    async with httpx.AsyncClient(base_url=alerts.url, headers=headers, timeout=20) as http:
        # Without a collector the service does its work all the same.
        assert (await http.get("/v1/alerts")).status_code == 200
        with collector(port) as received:
            one = hit(0, plate="TRACE1", began_at=datetime.now(UTC))
            await publisher.publish(
                HITS, one.read.match_key, one.to_bytes(), [("traceparent", TRACEPARENT.encode())]
            )
            answer = await http.get("/v1/alerts", headers={"traceparent": TRACEPARENT})
            assert answer.status_code == 200
            await eventually(
                lambda: received.named("alpr-alerts", "alert.raised"), 60, what="the alert's span"
            )
            await eventually(
                lambda: [
                    span
                    for span in received.named("alpr-alerts", "GET /v1/alerts")
                    if span.trace_id.hex() == TRACE_ID
                ],
                60,
                what="the request's span",
            )
    await publisher.stop()
    assert received.content_types == {"application/x-protobuf"}
    (raised,) = received.named("alpr-alerts", "alert.raised")
    assert raised.trace_id.hex() == TRACE_ID
    assert raised.parent_span_id.hex() == TRACEPARENT.split("-")[2]
    assert 0 < raised.start_time_unix_nano <= raised.end_time_unix_nano
    everything = "\n".join(str(span) for spans in received.spans.values() for span in spans)
    assert "TRACE1" not in everything, "a collector is no place for plates"
