"""`python -m alpr_alerts`: run the service."""

from alpr_alerts.app import build
from alpr_alerts.settings import Settings
from alpr_common.telemetry import start_telemetry
from alpr_common.web import serve


def main() -> None:
    settings = Settings()
    start_telemetry("alerts", settings.common)
    serve(build(settings), settings)


if __name__ == "__main__":
    main()
