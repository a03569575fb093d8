"""`python -m alpr_matcher api` serves the hot lists; `… worker` joins reads with them."""

import sys

from alpr_common.telemetry import start_telemetry
from alpr_common.web import serve
from alpr_matcher.settings import Settings, WorkerSettings


def main(arguments: list[str]) -> int:
    match arguments:
        case [] | ["api"]:
            from alpr_matcher.app import build

            settings = Settings()
            start_telemetry("matcher", settings.common)
            serve(build(settings), settings)
            return 0
        case ["worker"]:
            # Imported here: the API does without Faust.
            from alpr_matcher.worker import run

            worker_settings = WorkerSettings()
            start_telemetry("matcher-worker", worker_settings.common)
            return run(worker_settings)
        case _:
            sys.stderr.write("usage: python -m alpr_matcher api|worker\n")
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
