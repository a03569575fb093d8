"""Tesseract on the labelled boxes: it reads text but finds no plates, so it is given them."""

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from alpr_recognizer.evaluation import Label
from alpr_recognizer.pictures import crop
from bench.rivals import Answer, NotInstalled, Seen

_HEIGHT_PX = 96
_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def run(folder: Path, labels: Sequence[Label]) -> tuple[str, list[Answer]]:
    program = shutil.which("tesseract")
    if program is None:
        raise NotInstalled("tesseract is not on the path (Debian: tesseract-ocr)")
    version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    with tempfile.TemporaryDirectory() as scratch:
        paths = [_written(folder, label, Path(scratch) / f"{i}.png")
                 for i, label in enumerate(labels)]  # fmt: skip
        _read(program, paths[:1])
        started = time.perf_counter()
        texts = _read(program, paths)
        each = (time.perf_counter() - started) * 1000 / max(1, len(paths))
    return version.splitlines()[0], [Answer((Seen(text),), each) for text in texts]


def _read(program: str, paths: Sequence[Path]) -> list[str]:
    """Each picture's one line, from one process for all."""
    done = subprocess.run(
        [program, "-", "stdout", "--psm", "7", "-c", f"tessedit_char_whitelist={_CHARACTERS}"],
        input="\n".join(map(str, paths)), capture_output=True, text=True, check=True,
    )  # fmt: skip
    pages = done.stdout.split("\f")[: len(paths)]
    return [re.sub(r"\s", "", page) for page in pages]


def _written(folder: Path, label: Label, path: Path) -> Path:
    picture = simplejpeg.decode_jpeg((folder / label.file).read_bytes(), "RGB")
    plate = cv2.cvtColor(np.ascontiguousarray(crop(picture, label.box, 0.02)), cv2.COLOR_RGB2GRAY)
    scale = _HEIGHT_PX / plate.shape[0]
    cv2.imwrite(str(path), cv2.resize(plate, None, fx=scale, fy=scale))
    return path
