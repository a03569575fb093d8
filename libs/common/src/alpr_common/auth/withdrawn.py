"""Tokens that count no more although they verify."""

from datetime import datetime

from alpr_common.auth.refusals import RevocationsUnknown, TokenRefused
from alpr_common.auth.tokens import Principal
from alpr_common.messages.session import TokensRefused


class Revocations:
    """What identity has said on `alpr.sessions.v1`, so that a sign-out, a change of role or rank,
    or a training taken away holds within seconds although tokens are checked without asking there.

    `alpr_common.revocations.follow` fills it. Before the topic was read to its end nothing is let
    in; while Kafka is away later on, what is not known yet ends with the token, after 15 minutes
    at most.
    """

    def __init__(self) -> None:
        self._refused: dict[str, TokensRefused] = {}
        self.is_loaded = False

    def take(self, notice: TokensRefused) -> None:
        """Note one; what is said again or out of order changes nothing."""
        before = self._refused.get(notice.subject_id)
        if before is None or (before.below_version or 0) <= (notice.below_version or 0):
            self._refused[notice.subject_id] = notice

    def forget(self, before: datetime) -> None:
        """Drop what refuses only tokens that have run out since."""
        for subject, notice in list(self._refused.items()):
            if notice.refused_at < before:
                del self._refused[subject]

    def refuse(self, principal: Principal) -> None:
        """Raise `TokenRefused` for a token that was withdrawn, `RevocationsUnknown` before
        anything can be said."""
        if not self.is_loaded:
            raise RevocationsUnknown("The service has only just started. Try again shortly.")
        if principal.session_id in self._refused:
            raise TokenRefused("The session has ended. Sign in again.")
        person = self._refused.get(principal.person_id)
        if person is not None and (
            person.below_version is None or principal.rights_version < person.below_version
        ):
            raise TokenRefused("Your role, rank or training was changed. Refresh the token.")
