"""What access-log does, one function per use case. Nothing is shown that was not recorded first."""

from alpr_access_log.handlers.door import (
    RECORDS,
    Attempt,
    Door,
    Page,
    done_by,
    list_records,
    record_refusal,
    who,
)
from alpr_access_log.handlers.pictures import (
    PictureKind,
    view_picture,
)
from alpr_access_log.handlers.searching import (
    answer,
    count_search,
    next_page,
    search,
)
from alpr_access_log.handlers.storing import (
    STORE_SECONDS,
    STORED,
    append_audits,
    log,
    note_hits,
    store_reads,
)

__all__ = [
    "RECORDS",
    "STORED",
    "STORE_SECONDS",
    "Attempt",
    "Door",
    "Page",
    "PictureKind",
    "answer",
    "append_audits",
    "count_search",
    "done_by",
    "list_records",
    "log",
    "next_page",
    "note_hits",
    "record_refusal",
    "search",
    "store_reads",
    "view_picture",
    "who",
]
