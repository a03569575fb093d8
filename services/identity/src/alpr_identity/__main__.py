"""`python -m alpr_identity`: run the service, or one of the operator's commands."""

import sys

from alpr_common.telemetry import start_telemetry
from alpr_common.web import serve
from alpr_identity import command
from alpr_identity.app import build
from alpr_identity.settings import Settings


def main() -> None:
    arguments = command.parse(sys.argv[1:])
    settings = Settings()
    start_telemetry("identity", settings.common)
    if arguments.command:
        sys.exit(command.run(arguments, settings))
    serve(build(settings), settings)


if __name__ == "__main__":
    main()
