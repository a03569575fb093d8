"""The services' words and numbers in those of the page. Pure."""

import re
from collections.abc import Mapping

from alpr_common.messages.read import UNKNOWN_JURISDICTION


def jurisdiction_text(jurisdiction: str | None, probability: float | None = None) -> str:
    """`IL`, `IL (93 %)`, or that it is not known."""
    if not jurisdiction or jurisdiction == UNKNOWN_JURISDICTION:
        return "not known"
    return f"{jurisdiction} ({percent(probability)})" if probability else jurisdiction


def initials(name: str) -> str:
    """Of the last two names, for where a whole name has no room; a dot where there is none."""
    return "".join(part[0].upper() for part in name.split()[-2:]) or "·"


def percent(probability: float | None) -> str:
    """In words that never round to certainty."""
    if probability is None:
        return "–"
    return "> 99 %" if 0.99 < probability < 1 else f"{probability * 100:.0f} %"


# What the services call a thing, and what it says on the page. Their refusals are written for
# programs too.
_PAGE_WORDS = {
    "characters_match": "“Every character matches”",
    "state_matches": "“The state matches”",
    "confirmed_jurisdiction": "“The state that you see”",
    "checked_positions": "the ticks",
    "incident_number": "“Incident or event number”",
    "wrong_state": "“Wrong state”",
    "misread": "“Misread”",
    "expires_at": "“Until”",
    "effective_at": "its beginning",
    "case_number": "“Case number”",
    "read_ids": "the reads",
    "alert_ids": "the alerts",
    "alert_id": "an alert",
    "received_by": "who received it",
    "received_at": "the time of receipt",
}


_PAGE_PHRASES = {
    " (POST /v1/search-approvals)": " with “Ask a supervisor”",
    " (POST /v1/me/second-factor)": "",
    "Say which entry: either `record_id` or `index`.": "Say which record.",
    "Send `approval_id` and `limit` alone: what was approved says the rest.": (
        "What was approved is searched for as it is."
    ),
}


def plain(text: str, labels: Mapping[str, str]) -> str:
    """A refusal in the page's words. `labels`: what the policy calls its purposes and categories.

    Positions are counted from 1 on the page, from 0 in the API.
    """
    for theirs, ours in _PAGE_PHRASES.items():
        text = text.replace(theirs, ours)
    words = {**labels, **_PAGE_WORDS}
    text = re.sub(r"[a-z]+(?:_[a-z]+)+|\bmisread\b", lambda m: words.get(m[0], m[0]), text)
    text = re.sub(r"(position )(\d+)(?= \(read)", lambda m: f"{m[1]}{int(m[2]) + 1}", text)
    return text.replace("`", "")
