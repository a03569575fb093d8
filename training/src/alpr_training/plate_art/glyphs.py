"""Plate characters drawn from strokes, so that no font file is needed.

Every character is a few polylines in a unit box (x to the right, y down) whose marked corners are
rounded. A `GlyphStyle` turns them into one of many lettering families: embossed North American,
FE-like, DIN-like, Mandatory-like. Letters that differ between real families (1, 4, 7, 0, G, M, A…)
have variants, chosen by the style.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.uint8]
Vertex = tuple[float, ...]
Stroke = tuple[bool, tuple[Vertex, ...]]
"""(closed, vertices); a vertex is (x, y) when sharp, (x, y, roundness 0..1) when rounded."""

CHARSET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_SUPERSAMPLED_HEIGHT = 104


def _open(*vertices: Vertex) -> Stroke:
    return False, vertices


def _closed(*vertices: Vertex) -> Stroke:
    return True, vertices


_RING = _closed((0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1))
_SIX = _open(
    (1, 0.24), (1, 0, 1), (0, 0, 1), (0, 1, 1), (1, 1, 1), (1, 0.43, 1), (0, 0.43, 1), (0, 0.7)
)
_DIAGONAL_SIX = (
    _open((0.72, 0), (0.06, 0.56)),
    _closed((0, 0.42, 1), (1, 0.42, 1), (1, 1, 1), (0, 1, 1)),
)


def _turned(strokes: tuple[Stroke, ...]) -> tuple[Stroke, ...]:
    return tuple(
        (closed, tuple((1 - v[0], 1 - v[1], *v[2:]) for v in vertices))
        for closed, vertices in strokes
    )


_STROKES: dict[str, tuple[tuple[Stroke, ...], ...]] = {
    "0": (
        (_RING,),
        (_closed((0.1, 0, 1), (0.9, 0, 1), (0.9, 1, 1), (0.1, 1, 1)),),
        (_RING,),
        (_RING, _open((0.28, 0.72), (0.72, 0.28))),
    ),
    "1": (
        (_open((0, 0.24), (0.75, 0), (0.75, 1)),),
        (_open((0.1, 0.2), (0.55, 0), (0.55, 1)), _open((0, 1), (1, 1))),
        (_open((0.5, 0), (0.5, 1)),),
        (_open((0.05, 0.12, 0.4), (0.6, 0.12, 0.6), (0.6, 0), (0.6, 1)),),
    ),
    "2": (
        (_open((0, 0.27), (0, 0, 1), (1, 0, 1), (1, 0.47, 0.9), (0, 1), (1, 1)),),
        (_open((0, 0.24), (0, 0, 1), (1, 0, 1), (1, 0.52, 1), (0, 0.6, 1), (0, 1), (1, 1)),),
    ),
    "3": (
        (
            _open((0, 0.22), (0, 0, 1), (0.96, 0, 1), (0.96, 0.47, 1), (0.34, 0.47)),
            _open((0.34, 0.47), (1, 0.47, 1), (1, 1, 1), (0, 1, 1), (0, 0.78)),
        ),
        (
            _open((0.02, 0), (0.98, 0), (0.42, 0.4)),
            _open((0.42, 0.4), (1, 0.4, 1), (1, 1, 1), (0, 1, 1), (0, 0.8)),
        ),
    ),
    "4": (
        (_open((0.74, 1), (0.74, 0), (0, 0.72), (1.04, 0.72)),),
        (_open((0.2, 0), (0, 0.62), (1, 0.62)), _open((0.72, 0.34), (0.72, 1))),
        (_open((0.55, 0), (0, 0.74), (1.04, 0.74)), _open((0.76, 0.45), (0.76, 1))),
    ),
    "5": (
        (_open((0.95, 0), (0.06, 0), (0.04, 0.42), (1, 0.42, 1), (1, 1, 1), (0, 1, 1), (0, 0.78)),),
        (
            _open((0.94, 0), (0.12, 0), (0.02, 0.5)),
            _open((0.02, 0.5), (0.1, 0.38, 0.6), (1, 0.38, 1), (1, 1, 1), (0, 1, 1), (0, 0.78)),
        ),
    ),
    "6": ((_SIX,), (_SIX,), _DIAGONAL_SIX),
    "7": (
        (_open((0, 0), (1, 0), (0.34, 1)),),
        (_open((0, 0), (1, 0), (1, 0.18, 0.5), (0.42, 0.55, 0.8), (0.36, 1)),),
        (_open((0, 0.14), (0, 0), (1, 0), (0.3, 1)),),
    ),
    "8": (
        (
            _closed((0.05, 0, 1), (0.95, 0, 1), (0.95, 0.47, 1), (0.05, 0.47, 1)),
            _closed((0, 0.47, 1), (1, 0.47, 1), (1, 1, 1), (0, 1, 1)),
        ),
    ),
    "9": (_turned((_SIX,)), _turned((_SIX,)), _turned(_DIAGONAL_SIX)),
    "A": (
        (_open((0, 1), (0.5, 0), (1, 1)), _open((0.17, 0.68), (0.83, 0.68))),
        (_open((0, 1), (0.4, 0), (0.6, 0), (1, 1)), _open((0.16, 0.68), (0.84, 0.68))),
        (_open((0, 1), (0.46, 0), (0.54, 0), (1, 1)), _open((0.12, 0.74), (0.88, 0.74))),
    ),
    "B": (
        (
            _open((0, 0.47), (0, 0), (0.95, 0, 1), (0.95, 0.47, 1), (0, 0.47)),
            _open((0, 0.47), (1, 0.47, 1), (1, 1, 1), (0, 1), (0, 0.47)),
        ),
    ),
    "C": ((_open((1, 0.26), (1, 0, 1), (0, 0, 1), (0, 1, 1), (1, 1, 1), (1, 0.74)),),),
    "D": (
        (_closed((0, 0), (1, 0, 1), (1, 1, 1), (0, 1)),),
        (_closed((0, 0), (0.7, 0), (1, 0.25, 0.6), (1, 0.75, 0.6), (0.7, 1), (0, 1)),),
    ),
    "E": (
        (_open((0.95, 0), (0, 0), (0, 1), (1, 1)), _open((0, 0.48), (0.82, 0.48))),
        (_open((1, 0), (0, 0), (0, 1), (1, 1)), _open((0, 0.48), (0.98, 0.48))),
    ),
    "F": ((_open((0.96, 0), (0, 0), (0, 1)), _open((0, 0.48), (0.82, 0.48))),),
    "G": (
        (_open((1, 0.25), (1, 0, 1), (0, 0, 1), (0, 1, 1), (1, 1, 1), (1, 0.55), (0.55, 0.55)),),
        (
            _open((1, 0.22), (1, 0, 1), (0, 0, 1), (0, 1, 1), (0.9, 1, 0.8), (1, 0.86), (1, 0.5)),
            _open((1, 0.5), (0.5, 0.5)),
        ),
        (
            _open((0.98, 0.2), (0.9, 0, 1), (0, 0, 1), (0, 1, 1), (1, 1, 1), (1, 0.6)),
            _open((0.6, 0.6), (1.1, 0.6)),
        ),
    ),
    "H": ((_open((0, 0), (0, 1)), _open((1, 0), (1, 1)), _open((0, 0.48), (1, 0.48))),),
    "I": (
        (_open((0.5, 0), (0.5, 1)),),
        (_open((0.5, 0), (0.5, 1)), _open((0, 0), (1, 0)), _open((0, 1), (1, 1))),
    ),
    "J": (
        (_open((1, 0), (1, 1, 1), (0, 1, 1), (0, 0.7)),),
        (_open((0.35, 0), (1, 0), (1, 1, 1), (0, 1, 1), (0, 0.74)),),
    ),
    "K": (
        (
            _open((0, 0), (0, 1)),
            _open((0.96, 0), (0, 0.6)),
            _open((0.32, 0.41), (1, 1)),
        ),
        (_open((0, 0), (0, 1)), _open((0.95, 0), (0.12, 0.5), (1, 1))),
    ),
    "L": ((_open((0, 0), (0, 1), (0.96, 1)),),),
    "M": (
        (_open((0, 1), (0, 0), (0.5, 0.62), (1, 0), (1, 1)),),
        (_open((0, 1), (0, 0), (0.5, 0.42), (1, 0), (1, 1)),),
        (_open((0, 1), (0, 0), (0.5, 1), (1, 0), (1, 1)),),
        (_open((0, 1), (0.08, 0), (0.5, 0.8), (0.92, 0), (1, 1)),),
    ),
    "N": ((_open((0, 1), (0, 0), (1, 1), (1, 0)),),),
    "O": ((_RING,),),
    "P": ((_open((0, 1), (0, 0), (1, 0, 1), (1, 0.53, 1), (0, 0.53)),),),
    "Q": (
        (_RING, _open((0.58, 0.7), (1.02, 1.04))),
        (_RING, _open((0.5, 0.78), (0.95, 1.1))),
    ),
    "R": (
        (
            _open((0, 1), (0, 0), (1, 0, 1), (1, 0.52, 1), (0, 0.52)),
            _open((0.5, 0.52), (1, 1)),
        ),
        (
            _open((0, 1), (0, 0), (1, 0, 1), (1, 0.5, 1), (0, 0.5)),
            _open((0.55, 0.5), (0.96, 0.54, 0.8), (1, 1)),
        ),
    ),
    "S": (
        (
            _open(
                (1, 0.24),
                (1, 0, 1),
                (0, 0, 1),
                (0, 0.48, 1),
                (1, 0.48, 1),
                (1, 1, 1),
                (0, 1, 1),
                (0, 0.76),
            ),
        ),
        (
            _open(
                (0.96, 0.2),
                (0.96, 0, 1),
                (0, 0, 1),
                (0, 0.4, 1),
                (1, 0.56, 1),
                (1, 1, 1),
                (0, 1, 1),
                (0, 0.78),
            ),
        ),
    ),
    "T": ((_open((0, 0), (1, 0)), _open((0.5, 0), (0.5, 1))),),
    "U": ((_open((0, 0), (0, 1, 1), (1, 1, 1), (1, 0)),),),
    "V": ((_open((0, 0), (0.5, 1), (1, 0)),), (_open((0, 0), (0.44, 1), (0.56, 1), (1, 0)),)),
    "W": (
        (_open((0, 0), (0.24, 1), (0.5, 0.25), (0.76, 1), (1, 0)),),
        (_open((0, 0), (0, 1), (0.5, 0.4), (1, 1), (1, 0)),),
        (_open((0, 0), (0.2, 1), (0.5, 0), (0.8, 1), (1, 0)),),
        (_open((0, 0), (0.14, 1), (0.5, 0.45), (0.86, 1), (1, 0)),),
    ),
    "X": ((_open((0, 0), (1, 1)), _open((1, 0), (0, 1))),),
    "Y": ((_open((0, 0), (0.5, 0.5), (1, 0)), _open((0.5, 0.5), (0.5, 1))),),
    "Z": ((_open((0, 0), (1, 0), (0, 1), (1, 1)),),),
    "-": ((_open((0, 0.5), (1, 0.5)),),),
    ".": ((_open((0.5, 0.98), (0.5, 1)),),),
    "/": ((_open((0, 1), (1, 0)),),),
    "&": ((_RING, _open((0.2, 0.5), (1.1, 1.1))),),
    "'": ((_open((0.5, 0), (0.5, 0.2)),),),
}

_RELATIVE_WIDTH = {
    "I": 0.62, "1": 0.72, "M": 1.16, "W": 1.24, "J": 0.9, "L": 0.92, "E": 0.93, "F": 0.93,
    "O": 1.04, "Q": 1.04, "-": 0.6, ".": 0.3, "'": 0.3, "T": 0.98, "A": 1.06, "V": 1.04,
}  # fmt: skip


@dataclass(frozen=True)
class GlyphStyle:
    """One lettering family: proportions relative to the character height."""

    aspect: float = 0.5
    """Width of an ordinary character over its height."""
    stroke: float = 0.12
    roundness: float = 0.8
    """0: square corners, 1: half circles."""
    slant: float = 0.0
    monospaced: bool = False
    variants: tuple[int, ...] = field(default=(0,))
    """Picks among each character's variants: character number k uses entry k modulo length."""

    def variant_of(self, char: str) -> int:
        count = len(_STROKES[char])
        return self.variants[ord(char) % len(self.variants)] % count


def drawable(char: str) -> bool:
    """Whether `char` (upper case) has strokes."""
    return char in _STROKES


def glyph_mask(char: str, style: GlyphStyle) -> Mask:
    """Coverage of one character, uint8 [about 104, width], cropped to its ink.

    Raises KeyError for a character without strokes (see `drawable`).
    """
    height = _SUPERSAMPLED_HEIGHT
    width = height * style.aspect * _RELATIVE_WIDTH.get(char, 1.0)
    if style.monospaced and char not in "I1-.'":
        width = height * style.aspect
    pen = max(2, round(height * style.stroke))
    pad = pen
    skeleton_w = max(1.0, width - pen)
    skeleton_h = height - pen
    lean = style.slant * skeleton_h
    canvas = np.zeros((height + 2 * pad, int(width + 2 * pad + abs(lean) + pen)), np.uint8)
    radius = style.roundness * min(skeleton_w, skeleton_h) * 0.5
    for closed, vertices in _STROKES[char][style.variant_of(char)]:
        points = _rounded(vertices, closed, skeleton_w, skeleton_h, radius)
        points[:, 0] += (skeleton_h - points[:, 1]) * style.slant
        points += pad + pen / 2
        fixed = np.round(points * 16).astype(np.int32)
        cv2.polylines(canvas, [fixed], closed, 255, pen, cv2.LINE_AA, 4)
    columns = np.flatnonzero(canvas.max(axis=0) > 60)
    rows = np.flatnonzero(canvas.max(axis=1) > 60)
    return canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _rounded(
    vertices: tuple[Vertex, ...], closed: bool, width: float, height: float, radius: float
) -> npt.NDArray[np.float64]:
    points = np.array([(v[0] * width, v[1] * height) for v in vertices], np.float64)
    count = len(points)
    path: list[npt.NDArray[np.float64]] = []
    for index, vertex in enumerate(vertices):
        here = points[index]
        rounding = vertex[2] if len(vertex) > 2 else 0.0
        if not rounding or (not closed and index in (0, count - 1)):
            path.append(here[None])
            continue
        before = points[index - 1] - here
        after = points[(index + 1) % count] - here
        reach = radius * rounding
        into = before * min(0.5, reach / max(1e-6, float(np.hypot(*before))))
        out = after * min(0.5, reach / max(1e-6, float(np.hypot(*after))))
        t = np.linspace(0, 1, 7)[:, None]
        # A conic with this weight is a circle's quarter when both legs are equal and perpendicular.
        weight = 0.7071
        denominator = (1 - t) ** 2 + 2 * weight * t * (1 - t) + t**2
        corner = ((1 - t) ** 2 * (here + into) + 2 * weight * t * (1 - t) * here
                  + t**2 * (here + out)) / denominator  # fmt: skip
        path.append(corner)
    return np.concatenate(path)
