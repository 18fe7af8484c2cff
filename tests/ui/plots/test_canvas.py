"""Figures on a small canvas: no label lies on another, and what has room is shown."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from qtpy.QtGui import QPainter, QPixmap

from napari_beadscope.ui.plots.canvas import PlotCanvas
from napari_beadscope.ui.plots.figure import Curve, Figure, Panel


@pytest.fixture
def canvas(qtbot: Any) -> PlotCanvas:
    made = PlotCanvas()
    qtbot.addWidget(made)
    return made


def numbers(axis: Any) -> list[Any]:
    """Rectangles of the numbers of an axis."""
    picture = QPixmap(10, 10)
    painter = QPainter(picture)
    painter.setFont(axis.style["tickFont"])
    _, _, texts = axis.generateDrawSpecs(painter)
    painter.end()
    return [rect for rect, _, text in texts if text]


@pytest.mark.parametrize("decades", [0.4, 1.0, 2.5, 5.0, 9.0])
@pytest.mark.parametrize("size", [(420, 110), (150, 110), (900, 500)])
def test_numbers_of_logarithmic_axes_lie_apart(
    canvas: PlotCanvas, qtbot: Any, decades: float, size: tuple[int, int]
) -> None:
    canvas.resize(*size)
    canvas.show()
    x = np.logspace(-decades / 3, 2 * decades / 3, 50)
    panel = Panel("x (nm²/Hz)", (Curve(x, 3 * x),), log_up=True)
    canvas.show_figure(Figure((panel,), "frequency (Hz)", log_across=True), {})
    qtbot.wait(50)
    for name in ("left", "bottom"):
        found = numbers(canvas.plots[0].getAxis(name))
        assert found, name
        assert not any(one.intersects(other) for one, other in combinations(found, 2)), name


def test_labels_of_rows_above_each_other_stay_within_them(canvas: PlotCanvas, qtbot: Any) -> None:
    canvas.resize(300, 270)
    canvas.show()
    x = np.linspace(0, 1, 50)
    names = ("x (nm)", "magnet position, as measured (mm)", "temperature of the room (K)")
    panels = tuple(Panel(name, (Curve(x, x),)) for name in names)
    canvas.show_figure(Figure(panels, "time (s)"), {})
    qtbot.wait(50)
    axes = [plot.getAxis("left") for plot in canvas.plots]
    assert [axis.labelText for axis in axes] == list(names)
    spans = [axis.label.sceneBoundingRect() for axis in axes]
    assert all(above.bottom() <= below.top() + 8 for above, below in pairwise(spans))
    assert axes[0].label.toPlainText().strip() == names[0]
    assert "…" in axes[1].label.toPlainText()
    canvas.resize(300, 900)
    qtbot.waitUntil(lambda: axes[1].label.toPlainText().strip() == names[1])


def test_the_legend_names_all_for_whom_there_is_room(canvas: PlotCanvas, qtbot: Any) -> None:
    canvas.resize(330, 200)
    canvas.show()
    x = np.linspace(0, 1, 50)
    curves = tuple(Curve(x, x, bead) for bead in range(8))
    figure = Figure((Panel("x (nm)", curves),), "time (s)", beads=tuple(range(8)))
    canvas.show_figure(figure, {})
    assert canvas._legend is not None
    assert "+" not in canvas._legend.text
    qtbot.wait(50)
    assert canvas._legend.item.boundingRect().width() <= canvas.width()
    canvas.resize(150, 200)
    qtbot.waitUntil(lambda: canvas._legend is not None and "+ " in canvas._legend.text)
    assert canvas._legend.item.boundingRect().width() <= 150
