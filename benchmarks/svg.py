"""Plots as SVG, written by hand: text and two kinds of marks, readable on light and on dark ground."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

WIDTH = 860
LEFT, RIGHT, TOP, BOTTOM = 390, 70, 44, 30
STYLE = """
 text { font: 13px system-ui, sans-serif; fill: #24292f }
 .quiet { fill: #57606a; font-size: 11px } .axis { stroke: #d0d7de } .a { fill: #0969da; stroke: #0969da }
 .b { fill: #bc4c00; stroke: #bc4c00 } .c { fill: #57606a; stroke: #57606a } .line { fill: none; stroke-width: 2 }
 .target { stroke: #1a7f37; stroke-width: 2 }
 @media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .quiet { fill: #9198a1 } .axis { stroke: #3d444d } .a { fill: #4493f8; stroke: #4493f8 }
  .b { fill: #f0883e; stroke: #f0883e } .c { fill: #9198a1; stroke: #9198a1 } .target { stroke: #3fb950 }
 }
"""
Bar = tuple[str, float | None, float | None, float | None]  # label, ours, prototype, target


class Scale:
    """Powers of ten from the smallest value to the largest, onto pixels."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        """Raises ValueError without a value above zero."""
        above = [value for value in values if value > 0]
        if not above:
            raise ValueError("a logarithmic scale needs a value above zero")
        self.low = math.floor(math.log10(min(above)))
        self.high = max(self.low + 1, math.ceil(math.log10(max(above))))
        self._start, self._end = start, end

    def at(self, value: float) -> float:
        """The pixel of a value; what is not above zero lies at the start."""
        power = math.log10(value) if value > 0 else self.low
        share = (max(power, self.low) - self.low) / (self.high - self.low)
        return round(self._start + share * (self._end - self._start), 1)

    def ticks(self) -> list[float]:
        return [10.0**power for power in range(self.low, self.high + 1)]


def picture(title: str, height: int, marks: Sequence[str]) -> str:
    """A whole SVG file."""
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            f'<text x="12" y="22" font-weight="600">{escape(title)}</text>',
            *marks,
            "</svg>\n",
        )
    )


def text(x: float, y: float, words: str, *, quiet: bool = False, anchor: str = "start") -> str:
    kind = ' class="quiet"' if quiet else ""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{kind}>{escape(words)}</text>'


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def bars(title: str, rows: Sequence[Bar]) -> str:
    """Ours and the prototype as bars on a logarithmic scale, the target as a stroke. Values are in the title's unit."""
    scale = Scale([value for row in rows for value in row[1:] if value is not None], LEFT, WIDTH - RIGHT)
    height = TOP + 46 * len(rows) + BOTTOM
    marks = []
    for tick in scale.ticks():
        x = scale.at(tick)
        marks.append(f'<line class="axis" x1="{x}" x2="{x}" y1="{TOP}" y2="{height - BOTTOM}"/>')
        marks.append(text(x, height - 12, number(tick), quiet=True, anchor="middle"))
    for place, (label, ours, theirs, target) in enumerate(rows):
        y = TOP + 46 * place + 6
        marks.append(text(LEFT - 10, y + 21, label, anchor="end"))
        for value, kind, down in ((ours, "a", 0), (theirs, "b", 16)):
            if value is not None:
                wide = max(1.0, round(scale.at(value) - LEFT, 1))
                marks.append(f'<rect class="{kind}" x="{LEFT}" y="{y + down}" width="{wide}" height="14"/>')
                marks.append(text(LEFT + wide + 5, y + down + 11, number(value), quiet=True))
        if target is not None:
            x = scale.at(target)
            marks.append(f'<line class="target" x1="{x}" x2="{x}" y1="{y - 3}" y2="{y + 33}"/>')
    return picture(title, height, [*marks, *legend(("a", "ours"), ("b", "prototype"), ("target", "target"))])


def legend(*entries: tuple[str, str]) -> list[str]:
    marks, x = [], WIDTH - 90 * len(entries)
    for kind, words in entries:
        marks.append(f'<line class="{kind}" stroke-width="3" x1="{x}" x2="{x + 14}" y1="17" y2="17"/>')
        marks.append(text(x + 19, 21, words, quiet=True))
        x += 90
    return marks


def lines(title: str, across: str, series: Sequence[tuple[str, str, Sequence[tuple[float, float]]]]) -> str:
    """Lines through points, both scales logarithmic. `series` are (kind, name, points); `across` names the x axis."""
    height, left = 340, 70
    points = [point for _, _, several in series for point in several]
    along = Scale([x for x, _ in points], left, WIDTH - RIGHT)
    up = Scale([y for _, y in points], height - 50, TOP)
    marks = [text((left + WIDTH - RIGHT) / 2, height - 10, across, quiet=True, anchor="middle")]
    for tick in up.ticks():
        y = up.at(tick)
        marks.append(f'<line class="axis" x1="{left}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        marks.append(text(left - 8, y + 4, number(tick), quiet=True, anchor="end"))
    marks += [text(along.at(tick), height - 30, number(tick), quiet=True, anchor="middle") for tick in along.ticks()]
    for kind, _, several in series:
        path = " ".join(f"{along.at(x)},{up.at(y)}" for x, y in several)
        marks.append(f'<polyline class="{kind} line" style="fill: none" points="{path}"/>')
        marks += [f'<circle class="{kind}" cx="{along.at(x)}" cy="{up.at(y)}" r="3.5"/>' for x, y in several]
    return picture(title, height, [*marks, *legend(*((kind, name) for kind, name, _ in series))])
