"""The letterings that synthetic plates are written in: own strokes and installed fonts."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from alpr_training.plate_art import GlyphStyle
from alpr_training.plate_art.canvas import Lettering, stroke_lettering
from alpr_training.plate_art.glyphs import Mask

FONT_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
FONT_PACKAGES = (
    "fonts-roadgeek fonts-opendin fonts-routed-gothic fonts-liberation fonts-liberation2 "
    "fonts-roboto-unhinted fonts-urw-base35 fonts-b612 fonts-national-park fonts-bebas-neue "
    "fonts-osifont fonts-freefont-ttf fonts-dejavu-core"
)
# File name stems whose upper case resembles plate characters, with a weight each.
_PLATE_LIKE = {
    "RG2014B": 3, "RG2014C": 3, "RG2014D": 3, "OSP-DIN": 5, "routed-gothic-narrow": 3,
    "routed-gothic": 2, "routed-gothic-half-italic": 0, "LiberationSansNarrow-Bold": 2,
    "LiberationSans-Bold": 1, "LiberationMono-Bold": 1, "NimbusSansNarrow-Bold": 2,
    "NimbusSansNarrow-Regular": 1, "DejaVuSansMono-Bold": 1, "DejaVuSansCondensed-Bold": 1,
    "RobotoCondensed-Bold": 2, "RobotoCondensed-Regular": 1, "Roboto-Bold": 1, "FreeSansBold": 1,
    "BebasNeue": 1, "BebasNeue-Regular": 1, "osifont-lgpl3fe": 2, "osifont": 2, "B612Mono-Bold": 1,
    "B612-Bold": 1, "NationalPark-Bold": 1, "NationalPark-Heavy": 1, "Lato-Bold": 1,
    "OpenSans-CondBold": 1, "JetBrainsMono-Bold": 1,
}  # fmt: skip


class FontsMissing(RuntimeError):
    """None of the fonts that synthetic plates vary over is installed."""


def plate_fonts() -> list[Path]:
    """Installed font files that look like plate lettering, repeated by weight.

    Raises FontsMissing naming the packages when there is not one.
    """
    found: list[Path] = []
    for folder in FONT_FOLDERS:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in (".ttf", ".otf", ".t1"):
                found += [path] * _PLATE_LIKE.get(path.stem, 0)
    if not found:
        raise FontsMissing(f"no plate-like font is installed: apt-get install {FONT_PACKAGES}")
    return found


def font_lettering(path: Path, weight_px: int) -> Lettering:
    """Lettering from a font file; `weight_px` dilates (> 0) or erodes (< 0) its strokes."""
    font = ImageFont.truetype(str(path), 90)
    drawn: dict[str, Mask] = {}

    def lettering(char: str) -> Mask:
        if char not in drawn:
            image = Image.new("L", (190, 160))
            ImageDraw.Draw(image).text((30, 20), char, 255, font=font)
            mask = np.array(image)
            if weight_px:
                kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(weight_px) + 1,) * 2)
                mask = cv2.dilate(mask, kernel) if weight_px > 0 else cv2.erode(mask, kernel)
            rows, columns = np.nonzero(mask > 60)
            if not len(rows):
                raise ValueError(f"{path.name} has no ink for {char!r}")
            drawn[char] = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        return drawn[char]

    return lettering


def random_style(rng: np.random.Generator, family: str) -> GlyphStyle:
    """A stroke lettering somewhere near the family's own."""
    aspect, stroke, roundness = {
        "us": ((0.4, 0.56), (0.085, 0.16), (0.55, 1.0)),
        "eu": ((0.44, 0.62), (0.1, 0.17), (0.5, 1.0)),
        "br": ((0.46, 0.64), (0.12, 0.2), (0.4, 1.0)),
    }.get(family, ((0.4, 0.65), (0.09, 0.19), (0.4, 1.0)))
    return GlyphStyle(
        float(rng.uniform(*aspect)),
        float(rng.uniform(*stroke)),
        float(rng.uniform(*roundness)),
        monospaced=bool(rng.random() < 0.3),
        variants=tuple(int(v) for v in rng.integers(0, 4, 7)),
    )


def lettering_stock(rng: np.random.Generator, family: str, count: int) -> list[Lettering]:
    """`count` letterings to draw from for plates of one family: two thirds strokes."""
    fonts = plate_fonts()
    stock: list[Lettering] = []
    for _ in range(count):
        if rng.random() < 0.62:
            stock.append(stroke_lettering(random_style(rng, family)))
        else:
            weight = int(rng.choice([-2, 0, 0, 0, 1, 2, 3]))
            stock.append(font_lettering(fonts[int(rng.integers(len(fonts)))], weight))
    return stock


def small_stock(rng: np.random.Generator, count: int) -> list[Lettering]:
    """Letterings for titles, slogans and stickers: any installed Latin font, or strokes."""
    fonts = plate_fonts()
    stock = [stroke_lettering(random_style(rng, "other")) for _ in range(count // 2)]
    while len(stock) < count:
        stock.append(font_lettering(fonts[int(rng.integers(len(fonts)))], 0))
    return stock


__all__ = ["FontsMissing", "lettering_stock", "plate_fonts", "small_stock"]
