"""Other plate readers on the same pictures in the same run, where they are installed.

Nothing of the product needs them: an adapter that finds its program or weights missing says so and
is passed over. None of them downloads anything here.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from alpr_common.plates import normalize
from alpr_recognizer.domain import PlateBox
from alpr_recognizer.evaluation import LEAST_OVERLAP, Label, edit_distance, percentiles

NAMES = ("openalpr", "tesseract", "fast-alpr")


class NotInstalled(RuntimeError):
    """The rival's program, package or weights are not on this machine."""


@dataclass(frozen=True)
class Seen:
    """One plate that a rival reports; without a box it speaks for the labelled plate."""

    text: str
    box: PlateBox | None = None


@dataclass(frozen=True)
class Answer:
    """What a rival made of one picture, and its own time for it, without start-up."""

    seen: tuple[Seen, ...]
    milliseconds: float


Rival = Callable[[Path, Sequence[Label]], tuple[str, list[Answer]]]
"""Its version, and one answer per label; raises `NotInstalled`."""


@dataclass(frozen=True)
class RivalFigures:
    """Shares 0..1 over `pictures` pictures."""

    pictures: int
    exact: float
    exact_o_is_0: float
    character_error_rate: float


def text_at(label: Label, answer: Answer) -> str:
    """What the rival reads where the label is (IoU >= 0.3), normalized; empty when nothing."""
    best, most = "", 0.0
    for seen in answer.seen:
        overlap = 1.0 if seen.box is None else seen.box.overlap(label.box)
        if overlap >= LEAST_OVERLAP and overlap > most:
            best, most = normalize(seen.text), overlap
    return best


def figures(labels: Sequence[Label], texts: Sequence[str]) -> RivalFigures:
    """Of some pictures (at least one)."""
    pairs = list(zip(labels, texts, strict=True))
    letters = sum(len(label.text) for label in labels)
    return RivalFigures(
        len(pairs),
        sum(text == label.text for label, text in pairs) / len(pairs),
        sum(_fold(text) == _fold(label.text) for label, text in pairs) / len(pairs),
        sum(edit_distance(text, label.text) for label, text in pairs) / max(1, letters),
    )


def _fold(text: str) -> str:
    return text.replace("O", "0")


def beside(names: Sequence[str], folder: Path, labels: Sequence[Label]) -> dict[str, Any]:
    """Per rival its figures per region and together and its times, or why it did not run.

    Raises KeyError for a name that no adapter has.
    """
    from bench.rivals.fast_alpr import run as fast_alpr
    from bench.rivals.openalpr import run as openalpr
    from bench.rivals.tesseract import run as tesseract

    known: dict[str, Rival] = dict(zip(NAMES, (openalpr, tesseract, fast_alpr), strict=True))
    return {name: report(known[name], folder, labels) for name in names}


def report(rival: Rival, folder: Path, labels: Sequence[Label]) -> dict[str, Any]:
    """One rival's figures, or {"skipped": why}."""
    try:
        version, answers = rival(folder, labels)
    except NotInstalled as missing:
        return {"skipped": str(missing)}
    texts = [text_at(label, answer) for label, answer in zip(labels, answers, strict=True)]
    groups = {
        region: [i for i, label in enumerate(labels) if label.region == region]
        for region in sorted({label.region for label in labels})
    }
    return {
        "version": version,
        "regions": {
            region: asdict(figures([labels[i] for i in some], [texts[i] for i in some]))
            for region, some in groups.items()
        },
        "all": asdict(figures(labels, texts)),
        "milliseconds": percentiles(answer.milliseconds for answer in answers),
    }
