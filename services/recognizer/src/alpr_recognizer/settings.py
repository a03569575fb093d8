"""Settings of the recognizer, environment prefix `ALPR_RECOGNIZER_`."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from alpr_common.settings import CommonSettings, ListenSettings


class Settings(ListenSettings):
    """Times in seconds, sizes in pixels, probabilities 0..1."""

    model_config = SettingsConfigDict(env_prefix="ALPR_RECOGNIZER_", frozen=True, extra="ignore")

    common: CommonSettings = Field(default_factory=CommonSettings)
    port: int = 8002

    detector: Path | None = None
    """Weights to use instead of `<models_folder>/detector`: a folder with config.json, a YOLO .pt
    or .onnx file (with or without NMS in it), or a fast-alpr detector .onnx."""
    reader: Path | None = None
    """Weights to use instead of `<models_folder>/reader`: a folder with config.json, an EasyOCR
    network (its .pth, beside <name>.py and <name>.yaml), or a fast-alpr OCR .onnx beside its
    config yaml."""
    engine: Literal["onnx", "torch"] = "onnx"
    """`torch` needs the GPU extra (ultralytics and easyocr) and loads the originals."""
    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = Field(default=0, ge=0)
    """Of one inference; 0: as many as there are cores, at most 4."""
    decode_threads: int = Field(default=2, ge=1)

    batch_frames: int = Field(default=8, ge=1)
    """Frames of one micro-batch at most. It takes what has arrived and waits for no more."""
    poll_seconds: float = Field(default=0.1, gt=0)

    detector_threshold: float | None = Field(default=None, ge=0, le=1)
    """None: what the model's config says."""
    narrowest_plate_px: float = 16
    shortest_text: int | None = Field(default=None, ge=1)
    least_confidence: float | None = Field(default=None, ge=0, le=1)
    """Geometric mean over the characters, below which it is no plate. None: the model's own."""
    jurisdiction_threshold: float | None = Field(default=None, ge=0, le=1)
    """None: what the model's config says."""

    emit_confidence: float = Field(default=0.98, ge=0, le=1)
    """A pass whose voted text is this sure is reported without waiting for its end."""
    emit_after_seconds: float = Field(default=2.5, gt=0)
    pass_gap_seconds: float = Field(default=0.8, gt=0)
    """Not seen for this long in `captured_at`: the pass has ended."""
    quiet_seconds: float = Field(default=0.7, gt=0)
    """No frame arriving for this long ends a pass, too."""
    rejoin_seconds: float = Field(default=3.0, gt=0)
    reread_seconds: float = Field(default=300.0, gt=0)
    """A vehicle that stands in view is read again after this long."""
