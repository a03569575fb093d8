"""The visual check (131.6-4a): the person saw the characters and the state."""

from dataclasses import dataclass

from alpr_alerts import refusals
from alpr_common.messages.hit import Hit, HitKind, JurisdictionAgreement


@dataclass(frozen=True)
class VisualCheck:
    """What a person saw. `checked_positions` are those of a look-alike hit, counted from 0."""

    characters_match: bool = False
    state_matches: bool = False
    confirmed_jurisdiction: str | None = None
    checked_positions: frozenset[int] = frozenset()


def require_differing_positions(hit: Hit, check: VisualCheck) -> None:
    """Raise `DifferingPositionsNotChecked` unless every one of a look-alike hit was looked at."""
    if hit.kind is not HitKind.LOOKALIKE:
        return
    missing = [p for p in hit.differing_positions if p.position not in check.checked_positions]
    if missing:
        where = ", ".join(
            f"position {p.position} (read {p.read_character}, listed {p.entry_character})"
            for p in missing
        )
        raise refusals.DifferingPositionsNotChecked(
            f"The camera read {hit.read.plate}, the list says {hit.entry.plate}. Look again at "
            f"{where}. If the plate shows the listed characters, accept with checked_positions "
            "naming each of them; if it shows what was read, reject the alert as misread.",
            positions=[p.position for p in missing],
        )


def confirmed_jurisdiction(hit: Hit, check: VisualCheck) -> str | None:
    """The state as a person confirmed it; must be said where the system does not know it."""
    said = (check.confirmed_jurisdiction or "").strip().upper()
    listed = hit.entry.jurisdiction
    if not said:
        if hit.jurisdiction is JurisdictionAgreement.SAME:
            return listed
        raise refusals.JurisdictionNotConfirmed(
            "The system could not tell that the plate's state is the entry's "
            f"({listed or 'not stated'}). Read the state off the picture and accept with it as "
            "confirmed_jurisdiction; if it cannot be read or differs, reject the alert as "
            "wrong_state."
        )
    if listed and said != listed.strip().upper():
        raise refusals.PlateOfAnotherState(
            f"You see a plate of {said}, the entry is for {listed}. Reject the alert as "
            "wrong_state, or correct confirmed_jurisdiction if you mistyped it."
        )
    return said
