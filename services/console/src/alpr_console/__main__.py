"""Run the console."""

from alpr_common.telemetry import start_telemetry
from alpr_common.web import serve
from alpr_console.app import build
from alpr_console.settings import Settings


def main() -> None:
    settings = Settings()
    start_telemetry("console", settings.common)
    serve(build(settings), settings)


if __name__ == "__main__":
    main()
