"""What a camera sees: pictures, a video or a stream, as JPEGs with their place in time."""

import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
_LIVE_SCHEMES = ("rtsp://", "rtsps://", "srt://", "udp://")
_STREAM_SCHEMES = ("rtsp://", "rtsps://", "http://", "https://", "srt://", "udp://")


class NothingToFeed(Exception):
    """The input cannot be read, or nothing is in it."""


@dataclass(frozen=True)
class Shot:
    """One picture. `offset_seconds` counts from the source's first; `captured_at`, where it is
    known, is the time itself."""

    name: str
    jpeg: bytes
    offset_seconds: float
    captured_at: datetime | None = None


class Source(Protocol):
    """Blocking; shots come in the order in which they were taken."""

    name: str
    count: int | None
    """How many shots, where that is known (near enough for a progress bar)."""
    duration_seconds: float | None
    """From the first shot to where the first of a repetition would be; None: live."""

    def shots(self) -> Iterator[Shot]:
        """Raises `NothingToFeed`."""


@dataclass
class Pictures:
    """Files, `interval_seconds` apart, or at the times given for their names."""

    files: list[Path]
    interval_seconds: float
    times: dict[str, datetime]
    name: str = "pictures"

    def __post_init__(self) -> None:
        self.count: int | None = len(self.files)
        self.duration_seconds: float | None = len(self.files) * self.interval_seconds

    def shots(self) -> Iterator[Shot]:
        for index, file in enumerate(self.files):
            yield Shot(
                file.name, jpeg_of(file), index * self.interval_seconds, self.times.get(file.name)
            )


@dataclass
class Video:
    """A video file, at most `rate` pictures per second of it (None: all)."""

    file: Path
    rate: float | None

    def __post_init__(self) -> None:
        self.name = self.file.name
        with _opened(str(self.file)) as container:
            stream = container.streams.video[0]
            fps = float(stream.average_rate or 25)
            seconds = float(container.duration or 0) / 1_000_000 or float(stream.frames) / fps
        self.duration_seconds: float | None = seconds or None
        self.count: int | None = round(seconds * min(fps, self.rate or fps)) or None

    def shots(self) -> Iterator[Shot]:
        step = 1 / self.rate if self.rate else 0.0
        with _opened(str(self.file)) as container:
            due, first = 0.0, None
            for index, frame in enumerate(container.decode(container.streams.video[0])):
                at = float(frame.time) if frame.time is not None else index / 25
                first = at if first is None else first
                offset = at - first
                if offset + 1e-6 < due:
                    continue
                due = max(due + step, offset + step / 2) if step else 0.0
                yield Shot(f"{self.name} {offset:.2f} s", encode(frame), offset)


@dataclass
class Stream:
    """A live stream; each shot is taken when it arrives. One that breaks is opened again."""

    url: str
    rate: float | None
    patience_seconds: float = 300.0
    count: int | None = None
    duration_seconds: float | None = None

    def __post_init__(self) -> None:
        self.name = _without_password(self.url)

    def shots(self) -> Iterator[Shot]:
        last = None
        while True:
            try:
                for shot in self._connected():
                    last = time.monotonic()
                    yield shot
                if not self.url.startswith(_LIVE_SCHEMES):
                    return
                # FFmpeg tells a connection that was cut as the end; a camera's stream has none.
                raise NothingToFeed(f"{self.name} ended")
            except (NothingToFeed, av.error.FFmpegError) as error:
                # A stream that never came is a wrong address; one that went comes back.
                if last is None or time.monotonic() - last > self.patience_seconds:
                    raise NothingToFeed(_without_password(str(error))) from error
                time.sleep(1)

    def _connected(self) -> Iterator[Shot]:
        step = 1 / self.rate if self.rate else 0.0
        options = {"rtsp_transport": "tcp"} if self.url.startswith("rtsp") else {}
        with _opened(self.url, options=options, timeout=(10.0, 10.0)) as container:
            due = 0.0
            for index, frame in enumerate(container.decode(container.streams.video[0])):
                offset = float(frame.time) if frame.time is not None else index / 25
                if offset + 1e-6 < due:
                    continue
                due = offset + step
                yield Shot(f"{self.name} #{index}", encode(frame), offset)


def is_stream(text: str) -> bool:
    return text.lower().startswith(_STREAM_SCHEMES)


def pictures_in(path: Path) -> list[Path]:
    """The picture itself, or a folder's pictures in the order of their names; [] if neither."""
    if path.is_dir():
        files = [f for f in path.iterdir() if f.suffix.lower() in PICTURE_SUFFIXES]
        if not files:
            raise NothingToFeed(f"{path} has no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})")
        return sorted(files)
    if not path.exists():
        raise NothingToFeed(f"{path} does not exist")
    return [path] if path.suffix.lower() in PICTURE_SUFFIXES else []


def read_times(file: Path) -> dict[str, datetime]:
    """`file,captured_at` rows of a CSV with that heading; raises `NothingToFeed`."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            return {
                row["file"]: datetime.fromisoformat(row["captured_at"]).astimezone()
                for row in csv.DictReader(lines)
            }
    except (OSError, KeyError, ValueError) as error:
        raise NothingToFeed(f"{file}: needs the columns file and captured_at ({error})") from error


def jpeg_of(file: Path) -> bytes:
    """The picture's bytes as they are when it is a JPEG; any other format is converted."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise NothingToFeed(f"{file} cannot be read: {error}") from error
    if file.suffix.lower() in (".jpg", ".jpeg"):
        return data  # also when it is none: ingest says so better
    with _opened(str(file)) as container:
        for frame in container.decode(container.streams.video[0]):
            return encode(frame)
    raise NothingToFeed(f"{file} holds no picture")


def encode(frame: Any) -> bytes:
    """A decoded frame (PyAV) as JPEG, nearly without loss."""
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height = frame.width, frame.height
    encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, 1000)
    encoder.qmin = encoder.qmax = 2
    picture = frame.reformat(format="yuvj420p")
    picture.pts = 0
    packets = [*encoder.encode(picture), *encoder.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


def _opened(what: str, **options: Any) -> Any:
    try:
        container = av.open(what, **options)
    except (OSError, ValueError, av.error.FFmpegError) as error:
        # Not the error's own text: it repeats the address, with its password.
        why = getattr(error, "strerror", None) or type(error).__name__
        raise NothingToFeed(f"{_without_password(what)} cannot be opened: {why}") from error
    if not container.streams.video:
        container.close()
        raise NothingToFeed(f"{_without_password(what)} holds no pictures")
    return container


def _without_password(url: str) -> str:
    return url.rpartition("@")[2]
