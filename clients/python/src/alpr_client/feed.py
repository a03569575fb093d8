"""`alpr feed`: replay pictures, a video or a stream as a camera."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from alpr_client.client import AlprClient
from alpr_client.command_session import for_cameras, signed_in
from alpr_client.errors import ClientError
from alpr_client.feed_cameras import Credentials, Place, camera_ids, senders
from alpr_client.feed_sending import GaveUp, Pace, Sender, Tally, feed_camera
from alpr_client.feed_sources import (
    NothingToFeed,
    Pictures,
    Source,
    Stream,
    Video,
    is_stream,
    pictures_in,
    read_times,
)

_console = Console(stderr=True)
_PICTURES_PER_SECOND = 2.0
_TAKEN, _SOME_REFUSED, _NOT_FED, _INTERRUPTED = 0, 1, 2, 130


@dataclass(frozen=True)
class Job:
    """A feed as it was asked for."""

    url: str | None
    sources: Sequence[Source]
    camera_ids: Sequence[str]
    place: Place
    credentials: Credentials
    pace: Pace
    parallel: int


def feed(
    what: Annotated[str, typer.Argument(metavar="PATH|VIDEO|rtsp://…")],
    url: Annotated[
        str | None,
        typer.Option(
            envvar="ALPR_INGEST_URL",
            help="ingest's address; else that of the system you signed in to, else on this machine",
        ),
    ] = None,
    camera: Annotated[str, typer.Option(help="the camera's id, or what ids begin with")] = "feed",
    credential: Annotated[
        str | None, typer.Option(envvar="ALPR_CAMERA_CREDENTIAL", help="the camera's credential")
    ] = None,
    credentials_file: Annotated[
        Path | None,
        typer.Option(help="JSON, camera id to credential; --register writes it"),
    ] = None,
    register: Annotated[
        bool,
        typer.Option("--register", help="register what has no credential, as who is signed in"),
    ] = False,
    renew: Annotated[
        bool,
        typer.Option("--renew", help="with --register: new credentials for cameras that exist"),
    ] = False,
    attest: Annotated[
        str | None,
        typer.Option(
            metavar="SITE",
            help="with --register: you attest that the camera at SITE sees only what is exposed "
            "to public view (131.6-3a)",
        ),
    ] = None,
    camera_per_file: Annotated[
        bool, typer.Option("--camera-per-file", help="each picture is a camera of its own")
    ] = False,
    latitude: Annotated[float | None, typer.Option(min=-90, max=90)] = None,
    longitude: Annotated[float | None, typer.Option(min=-180, max=180)] = None,
    heading: Annotated[float | None, typer.Option(min=0, max=360)] = None,
    rate: Annotated[
        float | None,
        typer.Option(min=0.01, max=1000, help="pictures per second (video: at most so many)"),
    ] = None,
    realtime: Annotated[
        bool, typer.Option("--realtime", help="at the recording's pace, not as fast as possible")
    ] = False,
    loop: Annotated[bool, typer.Option("--loop", help="begin again at the end")] = False,
    start_at: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S"],
            help="when the first picture was taken (default: so that the last is taken now)",
        ),
    ] = None,
    times: Annotated[
        Path | None, typer.Option(help="CSV file,captured_at: when each picture was taken")
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, max=64, help="cameras at once")] = 4,
    patience: Annotated[
        float, typer.Option(help="seconds to wait out an outage before giving up")
    ] = 300.0,
) -> None:
    """Replay a picture, a folder of pictures, a video or a stream as a camera.

    Ends with counts: status 0 when every picture was taken, 1 when some were refused (it says
    why), 2 when it could not go on.
    """
    try:
        sources, ids = _sources(what, camera, camera_per_file, rate, times, patience)
    except NothingToFeed as error:
        _say(error)
        raise typer.Exit(_NOT_FED) from None
    pace = Pace(start_at and start_at.astimezone(UTC), realtime, loop, patience)
    job = Job(
        url=url,
        sources=sources,
        camera_ids=ids,
        place=Place(latitude, longitude, heading),
        credentials=Credentials(credential, credentials_file, register, renew, attest),
        pace=pace,
        parallel=len(sources) if loop else parallel,  # a loop never makes room for another
    )
    raise typer.Exit(run(job))


def run(job: Job) -> int:
    """Feed, report, and say how it went as an exit status."""
    tally, status = Tally(), _TAKEN
    try:
        asyncio.run(_feed(job, tally))
    except* (NothingToFeed, GaveUp, ClientError, OSError) as group:
        status = _NOT_FED
        for error in _leaves(group):
            _say(error)
    except* KeyboardInterrupt:
        status = _INTERRUPTED
    _report(tally)
    return _SOME_REFUSED if status == _TAKEN and tally.refused else status


def _sources(
    what: str,
    camera: str,
    camera_per_file: bool,
    rate: float | None,
    times: Path | None,
    patience: float,
) -> tuple[list[Source], list[str]]:
    """What to feed and as which cameras; raises `NothingToFeed`."""
    if is_stream(what):
        return [Stream(what, rate, patience)], [camera]
    path = Path(what)
    files = pictures_in(path)
    if not files:
        return [Video(path, rate)], [camera]
    known = read_times(times) if times else {}
    interval = 1 / (rate or _PICTURES_PER_SECOND)
    if camera_per_file:
        ids = camera_ids(camera, [file.stem for file in files])
        return [Pictures([file], interval, known, file.name) for file in files], ids
    return [Pictures(files, interval, known, path.name)], [camera]


async def _feed(job: Job, tally: Tally) -> None:
    async with _client(job) as client:
        found = await senders(client.cameras, job.camera_ids, job.place, job.credentials)
        slots = asyncio.Semaphore(job.parallel)
        with _progress() as progress:
            counts = [source.count for source in job.sources]
            known = None if job.pace.loop or None in counts else sum(c or 0 for c in counts)
            bar = progress.add_task("feeding", total=known, said="")

            def progressed() -> None:
                progress.update(bar, advance=1, said=_in_short(tally))

            async def one(sender: Sender, source: Source) -> None:
                async with slots:
                    await feed_camera(client.frames, sender, source, job.pace, tally, progressed)

            async with asyncio.TaskGroup() as group:
                for sender, source in zip(found, job.sources, strict=True):
                    group.create_task(one(sender, source))


@asynccontextmanager
async def _client(job: Job) -> AsyncIterator[AlprClient]:
    """Cameras need nobody who is signed in; only registering them does."""
    if not job.credentials.register:
        async with AlprClient(for_cameras(job.url)) as client:
            yield client
        return
    async with signed_in(ingest=job.url) as client:
        yield client


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
        console=_console,
    )


def _in_short(tally: Tally) -> str:
    counts = {
        "taken": tally.accepted,
        "spooled": tally.spooled,
        "refused": tally.refused.total(),
        "dropped": tally.dropped,
    }
    return " · ".join(f"{n} {what}" for what, n in counts.items() if n or what == "taken")


def _report(tally: Tally) -> None:
    _console.print(f"{_in_short(tally)}.", highlight=False)
    for reason, number in tally.refused.most_common():
        _console.print(
            f"  {number} refused: {reason}\n    {tally.reasons[reason]}",
            style="red",
            markup=False,
            soft_wrap=True,
        )


def _say(error: BaseException) -> None:
    _console.print(f"alpr feed: {error}", style="red", markup=False, soft_wrap=True)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
