"""Training the reader: seeded, resumable, on one CPU thread or a GPU."""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import torch
from torch import nn
from torch.nn import functional

from alpr_training.averaging import Average, learning_rate
from alpr_training.evaluate import val_crops
from alpr_training.pictures import Picture
from alpr_training.pool import Crop, Pool
from alpr_training.reader.decoding import BLANK, JURISDICTION_CODES, read
from alpr_training.reader.network import ReaderNetwork
from alpr_training.reader.samples import NO_JURISDICTION, Batch, Samples, to_input


@dataclass(frozen=True)
class ReaderRun:
    """One training run; the folder holds its checkpoint, its log and nothing else."""

    folder: Path
    steps: int
    """The length the learning rate is paced by."""
    until: int | None = None
    """Stop after this step (to label the untexted plates); None: run to the end."""
    batch: int = 64
    seed: int = 1
    peak_rate: float = 1.6e-3
    decay_share: float = 0.4
    """The last part of the steps, over which the rate falls to nothing."""
    report_every: int = 100
    threads: int = 1


def reader_loss(network: nn.Module, batch: Batch, device: torch.device) -> torch.Tensor:
    """CTC over characters plus a light cross-entropy over known jurisdictions."""
    crops = batch.crops.to(device).contiguous(memory_format=torch.channels_last)
    with torch.autocast(device.type, torch.bfloat16):
        logits, jurisdiction = network(crops)
    steps = torch.full((len(crops),), logits.shape[1], dtype=torch.long)
    characters = functional.ctc_loss(
        logits.float().log_softmax(-1).transpose(0, 1), batch.targets.to(device), steps,
        batch.lengths, blank=BLANK, zero_infinity=True,
    )  # fmt: skip
    states = functional.cross_entropy(
        jurisdiction.float(), batch.jurisdictions.to(device), ignore_index=NO_JURISDICTION,
        label_smoothing=0.02,
    )  # fmt: skip
    return characters + 0.12 * states


def train(run: ReaderRun, samples: Samples, pool: Pool | None) -> Path:
    """Run to `run.until` (continuing `folder`/last.pt if it is there); returns that checkpoint."""
    torch.set_num_threads(run.threads)
    cv2.setNumThreads(0)
    torch.manual_seed(run.seed)
    run.folder.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = ReaderNetwork().to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), run.peak_rate, weight_decay=0.02)
    average = Average(network)
    checkpoint = run.folder / "last.pt"
    start = 0
    if checkpoint.exists():
        kept = torch.load(checkpoint, map_location=device, weights_only=True)
        network.load_state_dict(kept["network"])
        optimizer.load_state_dict(kept["optimizer"])
        average.values = kept["average"]
        start = kept["step"]
    held_out = val_crops(pool) if pool else []
    losses: list[float] = []
    began = time.monotonic()
    network.train()
    end = run.until or run.steps
    for step in range(start, end):
        rate = learning_rate(run.peak_rate, run.steps, run.decay_share, step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = reader_loss(network, samples.batch(step, run.batch), device)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 4.0)
        optimizer.step()
        average.update(network, step)
        losses.append(float(loss.detach()))
        if (step + 1) % run.report_every == 0 or step + 1 == end:
            figures = validate(average.values, held_out)
            pace = (time.monotonic() - began) / (step + 1 - start)
            line = {"step": step + 1, "loss": round(sum(losses) / len(losses), 4),
                    "seconds_per_step": round(pace, 3), **figures}  # fmt: skip
            print(json.dumps(line), flush=True)
            losses.clear()
            _save(checkpoint, network, optimizer, average, step + 1, run)
    return checkpoint


def _save(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, average: Average, step: int,
    run: ReaderRun,
) -> None:  # fmt: skip
    state = {
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "average": average.values,
        "step": step,
        "run": {k: str(v) for k, v in asdict(run).items()},
    }
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)  # a stop in mid-write must not cost the run


def validate(
    weights: dict[str, torch.Tensor], held_out: list[tuple[Picture, Crop]]
) -> dict[str, float]:
    """Exact texts (strict, and with O = 0) and jurisdictions on val crops, by source."""
    if not held_out:
        return {}
    network = ReaderNetwork()
    network.load_state_dict(weights)
    network.eval()
    counts: dict[str, list[int]] = {}
    with torch.no_grad():
        for index in range(0, len(held_out), 64):
            part = held_out[index : index + 64]
            logits, states = network(to_input([picture for picture, _ in part]))
            for (_, crop), one, state in zip(
                part, logits.numpy(), states.argmax(-1).tolist(), strict=True
            ):
                text = read(one).text
                name = crop.source.removeprefix("openalpr-").removesuffix("-crops")
                tally = counts.setdefault(name, [0, 0, 0, 0])
                tally[0] += 1
                tally[1] += text == crop.text
                tally[2] += text.replace("O", "0") == crop.text.replace("O", "0")
                tally[3] += JURISDICTION_CODES[state] == crop.jurisdiction
    figures: dict[str, float] = {}
    for name, (total, strict, folded, state) in counts.items():
        figures[f"{name}"] = round(strict / total, 3)
        figures[f"{name}_o0"] = round(folded / total, 3)
        figures[f"{name}_state"] = round(state / total, 3)
    return figures
