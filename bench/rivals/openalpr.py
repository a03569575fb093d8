"""OpenALPR's command line program `alpr`, with the country that each label's region names.

Debian and Ubuntu named the package `openalpr`. The product's own command has the same name, so the
program is told by what it answers to `--version`.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from alpr_recognizer.domain import PlateBox
from alpr_recognizer.evaluation import Label
from bench.rivals import Answer, NotInstalled, Seen

_COUNTRIES = ("us", "eu", "br", "au", "gb", "kr", "mx", "sg")


def run(folder: Path, labels: Sequence[Label]) -> tuple[str, list[Answer]]:
    program, version = _program()
    answers: dict[str, Answer] = {}
    for region in {label.region for label in labels}:
        files = [label.file for label in labels if label.region == region]
        country = region if region in _COUNTRIES else "us"
        # One process for all pictures: starting it costs more than reading one.
        done = subprocess.run(
            [program, "-j", "-n", "1", "-c", country, *files],
            cwd=folder, capture_output=True, text=True, check=True,
        )  # fmt: skip
        told = [line for line in done.stdout.splitlines() if line.startswith("{")]
        answers.update(zip(files, map(parsed, told), strict=True))
    return version, [answers[label.file] for label in labels]


def parsed(line: str) -> Answer:
    """One line of `alpr -j`."""
    told = json.loads(line)
    return Answer(
        tuple(Seen(one["plate"], _box(one["coordinates"])) for one in told["results"]),
        float(told["processing_time_ms"]),
    )


def _box(corners: list[dict[str, float]]) -> PlateBox:
    xs, ys = [c["x"] for c in corners], [c["y"] for c in corners]
    return PlateBox(min(xs), min(ys), max(xs), max(ys))


def _program() -> tuple[str, str]:
    named = os.environ.get("OPENALPR")
    for folder in [None, *os.get_exec_path()]:
        path = named if folder is None else shutil.which("alpr", path=folder)
        if not path:
            continue
        told = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
        if "version" in told and "openalpr" not in path and "Usage" not in told:
            return path, told.strip().splitlines()[-1]
    raise NotInstalled("OpenALPR's program alpr is not on the path (or name it in OPENALPR)")
