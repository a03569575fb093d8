"""Local servers and service processes of the ALPR system, for the demo and for the tests."""

from alpr_local.errors import (
    InstallFailed,
    LocalStackError,
    MissingProgram,
    ProvisioningFailed,
    ServerNotOurs,
    ServerNotReady,
)

__all__ = [
    "InstallFailed",
    "LocalStackError",
    "MissingProgram",
    "ProvisioningFailed",
    "ServerNotOurs",
    "ServerNotReady",
]
