"""From training checkpoints to the shipped model folders: ONNX, originals, config, hashes."""

import hashlib
import inspect
import json
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from alpr_training.detector.network import build
from alpr_training.plate_art.glyphs import CHARSET
from alpr_training.reader import network as reader_network
from alpr_training.reader.decoding import JURISDICTION_CODES
from alpr_training.reader.network import HEIGHT, WIDTH, ReaderNetwork

VERSION = "1"
DETECTOR_SIZE = (384, 640)

_EASYOCR_MODEL = '''

class Model(nn.Module):
    """What EasyOCR loads: num_class from its charset, sizes from plates.yaml."""

    def __init__(self, num_class: int, jurisdictions: int, **_: object) -> None:
        super().__init__()
        self.net = ReaderNetwork(ReaderShape(classes=num_class, jurisdictions=jurisdictions))

    def forward(self, x: Tensor, text: object = None) -> Tensor:
        return self.net(x)[0]
'''


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_config(folder: Path, config: dict[str, Any], files: list[str]) -> None:
    """config.json with the hash of every shipped file."""
    config = {**config, "sha256": {name: sha256(folder / name) for name in files}}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def trained_weights(checkpoint: Path) -> tuple[dict[str, torch.Tensor], int]:
    """The averaged weights of a run and the steps they took. Raises FileNotFoundError."""
    kept = torch.load(checkpoint, map_location="cpu", weights_only=True)
    return kept["average"], int(kept["step"])


def export_detector(checkpoint: Path, folder: Path, *, score_threshold: float) -> None:
    """Write detector.pt (as ultralytics loads it), detector.onnx and config.json."""
    import onnx
    from ultralytics import YOLO, __version__

    folder.mkdir(parents=True, exist_ok=True)
    weights, steps = trained_weights(checkpoint)
    model = build(1)
    model.load_state_dict(weights)
    original = folder / "detector.pt"
    torch.save(
        {
            "epoch": -1,
            "model": model.half(),
            "ema": None,
            "optimizer": None,
            "train_args": {"task": "detect", "imgsz": DETECTOR_SIZE[1]},
            "version": __version__,
            "date": datetime.now(tz=UTC).date().isoformat(),
            "license": "AGPL-3.0",
        },
        original,
    )
    height, width = DETECTOR_SIZE
    YOLO(str(original)).export(
        format="onnx", imgsz=(height, width), dynamic=True, nms=False, simplify=True, opset=17,
        device="cpu", verbose=False,
    )  # fmt: skip
    graph = onnx.load(str(folder / "detector.onnx"))
    halve_weights(graph)
    onnx.save(graph, str(folder / "detector.onnx"))
    write_config(
        folder,
        {
            "version": f"{VERSION}.{steps}",
            "kind": "yolo26",
            "input_size": list(DETECTOR_SIZE),
            "dynamic_size_multiple": 32,
            "long_side": DETECTOR_SIZE[1],
            "pad_value": 114,
            "score_threshold": score_threshold,
        },
        ["detector.onnx", "detector.pt"],
    )


def export_reader(checkpoint: Path, folder: Path, calibration: dict[str, float]) -> None:
    """Write reader.pth and easyocr/ (as EasyOCR loads them), reader.onnx and config.json.

    `calibration` brings temperature, jurisdiction_threshold and text_confidence_threshold.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights, steps = trained_weights(checkpoint)
    network = ReaderNetwork()
    network.load_state_dict(weights)
    network.eval()
    halved = {f"module.net.{key}": half(value) for key, value in weights.items()}
    torch.save(halved, folder / "reader.pth")
    _onnx(network, folder / "reader.onnx")
    easyocr = folder / "easyocr"
    easyocr.mkdir(exist_ok=True)
    source = inspect.getsource(reader_network)
    (easyocr / "plates.py").write_text(source.rstrip() + "\n" + _EASYOCR_MODEL, encoding="utf-8")
    (easyocr / "plates.yaml").write_text(
        f"network_params: {{jurisdictions: {len(JURISDICTION_CODES)}}}\n"
        f"imgH: {HEIGHT}\nlang_list: [en]\ncharacter_list: {CHARSET}\n",
        encoding="utf-8",
    )
    write_config(
        folder,
        {
            "version": f"{VERSION}.{steps}",
            "kind": "ctc",
            "height": HEIGHT,
            "width": WIDTH,
            "charset": CHARSET,
            "jurisdictions": list(JURISDICTION_CODES),
            "crop_margin": 0.05,
            "resize": "stretch",
            "steps_per_row": WIDTH // 4,
            **calibration,
        },
        ["reader.onnx", "reader.pth", "easyocr/plates.py", "easyocr/plates.yaml"],
    )


def _onnx(network: nn.Module, path: Path) -> None:
    import onnx
    import onnxslim

    example = torch.zeros(2, 1, HEIGHT, WIDTH)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (example,), str(path), dynamo=False, opset_version=17,
            input_names=["crops"], output_names=["logits", "jurisdiction"],
            dynamic_axes={"crops": {0: "batch"}, "logits": {0: "batch"},
                          "jurisdiction": {0: "batch"}},
        )  # fmt: skip
    graph = onnxslim.slim(str(path))
    halve_weights(graph)
    onnx.save(graph, str(path))
    _agree(network, path)


def half(value: torch.Tensor) -> torch.Tensor:
    """Weights at half precision; loading copies them into full-precision parameters."""
    return value.half() if value.dtype.is_floating_point else value


def halve_weights(graph: Any) -> None:
    """Store an ONNX graph's large weights as float16 behind Cast nodes, in place.

    The file is half as large; onnxruntime folds the casts on loading and computes in float32.
    """
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in graph.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < 512:
            continue
        name = tensor.name
        values = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(values, f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    for node in reversed(casts):
        graph.graph.node.insert(0, node)


def _agree(network: nn.Module, path: Path) -> None:
    """The exported graph must answer as the network does."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    crops = np.random.default_rng(0).uniform(-1, 1, (3, 1, HEIGHT, WIDTH)).astype(np.float32)
    exported = session.run(None, {"crops": crops})
    with torch.no_grad():
        own = network(torch.from_numpy(crops))
    for mine, theirs in zip(own, exported, strict=True):
        if float(np.abs(mine.numpy() - theirs).max()) > 1e-2:
            raise RuntimeError(f"{path.name} does not answer as the trained network does")
