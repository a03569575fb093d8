"""The typed REST client for CAD systems, and the `alpr` command.

    async with AlprClient(Addresses.from_environment()) as alpr:
        await alpr.sign_in("dispatch1", password)
        async for update in alpr.alerts.stream():
            print(update.alert.plate, update.alert.state)

It stands alone: nothing of the services is imported.
"""

from alpr_client.client import AlprClient
from alpr_client.errors import (
    ClientError,
    RefusedError,
    SecondFactorNeededError,
    UnavailableError,
)
from alpr_client.models import (
    Alert,
    AlertUpdate,
    Camera,
    FrameReceipt,
    HotListEntry,
    Page,
    Person,
    Read,
    RegisteredCamera,
    SearchAnswer,
)
from alpr_client.transport import Addresses

__all__ = [
    "Addresses",
    "Alert",
    "AlertUpdate",
    "AlprClient",
    "Camera",
    "ClientError",
    "FrameReceipt",
    "HotListEntry",
    "Page",
    "Person",
    "Read",
    "RefusedError",
    "RegisteredCamera",
    "SearchAnswer",
    "SecondFactorNeededError",
    "UnavailableError",
]
