"""Access records in words. Pure."""

ACTIONS: dict[str, str] = {
    "search": "Searched stored reads",
    "search.page": "Looked at a further page",
    "search.retro": "Compared stored reads with new entries",
    "read.picture.viewed": "Looked at a read's picture",
    "alert.picture.viewed": "Looked at an alert's picture",
    "access_records.listed": "Looked at access records",
    "search_approval.requested": "Asked a supervisor for a search",
    "search_approval.approved": "Approved a search",
    "search_approval.denied": "Denied a search",
    "hold.placed": "Placed a hold",
    "hold.extended": "Added reads to a hold",
    "hold.released": "Released a hold",
    "holds.listed": "Looked at holds",
    "evidence.sealed": "Sealed evidence",
    "evidence.requested": "Asked for evidence",
    "evidence.viewed": "Looked at evidence",
    "evidence.listed": "Looked at the list of evidence",
    "evidence.downloaded": "Took evidence",
    "session.opened": "Signed in",
    "session.ended": "Ended a session",
    "person.created": "Added a person",
    "person.changed": "Changed a person",
    "person.locked": "Account locked",
    "person.released": "Released a locked account",
    "person.training_recorded": "Recorded a training",
    "person.password_set": "Made somebody a new password",
    "person.password_changed": "Changed the own password",
    "second_factor.confirmed": "Set up a second factor",
    "second_factor.removed": "Removed a second factor",
    "camera.registered": "Registered a camera",
    "camera.changed": "Changed a camera",
    "camera.credential.renewed": "Renewed a camera's credential",
    "camera.retired": "Retired a camera",
    "hotlist.imported": "Imported a hot list",
    "log.text.forgotten": "Erased a text of the log",
}
"""What can be filtered by, and what pages call it; others are shown as they are called."""

OUTCOMES: dict[str, tuple[str, str]] = {
    "done": ("good", "done"),
    "refused": ("bad", "refused"),
    "failed": ("warn", "failed"),
}


def action_text(action: str) -> str:
    """What was done, in words."""
    return ACTIONS.get(action) or action.replace("_", " ").replace(".", " ").capitalize()
