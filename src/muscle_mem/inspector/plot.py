"""A plot of runs over time as SVG, without inline styles.

The content security policy forbids these.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import msgspec

WIDTH, HEIGHT = 720, 230
LEFT, BOTTOM, TOP = 44, 24, 10
STATUSES = ("hit", "diverged", "miss")
"""The parts of a bar, from below."""

_STEPS = (1, 2, 3, 4, 5, 6, 8)


class Bar(msgspec.Struct, frozen=True):
    """The runs of one day: its name, and counts by status."""

    label: str
    hit: int = 0
    diverged: int = 0
    miss: int = 0

    @property
    def total(self) -> int:
        """Return the number of runs."""
        return self.hit + self.diverged + self.miss

    @property
    def rate(self) -> str:
        """Return the hit rate as text."""
        return f"{self.hit / self.total:.0%}" if self.total else "none"


def nice_ceiling(most: int) -> int:
    """Return the smallest of 1, 2, 3, 4, 5, 6, 8, 10, 20, ... above a number."""
    unit = 1
    while True:
        for step in _STEPS:
            if step * unit >= most:
                return step * unit
        unit *= 10


def plot(bars: Sequence[Bar]) -> str:
    """Return stacked bars, one for each day, as an SVG element.

    Its colors come from the classes `hit`, `diverged` and `miss` of the style sheet.
    """
    top = nice_ceiling(max((bar.total for bar in bars), default=1) or 1)
    tall, wide = HEIGHT - BOTTOM - TOP, WIDTH - LEFT
    slot = wide / max(1, len(bars))
    parts = [*_grid(top, tall)]
    every = max(1, -(-len(bars) // 8))
    for index, bar in enumerate(bars):
        x = LEFT + index * slot
        parts.append(f'<g class="day"><title>{escape(_title(bar))}</title>')
        parts.append(f'<rect class="slot" x="{x:.1f}" y="{TOP}" width="{slot:.1f}" height="{tall}"/>')
        y = float(HEIGHT - BOTTOM)
        for status in STATUSES:
            height = getattr(bar, status) / top * tall
            if height:
                y -= height
                width = max(1.0, min(slot * 0.72, 40))
                parts.append(
                    f'<rect class="{status}" x="{x + (slot - width) / 2:.1f}" y="{y:.1f}" '
                    f'width="{width:.1f}" height="{height:.1f}"/>'
                )
        parts.append("</g>")
        if index % every == 0:
            parts.append(
                f'<text class="tick" x="{x + slot / 2:.1f}" y="{HEIGHT - 8}" text-anchor="middle">'
                f"{escape(bar.label[5:])}</text>"
            )
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Runs a day, by status">'
        f"{''.join(parts)}</svg>"
    )


def _grid(top: int, tall: int) -> list[str]:
    found = []
    for part in (0, 0.5, 1) if top > 1 else (0, 1):
        y = HEIGHT - BOTTOM - part * tall
        found.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        if part:
            value = f"{top * part:g}"
            found.append(f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value}</text>')
    return found


def _title(bar: Bar) -> str:
    return f"{bar.label}: {bar.hit} hits, {bar.diverged} diverged, {bar.miss} misses; hit rate {bar.rate}"
