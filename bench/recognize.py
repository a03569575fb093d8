"""How fast pictures become reads in one process, by stage.

    python -m bench.recognize --json [--pictures 40] [--batch 1] [--threads N] [--device cpu|cuda]
                                     [--size 1920x1080] [--folder PICTURES]

Draws its own street scenes at 1080p unless a folder of JPEGs is given. Latency is one picture at a
time, from the JPEG's bytes to the readings; throughput is in batches (on CUDA the best of several).
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import simplejpeg

from alpr_common.settings import CommonSettings
from alpr_local.demo.scenes import LIGHTS, Pass, render_pass
from alpr_recognizer.evaluation import percentiles
from alpr_recognizer.models import inference_threads
from alpr_recognizer.recognition import Recognizer, Stages
from alpr_recognizer.settings import Settings
from alpr_recognizer.weights import load_recognizer

_CUDA_BATCHES = (1, 4, 8, 16, 32, 64)


def street_pictures(count: int, size: tuple[int, int]) -> list[bytes]:
    """`count` JPEGs of drawn streets with a vehicle, (width, height) = `size`."""
    drawn = [
        jpeg
        for seed, light in enumerate(LIGHTS)
        for jpeg in render_pass(Pass(f"AB{seed}1234", "US-IL", light, seed, frames=3))
    ]
    out = []
    for number in range(count):
        picture = simplejpeg.decode_jpeg(drawn[number % len(drawn)], "RGB")
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
        # Sensor noise, or the JPEG would decode faster than a camera's.
        noise = np.random.default_rng(number).normal(0, 4, picture.shape)
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
        out.append(simplejpeg.encode_jpeg(picture, quality=88, colorspace="RGB"))
    return out


def measured(recognizer: Recognizer, pictures: Sequence[bytes], batch: int) -> dict[str, Any]:
    """Pictures per second in batches of that size, and milliseconds per picture by stage."""
    recognizer.recognise(pictures[:batch])
    stages = Stages()
    started, used = time.perf_counter(), time.process_time()
    for start in range(0, len(pictures), batch):
        recognizer.recognise(pictures[start : start + batch], stages)
    seconds, used = time.perf_counter() - started, time.process_time() - used
    return {
        "batch": batch,
        "pictures_per_second": round(len(pictures) / seconds, 2),
        # Of all threads together: what a busy machine cannot falsify.
        "cpu_milliseconds_per_picture": round(used * 1000 / len(pictures), 1),
        "milliseconds_per_picture": {
            name: round(spent * 1000 / len(pictures), 2) for name, spent in stages.seconds.items()
        },
    }


def latencies(recognizer: Recognizer, pictures: Sequence[bytes]) -> dict[str, Any]:
    """One picture at a time: p50 and p95 of the whole and of each stage, in milliseconds."""
    for picture in pictures[:3]:
        recognizer.recognise([picture])
    whole, by_stage = [], []
    for picture in pictures:
        stages = Stages()
        started = time.perf_counter()
        recognizer.recognise([picture], stages)
        whole.append((time.perf_counter() - started) * 1000)
        by_stage.append(stages.seconds)
    names = by_stage[0]
    return {
        "all": percentiles(whole),
        "stages": {n: percentiles(s.get(n, 0.0) * 1000 for s in by_stage) for n in names},
    }


def main() -> None:
    options = _parser().parse_args()
    settings = Settings(
        common=CommonSettings(models_folder=options.models), threads=options.threads,
        device=options.device, engine=options.engine, decode_threads=os.cpu_count() or 1,
    )  # fmt: skip
    cv2.setNumThreads(1)
    width, height = map(int, options.size.split("x"))
    if options.folder:
        files = sorted(Path(options.folder).rglob("*.jpg"))[: options.pictures]
        pictures = [f.read_bytes() for f in files]
    else:
        pictures = street_pictures(options.pictures, (width, height))
    recognizer = load_recognizer(settings)
    batches = _CUDA_BATCHES if options.device == "cuda" else (options.batch,)
    throughput = [measured(recognizer, pictures, b) for b in batches if b <= len(pictures)]
    figures = {
        "size": "of the folder" if options.folder else options.size,
        "pictures": len(pictures),
        "mean_jpeg_kib": round(sum(map(len, pictures)) / len(pictures) / 1024),
        "device": options.device,
        "engine": options.engine,
        "threads": inference_threads(options.threads),
        "cores": len(os.sched_getaffinity(0)),
        "load_average": round(os.getloadavg()[0], 2),
        "onnxruntime": onnxruntime.__version__,
        "detector": recognizer.detector.name,
        "reader": recognizer.reader.name,
        "latency_milliseconds": latencies(recognizer, pictures),
        "throughput": max(throughput, key=lambda t: t["pictures_per_second"]),
        "throughput_by_batch": throughput,
    }
    if options.json:
        json.dump(figures, sys.stdout, indent=1)
        print()
    else:
        latency = figures["latency_milliseconds"]
        print(f"{width}x{height}: p50 {latency['all']['p50']} ms, p95 {latency['all']['p95']} ms")
        print(f"{figures['throughput']['pictures_per_second']} pictures/s; by stage (p50, p95):")
        for name, p in latency["stages"].items():
            print(f"  {name:<8} {p['p50']:>7.1f} {p['p95']:>7.1f}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--pictures", type=int, default=40)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--engine", choices=("onnx", "torch"), default="onnx")
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--folder", help="JPEGs to read instead of drawn ones")
    parser.add_argument("--models", type=Path, default=Path("models"))
    return parser


if __name__ == "__main__":
    main()
