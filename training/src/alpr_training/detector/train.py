"""Training the detector: seeded, resumable, on one CPU thread or a GPU."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from alpr_training.averaging import Average, learning_rate
from alpr_training.detector.network import build, detector_loss
from alpr_training.geometry import letterbox, overlaps
from alpr_training.pictures import read_picture
from alpr_training.pool import Pool, Scene
from alpr_training.synth.scene import View, Views


@dataclass(frozen=True)
class DetectorRun:
    """One training run; `folder`/last.pt is its state."""

    folder: Path
    steps: int
    batch: int = 16
    seed: int = 1
    peak_rate: float = 2e-3
    decay_share: float = 0.4
    report_every: int = 100
    threads: int = 1
    paces: int = 100
    """In how many paces the loss hands over from one-to-many to one-to-one."""


def train(run: DetectorRun, views: Views, pool: Pool | None) -> Path:
    """Run to `run.steps` (continuing `folder`/last.pt if it is there); returns that checkpoint."""
    torch.set_num_threads(run.threads)
    cv2.setNumThreads(0)
    torch.manual_seed(run.seed)
    run.folder.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build(run.paces).to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), run.peak_rate, weight_decay=0.02)
    average = Average(model)
    checkpoint = run.folder / "last.pt"
    start = 0
    if checkpoint.exists():
        kept = torch.load(checkpoint, map_location=device, weights_only=True)
        model.load_state_dict(kept["network"])
        optimizer.load_state_dict(kept["optimizer"])
        average.values = kept["average"]
        start = kept["step"]
    model.criterion = model.init_criterion()
    held_out = pool.of_split("val").scenes if pool else ()
    losses: list[float] = []
    began = time.monotonic()
    model.train()
    for step in range(start, run.steps):
        rate = learning_rate(run.peak_rate, run.steps, run.decay_share, step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        _pace(model, run, step)
        batch = [views.view(step * run.batch + n) for n in range(run.batch)]
        images, boxes, owners = (t.to(device) for t in collate(batch))
        images = images.contiguous(memory_format=torch.channels_last)
        loss = detector_loss(model, images, boxes, owners)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        average.update(model, step)
        losses.append(float(loss.detach()))
        if (step + 1) % run.report_every == 0 or step + 1 == run.steps:
            _save(checkpoint, model, optimizer, average, step + 1)
            pace = (time.monotonic() - began) / (step + 1 - start)
            line = {"step": step + 1, "loss": round(sum(losses) / len(losses), 4),
                    "seconds_per_step": round(pace, 3)}  # fmt: skip
            if (step + 1) % (4 * run.report_every) == 0 or step + 1 == run.steps:
                line |= validate(average.values, held_out)
            print(json.dumps(line), flush=True)
            losses.clear()
    return checkpoint


def _pace(model: nn.Module, run: DetectorRun, step: int) -> None:
    due = int(step / max(1, run.steps) * run.paces)
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


def _save(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, average: Average, step: int
) -> None:
    state = {
        "network": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "average": average.values,
        "step": step,
    }
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)  # a stop in mid-write must not cost the run


def validate(
    weights: dict[str, torch.Tensor], scenes: tuple[Scene, ...], side: int = 640
) -> dict[str, float]:
    """On val scenes at `side` px: the share of marked plates found at score 0.3 and IoU 0.5 (all,
    and those at least 24 px wide), and boxes found beside them per picture."""
    if not scenes:
        return {}
    model = build(1)
    model.load_state_dict(weights)
    model.eval()
    found = total = large_found = large = extra = 0
    with torch.no_grad():
        for scene in scenes:
            image = read_picture(scene.path)
            scale = side / max(image.shape[:2])
            padded, _ = letterbox(image, (side, side))
            tensor = torch.from_numpy(padded[None, :, :, ::-1].copy()).permute(0, 3, 1, 2)
            rows = model(tensor.float() / 255)[0][0].numpy()
            boxes = rows[rows[:, 4] > 0.3][:, :4]
            hits = 0
            for truth in np.array(scene.boxes, np.float32) * scale:
                hit = bool(len(boxes)) and float(overlaps(truth, boxes).max()) >= 0.5
                wide = bool(truth[2] - truth[0] >= 24)
                total += 1
                found += hit
                hits += hit
                large += wide
                large_found += hit and wide
            extra += max(0, len(boxes) - hits)
    return {
        "recall": round(found / total, 3),
        "recall_24px": round(large_found / max(1, large), 3),
        "extra_per_picture": round(extra / len(scenes), 3),
    }
