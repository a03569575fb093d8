"""Which keys sign an agency's log now. Pure.

The file of keys says who may sign, the log says who has to: a key takes over with its hand-over's
entry. Both sign as long as the file holds both, so that whoever has not got the new verifier key
yet goes on as before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from alpr_access_log.log.key import LogKey
from alpr_access_log.log.leaves import Leaf, statement_leaf
from alpr_common.errors import Outage
from alpr_translog.handover import KIND, HandOver, Lineage
from alpr_translog.note import SignerKey

_NAMESPACE = UUID("5e0f7b5c-6a4d-5b0e-9d7b-0d1f3f3f6a11")


class KeyNotHeld(Outage):
    """Another replica has the file already, the file was put back, or somebody who is no operator
    handed the log over: in each case this process has nothing to sign with."""

    title = "The log was handed over to a key that the key file does not hold"


@dataclass(frozen=True)
class Signing:
    """Who signs one agency's log now."""

    lineage: Lineage
    signers: tuple[SignerKey, ...]
    """All of them sign each checkpoint; first the one that it counts with."""
    successor: SignerKey | None
    """Whom the log is still to be handed over to."""

    @classmethod
    def of(
        cls, keys: Sequence[LogKey], agency_id: str, hand_overs: Sequence[HandOver]
    ) -> "Signing":
        """From the file's keys and the hand-overs in the log, in its order.

        Raises `KeyNotHeld`, `HandOverInvalid`.
        """
        signers = [key.signer(agency_id) for key in keys]
        first, last = signers[0], signers[-1]
        in_force = hand_overs[-1].new if hand_overs else first.verifier
        lineage = Lineage.through(in_force, hand_overs)
        if in_force == first.verifier:
            return cls(lineage, (first,), None if last is first else last)
        if in_force == last.verifier:
            return cls(lineage, (last, first), None)
        raise KeyNotHeld(
            f"{agency_id}: signed by {in_force.key_id.hex()} since entry {hand_overs[-1].size}."
        )

    def handed_over(self, size: int, root: bytes) -> tuple[HandOver, "Signing"]:
        """The hand-over to the successor that a tree of that size and root calls for, and who signs
        then. Raises ValueError when there is no successor."""
        if self.successor is None:
            raise ValueError("there is no key to hand the log over to")
        old = self.signers[0]
        made = HandOver(size, root, old.verifier, self.successor.verifier)
        lineage = Lineage.through(made.new, (*self.lineage.hand_overs, made))
        return made, Signing(lineage, (self.successor, old), None)


def hand_over_leaf(made: HandOver, signing: Signing, agency_id: str, now: datetime) -> Leaf:
    """The entry of a hand-over; `signing` is the one after it, which has both keys."""
    new, old = signing.signers
    # Of the new key: whoever hands over to it once more meets a unique constraint.
    record_id = uuid5(_NAMESPACE, str(made.new))
    return statement_leaf(KIND, record_id, agency_id, now, {"statement": made.sign(old, new)})
