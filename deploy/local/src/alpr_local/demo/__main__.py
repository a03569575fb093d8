"""The command line of `make demo`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from alpr_local.demo.run import run_demo


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="make demo",
        description="The whole line on this machine: cameras, recognition, hot lists, alerts.",
    )
    parser.add_argument("--input", help="a folder of pictures, a video, or rtsp://… (INPUT=…)")
    parser.add_argument("--hotlist", type=Path, help="a CSV hot list (HOTLIST=…)")
    given = parser.parse_args(arguments)
    return run_demo(given.input, given.hotlist)


if __name__ == "__main__":
    sys.exit(main())
