"""Charts as SVG text: curves and bars. Must not know what they show.

Every function returns one `<svg>` element; text in it is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from napari_beadscope.analysis.envelope import envelope

#: Colours that colour-blind people can tell apart.
PALETTE = ("#0b6e99", "#d1701c", "#3d8b4b", "#a8477e", "#7a6a2c", "#5b5fa8", "#37878a", "#b23a3a")
_WIDTH, _HEIGHT = 380, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 22, 34
_COLUMNS = 110  # of points of a curve
_TITLE = 50  # characters that fit


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One line of a chart: where x rises; gaps where y is NaN."""

    x: np.ndarray
    y: np.ndarray
    kind: str = "one"
    color: str = PALETTE[0]
    name: str = ""


def line_chart(
    title: str, curves: Sequence[Curve], x_label: str, y_label: str, *, from_zero: bool = False
) -> str:
    """Return curves over each other; the class of each is its `kind`.

    Parameters
    ----------
    title, x_label, y_label : str
        Plain text.
    curves : sequence of Curve
        Drawn in this order.
    from_zero : bool
        The y axis begins at 0.
    """
    x_range = _range([curve.x for curve in curves])
    low, high = _range([curve.y for curve in curves])
    room = 0.05 * (high - low)
    y_range = (min(0.0, low), max(1.0, 1.1 * high)) if from_zero else (low - room, high + room)
    frame = _Frame(x_range, y_range)
    parts = [frame.axes(title, x_label, y_label)]
    for curve in curves:
        path = frame.path(curve)
        if path:
            title_of = f"<title>{escape(curve.name)}</title>" if curve.name else ""
            parts.append(
                f'<path class="{curve.kind}" stroke="{curve.color}" d="{path}">{title_of}</path>'
            )
    return _svg(_WIDTH, _HEIGHT, "".join(parts), title)


def legend(curves: Sequence[Curve]) -> str:
    """Return the names of curves in their colours, as HTML."""
    names = {curve.name: curve.color for curve in curves if curve.name}
    words = [
        f'<span style="color:{color}">&#9632;</span> {escape(name)}'
        for name, color in names.items()
    ]
    return f'<p class="legend">{" &ensp; ".join(words)}</p>'


def bar_chart(title: str, bars: Sequence[tuple[str, float, str]], unit: str) -> str:
    """Return bars with names on the left and what they mean behind them.

    Parameters
    ----------
    bars : sequence of (name, length, words)
        From top to bottom.
    unit : str
        Of the lengths.
    """
    longest = max((length for _, length, _ in bars), default=0.0) or 1.0
    rows, height = [], 24 + 24 * len(bars)
    for at, (name, length, words) in enumerate(bars):
        y, width = 24 + 24 * at, 330 * length / longest
        rows.append(
            f'<text x="128" y="{y + 13}" text-anchor="end">{escape(name)}</text>'
            f'<rect x="134" y="{y}" width="{max(width, 1):.1f}" height="17" fill="{PALETTE[0]}"/>'
            f'<text x="{140 + width:.1f}" y="{y + 13}">{escape(words)}</text>'
        )
    head = f'<text class="title" x="6" y="14">{escape(title)} ({escape(unit)})</text>'
    return _svg(760, height, head + "".join(rows), title)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return round numbers between two numbers, at least three of them.

    Examples
    --------
    >>> ticks(0.0, 98.0), ticks(-4.5, 4.9, 4)
    ([0.0, 20.0, 40.0, 60.0, 80.0], [-4.0, -2.0, 0.0, 2.0, 4.0])
    """
    span = high - low
    if not span > 0 or not math.isfinite(span):
        return [low]
    rough = span / about
    power = 10.0 ** math.floor(math.log10(rough))
    steps = [power * m for m in (0.5, 1, 2, 5, 10)]
    at = next(at for at, step in enumerate(steps) if at and step >= rough * 0.999)
    for step in (steps[at], steps[at - 1]):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first >= 2:
            break
    return [round(k * step, 12) for k in range(first, last + 1)]


def short(value: float) -> str:
    """Return a number in few characters.

    Examples
    --------
    >>> short(12500.0), short(0.25), short(3.1e7), short(-4.0)
    ('12.5k', '0.25', '31M', '-4')
    """
    size = abs(value)
    if size >= 1e9 or (0 < size < 1e-3):
        return f"{value:.2g}"
    for limit, letter in ((1e6, "M"), (1e4, "k")):
        if size >= limit:
            return f"{value / (1e6 if letter == 'M' else 1e3):.4g}{letter}"
    return f"{value:.5g}"


class _Frame:
    """Where numbers are on the paper, in tenths of a unit."""

    def __init__(self, x_range: tuple[float, float], y_range: tuple[float, float]) -> None:
        self._x, self._y = x_range, y_range

    def _left(self, x: np.ndarray | float) -> np.ndarray:
        part = (np.asarray(x) - self._x[0]) / (self._x[1] - self._x[0])
        return np.asarray(_LEFT + part * (_WIDTH - _LEFT - _RIGHT))

    def _down(self, y: np.ndarray | float) -> np.ndarray:
        part = (np.asarray(y) - self._y[0]) / (self._y[1] - self._y[0])
        return np.asarray(_HEIGHT - _BOTTOM - part * (_HEIGHT - _TOP - _BOTTOM))

    def path(self, curve: Curve) -> str:
        x, y = envelope(curve.x, curve.y, *self._x, _COLUMNS)
        good = np.isfinite(x) & np.isfinite(y)
        if not good.any():
            return ""
        left, down = self._left(np.where(good, x, 0)), self._down(np.where(good, y, 0))
        words, pen = [], False
        for here, at_x, at_y in zip(good.tolist(), left.tolist(), down.tolist()):
            if here:
                words.append(f"{'L' if pen else 'M'}{at_x:.1f} {at_y:.1f}")
            pen = here
        if len(words) == 1:
            words.append("h0.1")
        return "".join(words)

    def axes(self, title: str, x_label: str, y_label: str) -> str:
        bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
        shown = title if len(title) <= _TITLE else "…" + title[1 - _TITLE :]  # ends differ
        parts = [f'<text class="title" x="6" y="13">{escape(shown)}</text>']
        for value in ticks(*self._y, 4):
            y = float(self._down(value))
            parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{right}"/>')
            parts.append(
                f'<text x="{_LEFT - 5}" y="{y + 3.5:.1f}" text-anchor="end">{short(value)}</text>'
            )
        for value in ticks(*self._x, 5):
            x = float(self._left(value))
            parts.append(f'<path class="tick" d="M{x:.1f} {bottom}v4"/>')
            parts.append(
                f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="middle">{short(value)}</text>'
            )
        parts.append(f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{right}"/>')
        middle = (_LEFT + right) / 2
        parts.append(
            f'<text x="{middle}" y="{_HEIGHT - 5}" text-anchor="middle">{escape(x_label)}</text>'
        )
        parts.append(
            f'<text x="11" y="{(_TOP + bottom) / 2}" text-anchor="middle" '
            f'transform="rotate(-90 11 {(_TOP + bottom) / 2})">{escape(y_label)}</text>'
        )
        return "".join(parts)


def _range(values: Sequence[np.ndarray]) -> tuple[float, float]:
    finite = [some[np.isfinite(some)] for some in values]
    finite = [some for some in finite if len(some)]
    if not finite:
        return 0.0, 1.0
    low = min(float(some.min()) for some in finite)
    high = max(float(some.max()) for some in finite)
    if high > low:
        return low, high
    room = abs(low) * 0.05 or 0.5
    return low - room, high + room


def _svg(width: int, height: int, inside: str, label: str) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(label, quote=True)}">{inside}</svg>'
    )
