"""How long from a camera's frame to an alert on a screen, at 5 frames/s, by stage.

    python -m bench.line --json [--passes 60] [--frames 5] [--rate 5]

Every vehicle pass is drawn (demo scenes), every plate is listed, all servers and services are real
processes. `frame_to_alert` runs from the answer 202 to the last frame that voted until the alert
arrives over server-sent events; `pass_to_alert` from the 202 to the pass's first frame.
"""

import argparse
import asyncio
import json
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import numpy as np

from alpr_common.messages.hit import Hit
from alpr_common.topics import HITS
from alpr_local.demo.scenes import LIGHTS, Pass, render_pass
from alpr_local.processes import Services
from alpr_local.stack import temporary_stack
from tests.support.line import PROCESSES, Line
from tests.support.topics import everything

_SETTLE_SECONDS = 5.0


@dataclass
class Seen:
    """Wall-clock times (aware) of what happened, by id."""

    accepted: dict[datetime, datetime] = field(default_factory=dict)
    """Answer 202, by the frame's captured_at (unique in this run)."""
    alerts: dict[str, datetime] = field(default_factory=dict)
    """First sight over server-sent events, by plate that the alert's entry lists."""


def plate_of(number: int) -> str:
    return f"{chr(65 + number % 8)}{chr(74 + number % 3)}{23451 + 97 * number}"


async def run(passes: int, frames: int, rate: float) -> dict[str, Any]:
    """Measure on a stack of its own; returns the figures, times in milliseconds."""
    with temporary_stack(say=_to_stderr) as stack:
        stack.create_topics()
        services = Services(stack)
        try:
            services.start_all(*PROCESSES)
            async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
                return await _measure(Line(services, client), passes, frames, rate)
        finally:
            services.stop_all()


async def _measure(line: Line, passes: int, frames: int, rate: float) -> dict[str, Any]:
    officer = await line.sign_in("officer")
    administrator = await line.sign_in("administrator")
    credentials = {}
    pictures = {}
    for number in range(passes):
        plate = plate_of(number)
        light = LIGHTS[number % len(LIGHTS)]
        pictures[plate] = list(render_pass(Pass(plate, "US-IL", light, number, frames)))
        credentials[plate] = await line.register_camera(f"bench-{number:03d}", administrator)
        await line.add_entry(plate, officer, jurisdiction="US-IL")
    seen = Seen()
    listening = asyncio.create_task(_listen(line, officer, seen))
    await asyncio.sleep(_SETTLE_SECONDS)  # the hot list's last entries reach the worker
    for plate, jpegs in pictures.items():
        for jpeg in jpegs:
            due = asyncio.get_running_loop().time() + 1 / rate
            captured_at = datetime.now(UTC)
            answer = await line.send_frame(credentials[plate], jpeg, captured_at)
            answer.raise_for_status()
            seen.accepted[captured_at] = datetime.now(UTC)
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
    await line.settled()
    await asyncio.sleep(_SETTLE_SECONDS)
    listening.cancel()
    return await _figures(line, seen, passes, frames, rate)


async def _listen(line: Line, headers: dict[str, str], seen: Seen) -> None:
    async with line.client.stream(
        "GET", line.url("alerts", "/v1/alerts/stream"), headers=headers, timeout=None
    ) as stream:
        async for text in stream.aiter_lines():
            if text.startswith("data:"):
                alert = json.loads(text[5:])
                seen.alerts.setdefault(alert["entry"]["plate"], datetime.now(UTC))


async def _figures(line: Line, seen: Seen, passes: int, frames: int, rate: float) -> dict[str, Any]:
    hits: dict[str, Hit] = {}
    for received in await everything(line.services.stack.kafka_bootstrap_servers, HITS):
        hit = Hit.from_bytes(received.value or b"")
        if hit.read.camera_id.endswith(_camera_number(hit.entry.plate, passes)):
            hits.setdefault(hit.entry.plate, hit)
    stages: dict[str, list[float]] = {}
    for plate, hit in hits.items():
        shown = seen.alerts.get(plate)
        last = seen.accepted.get(hit.read.last_captured_at)
        first = seen.accepted.get(hit.read.first_captured_at)
        if shown is None or last is None or first is None:
            continue
        for name, begin, end in (
            ("frame_to_read", last, hit.read.emitted_at),
            ("read_to_hit", hit.read.emitted_at, hit.matched_at),
            ("hit_to_alert", hit.matched_at, shown),
            ("frame_to_alert", last, shown),
            ("pass_to_alert", first, shown),
        ):
            stages.setdefault(name, []).append((end - begin).total_seconds() * 1000)
    return {
        "passes": passes,
        "frames_per_pass": frames,
        "frames_per_second": rate,
        "listed_plates_alerted": len(stages.get("frame_to_alert", [])),
        "milliseconds": {name: _percentiles(values) for name, values in stages.items()},
    }


def _camera_number(plate: str, passes: int) -> str:
    return next((f"-{n:03d}" for n in range(passes) if plate_of(n) == plate), "none")


def _percentiles(values: list[float]) -> dict[str, float]:
    return {f"p{p}": round(float(np.percentile(values, p)), 1) for p in (50, 95, 99)}


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="JSON alone on standard output")
    parser.add_argument("--passes", type=int, default=60)
    parser.add_argument("--frames", type=int, default=5)
    parser.add_argument("--rate", type=float, default=5.0, help="frames per second, in all")
    given = parser.parse_args()
    figures = asyncio.run(run(given.passes, given.frames, given.rate))
    if given.json:
        print(json.dumps(figures, indent=1))
        return
    for name, row in figures["milliseconds"].items():
        print(f"{name:16}" + "".join(f"  {p} {ms:8.1f} ms" for p, ms in row.items()))
    print(f"{figures['listed_plates_alerted']} of {figures['passes']} passes became an alert")


if __name__ == "__main__":
    main()
