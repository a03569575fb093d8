"""What both trainings share: the pace of the learning rate and the averaged weights."""

import math

from torch import nn


def learning_rate(peak: float, steps: int, decay_share: float, step: int) -> float:
    """Linear warm-up over 300 steps, constant, then cosine down over the last `decay_share`.

    Constant before the end means that a run can be resumed with more steps than first planned.
    """
    warm = min(1.0, (step + 1) / 300)
    start = steps * (1 - decay_share)
    if step <= start:
        return peak * warm
    part = min(1.0, (step - start) / max(1.0, steps - start))
    return peak * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * part)))


class Average:
    """Exponential average of the weights, which is what gets shipped."""

    def __init__(self, network: nn.Module, keep: float = 0.998) -> None:
        self.keep = keep
        self.values = {k: v.detach().clone() for k, v in network.state_dict().items()}

    def update(self, network: nn.Module, step: int) -> None:
        """Move towards the network's weights; faster in the first steps."""
        keep = min(self.keep, (1 + step) / (10 + step))
        for key, value in network.state_dict().items():
            mine = self.values[key]
            if mine.dtype.is_floating_point:
                mine.lerp_(value.detach().to(mine.dtype), 1 - keep)
            else:
                mine.copy_(value)
