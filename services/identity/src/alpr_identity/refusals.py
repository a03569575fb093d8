"""What identity refuses, as facts."""

from http import HTTPStatus

from alpr_common.errors import AlprError, Conflict, NotFound


class SignInRefused(AlprError):
    """One answer for every cause: which one it was is the agency's to know, not a stranger's."""

    status = HTTPStatus.UNAUTHORIZED
    title = "You could not be signed in"
    clause = "131.7-3c"

    def __init__(self) -> None:
        super().__init__(
            "The username or the password is wrong, or the account is locked after failed "
            "attempts or not active. If you are sure of both, ask your ALPR administrator."
        )


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
    title = "Administrators do not change their own role, standing or lock"


class PersonNotFound(NotFound):
    title = "Your agency has no such person"
