"""Charts as SVG, drawn here: no script, no font and no picture from anywhere.

Every chart has its sentence for those who do not see it, and a value on each bar or in its title.
"""

from collections.abc import Iterator, Sequence
from itertools import count
from math import ceil

from markupsafe import Markup, escape

from alpr_access_log.audit.charts import WEEKDAYS, Bars, nice_top

_WIDTH, _HEIGHT = 720, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 10, 26
_LABELS = 14
_HALF_A_LABEL = 20
_ROW, _LABEL, _VALUE = 24, 250, 64
_CELL_W, _CELL_H, _DAY_W, _HOUR_H = 27, 22, 44, 20
_MOST_LETTERS = 33


class Pen:
    """Draws charts with ids of their own, for one page."""

    def __init__(self) -> None:
        self._ids = count(1)

    def standing(self, bars: Bars) -> Markup:
        """Bars on a time or number axis."""
        top = nice_top(bars.most)
        inner_w, inner_h = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        step = inner_w / max(len(bars.bars), 1)
        every = ceil(len(bars.bars) / _LABELS) if bars.bars else 1
        parts = list(_grid(top, inner_h))
        for n, bar in enumerate(bars.bars):
            x = _LEFT + n * step + step * 0.12
            y = float(_TOP + inner_h)
            for kind, value in (("v", bar.value), ("m", bar.more)):
                if value:
                    high = value / top * inner_h
                    y -= high
                    parts.append(
                        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{step * 0.76:.1f}" '
                        f'height="{high:.1f}"><title>{escape(bar.label)}: {value:,}</title></rect>'
                    )
            if n % every == 0:
                middle = min(_LEFT + (n + 0.5) * step, _WIDTH - _HALF_A_LABEL)
                parts.append(
                    f'<text class="t" x="{middle:.1f}" y="{_HEIGHT - 8}" text-anchor="middle">'
                    f"{escape(bar.label)}</text>"
                )
        return self._svg(_WIDTH, _HEIGHT, bars.says, parts)

    def lying(self, bars: Bars) -> Markup:
        """Bars with words beside them."""
        room = _WIDTH - _LABEL - _VALUE
        most = max(bars.most, 1)
        parts = []
        for n, bar in enumerate(bars.bars):
            y = n * _ROW
            parts.append(
                f'<text class="l" x="{_LABEL - 10}" y="{y + 16}" text-anchor="end">'
                f"{escape(_cut(bar.label))}</text>"
            )
            x = float(_LABEL)
            for kind, value in (("v", bar.value), ("m", bar.more)):
                wide = value / most * room
                if value:
                    parts.append(
                        f'<rect class="{kind}" x="{x:.1f}" y="{y + 4}" width="{max(wide, 1):.1f}" '
                        f'height="{_ROW - 8}"/>'
                    )
                x += wide
            said = f"{bar.value:,}" + (f" + {bar.more:,}" if bar.more else "")
            parts.append(f'<text class="t" x="{x + 6:.1f}" y="{y + 16}">{said}</text>')
        return self._svg(_WIDTH, max(len(bars.bars), 1) * _ROW + 2, bars.says, parts)

    def heat(self, title: str, grid: Sequence[Sequence[int]]) -> Markup:
        """A week: the darker, the more; the number stands in the cell."""
        most = max((n for row in grid for n in row), default=0)
        parts = [
            f'<text class="t" x="{_DAY_W + (h + 0.5) * _CELL_W:.1f}" y="14" '
            f'text-anchor="middle">{h:02d}</text>'
            for h in range(0, 24, 2)
        ]
        for d, row in enumerate(grid):
            y = _HOUR_H + d * _CELL_H
            parts.append(f'<text class="l" x="0" y="{y + 15}">{WEEKDAYS[d]}</text>')
            for h, n in enumerate(row):
                x = _DAY_W + h * _CELL_W
                level = ceil(5 * n / most) if n else 0
                parts.append(
                    f'<rect class="h{level}" x="{x}" y="{y}" width="{_CELL_W - 2}" '
                    f'height="{_CELL_H - 2}" rx="2"/>'
                )
                if n:
                    parts.append(
                        f'<text class="n{level}" x="{x + (_CELL_W - 2) / 2:.1f}" y="{y + 14}" '
                        f'text-anchor="middle">{n if n < 10_000 else f"{n // 1000}k"}</text>'
                    )
        says = f"{title}: {sum(map(sum, grid))} searches, at most {most} in one hour of the week."
        return self._svg(_DAY_W + 24 * _CELL_W, _HOUR_H + 7 * _CELL_H, says, parts)

    def _svg(self, width: int, height: int, says: str, parts: Sequence[str]) -> Markup:
        # Everything that is not a number was escaped where it was put in.
        name = f"c{next(self._ids)}"
        return Markup(  # noqa: S704
            f'<svg viewBox="0 0 {width} {height}" role="img" aria-labelledby="{name}">'
            f'<title id="{name}">{escape(says)}</title>{"".join(parts)}</svg>'
        )


def _grid(top: int, inner_h: int) -> Iterator[str]:
    steps = [n for n in (4, 3, 2) if top % n == 0][:1] or [1]
    for n in range(steps[0] + 1):
        y = _TOP + inner_h - n / steps[0] * inner_h
        yield f'<line class="g" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield (
            f'<text class="t" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">'
            f"{top * n // steps[0]:,}</text>"
        )


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"
