"""`alpr evaluate FOLDER`: how well this installation reads plates on labelled pictures."""

import base64
import html
import importlib
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import cv2
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import track
from rich.table import Table

from alpr_common.errors import AlprError
from alpr_common.settings import CommonSettings
from alpr_recognizer.evaluation import (
    Label,
    NotLabelled,
    Outcome,
    evaluate_picture,
    read_labels,
    report,
)
from alpr_recognizer.pictures import crop_jpeg
from alpr_recognizer.settings import Settings
from alpr_recognizer.weights import limits_of, load_recognizer


def evaluate(
    folder: Annotated[Path, typer.Argument(help="Folder with labels.csv and its pictures.")],
    as_json: Annotated[bool, typer.Option("--json", help="Only JSON on standard output.")] = False,
    errors: Annotated[
        Path | None, typer.Option(help="Write a page of crops with truth and read here.")
    ] = None,
    models: Annotated[
        Path | None, typer.Option(help="Models folder; default: ALPR_MODELS_FOLDER or ./models.")
    ] = None,
    detector: Annotated[Path | None, typer.Option(help="Other detector weights.")] = None,
    reader: Annotated[Path | None, typer.Option(help="Other reader weights.")] = None,
    engine: Annotated[str, typer.Option(help="onnx, or torch with the GPU extra.")] = "onnx",
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    region: Annotated[str | None, typer.Option(help="Only this region's pictures.")] = None,
    beside: Annotated[
        str,
        typer.Option(
            help="Also read them with these, where installed: openalpr,tesseract,fast-alpr."
        ),
    ] = "",
) -> None:
    """Read whole pictures as the recognizer does and count: figures per region, times by stage."""
    console = Console(stderr=as_json)
    common = CommonSettings() if models is None else CommonSettings(models_folder=models)
    try:
        settings = Settings(
            common=common, detector=detector, reader=reader,
            engine=engine, device=device,
        )  # fmt: skip
        labels = [x for x in read_labels(folder) if region in (None, x.region)]
        if not labels:
            raise NotLabelled(f"{folder / 'labels.csv'} holds no row of region {region}.")
        rivals = _rivals(beside)
        cv2.setNumThreads(1)
        recognizer = load_recognizer(settings)
    except (AlprError, ValidationError) as error:
        console.print(f"[red]{html.unescape(str(error))}[/]")
        raise typer.Exit(2) from error
    limits = limits_of(settings, recognizer.reader.limits)
    # The first pictures pay for allocations; they are read again in their turn.
    for label in labels[:3]:
        evaluate_picture(recognizer, limits, folder, label)
    outcomes = [
        evaluate_picture(recognizer, limits, folder, label)
        for label in track(labels, "Reading pictures", console=console, transient=True)
    ]
    found = report(recognizer, outcomes)
    if rivals is not None:
        found["beside"] = rivals(folder, labels)
    if errors is not None:
        errors.write_text(error_page(folder, outcomes), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    show(console, found)
    typer.echo(json.dumps(found))


class NoSuchRival(AlprError):
    title = "Nothing can be run beside it under this name"


def _rivals(names: str) -> Callable[[Path, Sequence[Label]], dict[str, Any]] | None:
    """Runs the named rivals; the adapters lie in the checkout's bench/, not in the product.

    Raises `NoSuchRival`.
    """
    if not names:
        return None
    wanted = names.split(",")
    sys.path.append(str(Path.cwd()))  # an installed command does not look where it is started
    try:
        adapters = importlib.import_module("bench.rivals")
    except ImportError as error:
        raise NoSuchRival("The adapters are in bench/: run this in a checkout.") from error
    unknown = sorted(set(wanted) - set(adapters.NAMES))
    if unknown:
        raise NoSuchRival(f"{', '.join(unknown)}: known are {', '.join(adapters.NAMES)}.")
    return partial(adapters.beside, wanted)


def show(console: Console, found: dict[str, Any]) -> None:
    """The figures as tables."""
    table = Table(title=f"{found['detector']} + {found['reader']}")
    for name in ("region", "n", "detected", "exact", "O=0", "char. errors", "ECE", "Brier"):
        table.add_column(name, justify="left" if name == "region" else "right")
    rows = [*found["regions"].items(), ("all", found["all"])]
    for name, f in rows:
        table.add_row(
            name, str(f["pictures"]), _percent(f["detected"]), _percent(f["exact"]),
            _percent(f["exact_o_is_0"]), _percent(f["character_error_rate"]),
            f"{f['calibration_error']:.3f}", f"{f['brier']:.3f}",
        )  # fmt: skip
    console.print(table)
    widths = Table(title="exact (O=0) by plate width")
    bands = list(found["all"]["by_width"])
    for name in ("region", *bands):
        widths.add_column(name, justify="left" if name == "region" else "right")
    for name, f in rows:
        cells = [f["by_width"].get(b) for b in bands]
        widths.add_row(
            name,
            *(
                f"{_percent(c['exact'])} ({_percent(c['exact_o_is_0'])}) of {c['pictures']}"
                if c
                else ""
                for c in cells
            ),
        )
    console.print(widths)
    times = Table(title="milliseconds per picture")
    for name in ("stage", "p50", "p95"):
        times.add_column(name, justify="left" if name == "stage" else "right")
    for name, p in [*found["stages_milliseconds"].items(), ("all", found["milliseconds"])]:
        times.add_row(name, f"{p['p50']:.1f}", f"{p['p95']:.1f}")
    console.print(times)
    if "beside" in found:
        console.print(_rivals_table(found))


def _rivals_table(found: dict[str, Any]) -> Table:
    """Exact texts per region and times, ours first; ratios are theirs over ours."""
    regions = list(found["regions"])
    ours = found["milliseconds"]["p50"]
    table = Table(title="beside others, same pictures, same run")
    for name in ("reader", *regions, "all", "ms p50", "times ours"):
        table.add_column(name, justify="left" if name == "reader" else "right")
    table.add_row("this", *_exact_cells(found, regions), f"{ours:.1f}", "1.0")
    for name, one in found["beside"].items():
        if "skipped" in one:
            table.add_row(name, *["-"] * (len(regions) + 3))
            table.caption = f"{table.caption or ''}{name}: {one['skipped']}\n"
            continue
        theirs = one["milliseconds"]["p50"]
        cells = _exact_cells(one, regions)
        table.add_row(name, *cells, f"{theirs:.1f}", f"{theirs / ours:.1f}")
    return table


def _exact_cells(found: dict[str, Any], regions: Sequence[str]) -> list[str]:
    return [
        f"{_percent(f['exact'])} ({_percent(f['exact_o_is_0'])})"
        for f in (*(found["regions"][r] for r in regions), found["all"])
    ]


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Misread plates</title>
<style>body{font:16px system-ui;background:#111;color:#eee;margin:2rem}
figure{display:inline-block;margin:.5rem;padding:.5rem;background:#222;vertical-align:top}
img{height:72px;display:block}code{font-size:1.2rem}.t{color:#7d7}.r{color:#f88}</style>
<h1>%s</h1>%s</html>"""
_FIGURE = """<figure><img alt="" src="data:image/jpeg;base64,%s"><figcaption>
<code class="t">%s</code><br><code class="r">%s</code><br>%s</figcaption></figure>"""


def error_page(folder: Path, outcomes: Sequence[Outcome]) -> str:
    """A self-contained page: each wrong plate's crop, its truth and what was read."""
    wrong = [o for o in outcomes if not o.is_exact]
    figures = []
    for outcome in wrong:
        jpeg = (folder / outcome.label.file).read_bytes()
        picture = base64.b64encode(crop_jpeg(jpeg, outcome.label.box)).decode()
        figures.append(
            _FIGURE % (picture, outcome.label.text, html.escape(_told(outcome)),
                       html.escape(outcome.label.file))
        )  # fmt: skip
    title = f"{len(wrong)} of {len(outcomes)} plates not read exactly"
    return _PAGE % (title, "\n".join(figures))


def _told(outcome: Outcome) -> str:
    if outcome.sighting is None:
        return "not found"
    reading = outcome.sighting.reading
    told = f"{reading.text or '(nothing)'} {reading.confidence:.2f}"
    return told if outcome.is_accepted else f"{told}, refused"
