"""How far a package is: said by the work, read by whoever keeps its claim."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Tell = Callable[[float], None]
"""Takes how far a step is, 0 to 1."""

Step = Literal["waiting", "identity", "records", "log", "usage", "writing"]

# Where each step begins and ends, from what they took of a year of a department.
_SPANS: dict[Step, tuple[float, float]] = {
    "identity": (0.0, 0.05),
    "waiting": (0.05, 0.05),
    "records": (0.05, 0.6),
    "log": (0.6, 0.85),
    "usage": (0.85, 0.9),
    "writing": (0.9, 1.0),
}


def untold(_share: float) -> None:
    """For work whose progress nobody waits for."""


@dataclass
class Progress:
    """The step under way, and how far the whole is, 0 to 1."""

    step: Step = "identity"
    share: float = 0.0
    is_ending: bool = False
    """Whether the claim may be gone because the work itself has ended it."""

    def begin(self, step: Step) -> Tell:
        """The next step; what tells how far it is."""
        begin, end = _SPANS[step]
        self.step, self.share = step, begin

        def tell(share: float) -> None:
            self.share = begin + (end - begin) * min(max(share, 0.0), 1.0)

        return tell
