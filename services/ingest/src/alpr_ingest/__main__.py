"""`python -m alpr_ingest`"""

from alpr_common.telemetry import start_telemetry
from alpr_common.web import serve
from alpr_ingest.app import build
from alpr_ingest.settings import Settings


def main() -> None:
    settings = Settings()
    start_telemetry("ingest", settings.common)
    serve(build(settings), settings)


if __name__ == "__main__":
    main()
