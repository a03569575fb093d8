"""`python -m alpr_access_log`: run the service."""

from alpr_access_log.app import build
from alpr_access_log.settings import Settings
from alpr_common.telemetry import start_telemetry
from alpr_common.web import serve


def main() -> None:
    settings = Settings()
    start_telemetry("access-log", settings.common)
    serve(build(settings), settings)


if __name__ == "__main__":
    main()
