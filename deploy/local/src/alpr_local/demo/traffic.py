"""Vehicles pass: frames of our own scenes go to ingest at a camera's pace."""

import asyncio
from datetime import UTC, datetime

import httpx
from rich.console import Console

from alpr_local.demo.scenes import render_pass
from alpr_local.demo.story import DemoCamera, passes

FRAMES_PER_SECOND = 4
_BETWEEN_VEHICLES_SECONDS = 3.0


async def drive(ingest_url: str, credentials: dict[str, str], console: Console) -> None:
    """Send passes one after another until cancelled."""
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        for camera, vehicle_pass in passes():
            frames = await asyncio.to_thread(list, render_pass(vehicle_pass))
            credential = credentials[camera.camera_id]
            for jpeg in frames:
                due = asyncio.get_running_loop().time() + 1 / FRAMES_PER_SECOND
                await _send(client, ingest_url, camera, credential, jpeg, console)
                await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            await asyncio.sleep(_BETWEEN_VEHICLES_SECONDS)


async def _send(
    client: httpx.AsyncClient,
    ingest_url: str,
    camera: DemoCamera,
    credential: str,
    jpeg: bytes,
    console: Console,
) -> None:
    now = datetime.now(UTC).isoformat()
    try:
        answer = await client.post(
            f"{ingest_url}/v1/frames",
            content=jpeg,
            headers={
                "Authorization": f"Camera {credential}",
                "Content-Type": "image/jpeg",
                "Alpr-Captured-At": now,
                "Alpr-Sent-At": now,
                "Alpr-Latitude": str(camera.latitude),
                "Alpr-Longitude": str(camera.longitude),
                "Alpr-Heading": str(camera.heading_degrees),
            },
        )
    except httpx.HTTPError as error:
        console.print(f"[red]frame not sent:[/red] {error!r}")
        return
    if answer.is_error:
        console.print(f"[red]frame refused:[/red] {answer.text[:300]}")
