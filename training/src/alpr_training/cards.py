"""The model cards: what each shipped model was made from, how well it does, and where it fails."""

import json
from pathlib import Path
from string import Template
from typing import Any

_TEXTS = Path(__file__).parent / "card_texts"


def write_cards(models: Path, figures: dict[str, Any]) -> None:
    """models/*/card.md from the card texts, the configs and what `evaluate` measured."""
    regions = {**figures["regions"], "all": figures["all"]}
    rows = "\n".join(
        f"| {name} | {one['pictures']} | {_percent(one['exact'])} | "
        f"{_percent(one['exact_o_is_0'])} | {one['character_error_rate']:.4f} | "
        f"{one['calibration_error']:.3f} | {_by_width(one['by_width'])} |"
        for name, one in regions.items()
    )
    found = ", ".join(f"{name} {_percent(one['detected'])}" for name, one in regions.items())
    for kind in ("detector", "reader"):
        config = json.loads((models / kind / "config.json").read_text(encoding="utf-8"))
        hashes = (f"- `{name}` sha256 `{value}`" for name, value in config["sha256"].items())
        chosen = {k: v for k, v in config.items() if isinstance(v, float)}
        text = Template((_TEXTS / f"{kind}.md").read_text(encoding="utf-8")).substitute(
            version=config["version"],
            data=(_TEXTS / "data.md").read_text(encoding="utf-8").strip(),
            found=found,
            rows=rows,
            files="\n".join(hashes),
            calibration=_list(chosen),
            val_scenes=_list(figures["val_scenes"]),
            val_crops=_list(figures["val_crops"]),
            val_negatives=_list(figures["val_negatives"]),
        )
        (models / kind / "card.md").write_text(text, encoding="utf-8")


def _by_width(bands: dict[str, dict[str, float]]) -> str:
    return ", ".join(
        f"{band}: {round(one['exact'] * one['pictures'])}/{one['pictures']}"
        for band, one in bands.items()
    )


def _list(figures: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in figures.items())


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
