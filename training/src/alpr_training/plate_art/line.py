"""Laying one line of serial characters into the room a plate gives it."""

from dataclasses import dataclass

import numpy as np

from alpr_training.plate_art.canvas import Canvas, Lettering, Paint, emblem, put_mask


@dataclass(frozen=True)
class Line:
    """Room for one line of characters, in px of the canvas."""

    left: float
    right: float
    centre_y: float
    height: float
    gap: float = 0.14
    """Between characters, in units of the character height."""
    widest_stretch: float = 1.15


@dataclass(frozen=True)
class Ink:
    paint: Paint
    emboss: float = 0.0
    """0 flat … 1 strong light and shadow at the edges of the characters."""


_SEPARATOR_WIDTH = {" ": 0.34, "-": 0.42, ".": 0.26, "s": 0.56}


def draw_line(
    canvas: Canvas, serial: str, room: Line, lettering: Lettering, ink: Ink,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Draw `serial` (with separators) centred in `room`; it is squeezed when it would not fit."""
    if not serial:
        return
    masks = {c: lettering(c) for c in set(serial) if c not in _SEPARATOR_WIDTH}
    units = 0.0
    for char in serial:
        units += _width(char, masks) + room.gap
    units -= room.gap
    available = (room.right - room.left) / room.height
    stretch = min(room.widest_stretch, available / max(units, 1e-3))
    used = units * stretch * room.height
    x = room.left + (room.right - room.left - used) * rng.uniform(0.4, 0.6)
    scale = stretch * room.height
    top = room.centre_y - room.height / 2
    for char in serial:
        width = _width(char, masks) * scale
        if char in _SEPARATOR_WIDTH:
            _separate(canvas, char, (x, x + width), room, ink, rng)
        else:
            _letter(canvas, masks[char], (x, top, width, room.height), ink)
        x += width + room.gap * scale


def _width(char: str, masks: dict[str, np.ndarray]) -> float:
    if char in _SEPARATOR_WIDTH:
        return _SEPARATOR_WIDTH[char]
    height, width = masks[char].shape
    return float(width / height)


def _letter(
    canvas: Canvas, mask: np.ndarray, box: tuple[float, float, float, float], ink: Ink
) -> None:
    x, y, width, height = box
    if ink.emboss > 0:
        offset = max(1.0, height * 0.03)
        light, dark = 1 + 0.25 * ink.emboss, 1 - 0.4 * ink.emboss
        row, column = (
            int(np.clip(y, 0, canvas.shape[0] - 1)),
            int(np.clip(x + width / 2, 0, canvas.shape[1] - 1)),
        )
        paper = canvas[max(0, row - 1), column]
        for shift, level in ((-offset, light), (offset, dark)):
            b, g, r = (float(min(255.0, v * level)) for v in paper)
            put_mask(canvas, mask, (x + shift, y + shift, width, height), (b, g, r))
    put_mask(canvas, mask, (x, y, width, height), ink.paint)


def _separate(
    canvas: Canvas, char: str, span: tuple[float, float], room: Line, ink: Ink,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    middle = (span[0] + span[1]) / 2
    thick = max(1.0, room.height * rng.uniform(0.08, 0.14))
    full = np.full((4, 4), 255, np.uint8)
    if char == "-":
        half = (span[1] - span[0]) * 0.42
        put_mask(
            canvas, full, (middle - half, room.centre_y - thick / 2, 2 * half, thick), ink.paint
        )
    elif char == ".":
        put_mask(
            canvas, full, (middle - thick / 2, room.centre_y - thick / 2, thick, thick), ink.paint
        )
    elif char == "s":
        y = room.centre_y + room.height * rng.uniform(-0.25, 0.25)
        emblem(canvas, (middle, y), (span[1] - span[0]) * rng.uniform(0.55, 1.1), rng)
