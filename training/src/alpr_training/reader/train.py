"""Training the reader: its loss, and what is watched while it learns."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from alpr_training.evaluate import val_crops
from alpr_training.loop import Plan, Weights, prepare, run
from alpr_training.pictures import Picture, read_picture
from alpr_training.plate_art.glyphs import CHARSET
from alpr_training.pool import Crop, Pool
from alpr_training.reader.decoding import BLANK, JURISDICTION_CODES, read
from alpr_training.reader.network import ReaderNetwork
from alpr_training.reader.samples import NO_JURISDICTION, SIZE, Batch, Samples, to_input
from alpr_training.synth.camera import Shot, reader_crop

PEAK_RATE = 1.2e-3
JURISDICTION_WEIGHT = 0.12


@dataclass(frozen=True)
class HeldOut:
    """Val crops as they are, and as a distant camera and a loose box would show them."""

    near: list[tuple[Picture, Crop]]
    far: list[tuple[Picture, Crop]]


def held_out(pool: Pool | None) -> HeldOut:
    """Always the same pictures."""
    if pool is None:
        return HeldOut([], [])
    near = val_crops(pool)
    rng = np.random.default_rng(5)
    shot = Shot(synthetic=False, narrowest_px=50, widest_px=120)
    far = [(reader_crop(read_picture(c.path), SIZE, shot, rng), c) for _, c in near]
    return HeldOut(near, far)


def reader_loss(network: nn.Module, batch: Batch, device: torch.device) -> torch.Tensor:
    """CTC over characters plus a light cross-entropy over known jurisdictions."""
    crops = batch.crops.to(device).contiguous(memory_format=torch.channels_last)
    with torch.autocast(device.type, torch.bfloat16):
        logits, jurisdiction = network(crops)
    steps = torch.full((len(crops),), logits.shape[1], dtype=torch.long)
    likely = either_o_or_0(logits.float().log_softmax(-1), batch.is_folded.to(device))
    characters = functional.ctc_loss(
        likely.transpose(0, 1), batch.targets.to(device), steps,
        batch.lengths, blank=BLANK, zero_infinity=True,
    )  # fmt: skip
    states = functional.cross_entropy(
        jurisdiction.float(), batch.jurisdictions.to(device), ignore_index=NO_JURISDICTION,
        label_smoothing=0.02,
    )  # fmt: skip
    return characters + JURISDICTION_WEIGHT * states


def either_o_or_0(log_probabilities: torch.Tensor, is_folded: torch.Tensor) -> torch.Tensor:
    """[B, T, C] where, in the folded texts, class 0 is as likely as 0 and O together.

    Else the labels that write 0 for both would teach that an O is a 0 on every design.
    """
    zero, letter = CHARSET.index("0") + 1, CHARSET.index("O") + 1
    either = torch.logaddexp(log_probabilities[..., zero], log_probabilities[..., letter])
    own = torch.arange(log_probabilities.shape[-1], device=log_probabilities.device) == zero
    return torch.where(is_folded[:, None, None] & own, either[..., None], log_probabilities)


def train(plan: Plan, samples: Samples, pool: Pool | None, batch: int = 64) -> Path:
    """Train the reader as planned; returns its checkpoint. `pool` brings the val crops to watch."""
    device = prepare(plan)
    network = ReaderNetwork().to(device).to(memory_format=torch.channels_last)
    watched = held_out(pool)
    return run(
        plan,
        network,
        lambda step: reader_loss(network, samples.batch(step, batch), device),
        lambda weights: validate(weights, watched),
    )


def validate(weights: Weights, watched: HeldOut) -> dict[str, float]:
    """Exact texts with O = 0, near and far, and jurisdictions, by source."""
    network = ReaderNetwork()
    network.load_state_dict(weights)
    network.eval()
    figures: dict[str, float] = {}
    for distance, crops in (("", watched.near), ("_far", watched.far)):
        counts: dict[str, list[int]] = {}
        for text, state, crop in _answers(network, crops):
            name = crop.source.removeprefix("openalpr-").removesuffix("-crops")
            tally = counts.setdefault(name, [0, 0, 0])
            tally[0] += 1
            tally[1] += text.replace("O", "0") == crop.text.replace("O", "0")
            tally[2] += state == crop.jurisdiction
        for name, (total, exact, state_right) in counts.items():
            figures[f"{name}{distance}"] = round(exact / total, 3)
            if name == "us":
                figures[f"{name}_state{distance}"] = round(state_right / total, 3)
    return figures


def _answers(network: nn.Module, crops: list[tuple[Picture, Crop]]) -> list[tuple[str, str, Crop]]:
    out: list[tuple[str, str, Crop]] = []
    with torch.no_grad():
        for index in range(0, len(crops), 64):
            part = crops[index : index + 64]
            logits, states = network(to_input([picture for picture, _ in part]))
            numbers = states.argmax(-1).tolist()
            for (_, crop), one, number in zip(part, logits.numpy(), numbers, strict=True):
                out.append((read(one).text, JURISDICTION_CODES[number], crop))
    return out
