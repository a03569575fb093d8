"""The detector's network: YOLO26 made slim, without attention, for one class.

No attention means nothing depends on the picture's size, so the net trained on 320 px views works
at 640 and wider. Two output strides (8 and 16) are enough: plates are small.
"""

import os
from typing import Any

os.environ.setdefault("YOLO_OFFLINE", "true")

import torch
from torch import nn
from ultralytics.cfg import get_cfg
from ultralytics.nn.tasks import DetectionModel

WIDTH, DEPTH = 0.1875, 0.5
BOX_GAIN = 10.0
"""More than ultralytics' 7.5: what a loose box leaves around a plate is read as characters."""


def network_yaml(width: float = WIDTH, depth: float = DEPTH) -> dict[str, Any]:
    """The model description, as ultralytics parses it."""
    backbone = [
        [-1, 1, "Conv", [64, 3, 2]],
        [-1, 1, "Conv", [128, 3, 2]],
        [-1, 2, "C3k2", [256, False, 0.25]],
        [-1, 1, "Conv", [256, 3, 2]],
        [-1, 2, "C3k2", [512, False, 0.25]],
        [-1, 1, "Conv", [512, 3, 2]],
        [-1, 2, "C3k2", [512, False]],
        [-1, 1, "Conv", [1024, 3, 2]],
        [-1, 2, "C3k2", [1024, False]],
        [-1, 1, "SPPF", [1024, 5, 3, True]],
    ]
    head = [
        [-1, 1, "nn.Upsample", [None, 2, "nearest"]],
        [[-1, 6], 1, "Concat", [1]],
        [-1, 2, "C3k2", [512, False]],
        [-1, 1, "nn.Upsample", [None, 2, "nearest"]],
        [[-1, 4], 1, "Concat", [1]],
        [-1, 2, "C3k2", [256, False]],
        [-1, 1, "Conv", [256, 3, 2]],
        [[-1, 12], 1, "Concat", [1]],
        [-1, 2, "C3k2", [512, False]],
        [[15, 18], 1, "Detect", [1]],
    ]
    return {
        "nc": 1,
        "end2end": True,
        "reg_max": 1,
        "scales": {"p": [depth, width, 512]},
        "scale": "p",
        "backbone": backbone,
        "head": head,
    }


def build(epochs: int, *, width: float = WIDTH) -> nn.Module:
    """A fresh network; `epochs` paces the hand-over from the one-to-many to the one-to-one loss."""
    model = DetectionModel(network_yaml(width), ch=3, nc=1, verbose=False)
    model.args = get_cfg(overrides={"epochs": epochs, "box": BOX_GAIN})
    model.names = {0: "plate"}
    model.model[-1].end2end = True  # answer with the one-to-one head
    return model


def detector_loss(
    model: nn.Module, images: torch.Tensor, boxes: torch.Tensor, owners: torch.Tensor
) -> torch.Tensor:
    """Loss of one batch: images [B, 3, H, W] 0..1; boxes [n, 4] centre/size, 0..1; owners [n]."""
    with torch.autocast(images.device.type, torch.bfloat16):
        outputs = model(images)
    batch = {"img": images, "bboxes": boxes, "batch_idx": owners, "cls": owners[:, None] * 0}
    loss, _ = model.loss(batch, _as_float(outputs))
    return loss.sum() / len(images)


def _as_float(value: Any) -> Any:
    if torch.is_tensor(value):
        return value.float()
    if isinstance(value, dict):
        return {key: _as_float(part) for key, part in value.items()}
    return [_as_float(part) for part in value]
