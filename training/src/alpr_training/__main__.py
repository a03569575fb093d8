"""`python -m alpr_training`: train, export and evaluate the shipped models."""

import argparse
import json
import sys
from pathlib import Path

SHARED = Path("../shared/data")
SCORE_THRESHOLD = 0.3
SELF_SHARE = 0.16


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="alpr_training", description=__doc__)
    parser.add_argument("--data", type=Path, default=SHARED, help="folder with pool/, eval/, …")
    commands = parser.add_subparsers(dest="command", required=True)
    reader = commands.add_parser("reader", help="train the plate reader (continues its run)")
    reader.add_argument("--run", type=Path, default=Path("training/runs/reader"))
    reader.add_argument("--steps", type=int, default=8000)
    reader.add_argument("--until", type=int, help="stop after this step, to continue later")
    reader.add_argument("--batch", type=int, default=64)
    reader.add_argument("--self-labels", type=Path, default=Path("training/cache/self-labels"))
    reader.add_argument("--seed", type=int, default=1)
    reader.add_argument("--threads", type=int, default=1)
    detector = commands.add_parser("detector", help="train the plate detector (continues its run)")
    detector.add_argument("--run", type=Path, default=Path("training/runs/detector"))
    detector.add_argument("--steps", type=int, default=8000)
    detector.add_argument("--batch", type=int, default=16)
    detector.add_argument("--size", type=int, default=320, help="side of the square views, px")
    detector.add_argument("--seed", type=int, default=1)
    detector.add_argument("--threads", type=int, default=1)
    labels = commands.add_parser("self-label", help="read the pool's untexted train plates")
    labels.add_argument("--run", type=Path, default=Path("training/runs/reader"))
    labels.add_argument("--self-labels", type=Path, default=Path("training/cache/self-labels"))
    export = commands.add_parser("export", help="write models/ from the runs")
    export.add_argument("--runs", type=Path, default=Path("training/runs"))
    export.add_argument("--models", type=Path, default=Path("models"))
    export.add_argument("--only", choices=("detector", "reader"))
    evaluate = commands.add_parser("evaluate", help="whole pictures through models/")
    evaluate.add_argument("--models", type=Path, default=Path("models"))
    evaluate.add_argument("--pictures", type=Path, help="folder with labels.csv (default: eval)")
    evaluate.add_argument("--errors", action="store_true", help="list every wrong read")
    options = parser.parse_args(arguments)
    chosen = {
        "reader": _reader,
        "detector": _detector,
        "self-label": _self_label,
        "export": _export,
        "evaluate": _evaluate,
    }[options.command]
    return chosen(options)


def _reader(options: argparse.Namespace) -> int:
    from alpr_training.pool import load_pool
    from alpr_training.reader.samples import Samples
    from alpr_training.reader.selflabel import load_self_labels
    from alpr_training.reader.train import ReaderRun, train

    pool = load_pool(options.data / "pool")
    extra = load_self_labels(options.self_labels)
    samples = Samples(
        options.seed, pool.of_split("train"), options.data / "templates-us", (extra, SELF_SHARE)
    )
    run = ReaderRun(
        options.run, options.steps, options.until, options.batch, options.seed,
        threads=options.threads,
    )  # fmt: skip
    train(run, samples, pool)
    return 0


def _detector(options: argparse.Namespace) -> int:
    from alpr_training.detector.train import DetectorRun, train
    from alpr_training.pool import load_pool
    from alpr_training.synth.press import Press
    from alpr_training.synth.scene import Views

    pool = load_pool(options.data / "pool")
    press = Press(options.seed, options.data / "templates-us")
    views = Views(options.seed, pool.of_split("train"), press, options.size)
    run = DetectorRun(
        options.run, options.steps, options.batch, options.seed, threads=options.threads
    )
    train(run, views, pool)
    return 0


def _self_label(options: argparse.Namespace) -> int:
    from alpr_training.export import trained_weights
    from alpr_training.pool import load_pool
    from alpr_training.reader.selflabel import load_self_labels, self_label

    weights, _ = trained_weights(options.run / "last.pt")
    pool = load_pool(options.data / "pool").of_split("train")
    self_label(weights, pool, options.self_labels)
    print(json.dumps({"self_labelled": len(load_self_labels(options.self_labels))}))
    return 0


def _export(options: argparse.Namespace) -> int:
    from alpr_training.calibrate import calibrate
    from alpr_training.export import export_detector, export_reader
    from alpr_training.pool import load_pool

    if options.only != "reader":
        checkpoint = options.runs / "detector" / "last.pt"
        export_detector(checkpoint, options.models / "detector", score_threshold=SCORE_THRESHOLD)
    if options.only != "detector":
        checkpoint = options.runs / "reader" / "last.pt"
        calibration = calibrate(checkpoint, load_pool(options.data / "pool"))
        export_reader(checkpoint, options.models / "reader", calibration)
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from alpr_training.evaluate import evaluate, false_reads
    from alpr_training.pool import load_pool
    from alpr_training.shipped import ShippedModels

    models = ShippedModels(options.models)
    figures = evaluate(models, options.pictures or options.data / "eval")
    errors = figures.pop("errors")
    figures["val_negatives"] = false_reads(models, load_pool(options.data / "pool"))
    print(json.dumps(figures, indent=1))
    if options.errors:
        for region, wrong in errors.items():
            for truth, text, width in wrong:
                print(f"{region:4} {truth:10} {text or '(none)':12} {width}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
