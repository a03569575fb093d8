"""Whole plates: background, side text, serial, and what is stuck or screwed onto them."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from alpr_training.plate_art.canvas import (
    Canvas,
    Lettering,
    Paint,
    bolts,
    put_strip,
    sticker,
    stroke_lettering,
    text_strip,
)
from alpr_training.plate_art.glyphs import GlyphStyle
from alpr_training.plate_art.jurisdictions import JURISDICTIONS, Jurisdiction, separated
from alpr_training.plate_art.line import Ink, Line, draw_line

BgrImage = npt.NDArray[np.uint8]

_DRAWN_HEIGHT = 96

STYLES: dict[str, GlyphStyle] = {
    "us": GlyphStyle(aspect=0.47, stroke=0.125, roundness=0.85, variants=(0,)),
    "eu": GlyphStyle(aspect=0.52, stroke=0.13, roundness=0.8, variants=(2, 0)),
    "gb": GlyphStyle(aspect=0.6, stroke=0.17, roundness=0.6, variants=(2,)),
    "br": GlyphStyle(aspect=0.56, stroke=0.16, roundness=0.7, variants=(2, 0)),
    "ar": GlyphStyle(aspect=0.48, stroke=0.13, roundness=0.9, variants=(1, 0)),
    "other": GlyphStyle(aspect=0.5, stroke=0.13, roundness=0.8),
}
_SMALL = stroke_lettering(GlyphStyle(aspect=0.6, stroke=0.16, roundness=0.8, variants=(2, 0)))

CITIES = ("SP-SAO PAULO", "PR-CURITIBA", "RJ-RIO DE JANEIRO", "MG-BELO HORIZONTE", "BA-SALVADOR",
          "SC-JOINVILLE", "RS-PORTO ALEGRE", "PR-PARANAGUA", "ES-VITORIA", "PR-ARAUCARIA",
          "SP-SANTOS", "GO-GOIANIA", "PE-RECIFE")  # fmt: skip


@dataclass(frozen=True)
class Look:
    """What may be varied beyond the jurisdiction's ordinary design."""

    lettering: Lettering
    small: Lettering = _SMALL
    background: BgrImage | None = None
    """A blank design; the title, slogan and colours are then not drawn."""
    paper: Paint | None = None
    ink: Paint | None = None
    variety: float = 0.0
    """0: tidy; 1: everything about sizes, side text and extras varies."""


def ordinary_look(jurisdiction: Jurisdiction) -> Look:
    """The family's own lettering and the jurisdiction's own colours."""
    family = "gb" if jurisdiction.code == "EU-GB" else jurisdiction.family
    return Look(stroke_lettering(STYLES[family]))


def render_plate(
    text: str, jurisdiction: str, *, height_px: int, rng: np.random.Generator
) -> BgrImage:
    """A tidy front view of a plate, drawn without any font: BGR uint8 [height_px, width, 3].

    `text` is the serial with or without separators; `jurisdiction` a code of `JURISDICTIONS`
    ("US-IL", "EU-D", "BR", "AR", "unknown"; KeyError otherwise). The width follows from the family:
    about twice the height for US plates, 4.7 times for one-line European ones.
    """
    entry = JURISDICTIONS[jurisdiction]
    drawn = draw_plate(separated(text, entry, rng), entry, ordinary_look(entry), rng)
    width = max(1, round(drawn.shape[1] * height_px / drawn.shape[0]))
    shrinking = height_px < drawn.shape[0]
    sized: BgrImage = cv2.resize(
        drawn, (width, height_px), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC
    )
    return sized


def draw_plate(
    serial: str, jurisdiction: Jurisdiction, look: Look, rng: np.random.Generator
) -> BgrImage:
    """The plate at its drawing size (96 px high), BGR uint8; `serial` carries its separators."""
    lines = serial.split("|")
    if jurisdiction.family == "us":
        canvas = _us(lines, jurisdiction, look, rng)
    elif jurisdiction.family == "eu":
        canvas = _eu(lines, jurisdiction, look, rng)
    elif jurisdiction.family == "br":
        canvas = _br(lines, look, rng)
    else:
        canvas = _other(lines, jurisdiction, look, rng)
    if look.variety and rng.random() < 0.5 * look.variety:
        bolts(canvas, rng)
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _vary(look: Look, rng: np.random.Generator, middle: float, spread: float) -> float:
    return middle + look.variety * float(rng.uniform(-spread, spread))


def _blank(look: Look, aspect: float, paper: Paint) -> Canvas:
    width = round(_DRAWN_HEIGHT * aspect)
    if look.background is not None:
        sized: BgrImage = cv2.resize(look.background, (width, _DRAWN_HEIGHT))
        return sized.astype(np.float32)
    return np.full((_DRAWN_HEIGHT, width, 3), look.paper or paper, np.float32)


def _colours(jurisdiction: Jurisdiction, look: Look) -> tuple[Paint, Paint]:
    return look.paper or jurisdiction.background, look.ink or jurisdiction.ink


def _border(canvas: Canvas, paint: Paint, inset: int, thick: int) -> None:
    height, width = canvas.shape[:2]
    cv2.rectangle(canvas, (inset, inset), (width - 1 - inset, height - 1 - inset), paint, thick)


def _us(lines: list[str], entry: Jurisdiction, look: Look, rng: np.random.Generator) -> Canvas:
    paper, ink = _colours(entry, look)
    canvas = _blank(look, _vary(look, rng, 2.0, 0.14), paper)
    height, width = canvas.shape[:2]
    tall = height * _vary(look, rng, 0.49, 0.1)
    centre = height * _vary(look, rng, 0.52, 0.06)
    bare = look.background is not None
    if not bare or rng.random() < 0.25:
        top, bottom = centre - tall / 2, height - centre - tall / 2
        title = text_strip(entry.title, look.small)
        if top > 8:
            room = top * _vary(look, rng, 0.62, 0.15)
            paint = ink if rng.random() < 0.7 else (200.0, 60.0, 60.0)
            put_strip(canvas, title, (width / 2, top * 0.52), room, width * 0.6, paint)
        if entry.slogan and bottom > 8:
            room = bottom * _vary(look, rng, 0.48, 0.14)
            slogan = text_strip(entry.slogan, look.small)
            put_strip(canvas, slogan, (width / 2, height - bottom * 0.46), room, width * 0.7, ink)
        if rng.random() < 0.6:
            _border(canvas, ink, 1, 2)
    for left in (0.03, 0.83):
        if rng.random() < 0.25 + 0.3 * look.variety:
            top_edge = 0.04 if rng.random() < 0.75 else 0.8
            sticker(canvas, (left * width, top_edge * height, 0.14 * width, 0.15 * height),
                    look.small, rng)  # fmt: skip
    side = _vary(look, rng, 0.055, 0.03) * width
    room = Line(side, width - side, centre, tall, _vary(look, rng, 0.13, 0.06), 1.1)
    serial = lines[0]
    if look.variety and len(serial) > 3 and rng.random() < 0.05:
        serial = _stacked_prefix(canvas, serial, room, look, ink, rng)
        room = Line(side + tall * 0.45, room.right, centre, tall, room.gap, 1.0)
    draw_line(canvas, serial, room, look.lettering, Ink(ink, _emboss(look, rng)), rng)
    return canvas


def _stacked_prefix(
    canvas: Canvas, serial: str, room: Line, look: Look, ink: Paint, rng: np.random.Generator
) -> str:
    """Small stacked letters before the serial (plate type): drawn, but no part of the text."""
    letters = "ABCDEFGHJKLMNPRSTUVWXYZ"
    for level in (-0.26, 0.26):
        char = letters[int(rng.integers(len(letters)))]
        strip = text_strip(char, look.small)
        centre = (room.left + room.height * 0.2, room.centre_y + level * room.height)
        put_strip(canvas, strip, centre, room.height * 0.4, room.height * 0.4, ink)  # fmt: skip
    return serial


def _emboss(look: Look, rng: np.random.Generator) -> float:
    if not look.variety:
        return 0.35
    return float(rng.uniform(0.2, 1)) if rng.random() < 0.4 else 0.0


def _eu(lines: list[str], entry: Jurisdiction, look: Look, rng: np.random.Generator) -> Canvas:
    paper, ink = _colours(entry, look)
    two = len(lines) > 1
    aspect = _vary(look, rng, 1.42, 0.15) if two else _vary(look, rng, 4.6, 0.5)
    canvas = _blank(look, aspect, paper)
    height, width = canvas.shape[:2]
    left, right = 0.02 * width, 0.98 * width
    if entry.band and rng.random() > 0.25 * look.variety:
        band = (0.2 if two else 0.085) * width * _vary(look, rng, 1.0, 0.15)
        _band(canvas, entry, band, 0.5 * height if two else height, look, rng)
        left = band + 0.01 * width
        if not two and entry.code in ("EU-F", "EU-I") and rng.random() < 0.85:
            right = width - band
            canvas[:, round(right) :] = (160, 70, 20)
            number = text_strip(f"{int(rng.integers(1, 96)):02d}", look.small)
            put_strip(canvas, number, (right + band / 2, height * 0.72), height * 0.26,
                      band * 0.8, (250.0, 250.0, 250.0))  # fmt: skip
    emboss = Ink(ink, _emboss(look, rng) * 0.6)
    gap = _vary(look, rng, 0.13, 0.06)
    if two:
        tall = height * _vary(look, rng, 0.38, 0.04)
        draw_line(canvas, lines[0], Line(left, right, 0.27 * height, tall, gap), look.lettering,
                  emboss, rng)  # fmt: skip
        draw_line(canvas, lines[1], Line(0.03 * width, right, 0.74 * height, tall, gap),
                  look.lettering, emboss, rng)  # fmt: skip
    else:
        tall = height * _vary(look, rng, 0.7, 0.08)
        centre = height * _vary(look, rng, 0.5, 0.04)
        room = Line(left + 0.012 * width, right - 0.012 * width, centre, tall, gap)
        draw_line(canvas, lines[0], room, look.lettering, emboss, rng)
    if rng.random() < 0.7:
        _border(canvas, ink, 0, max(1, round(height * 0.025)))
    return canvas


def _band(
    canvas: Canvas, entry: Jurisdiction, width: float, height: float, look: Look,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    canvas[: round(height), : round(width)] = entry.band or (160, 60, 10)
    centre = (round(width / 2), round(height * 0.32))
    radius = width * 0.3
    for angle in np.arange(12) * np.pi / 6:
        star = (
            round(centre[0] + radius * np.cos(angle)),
            round(centre[1] + radius * np.sin(angle)),
        )
        cv2.circle(canvas, star, max(1, round(width * 0.035)), (60, 215, 250), -1, cv2.LINE_AA)
    letters = text_strip(entry.band_letters, look.small)
    put_strip(canvas, letters, (width / 2, height * _vary(look, rng, 0.77, 0.04)), height * 0.2,
              width * 0.84, (250.0, 250.0, 250.0))  # fmt: skip


def _br(lines: list[str], look: Look, rng: np.random.Generator) -> Canvas:
    serial = "|".join(lines)
    mercosul = len(serial) == 7 and serial[4:5].isalpha()
    two = len(lines) > 1
    aspect = _vary(look, rng, 1.2, 0.1) if two else _vary(look, rng, 3.08, 0.2)
    paper: Paint = (245, 245, 245) if mercosul else (178, 180, 180)
    ink: Paint = (25, 25, 25)
    if not mercosul and rng.random() < 0.35:
        paper, ink = (40, 35, 165), (235, 235, 235)
    paper, ink = look.paper or paper, look.ink or ink
    canvas = _blank(look, aspect, paper)
    height, width = canvas.shape[:2]
    if mercosul:
        canvas[: round(height * 0.22)] = (150, 60, 10)
    words = "BRASIL" if mercosul else CITIES[int(rng.integers(len(CITIES)))]
    top_paint: Paint = (245.0, 245.0, 245.0) if mercosul else ink
    put_strip(canvas, text_strip(words, look.small), (width / 2, height * 0.12),
              height * _vary(look, rng, 0.12, 0.02), width * 0.7, top_paint)  # fmt: skip
    gap = _vary(look, rng, 0.13, 0.05)
    embossed = Ink(ink, _emboss(look, rng) * 0.6)
    if two:
        tall = height * 0.34
        for line, level in zip(lines, (0.4, 0.79), strict=False):
            draw_line(canvas, line, Line(0.08 * width, 0.92 * width, level * height, tall, gap),
                      look.lettering, embossed, rng)  # fmt: skip
    else:
        tall = height * _vary(look, rng, 0.58, 0.06)
        centre = height * _vary(look, rng, 0.59, 0.04)
        room = Line(0.05 * width, 0.95 * width, centre, tall, gap)
        draw_line(canvas, serial, room, look.lettering, embossed, rng)
    if rng.random() < 0.7:
        _border(canvas, ink, 1, 2)
    return canvas


def _other(lines: list[str], entry: Jurisdiction, look: Look, rng: np.random.Generator) -> Canvas:
    paper, ink = _colours(entry, look)
    two = len(lines) > 1
    middle = 1.5 if two else 2.3 if entry.family == "ar" else 3.2
    canvas = _blank(look, _vary(look, rng, middle, 0.2 if entry.family == "ar" else 0.9), paper)
    height, width = canvas.shape[:2]
    if entry.title:
        canvas[: round(height * 0.18)] = (245, 245, 245)
        put_strip(canvas, text_strip(entry.title, look.small), (width / 2, height * 0.09),
                  height * 0.12, width * 0.6, (150.0, 60.0, 20.0))  # fmt: skip
    gap = _vary(look, rng, 0.14, 0.06)
    embossed = Ink(ink, _emboss(look, rng))
    if two:
        tall = height * 0.4
        for line, level in zip(lines, (0.27, 0.74), strict=False):
            draw_line(canvas, line, Line(0.05 * width, 0.95 * width, level * height, tall, gap),
                      look.lettering, embossed, rng)  # fmt: skip
    else:
        tall = height * _vary(look, rng, 0.6, 0.1)
        centre = height * (0.58 if entry.title else 0.5)
        room = Line(0.04 * width, 0.96 * width, centre, tall, gap)
        draw_line(canvas, lines[0], room, look.lettering, embossed, rng)
    if rng.random() < 0.6:
        _border(canvas, ink, 1, 2)
    return canvas
