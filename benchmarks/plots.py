"""How much of the GUI thread live plots take: 100 Hz, 50 beads, 10 minutes.

    xvfb-run -a -s "-screen 0 1400x900x24" python benchmarks/plots.py

Two ways to draw the same x, y and z traces, side by side and in turns: the dock's (copied, reduced
to the least and greatest value per pixel column in a thread, then drawn) and plain pyqtgraph, which
is given all points (`PlotDataItem.setData`), with and without its own down-sampling. Times are
processor time of the GUI thread: setting the data and painting it. Also what the watch's thread
spends on keeping rows, and the memory for that.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtWidgets import QApplication

from napari_beadscope.core.types import TRACK_ROW
from napari_beadscope.ui.plots.canvas import PlotCanvas
from napari_beadscope.ui.plots.figure import Kind, Request
from napari_beadscope.ui.plots.history import FRAMES, History
from napari_beadscope.ui.plots.samples import Samples
from napari_beadscope.ui.plots.sources import LiveSource
from napari_beadscope.ui.plots.traces import time_figure
from napari_beadscope.ui.presenters.plots import WINDOWS_S

RATE_HZ, BEADS = 100, 50
SIZE_PX = (640, 420)
TURNS = 9


@dataclass(frozen=True)
class Cost:
    """Milliseconds of one update: in a thread, then in the GUI thread."""

    thread: float
    setting: float
    painting: float

    @property
    def gui(self) -> float:
        return self.setting + self.painting


def rows(first: int, last: int) -> np.ndarray:
    """Rows of `BEADS` beads in frames `first` to `last` (not included)."""
    frame = np.repeat(np.arange(first, last), BEADS)
    found = np.zeros(len(frame), TRACK_ROW)
    found["seq"] = found["frame"] = frame
    found["time_ns"] = frame * (1_000_000_000 // RATE_HZ)
    found["bead"] = np.tile(np.arange(BEADS), last - first)
    noise = np.random.default_rng(first).normal(0, 0.2, (len(frame), 3))
    found["x_px"] = 100 + 20 * found["bead"] + noise[:, 0]
    found["y_px"] = 100 + noise[:, 1]
    found["z_nm"] = 1000 + 50 * noise[:, 2]
    found["quality"] = 0.9
    return found


def filled() -> tuple[History, list[float]]:
    """A full history, and the milliseconds that a tenth of a second of rows took to keep."""
    history, spent = History(), []
    for start in range(0, FRAMES, 1000):
        history.add(rows(start, start + 1000))
    for start in range(FRAMES, FRAMES + 500, 10):
        fresh = rows(start - 16, start + 10)  # as the watch does, with what may come late
        begin = time.thread_time()
        history.add(fresh)
        spent.append(1e3 * (time.thread_time() - begin))
    return history, spent


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.thread_time()
    value = work()
    return 1e3 * (time.thread_time() - begin), value


class Ours:
    """The dock's way."""

    def __init__(self, source: LiveSource) -> None:
        self.source, self.canvas = source, PlotCanvas()
        self.canvas.resize(*SIZE_PX)
        self.canvas.show()

    def update(self, beads: int, window_s: float, turn: int) -> Cost:
        stop = self.source.span_s[1] - 0.1 * turn
        request = Request(
            Kind.TIME, tuple(range(beads)), (), stop - window_s, stop, self.canvas.columns
        )
        thread, figure = timed(lambda: time_figure(self.source, request))
        setting, _ = timed(lambda: self.canvas.show_figure(figure, {}))
        painting, _ = timed(QApplication.processEvents)
        return Cost(thread, setting, painting)


class Plain:
    """All points to pyqtgraph."""

    def __init__(self, source: LiveSource, downsample: bool) -> None:
        self.source, self.items, self.downsample = source, {}, downsample
        self.canvas = pg.GraphicsLayoutWidget()
        self.canvas.resize(*SIZE_PX)
        self.plots = [self.canvas.addPlot(row=row, col=0) for row in range(3)]
        for plot in self.plots:
            if downsample:
                plot.setDownsampling(auto=True, mode="peak")
                plot.setClipToView(True)
        self.canvas.show()

    def update(self, beads: int, window_s: float, turn: int) -> Cost:
        stop = self.source.span_s[1] - 0.1 * turn
        traces = self.source.traces(tuple(range(beads)), stop - window_s, stop)
        values = traces.xyz_nm - np.nanmedian(traces.xyz_nm, axis=2, keepdims=True)

        def put() -> None:
            for axis, plot in enumerate(self.plots):
                for bead in range(beads):
                    item = self.items.get((axis, bead))
                    if item is None:
                        item = self.items[axis, bead] = plot.plot(pen=pg.intColor(bead))
                    item.setData(traces.time_s, values[bead, axis])
                plot.setXRange(stop - window_s, stop, padding=0)

        for (_, bead), item in self.items.items():
            item.setVisible(bead < beads)
        setting, _ = timed(put)
        painting, _ = timed(QApplication.processEvents)
        return Cost(0.0, setting, painting)


def median(costs: list[Cost]) -> Cost:
    middle = [statistics.median(getattr(c, name) for c in costs) for name in Cost.__annotations__]
    return Cost(*middle)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=TURNS)
    turns = parser.parse_args().turns
    app = QApplication([])
    history, spent = filled()
    print(f"memory of the history: {history.nbytes / 1e6:.0f} MB, never more")
    keep = statistics.median(spent)
    print(f"keeping 0.1 s of rows (thread of the watch): {keep:.2f} ms, {keep:.1f} % of a core\n")
    nobody: Any = None
    source = LiveSource(history, nobody, Samples(), lambda: 100.0)
    print("| beads | window | in the thread | GUI: set + paint | plain | with its down-sampling |")
    print("|---|---|---|---|---|---|")
    for beads in (4, BEADS):
        for window_s in (WINDOWS_S[0], 60, WINDOWS_S[-1]):
            ways = (Ours(source), Plain(source, False), Plain(source, True))
            costs: list[list[Cost]] = [[], [], []]
            for turn in range(turns + 1):
                for way, found in zip(ways, costs):
                    cost = way.update(beads, window_s, turn)
                    if turn:
                        found.append(cost)
            ours, plain, sampled = (median(found) for found in costs)
            print(
                f"| {beads} | {window_s} s | {ours.thread:.1f} ms "
                f"| {ours.setting:.1f} + {ours.painting:.1f} ms "
                f"| {plain.gui:.0f} ms ({plain.gui / ours.gui:.1f} ×) "
                f"| {sampled.gui:.0f} ms ({sampled.gui / ours.gui:.1f} ×) |"
            )
            for way in ways:
                way.canvas.close()
    app.processEvents()


if __name__ == "__main__":
    main()
