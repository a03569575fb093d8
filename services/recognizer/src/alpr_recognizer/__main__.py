"""Run the recognizer: `python -m alpr_recognizer`."""

import cv2

from alpr_common.telemetry import start_telemetry
from alpr_common.web import serve
from alpr_recognizer.app import build
from alpr_recognizer.settings import Settings


def main() -> None:
    settings = Settings()
    start_telemetry("recognizer", settings.common)
    # The cores belong to inference; OpenCV's pool only gets in its way.
    cv2.setNumThreads(1)
    serve(build(settings), settings)


if __name__ == "__main__":
    main()
