"""Frames from Kafka into micro-batches, reads back out."""

from collections.abc import Callable, Sequence

from aiokafka import TopicPartition

from alpr_common.errors import MalformedMessage
from alpr_common.kafka import ConsumeLoop, Decoded, Publisher, Received
from alpr_common.messages.frame import Frame
from alpr_common.topics import FRAMES
from alpr_recognizer.handlers import FrameMessage, Line, emit_due, recognise_frames

GROUP_ID = "alpr-recognizer"


def decode_frame(received: Received) -> FrameMessage:
    """Raises what `ConsumeLoop` dead-letters; the JPEG itself is not decoded here."""
    if not received.value:
        raise MalformedMessage("The message holds no picture.")
    return FrameMessage(Frame.from_headers(dict(received.headers)), received.value)


def frames_loop(
    line: Line, *, bootstrap_servers: str, publisher: Publisher, batch_frames: int,
    poll_seconds: float, quiet_seconds: float, monotonic: Callable[[], float],
) -> ConsumeLoop[FrameMessage]:  # fmt: skip
    """The loop over `alpr.frames.v1`, holding back the offsets of passes that are not out."""

    async def handle(batch: Sequence[Decoded[FrameMessage]]) -> None:
        await recognise_frames(batch, line)

    async def idle() -> None:
        line.passes.end_quiet(quiet_seconds, monotonic(), highwater)
        await emit_due(line)

    def highwater(partition: TopicPartition) -> int | None:
        return loop.highwater(partition)

    loop = ConsumeLoop(
        bootstrap_servers=bootstrap_servers,
        group_id=GROUP_ID,
        topic=FRAMES,
        decode=decode_frame,
        handle=handle,
        publisher=publisher,
        idle=idle,
        checkpoints=line.passes,
        batch_size=batch_frames,
        poll_seconds=poll_seconds,
    )
    return loop
