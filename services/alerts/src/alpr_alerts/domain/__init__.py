"""The state machine of an alert (131.6): pure rules, no I/O.

    new ──accept──▶ accepted ──status confirmed──▶ actionable ──enforce──▶ enforced
     └──reject──▶ rejected    └──status not confirmed, close──▶ closed ◀──close──┘

Nothing is actionable without the visual check (131.6-4a) and the confirmed status (131.6-4b);
nothing is enforced without an incident number (131.6-6). Hand-off to Communications is open until
an end (131.6-8d) and changes no state: the alert is still somebody's to answer.

An accepted alert may also be closed (the vehicle is gone and nobody waits for the status any
longer): no enforcement follows from that, and the alternative is an alert that stays open for ever.

What is still open shortly before its reads have to go (131.7-1d) is closed as expired.

An alert of a stored read is calm. It becomes live, and nothing else of it changes, when the same
hit comes live (`become_live`).
"""

from alpr_alerts.domain.alert import (
    ACTED_ON,
    ENDS,
    SYSTEM,
    Action,
    Actor,
    Alert,
    Done,
    Move,
    RejectionReason,
    StatusSource,
    Step,
    allowed_steps,
    raised,
    take,
)
from alpr_alerts.domain.guards import (
    accept,
    become_live,
    close,
    enforce,
    escalate,
    expire,
    hand_off,
    reject,
    require_sequence,
    status,
)
from alpr_alerts.domain.visual_check import (
    VisualCheck,
)

__all__ = [
    "ACTED_ON",
    "ENDS",
    "SYSTEM",
    "Action",
    "Actor",
    "Alert",
    "Done",
    "Move",
    "RejectionReason",
    "StatusSource",
    "Step",
    "VisualCheck",
    "accept",
    "allowed_steps",
    "become_live",
    "close",
    "enforce",
    "escalate",
    "expire",
    "hand_off",
    "raised",
    "reject",
    "require_sequence",
    "status",
    "take",
]
