"""`python -m alpr_ingest`"""

import logging

from alpr_common.telemetry import start_telemetry
from alpr_common.web import serve
from alpr_ingest.app import build
from alpr_ingest.settings import Settings


def main() -> None:
    settings = Settings()
    start_telemetry("ingest", settings.common)
    # It reports every attempt to reach an absent broker, ten a second, onto the disk that the
    # spool needs then. `kafka.away` and `kafka.up` say the same.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    serve(build(settings), settings)


if __name__ == "__main__":
    main()
