"""What can go wrong with servers on one machine, each with a line that says what to do about it."""

from __future__ import annotations


class LocalStackError(Exception):
    """Something the local stack needs is missing or did not come up."""


class MissingProgram(LocalStackError):
    """A program that nothing here can install is absent; the message says how to get it."""


class InstallFailed(LocalStackError):
    """An installation ran and did not succeed."""


class ServerNotReady(LocalStackError):
    """A server or service was started and did not answer in time, or ended at once."""


class ServerNotOurs(LocalStackError):
    """The server was given by environment or container: this code has no right to stop it."""


class ProvisioningFailed(LocalStackError):
    """PostgreSQL refused the roles, schemas or privileges."""
