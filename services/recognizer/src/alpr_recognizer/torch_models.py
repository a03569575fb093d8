"""The originals of the weights on torch: ultralytics YOLO and an EasyOCR network. The GPU extra.

The only module here that imports torch; everything else runs without the several GB it brings.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("YOLO_OFFLINE", "true")

import easyocr
import numpy as np
import torch
from ultralytics import YOLO

from alpr_recognizer.domain import WeightsRefused
from alpr_recognizer.models import DetectorConfig, ReaderConfig, load_config
from alpr_recognizer.networks import CtcReader, Tensor, YoloDetector
from alpr_recognizer.onnx_models import Hardware


class TorchDetector(YoloDetector):
    """An ultralytics YOLO detector from its .pt file."""

    def __init__(
        self, path: Path, name: str, config: DetectorConfig, hardware: Hardware,
        threshold: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(name, config, threshold, hardware.detector_batch)
        self._device = torch.device(hardware.device)
        try:
            model = YOLO(str(path), task="detect").model
        except Exception as error:
            # ultralytics raises whatever its parts raise.
            raise WeightsRefused(f"{path} is no YOLO model that can be run: {error}") from error
        self._model = model.float().eval().fuse(verbose=False).to(self._device)

    @classmethod
    def shipped(
        cls, folder: Path, hardware: Hardware, threshold: float | None = None
    ) -> "TorchDetector":
        """From a model folder; raises `WeightsRefused`."""
        config = load_config(folder, DetectorConfig, "detector.pt")
        name = f"{folder.name} {config.version}"
        return cls(folder / "detector.pt", name, config, hardware, threshold)

    def infer(self, images: Tensor) -> Tensor:
        with torch.inference_mode():
            output = self._model(torch.from_numpy(images).to(self._device))
        first = output[0] if isinstance(output, tuple | list) else output
        rows: Tensor = first.float().cpu().numpy()
        return rows


class EasyOcrReader(CtcReader):
    """A CTC network that EasyOCR loads, asked for its raw logits in batches.

    EasyOCR's own `recognize` reads box by box and gives one confidence per text; per-character
    probabilities need the logits.
    """

    def __init__(
        self, weights: Path, networks: Path, network: str, name: str, config: ReaderConfig | None,
        hardware: Hardware,
    ) -> None:  # fmt: skip
        """`networks` holds <network>.py and <network>.yaml; `config` None: as EasyOCR does."""
        reader = _easyocr(weights, networks, network, hardware)
        if config is None:
            config = ReaderConfig(
                version=weights.stem, kind="ctc", sha256={}, resize="keep_aspect_pad",
                height=int(getattr(reader, "imgH", None) or easyocr.easyocr.imgH),
                width=1, is_width_free=True, charset=reader.character,
            )  # fmt: skip
        super().__init__(name, config)
        self._device = torch.device(hardware.device)
        module = reader.recognizer
        self._module: Any = getattr(module, "module", module).float().eval().to(self._device)

    @classmethod
    def shipped(cls, folder: Path, hardware: Hardware) -> "EasyOcrReader":
        """From a model folder; raises `WeightsRefused`."""
        files = ("reader.pth", "easyocr/plates.py", "easyocr/plates.yaml")
        config = load_config(folder, ReaderConfig, *files)
        name = f"{folder.name} {config.version}"
        return cls(folder / "reader.pth", folder / "easyocr", "plates", name, config, hardware)

    def infer(self, crops: Tensor) -> tuple[Tensor, Tensor | None]:
        inward = torch.from_numpy(np.ascontiguousarray(crops)).to(self._device)
        with torch.inference_mode():
            # EasyOCR asks a network for its characters alone; ours has the jurisdiction within.
            both = getattr(self._module, "net", None) if self.config.jurisdictions else None
            if both is not None:
                logits, states = both(inward)
                return logits.float().cpu().numpy(), states.float().cpu().numpy()
            text = torch.zeros(len(inward), 1, dtype=torch.long, device=self._device)
            characters: Tensor = self._module(inward, text).float().cpu().numpy()
            return characters, None


def _easyocr(weights: Path, networks: Path, network: str, hardware: Hardware) -> Any:
    for needed in (weights, networks / f"{network}.py", networks / f"{network}.yaml"):
        if not needed.is_file():
            raise WeightsRefused(f"{needed} is missing.")
    # EasyOCR wants the weights under the network's name.
    with tempfile.TemporaryDirectory() as storage:
        (Path(storage) / f"{network}.pth").symlink_to(weights.resolve())
        try:
            return easyocr.Reader(
                ["en"], gpu=hardware.device == "cuda", detector=False, recog_network=network,
                model_storage_directory=storage, user_network_directory=str(networks),
                download_enabled=False, verbose=False, quantize=False,
            )  # fmt: skip
        except Exception as error:
            raise WeightsRefused(f"{weights} is no EasyOCR network: {error}") from error
