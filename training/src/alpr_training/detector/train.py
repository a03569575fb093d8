"""Training the detector: its batches, and what is watched while it learns."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from alpr_training.detector.network import build, detector_loss
from alpr_training.geometry import letterbox, overlaps
from alpr_training.loop import Plan, Weights, prepare, run
from alpr_training.pictures import read_picture
from alpr_training.pool import Pool, Scene
from alpr_training.synth.scene import View, Views

HAND_OVER_PACES = 100
"""In how many paces the loss hands over from the one-to-many to the one-to-one head."""
WATCHED_SCENES = 80


def train(plan: Plan, views: Views, pool: Pool | None, batch: int = 16) -> Path:
    """Train the detector as planned; returns its checkpoint. `pool` brings the val scenes."""
    device = prepare(plan)
    model = build(HAND_OVER_PACES).to(device).to(memory_format=torch.channels_last)
    model.criterion = model.init_criterion()
    scenes = pool.of_split("val").scenes[:WATCHED_SCENES] if pool else ()

    def loss_of_step(step: int) -> torch.Tensor:
        _pace(model, plan, step)
        drawn = [views.view(step * batch + n) for n in range(batch)]
        images, boxes, owners = (tensor.to(device) for tensor in collate(drawn))
        images = images.contiguous(memory_format=torch.channels_last)
        return detector_loss(model, images, boxes, owners)

    return run(plan, model, loss_of_step, lambda weights: validate(weights, scenes))


def _pace(model: nn.Module, plan: Plan, step: int) -> None:
    due = int(step / max(1, plan.steps) * HAND_OVER_PACES)
    criterion = model.criterion
    while criterion.updates < due:
        criterion.update()


def collate(views: list[View]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images RGB 0..1 [B, 3, S, S]; boxes as centre and size in 0..1; the image each belongs to."""
    size = views[0].image.shape[0]
    images = np.stack([view.image[..., ::-1] for view in views]).transpose(0, 3, 1, 2)
    boxes = np.concatenate([view.boxes for view in views]) / size
    owners = np.concatenate([np.full(len(view.boxes), n) for n, view in enumerate(views)])
    centred = np.stack(
        [
            (boxes[:, 0] + boxes[:, 2]) / 2,
            (boxes[:, 1] + boxes[:, 3]) / 2,
            boxes[:, 2] - boxes[:, 0],
            boxes[:, 3] - boxes[:, 1],
        ],
        axis=1,
    )
    return (
        torch.from_numpy(np.ascontiguousarray(images)).float() / 255,
        torch.from_numpy(centred).float(),
        torch.from_numpy(owners).float(),
    )


def validate(weights: Weights, scenes: tuple[Scene, ...], side: int = 640) -> dict[str, float]:
    """On scenes at `side` px, score 0.3: the share of marked plates at least 24 px wide found at
    IoU 0.5, their mean IoU, and boxes found beside them per picture."""
    if not scenes:
        return {}
    model = build(1)
    model.load_state_dict(weights)
    model.eval()
    found = total = extra = 0
    fit: list[float] = []
    with torch.no_grad():
        for scene in scenes:
            image = read_picture(scene.path)
            padded, scale = letterbox(image, (side, side))
            tensor = torch.from_numpy(padded[None, :, :, ::-1].copy()).permute(0, 3, 1, 2)
            rows = model(tensor.float() / 255)[0][0].numpy()
            boxes = rows[rows[:, 4] > 0.3][:, :4]
            hits = 0
            for truth in np.array(scene.boxes, np.float32) * np.float32(scale):
                best = float(overlaps(truth, boxes).max()) if len(boxes) else 0.0
                hits += best >= 0.5
                if truth[2] - truth[0] >= 24:
                    total += 1
                    found += best >= 0.5
                    fit += [best] if best >= 0.5 else []
            extra += max(0, len(boxes) - hits)
    return {
        "recall_24px": round(found / max(1, total), 3),
        "mean_iou": round(float(np.mean(fit)) if fit else 0.0, 3),
        "extra_per_picture": round(extra / len(scenes), 3),
    }
