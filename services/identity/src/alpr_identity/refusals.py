"""What identity refuses, as facts."""

from http import HTTPStatus

from alpr_common.errors import AlprError, Conflict, NotFound, Outage


class SignInRefused(AlprError):
    """One answer for every cause: which one it was is the agency's to know, not a stranger's."""

    status = HTTPStatus.UNAUTHORIZED
    title = "You could not be signed in"
    clause = "131.7-3c"

    def __init__(self) -> None:
        super().__init__(
            "The username, the password or the code is wrong, or the account is locked after "
            "failed attempts or not active. If you are sure of all, ask your ALPR administrator."
        )


class SecondFactorNeeded(AlprError):
    """The password is right; only the second factor is missing. `ways` says which there are."""

    status = HTTPStatus.UNAUTHORIZED
    title = "Show your second factor"
    clause = "131.7-3c"

    def __init__(
        self, *, app: bool = True, recovery_code: bool = False, passkey: bool = False
    ) -> None:
        code = "the six digits that your app shows, or a recovery code"
        said = {
            "code": f"Send `code` as well: {code if app else 'a recovery code'}.",
            "passkey": "Sign in with your passkey: it needs no password.",
        }
        offered = (("code", app or recovery_code), ("passkey", passkey))
        ways = [way for way, there in offered if there]
        super().__init__(" Or: ".join(said[way] for way in ways), ways=ways)


class SecondFactorWrong(AlprError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "That is not the code"
    clause = "131.7-3c"


class SecondFactorAbsent(Conflict):
    title = "There is no second factor to do that with"


class SecondFactorUnavailable(Outage):
    title = "Second factors cannot be used here"


class ConfirmationWrong(AlprError):
    status = HTTPStatus.FORBIDDEN
    title = "The password or the code is wrong"


class SessionEnded(AlprError):
    status = HTTPStatus.UNAUTHORIZED
    title = "The session has ended; sign in again"
    clause = "131.7-3c"


class PasswordTooWeak(AlprError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The password is too easy to guess"
    clause = "policy file"


class UsernameMalformed(AlprError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "That cannot be a username"


class PasswordWrong(AlprError):
    status = HTTPStatus.FORBIDDEN
    title = "The present password is wrong"


class UsernameTaken(Conflict):
    title = "The username is taken"


class OwnAccount(Conflict):
    title = "Administrators leave this of their own account to another"


class OwnTraining(OwnAccount):
    """Who could record their own training could let themselves in (131.6-1, 131.6-2)."""

    title = "Nobody records their own training"
    clause = "131.6-1"


class RankUnknown(AlprError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "That is no rank of a supervisor here"
    clause = "policy file"


class PersonNotFound(NotFound):
    title = "Your agency has no such person"


class SessionNotFound(NotFound):
    title = "There is no such session of yours"


class PeriodMalformed(AlprError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "That is no period that can be reported on"


class PasskeysUnavailable(Conflict):
    title = "Passkeys cannot be used here"


class PasskeyRefused(AlprError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The passkey was not taken"
    clause = "131.7-3c"


class PasskeyKnown(Conflict):
    title = "That passkey is known already"


class PasskeyNotFound(NotFound):
    title = "There is no such passkey"


class ProviderAway(Outage):
    title = "Your agency's sign-in service cannot be used now"


class ProviderUnknown(NotFound):
    title = "There is no such sign-in service"


class ProviderSignInRefused(AlprError):
    status = HTTPStatus.UNAUTHORIZED
    title = "You could not be signed in by your agency's sign-in service"
    clause = "131.7-3c"
