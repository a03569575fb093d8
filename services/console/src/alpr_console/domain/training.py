"""What people are told about their trainings before and after they end (131.6-1, 131.6-2). Pure."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from alpr_common.auth import Principal
from alpr_common.policy import Policy


class Urgency(StrEnum):
    DUE = "due"
    URGENT = "urgent"
    """Within the last of the agency's reminders."""
    ENDED = "ended"
    MISSING = "missing"


@dataclass(frozen=True)
class Reminder:
    """One training that ends soon, ended, or was never recorded."""

    training: str
    clause: str
    until: date | None
    days_left: int | None
    urgency: Urgency

    @property
    def shuts(self) -> bool:
        """Whether ALPR data is shut to the person now."""
        return self.urgency in (Urgency.ENDED, Urgency.MISSING)

    @property
    def headline(self) -> str:
        if self.until is None or self.days_left is None:
            return f"No {self.training} training is recorded for you"
        day = self.until.strftime("%-d %b %Y")
        if self.days_left < 0:
            return f"Your {self.training} training ended on {day}"
        if self.days_left == 0:
            return f"Your {self.training} training ends today"
        days = "1 day" if self.days_left == 1 else f"{self.days_left} days"
        return f"Your {self.training} training ends in {days}, on {day}"


def reminders(principal: Principal, policy: Policy, today: date) -> tuple[Reminder, ...]:
    """What to tell the person now; training counts through its last day.

    Nothing for roles that touch no ALPR data, which need no training.
    """
    if principal.role not in policy.access_roles or principal.must_enrol:
        return ()
    trainings = (
        ("LEADS", "131.6-1", principal.leads_training_until),
        ("ALPR", "131.6-2", principal.alpr_training_until),
    )
    told = (_reminder(*training, policy, today) for training in trainings)
    return tuple(reminder for reminder in told if reminder is not None)


def _reminder(
    training: str, clause: str, until: date | None, policy: Policy, today: date
) -> Reminder | None:
    if until is None:
        return Reminder(training, clause, None, None, Urgency.MISSING)
    left = (until - today).days
    if left < 0:
        return Reminder(training, clause, until, left, Urgency.ENDED)
    due = [days for days in policy.training_reminder_days if left <= days]
    if not due:
        return None
    last = min(due) == min(policy.training_reminder_days)
    return Reminder(training, clause, until, left, Urgency.URGENT if last else Urgency.DUE)
