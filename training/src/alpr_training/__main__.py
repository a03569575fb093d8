"""`python -m alpr_training`: train, export and evaluate the shipped models."""

import argparse
import json
import sys
from pathlib import Path

SHARED = Path("../shared/data")
SCORE_THRESHOLD = 0.05
"""Low, because the reader refuses what is no plate; both were chosen together on val pictures."""
VIEW_SIZE = 320
DETECTOR_STEPS = 9000
READER_STEPS = 8000
SELF_LABEL_AFTER = 0.4
"""The part of the reader's steps after which it labels the untexted plates."""
SELF_SHARE = 0.16
"""The part of the reader's samples that those plates then are."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    if options.into is not None:
        options.runs, options.models = options.into / "runs", options.into / "models"
        options.self_labels = options.into / "self-labels"
    commands = {
        "models": _models,
        "reader": _reader,
        "detector": _detector,
        "self-label": _self_label,
        "export": _export,
        "evaluate": _evaluate,
    }
    try:
        commands[options.command](options)
    except RuntimeError as problem:
        print(f"{type(problem).__name__}: {problem}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="alpr_training", description=__doc__)
    parser.add_argument("--data", type=Path, default=SHARED, help="folder with pool/, eval/, …")
    parser.add_argument("--runs", type=Path, default=Path("training/runs"))
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--self-labels", type=Path, default=Path("training/cache/self-labels"))
    parser.add_argument(
        "--into", type=Path, help="put runs, models and self-labels under this folder instead"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    commands = parser.add_subparsers(dest="command", required=True)
    models = commands.add_parser("models", help="everything: train, export, evaluate, cards")
    models.add_argument(
        "--size", type=float, default=1.0, help="part of the steps; 0.002 tries every stage out"
    )
    reader = commands.add_parser("reader", help="train the plate reader (continues its run)")
    reader.add_argument("--until", type=int, help="stop after this step, to continue later")
    detector = commands.add_parser("detector", help="train the plate detector (continues its run)")
    detector.add_argument("--until", type=int, help="stop after this step, to continue later")
    for command in (models, reader):
        command.add_argument("--reader-steps", type=int, default=READER_STEPS)
    for command in (models, detector):
        command.add_argument("--detector-steps", type=int, default=DETECTOR_STEPS)
    commands.add_parser("self-label", help="read the pool's untexted train plates")
    export = commands.add_parser("export", help="write the model folders from the runs")
    export.add_argument("--only", choices=("detector", "reader"))
    evaluate = commands.add_parser("evaluate", help="whole pictures through the model folders")
    evaluate.add_argument("--pictures", type=Path, help="folder with labels.csv (default: eval)")
    evaluate.add_argument("--cards", action="store_true", help="write the model cards")
    evaluate.add_argument("--errors", action="store_true", help="list every wrong read")
    return parser


def _models(options: argparse.Namespace) -> None:
    """Every stage in order; what the runs have already done is passed over."""
    options.only, options.pictures, options.cards, options.errors = None, None, True, False
    options.reader_steps = max(2, round(options.reader_steps * options.size))
    options.detector_steps = max(2, round(options.detector_steps * options.size))
    if not (options.self_labels / "labels.json").exists():
        options.until = round(options.reader_steps * SELF_LABEL_AFTER)
        _reader(options)
        _self_label(options)
    options.until = None
    _detector(options)
    _reader(options)
    _export(options)
    _evaluate(options)


def _reader(options: argparse.Namespace) -> None:
    from alpr_training.loop import Plan
    from alpr_training.pool import load_pool
    from alpr_training.reader.cells import load_cells
    from alpr_training.reader.samples import Samples
    from alpr_training.reader.selflabel import load_self_labels
    from alpr_training.reader.train import PEAK_RATE, train

    pool = load_pool(options.data / "pool")
    extra = load_self_labels(options.self_labels)
    samples = Samples(
        options.seed, pool.of_split("train"), options.data / "templates-us", (extra, SELF_SHARE),
        load_cells(options.self_labels),
    )  # fmt: skip
    plan = Plan(
        options.runs / "reader", options.reader_steps, options.until, PEAK_RATE,
        seed=options.seed, threads=options.threads,
    )  # fmt: skip
    train(plan, samples, pool)


def _detector(options: argparse.Namespace) -> None:
    from alpr_training.detector.train import train
    from alpr_training.loop import Plan
    from alpr_training.pool import load_pool
    from alpr_training.synth.press import Press
    from alpr_training.synth.scene import Views

    pool = load_pool(options.data / "pool")
    press = Press(options.seed, options.data / "templates-us")
    views = Views(options.seed, pool.of_split("train"), press, VIEW_SIZE)
    plan = Plan(
        options.runs / "detector", options.detector_steps, options.until, seed=options.seed,
        threads=options.threads,
    )  # fmt: skip
    train(plan, views, pool)


def _self_label(options: argparse.Namespace) -> None:
    from alpr_training.export import trained_weights
    from alpr_training.pool import load_pool
    from alpr_training.reader.selflabel import load_self_labels, self_label

    weights, _ = trained_weights(options.runs / "reader" / "last.pt")
    pool = load_pool(options.data / "pool").of_split("train")
    self_label(weights, pool, options.self_labels)
    print(json.dumps({"self_labelled": len(load_self_labels(options.self_labels))}))


def _export(options: argparse.Namespace) -> None:
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


def _evaluate(options: argparse.Namespace) -> None:
    from alpr_training.cards import write_cards
    from alpr_training.evaluate import evaluate, false_reads, found_in_scenes, read_crops, val_crops
    from alpr_training.pool import load_pool
    from alpr_training.shipped import ShippedModels

    figures = evaluate(options.models, options.pictures or options.data / "eval")
    errors = figures.pop("errors")
    pool, models = load_pool(options.data / "pool"), ShippedModels(options.models)
    figures["val_negatives"] = false_reads(options.models, pool)
    figures["val_scenes"] = found_in_scenes(models, pool)
    figures["val_crops"] = read_crops(models, val_crops(pool))
    print(json.dumps(figures, indent=1))
    if options.cards:
        write_cards(options.models, figures)
    if options.errors:
        for region, truth, text, width in errors:
            print(f"{region:4} {truth:10} {text or '(none)':12} {width}")


if __name__ == "__main__":
    sys.exit(main())
