"""Charts in the PDF: boxes, lines and numbers."""

from math import ceil

from alpr_access_log.audit.charts import WEEKDAYS, Bars, nice_top
from alpr_access_log.audit.document.blocks import Heat
from alpr_access_log.evidence.sheet import GREY, INK, LINE, MARGIN, WIDTH, Sheet, latin

BLUE, ORANGE = (31, 95, 168), (224, 154, 79)
_SHADES = (
    (242, 244, 247), (214, 228, 245), (169, 200, 236), (111, 163, 218), (60, 124, 192),
    (23, 79, 145),
)  # fmt: skip
_AXIS, _HEIGHT, _LABELS = 12.0, 42.0, 12
_LABEL, _VALUE, _ROW = 58.0, 20.0, 6.0
_DAY, _CELL_W, _CELL_H = 11.0, 6.8, 5.6


def draw_standing(paper: Sheet, bars: Bars) -> None:
    """Bars on a time or number axis."""
    top = nice_top(bars.most)
    left, upper = MARGIN + _AXIS, paper.get_y() + 1
    step = (WIDTH - _AXIS) / max(len(bars.bars), 1)
    _small(paper, GREY)
    steps = next((n for n in (4, 3, 2) if top % n == 0), 1)
    for n in range(steps + 1):
        y = upper + _HEIGHT * (1 - n / steps)
        paper.set_draw_color(*LINE)
        paper.line(left, y, MARGIN + WIDTH, y)
        paper.set_xy(MARGIN, y - 2)
        paper.cell(_AXIS - 2, 4, f"{top * n // steps:,}", align="R")
    every = ceil(len(bars.bars) / _LABELS)
    for n, bar in enumerate(bars.bars):
        y = upper + _HEIGHT
        for colour, value in ((BLUE, bar.value), (ORANGE, bar.more)):
            high = value / top * _HEIGHT
            y -= high
            if value:
                paper.set_fill_color(*colour)
                paper.rect(left + (n + 0.12) * step, y, step * 0.76, high, style="F")
        if n % every == 0:
            paper.set_xy(left + (n + 0.5) * step - 10, upper + _HEIGHT + 0.8)
            paper.cell(20, 4, latin(bar.label), align="C")
    _done(paper, upper + _HEIGHT + 7)


def draw_lying(paper: Sheet, bars: Bars) -> None:
    """Bars with words beside them."""
    most, room = max(bars.most, 1), WIDTH - _LABEL - _VALUE
    y = paper.get_y() + 0.5
    for bar in bars.bars:
        if y > paper.h - 30:
            paper.add_page()
            y = paper.get_y()
        _small(paper, INK, 8)
        paper.set_xy(MARGIN, y)
        label = latin(bar.label)
        paper.cell(_LABEL - 3, _ROW, label if len(label) <= 40 else f"{label[:38]}...", align="R")
        x = MARGIN + _LABEL
        for colour, value in ((BLUE, bar.value), (ORANGE, bar.more)):
            wide = value / most * room
            if value:
                paper.set_fill_color(*colour)
                paper.rect(x, y + 1.1, max(wide, 0.3), _ROW - 2.2, style="F")
            x += wide
        _small(paper, GREY)
        paper.set_xy(x + 1, y)
        paper.cell(30, _ROW, f"{bar.value:,}" + (f" + {bar.more:,}" if bar.more else ""))
        y += _ROW
    _done(paper, y + 1)


def draw_heat(paper: Sheet, heat: Heat) -> None:
    """A week: the darker, the more; the number stands in the cell."""
    most = max((n for row in heat.grid for n in row), default=0)
    upper = paper.get_y() + 1
    for hour in range(0, 24, 2):
        _small(paper, GREY)
        paper.set_xy(MARGIN + _DAY + hour * _CELL_W, upper)
        paper.cell(_CELL_W, 4, f"{hour:02d}", align="C")
    for weekday, row in enumerate(heat.grid):
        y = upper + 4.5 + weekday * _CELL_H
        _small(paper, INK, 8)
        paper.set_xy(MARGIN, y)
        paper.cell(_DAY, _CELL_H, WEEKDAYS[weekday])
        for hour, n in enumerate(row):
            level = ceil(5 * n / most) if n else 0
            x = MARGIN + _DAY + hour * _CELL_W
            paper.set_fill_color(*_SHADES[level])
            paper.rect(x, y + 0.3, _CELL_W - 0.5, _CELL_H - 0.6, style="F")
            if n:
                _small(paper, (255, 255, 255) if level > 3 else INK, 6)
                paper.set_xy(x, y)
                paper.cell(_CELL_W - 0.5, _CELL_H, str(n) if n < 10_000 else f"{n // 1000}k",
                           align="C")  # fmt: skip
    _done(paper, upper + 4.5 + 7 * _CELL_H + 1)


def _small(paper: Sheet, colour: tuple[int, int, int], size: float = 7) -> None:
    paper.set_font("Helvetica", size=size)
    paper.set_text_color(*colour)


def _done(paper: Sheet, y: float) -> None:
    paper.set_fill_color(255, 255, 255)
    paper.set_text_color(*INK)
    paper.set_draw_color(*LINE)
    paper.set_xy(MARGIN, y)
