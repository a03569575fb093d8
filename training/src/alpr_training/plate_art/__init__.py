"""Plates drawn without fonts and without torch: numpy and OpenCV only.

`render_plate` is what a demonstration needs; `draw_plate` with a `Look` is what training varies.
"""

from alpr_training.plate_art.glyphs import GlyphStyle
from alpr_training.plate_art.jurisdictions import (
    JURISDICTIONS,
    UNKNOWN,
    Jurisdiction,
    plain,
    serial,
)
from alpr_training.plate_art.plate import Look, draw_plate, ordinary_look, render_plate

__all__ = [
    "JURISDICTIONS",
    "UNKNOWN",
    "GlyphStyle",
    "Jurisdiction",
    "Look",
    "draw_plate",
    "ordinary_look",
    "plain",
    "render_plate",
    "serial",
]
