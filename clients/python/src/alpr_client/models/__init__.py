"""What the system answers. Fields that a later version adds are kept, not refused."""

from alpr_client.models.alerts import (
    Alert,
    AlertDetail,
    AlertHit,
    AlertRecord,
    AlertStep,
    AlertUpdate,
)
from alpr_client.models.base import (
    Answer,
    Page,
)
from alpr_client.models.cameras import (
    Camera,
    FrameReceipt,
    RegisteredCamera,
)
from alpr_client.models.hotlist import (
    BadLine,
    DroppedRecords,
    EntryVersion,
    HotListEntry,
    HotListOnFile,
    ImportRecord,
    ImportReport,
    Subscription,
    UncheckedEntry,
)
from alpr_client.models.people import (
    Me,
    NewPerson,
    Person,
    Session,
    TrainedPerson,
    Training,
)
from alpr_client.models.preservation import (
    EvidencePackage,
    HeldRead,
    Hold,
    Receipt,
    Somebody,
)
from alpr_client.models.reads import (
    AccessRecord,
    AccompanyingVehicle,
    Approval,
    ConvoyAnswer,
    Read,
    SearchAnswer,
)

__all__ = [
    "AccessRecord",
    "AccompanyingVehicle",
    "Alert",
    "AlertDetail",
    "AlertHit",
    "AlertRecord",
    "AlertStep",
    "AlertUpdate",
    "Answer",
    "Approval",
    "BadLine",
    "Camera",
    "ConvoyAnswer",
    "DroppedRecords",
    "EntryVersion",
    "EvidencePackage",
    "FrameReceipt",
    "HeldRead",
    "Hold",
    "HotListEntry",
    "HotListOnFile",
    "ImportRecord",
    "ImportReport",
    "Me",
    "NewPerson",
    "Page",
    "Person",
    "Read",
    "Receipt",
    "RegisteredCamera",
    "SearchAnswer",
    "Session",
    "Somebody",
    "Subscription",
    "TrainedPerson",
    "Training",
    "UncheckedEntry",
]
