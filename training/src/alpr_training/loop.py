"""The training loop both models share: pace, averaged weights, checkpoints, stopping, progress."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch
from torch import nn

from alpr_training.stopping import StopRequest

Weights = dict[str, torch.Tensor]


class Stopped(RuntimeError):
    """Training was asked to stop; its checkpoint is written and the same command continues it."""


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train; `folder`/last.pt is the run's state."""

    folder: Path
    steps: int
    """The length that the learning rate is paced by."""
    until: int | None = None
    """Pause after this step; None: run to the end."""
    peak_rate: float = 2e-3
    decay_share: float = 0.4
    """The last part of the steps, over which the rate falls to nothing."""
    report_every: int = 100
    threads: int = 1
    seed: int = 1


def learning_rate(plan: Plan, step: int) -> float:
    """Linear warm-up over 300 steps, constant, then cosine down over the last `decay_share`.

    Constant before the end means that a run can be continued with more steps than first planned.
    """
    warm = min(1.0, (step + 1) / 300)
    start = plan.steps * (1 - plan.decay_share)
    if step <= start:
        return plan.peak_rate * warm
    part = min(1.0, (step - start) / max(1.0, plan.steps - start))
    return plan.peak_rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * part)))


class Average:
    """Exponential average of the weights, which is what gets shipped."""

    def __init__(self, network: nn.Module, keep: float = 0.998) -> None:
        self.keep = keep
        self.values: Weights = {k: v.detach().clone() for k, v in network.state_dict().items()}

    def update(self, network: nn.Module, step: int) -> None:
        """Move towards the network's weights; faster in the first steps."""
        keep = min(self.keep, (1 + step) / (10 + step))
        for key, value in network.state_dict().items():
            mine = self.values[key]
            if mine.dtype.is_floating_point:
                mine.lerp_(value.detach().to(mine.dtype), 1 - keep)
            else:
                mine.copy_(value)


def prepare(plan: Plan) -> torch.device:
    """Threads, seeds and the folder; returns the device to train on."""
    torch.set_num_threads(plan.threads)
    cv2.setNumThreads(0)
    torch.manual_seed(plan.seed)
    plan.folder.mkdir(parents=True, exist_ok=True)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def run(
    plan: Plan,
    network: nn.Module,
    loss_of_step: Callable[[int], torch.Tensor],
    figures_of: Callable[[Weights], dict[str, float]],
) -> Path:
    """Train from `folder`/last.pt, or from nothing, to the plan's end; returns that checkpoint.

    Prints one JSON line per `report_every` steps. Raises Stopped after SIGINT or SIGTERM.
    """
    optimizer = torch.optim.AdamW(network.parameters(), plan.peak_rate, weight_decay=0.02)
    average = Average(network)
    checkpoint = plan.folder / "last.pt"
    start = _restore(checkpoint, network, optimizer, average)
    end = plan.until or plan.steps
    losses: list[float] = []
    began = time.monotonic()
    network.train()
    with StopRequest() as stop:
        for step in range(start, end):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(plan, step)
            loss = loss_of_step(step)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            average.update(network, step)
            losses.append(float(loss.detach()))
            done = step + 1
            if done % plan.report_every == 0 or done == end or stop:
                _save(checkpoint, network, optimizer, average, done)
            if stop:
                raise Stopped(f"stopped after step {done}; the same command continues")
            if done % plan.report_every == 0 or done == end:
                line = {
                    "step": done,
                    "loss": round(sum(losses) / len(losses), 4),
                    "seconds_per_step": round((time.monotonic() - began) / (done - start), 3),
                    **figures_of(average.values),
                }
                print(json.dumps(line), flush=True)
                losses.clear()
    return checkpoint


def _restore(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, average: Average
) -> int:
    if not path.exists():
        return 0
    device = next(network.parameters()).device
    kept = torch.load(path, map_location=device, weights_only=True)
    network.load_state_dict(kept["network"])
    optimizer.load_state_dict(kept["optimizer"])
    average.values = kept["average"]
    return int(kept["step"])


def _save(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, average: Average, step: int
) -> None:
    state = {
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "average": average.values,
        "step": step,
    }
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)  # a stop in mid-write must not cost the run
