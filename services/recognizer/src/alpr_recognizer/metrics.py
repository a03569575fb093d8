"""What the recognizer counts for Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

from alpr_recognizer.recognition import Stages

FRAMES = Counter("alpr_recognizer_frames_total", "Frames taken in", ["outcome"])
READS = Counter("alpr_recognizer_reads_total", "Reads published")
STAGE_SECONDS = Histogram(
    "alpr_recognizer_stage_seconds",
    "Time per micro-batch and stage",
    ["stage"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
BATCH_FRAMES = Histogram(
    "alpr_recognizer_batch_frames", "Frames per micro-batch", buckets=(1, 2, 4, 8, 16, 32, 64)
)
BATCH_CROPS = Histogram(
    "alpr_recognizer_batch_crops", "Plate crops per micro-batch", buckets=(0, 1, 2, 4, 8, 16, 32)
)
OPEN_PASSES = Gauge("alpr_recognizer_open_passes", "Passes whose read is not out yet")
PASS_FRAMES = Histogram(
    "alpr_recognizer_pass_frames", "Frames that voted for a read", buckets=(1, 2, 3, 5, 8, 13, 21)
)
READ_DELAY_SECONDS = Histogram(
    "alpr_recognizer_read_delay_seconds",
    "From the arrival of the pass's best frame to its read",
    buckets=(0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10),
)


def observe(stages: Stages) -> None:
    """Note one micro-batch."""
    for stage, seconds in stages.seconds.items():
        STAGE_SECONDS.labels(stage).observe(seconds)
    BATCH_FRAMES.observe(stages.pictures)
    BATCH_CROPS.observe(stages.crops)
