"""`python -m alpr_access_log`: run the service. `… purge [--dry-run]`: enforce retention now.
`… forget --help`: erase what must not be kept. `… rotate-log-key`: change the log's key."""

import sys

from alpr_access_log.app import build
from alpr_access_log.consumers import spare_the_garbage_collector
from alpr_access_log.log import forgetting as log_forgetting
from alpr_access_log.log import rotating as log_rotating
from alpr_access_log.retention import command as retention_command
from alpr_access_log.settings import Settings
from alpr_common.telemetry import start_telemetry
from alpr_common.web import serve


def main() -> None:
    if sys.argv[1:2] == ["forget"]:
        sys.exit(log_forgetting.main(sys.argv[2:]))
    if sys.argv[1:2] == ["rotate-log-key"]:
        sys.exit(log_rotating.main(sys.argv[2:]))
    if sys.argv[1:2] == ["purge"]:
        sys.exit(retention_command.main(sys.argv[2:]))
    if sys.argv[1:]:
        asked = sys.argv[1] in ("-h", "--help")
        (sys.stdout if asked else sys.stderr).write(f"{__doc__}\n")
        sys.exit(0 if asked else 2)
    settings = Settings()
    start_telemetry("access-log", settings.common)
    app = build(settings)
    spare_the_garbage_collector()
    serve(app, settings)


if __name__ == "__main__":
    main()
