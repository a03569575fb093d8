"""The model cards: what each shipped model was made from, how well it does, and where it fails."""

import json
from pathlib import Path
from typing import Any

_DATA = """\
| source | used for | licence stated there |
|---|---|---|
| synthetic plates and scenes drawn by `training/` (own strokes; Debian font packages) | both | fonts: see the packages (OFL, Apache-2.0, LGPL, GPL with font exception, public domain); no font file is shipped |
| 55 blank US designs, openalpr/openalpr | both, as backgrounds | AGPL-3.0 |
| openalpr/benchmarks US crops (train split) | both | AGPL-3.0 |
| openalpr/train-detector BR, EU crops, BR synthetic, negatives (train split) | both | AGPL-3.0 |
| ankandrew/cnn-ocr-lp AR crops (train split) | both | GPL-3.0 |
| Open Images scenes with Roboflow boxes (train split) | detector | pictures CC BY 2.0, boxes CC BY 4.0 |
| RobertLucian/license-plate-dataset, Romania (train split) | detector | MIT |

A stated licence is the uploader's claim. No weights of anybody else were used: training starts from
random numbers. The evaluation pictures (OpenALPR end-to-end) were never trained or tuned on; models
and thresholds were chosen on the pool's `val` split."""

_COMMAND = """\
`make models` (needs `requirements/gpu.txt`, the fonts that the command names when they are missing,
and the data folder). A run stopped with Ctrl-C continues from its last checkpoint. Batch n of a seed
is always the same pictures; bf16 arithmetic makes weights differ in the last digits between CPUs."""


def write_cards(models: Path, figures: dict[str, Any]) -> None:
    """models/*/card.md from the configs and from what `evaluate` measured."""
    for kind, body in (("detector", _detector(figures)), ("reader", _reader(figures))):
        config = json.loads((models / kind / "config.json").read_text(encoding="utf-8"))
        hashes = "\n".join(
            f"- `{name}` sha256 `{value}`" for name, value in config["sha256"].items()
        )
        text = (
            f"# {body['title']}\n\nVersion {config['version']} (the number after the point: training "
            f"steps). Licence AGPL-3.0-or-later.\n\n{body['what']}\n\n## Made from\n{_DATA}\n\n"
            f"## Figures\n{body['figures']}\n\n## Limits\n{body['limits']}\n\n"
            f"## Made by\n{_COMMAND}\n\n## Files\n{hashes}\n"
        )
        (models / kind / "card.md").write_text(text, encoding="utf-8")


def _detector(figures: dict[str, Any]) -> dict[str, str]:
    found = ", ".join(f"{k} {_percent(figures[k]['found'])}" for k in _regions(figures))
    scenes = figures.get("val_scenes", {})
    return {
        "title": "Plate detector",
        "what": (
            "YOLO26, slimmed (width 0.1875, no attention, output strides 8 and 16), one class, "
            "end-to-end head: no NMS. Input `images` float32 [B, 3, H, W], RGB 0..1, letterboxed with "
            "grey 114, H and W multiples of 32 (trained for a long side of 640). Output [B, N, 6]: x1, "
            "y1, x2, y2 in input pixels, score, class."
        ),
        "figures": (
            f"- Open half of the OpenALPR end-to-end pictures, plate found at IoU ≥ 0.3: {found}.\n"
            f"- Pool `val` scenes at 640 px: {json.dumps(scenes)}.\n"
            f"- Pool `val` negatives, whole line at the shipped thresholds: "
            f"{json.dumps(figures['val_negatives'])}."
        ),
        "limits": (
            "- Plates under about 20 px wide at a long side of 640 are often missed; cut or enlarge "
            "the picture for wide views.\n- Trained mostly on cars in Europe, North and South America "
            "by day; motorcycles, trucks seen from the side, snow-covered plates and infrared cameras "
            "are rare in the data.\n- It finds plates in pictures of plates (posters, screens) too."
        ),
    }


def _reader(figures: dict[str, Any]) -> dict[str, str]:
    rows = "\n".join(
        f"| {k} | {figures[k]['pictures']} | {_percent(figures[k]['strict'])} | "
        f"{_percent(figures[k]['o_is_0'])} | {figures[k]['character_error_rate']} | "
        f"{', '.join(f'{b}: {v}' for b, v in figures[k]['strict_by_width'].items())} |"
        for k in _regions(figures)
    )
    return {
        "title": "Plate reader",
        "what": (
            "Convolutions, two rows of column features laid end to end, a two-layer transformer, CTC; "
            "a second head names the jurisdiction. Input `crops` float32 [B, 1, 48, 160], grey, "
            "x/127.5-1, the detector's box grown by `crop_margin` and stretched. Outputs `logits` "
            "[B, 80, 37] (class 0 blank, then `charset`) and `jurisdiction` [B, J]. `easyocr/` with "
            "`reader.pth` (as `plates.pth`) loads as a custom EasyOCR network."
        ),
        "figures": (
            "Whole pictures, detector and reader together, open half of the OpenALPR end-to-end set "
            "(a read counts where its box has IoU ≥ 0.3 with the labelled plate):\n\n"
            "| region | pictures | exact | exact, O = 0 | character error rate | exact by plate width, "
            f"px |\n|---|---|---|---|---|---|\n{rows}\n\n"
            f"Pool `val` crops: {json.dumps(figures.get('val_crops', {}))}.\n"
            f"Calibration chosen there: {json.dumps(figures.get('calibration', {}))}."
        ),
        "limits": (
            "- US plates: the letter O and zero are answered as 0, as the pool labels them.\n"
            "- Small stacked letters and plate-type prefixes are left out on purpose.\n"
            "- The text under about 60 px of plate width (one-line US) is often a guess: watch the "
            "probabilities.\n- Only A-Z and 0-9: umlauts lose their dots, Cyrillic and Arabic are not "
            "read.\n- The jurisdiction is judged from a grey picture: similar designs are confused; "
            "use it above `jurisdiction_threshold` only, else it is unknown."
        ),
    }


def _regions(figures: dict[str, Any]) -> list[str]:
    return [k for k, v in figures.items() if isinstance(v, dict) and "strict" in v]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
