"""Putting ink on a plate: masks, strips of small text, emblems, stickers, bolts."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from alpr_training.plate_art.glyphs import GlyphStyle, Mask, drawable, glyph_mask

Canvas = npt.NDArray[np.float32]
"""BGR, [height, width, 3], 0..255."""
Lettering = Callable[[str], Mask]
"""Coverage of one character, cropped to its ink; what fonts and strokes have in common."""
Paint = tuple[float, float, float]


def stroke_lettering(style: GlyphStyle) -> Lettering:
    """Lettering drawn from strokes; each character is drawn once and remembered."""
    drawn: dict[str, Mask] = {}

    def lettering(char: str) -> Mask:
        if char not in drawn:
            drawn[char] = glyph_mask(char, style)
        return drawn[char]

    return lettering


def put_mask(
    canvas: Canvas, mask: Mask, box: tuple[float, float, float, float], paint: Paint
) -> None:
    """Blend `paint` in where `mask`, stretched into box (x, y, width, height), covers."""
    left, top = round(box[0]), round(box[1])
    width, height = max(1, round(box[2])), max(1, round(box[3]))
    shrinking = mask.shape[0] > height
    sized = cv2.resize(
        mask, (width, height), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    )
    rows, columns = canvas.shape[:2]
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(columns, left + width), min(rows, top + height)
    if x1 <= x0 or y1 <= y0:
        return
    cover = sized[y0 - top : y1 - top, x0 - left : x1 - left].astype(np.float32)[..., None] / 255
    area = canvas[y0:y1, x0:x1]
    area += cover * (np.array(paint, np.float32) - area)


def text_strip(words: str, lettering: Lettering, *, gap: float = 0.14) -> Mask:
    """One line of small text as a mask, 64 px high; characters without strokes are left out."""
    height = 64
    pieces: list[Mask] = []
    spacer = np.zeros((height, max(1, int(height * gap))), np.uint8)
    for char in words:
        if char == " ":
            pieces.append(np.zeros((height, height // 3), np.uint8))
            continue
        if not drawable(char.upper()):
            continue
        glyph = lettering(char)
        if char in ".,'-":
            piece = np.zeros((height, 12), np.uint8)
            level = {"'": 4, "-": 28}.get(char, 52)
            piece[level : level + 10] = 255
        else:
            width = max(2, round(glyph.shape[1] * height / glyph.shape[0]))
            piece = cv2.resize(glyph, (width, height), interpolation=cv2.INTER_AREA)
        pieces += [piece, spacer]
    if not pieces:
        return np.zeros((height, 4), np.uint8)
    return np.concatenate(pieces, axis=1)


def put_strip(
    canvas: Canvas, strip: Mask, centre: tuple[float, float], height: float, widest: float,
    paint: Paint,
) -> None:  # fmt: skip
    """Centre a text strip at (x, y), `height` high, squeezed to at most `widest` px."""
    width = min(widest, strip.shape[1] * height / strip.shape[0])
    put_mask(canvas, strip, (centre[0] - width / 2, centre[1] - height / 2, width, height), paint)


def emblem(
    canvas: Canvas, centre: tuple[float, float], size: float, rng: np.random.Generator
) -> None:
    """A seal, coat of arms or state outline: a small blob that is no character."""
    x, y = centre
    paint = tuple(float(v) for v in rng.uniform(20, 220, 3))
    kind = int(rng.integers(4))
    radius = max(2, round(size / 2))
    middle = (round(x), round(y))
    if kind == 0:
        cv2.circle(canvas, middle, radius, paint, -1, cv2.LINE_AA)
        inner = tuple(float(v) for v in rng.uniform(20, 240, 3))
        cv2.circle(canvas, middle, max(1, radius // 2), inner, -1, cv2.LINE_AA)
    elif kind == 1:
        corners = np.array(
            [(x - radius, y - radius), (x + radius, y - radius), (x + radius, y + radius * 0.3),
             (x, y + radius * 1.2), (x - radius, y + radius * 0.3)], np.int32,
        )  # fmt: skip
        cv2.fillPoly(canvas, [corners], paint, cv2.LINE_AA)
    elif kind == 2:
        angles = np.sort(rng.uniform(0, 2 * np.pi, 8))
        reach = radius * rng.uniform(0.5, 1.1, 8)
        outline = np.stack([x + reach * np.cos(angles), y + reach * np.sin(angles)], 1)
        cv2.fillPoly(canvas, [outline.astype(np.int32)], paint, cv2.LINE_AA)
    else:
        # Two seals above each other, as on German and Slovak plates.
        for dy in (-0.62, 0.62):
            ring = tuple(float(v) for v in rng.uniform(20, 220, 3))
            cv2.circle(
                canvas, (middle[0], round(y + dy * size)), max(2, round(radius * 0.62)), ring, -1,
                cv2.LINE_AA,
            )  # fmt: skip


def sticker(
    canvas: Canvas, box: tuple[float, float, float, float], lettering: Lettering,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """A validation sticker in box (x, y, width, height) with a month, year or number on it."""
    x, y, width, height = box
    paper = tuple(float(v) for v in rng.uniform(30, 250, 3))
    cv2.rectangle(canvas, (round(x), round(y)), (round(x + width), round(y + height)), paper, -1)
    months = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
    words = months[int(rng.integers(12))] if rng.random() < 0.5 else f"{int(rng.integers(100)):02d}"
    dark = sum(paper) < 360
    ink = (240.0, 240.0, 240.0) if dark else (20.0, 20.0, 20.0)
    strip = text_strip(words, lettering)
    put_strip(canvas, strip, (x + width / 2, y + height / 2), height * 0.62, width * 0.86, ink)


def bolts(canvas: Canvas, rng: np.random.Generator) -> None:
    """Mounting holes or screws, in pairs."""
    height, width = canvas.shape[:2]
    paint = tuple(float(v) for v in rng.uniform(0, 190, 3))
    inset = rng.uniform(0.12, 0.26)
    radius = max(1, round(height * rng.uniform(0.015, 0.035)))
    for level in (rng.uniform(0.05, 0.1), rng.uniform(0.9, 0.95)):
        if rng.random() < 0.5:
            for x in (inset * width, (1 - inset) * width):
                centre = (round(x), round(level * height))
                if rng.random() < 0.4:
                    cv2.ellipse(canvas, centre, (radius * 2, radius), 0, 0, 360, paint, -1)
                else:
                    cv2.circle(canvas, centre, radius, paint, -1, cv2.LINE_AA)
