"""Detector and reader on ONNX Runtime, on the CPU or through CUDA. The default."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime

from alpr_recognizer.domain import WeightsRefused
from alpr_recognizer.models import DetectorConfig, ReaderConfig, load_config
from alpr_recognizer.networks import CtcReader, Tensor, YoloDetector


@dataclass(frozen=True)
class Hardware:
    """Where inference runs. `threads` of one inference on the CPU."""

    device: str = "cpu"
    threads: int = 1

    @property
    def detector_batch(self) -> int:
        """Pictures of one inference: a CPU gains nothing from more, and each waits for all."""
        return 16 if self.device == "cuda" else 2


def open_session(path: Path, hardware: Hardware) -> Any:
    """An ONNX Runtime session; raises `WeightsRefused` for a file that is no model, or when CUDA
    was asked for and this build has none."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = hardware.threads
    options.inter_op_num_threads = 1
    # Waiting threads sleep: other services share the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = ["CPUExecutionProvider"]
    if hardware.device == "cuda":
        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise WeightsRefused(
                "CUDA was asked for, but this ONNX Runtime has no CUDA provider: install "
                "onnxruntime-gpu instead of onnxruntime, or set the device to cpu."
            )
        providers = ["CUDAExecutionProvider", *providers]
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:
        # ONNX Runtime's errors have no common base and no stable names.
        raise WeightsRefused(f"{path} is no ONNX model that can be run: {error}") from error


def fixed_input_size(path: Path, hardware: Hardware) -> tuple[int, int] | None:
    """(height, width) that a picture network was exported for; None when it takes any."""
    *_, height, width = open_session(path, hardware).get_inputs()[0].shape
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None


class OnnxDetector(YoloDetector):
    """A YOLO detector: with an end-to-end head, or raw."""

    def __init__(
        self, path: Path, name: str, config: DetectorConfig, hardware: Hardware,
        threshold: float | None = None,
    ) -> None:  # fmt: skip
        self._session = open_session(path, hardware)
        self._input = self._session.get_inputs()[0]
        fixed = isinstance(self._input.shape[0], int)
        super().__init__(name, config, threshold, 1 if fixed else hardware.detector_batch)

    @classmethod
    def shipped(
        cls, folder: Path, hardware: Hardware, threshold: float | None = None
    ) -> "OnnxDetector":
        """From a model folder; raises `WeightsRefused`."""
        config = load_config(folder, DetectorConfig, "detector.onnx")
        name = f"{folder.name} {config.version}"
        return cls(folder / "detector.onnx", name, config, hardware, threshold)

    def infer(self, images: Tensor) -> Tensor:
        output: Tensor = self._session.run(None, {self._input.name: images})[0]
        return output


class OnnxReader(CtcReader):
    """A CTC reader with or without a jurisdiction head."""

    def __init__(self, folder: Path, hardware: Hardware) -> None:
        config = load_config(folder, ReaderConfig, "reader.onnx")
        super().__init__(f"{folder.name} {config.version}", config)
        self._session = open_session(folder / "reader.onnx", hardware)
        self._outputs = [o.name for o in self._session.get_outputs()]

    def infer(self, crops: Tensor) -> tuple[Tensor, Tensor | None]:
        got = dict(zip(self._outputs, self._session.run(None, {"crops": crops}), strict=True))
        return got["logits"], got.get("jurisdiction")
