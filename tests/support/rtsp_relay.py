"""A small RTSP server on loopback (RFC 2326, RTP interleaved on the same connection).

What one client records (ANNOUNCE, RECORD) is played to others (DESCRIBE, PLAY), packet by packet:
both ends are FFmpeg's, so what travels is what cameras send.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.support import rtsp_camera

_STATUS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed"}


@dataclass
class RtspRelay:
    """`plays` counts how often somebody began to watch."""

    port: int = 0
    plays: int = 0
    _description: bytes | None = None
    _players: set[asyncio.StreamWriter] = field(default_factory=set)
    _open: dict[asyncio.StreamWriter, asyncio.Event] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/street"

    @property
    def has_video(self) -> bool:
        return self._description is not None

    def drop_players(self) -> None:
        """Cut every connection of somebody who watches, as a network does."""
        for writer in list(self._players):
            writer.transport.abort()

    async def close(self) -> None:
        """Cut everybody off and wait until nobody is served any more."""
        ended = list(self._open.values())
        for writer in list(self._open):
            writer.transport.abort()
        for one in ended:
            await one.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended = self._open[writer] = asyncio.Event()
        try:
            while first := await reader.read(1):
                if first == b"$":
                    await self._pass_on(reader)
                else:
                    await self._answer(first + await reader.readuntil(b"\r\n\r\n"), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._players.discard(writer)
            del self._open[writer]
            writer.close()
            ended.set()

    async def _pass_on(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readexactly(3)
        packet = await reader.readexactly(int.from_bytes(head[1:], "big"))
        for player in self._players:
            player.write(b"$" + head + packet)

    async def _answer(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        first, *lines = head.decode().strip().split("\r\n")
        method, url, _ = first.split(" ")
        asked = {
            name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        body = await reader.readexactly(int(asked.get("content-length", "0")))
        status, answer, content = 200, {"CSeq": asked["cseq"], "Session": "1"}, b""
        match method:
            case "OPTIONS":
                answer["Public"] = "ANNOUNCE, DESCRIBE, SETUP, PLAY, RECORD, TEARDOWN"
            case "ANNOUNCE":
                self._description = body
            case "DESCRIBE" if self._description is not None:
                answer |= {"Content-Type": "application/sdp", "Content-Base": f"{url}/"}
                content = self._description
            case "DESCRIBE":
                status = 404
            case "SETUP":
                answer["Transport"] = asked["transport"]
            case "PLAY":
                self.plays += 1
            case "RECORD" | "TEARDOWN" | "GET_PARAMETER" | "SET_PARAMETER":
                pass
            case _:
                status = 405
        answer["Content-Length"] = str(len(content))
        said = [f"RTSP/1.0 {status} {_STATUS[status]}", *(f"{k}: {v}" for k, v in answer.items())]
        writer.write("\r\n".join(said).encode() + b"\r\n\r\n" + content)
        await writer.drain()
        if method == "PLAY":
            self._players.add(writer)


@asynccontextmanager
async def rtsp_relay() -> AsyncIterator[RtspRelay]:
    """A relay on a free port of loopback."""
    relay = RtspRelay()
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        await relay.close()


@asynccontextmanager
async def recording(url: str) -> AsyncIterator[None]:
    """A camera that records to a relay meanwhile: a process, since PyAV holds the interpreter while
    it waits for an answer, which the relay could not give then."""
    camera = await asyncio.create_subprocess_exec(
        sys.executable, str(rtsp_camera.__file__), url, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        camera.kill()
        await camera.wait()
