"""The verifications of an alert: its characters one by one, and how far they have come. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from alpr_common.messages.alert import AlertState
from alpr_common.messages.read import Character
from alpr_console.domain.alert import Alert

UNCERTAIN_BELOW = 0.90
"""A character less probable than this is marked, so that the eye goes there first (131.6-4a)."""


@dataclass(frozen=True)
class Position:
    """One character of the read beside the entry's. Probabilities are 0..1, None: not known."""

    number: int
    read_character: str
    read_probability: float | None
    entry_character: str
    entry_probability: float | None

    @property
    def differs(self) -> bool:
        return self.read_character != self.entry_character

    @property
    def uncertain(self) -> bool:
        return self.read_probability is not None and self.read_probability < UNCERTAIN_BELOW


_MISSING = "·"


def compare(alert: Alert) -> tuple[Position, ...]:
    """The read's characters against the entry's, position by position (131.6-4a)."""
    read, entry = alert.read, alert.entry.plate
    known = {p.position: p for p in alert.differing_positions}
    positions = []
    for i in range(max(len(read.plate), len(entry))):
        read_character = read.plate[i] if i < len(read.plate) else _MISSING
        entry_character = entry[i] if i < len(entry) else _MISSING
        character = read.characters[i] if i < len(read.characters) else None
        probability = character.probability if character else None
        other = _probability_of(entry_character, character)
        if i in known:
            probability = known[i].read_probability if probability is None else probability
            other = known[i].entry_probability if other is None else other
        positions.append(Position(i + 1, read_character, probability, entry_character, other))
    return tuple(positions)


def _probability_of(wanted: str, character: Character | None) -> float | None:
    if character is None:
        return None
    if character.character == wanted:
        return character.probability
    return next((a.probability for a in character.alternatives if a.character == wanted), None)


class Progress(StrEnum):
    DONE = "done"
    CURRENT = "current"
    AHEAD = "ahead"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Stage:
    """One of the three verifications that come before anybody is stopped."""

    label: str
    clause: str
    progress: Progress


_REACHED = {
    AlertState.NEW: 0,
    AlertState.ACCEPTED: 1,
    AlertState.ACTIONABLE: 2,
    AlertState.ENFORCED: 3,
    AlertState.CLOSED: 3,
    AlertState.REJECTED: 0,
}


def stages(alert: Alert) -> tuple[Stage, ...]:
    """Where the alert stands: visual check, status, outcome."""
    reached = _REACHED[alert.state]
    if alert.state is AlertState.CLOSED:
        passed = {step.state for step in alert.history}
        reached = 3 if AlertState.ACTIONABLE in passed else 1
    rows = [("Look", "131.6-4a"), ("Ask", "131.6-4b"), ("Outcome", "131.6-6")]
    return tuple(
        Stage(label, clause, _progress(i, reached, alert.finished))
        for i, (label, clause) in enumerate(rows)
    )


def _progress(stage: int, reached: int, finished: bool) -> Progress:
    if stage < reached:
        return Progress.DONE
    if finished:
        return Progress.STOPPED
    return Progress.CURRENT if stage == reached else Progress.AHEAD
