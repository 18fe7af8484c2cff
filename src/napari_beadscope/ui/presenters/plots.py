"""The Plots dock's mind: what is to be plotted, of which beads, from where.

Owns the choices and what follows from them. Must not know Qt; computes nothing itself, but hands
out the work for a thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from psygnal import SignalGroupDescriptor

from napari_beadscope.core.errors import BeadscopeError, InputError
from napari_beadscope.core.types import Annotation
from napari_beadscope.ui.model import Message
from napari_beadscope.ui.plots import frames, statistics, traces
from napari_beadscope.ui.plots.figure import AXES, OF_TRACKS, Figure, Kind, Request, Table, empty
from napari_beadscope.ui.plots.layers import annotations_of, plottable, source_of
from napari_beadscope.ui.plots.samples import Samples
from napari_beadscope.ui.plots.sources import LiveSource, RecordedSource, Source
from napari_beadscope.ui.presenters.names import told_apart
from napari_beadscope.ui.session import Session

LIVE = "live"
#: Without a choice, this many beads are drawn.
FIRST = 4
WINDOWS_S = (10, 30, 60, 120, 300, 600)

KINDS = {
    Kind.TIME: ("Time", "x, y, z, motors and your own quantities against time"),
    Kind.RELATION: ("XY, motor", "One coordinate, motor or quantity against another"),
    Kind.HISTOGRAM: ("Intensities", "How many pixels of the live frame have which intensity"),
    Kind.PROFILE: ("Radial profile", "The rings of one bead, now, over its Z-LUT"),
    Kind.ALLAN: ("Allan deviation", "Stability by averaging time: noise falls, drift rises"),
    Kind.SPECTRUM: ("Spectrum", "Power spectral density of a coordinate"),
}
_FIGURES = {
    Kind.TIME: (traces.time_figure, traces.time_table),
    Kind.RELATION: (traces.relation_figure, traces.relation_table),
    Kind.ALLAN: (statistics.allan_figure, statistics.allan_table),
    Kind.SPECTRUM: (statistics.spectrum_figure, statistics.spectrum_table),
}
_FRAME_FIGURES = {
    Kind.HISTOGRAM: (frames.histogram_figure, frames.histogram_table),
    Kind.PROFILE: (frames.profile_figure, frames.profile_table),
}
_EVERY_S = {
    Kind.RELATION: 0.5,
    Kind.HISTOGRAM: 0.25,
    Kind.PROFILE: 0.15,
    Kind.ALLAN: 1.0,
    Kind.SPECTRUM: 1.0,
}
#: How beads' curves lie to each other.
PLACES = {
    "centred": "Each bead about its median",
    "apart": "Each bead about its median, one below the other",
    "measured": "Where each bead is in the frame",
}
_NO_REFERENCE = "Mark a bead as reference in the Annotations dock first"


@dataclass
class PlotChoices:
    """What the user has chosen; ``events`` has one signal per field."""

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    kind: Kind = Kind.TIME
    source: str = LIVE
    beads: str = ""  # as typed
    window_s: float = 30.0
    halted: bool = False
    corrected: bool = False
    place: str = "centred"
    hidden: frozenset[str] = frozenset()  # rows of the time plot that are there by themselves
    added: frozenset[str] = frozenset()  # rows that are not
    across: str = "x"
    up: str = "y"
    axis: str = "x"
    region: str = "frame"


class PlotsPresenter:
    """What the Plots dock shows and does.

    Parameters
    ----------
    session : Session
        Shared by all docks of the viewer.
    own : Samples
        Quantities that users plot.
    layers : callable
        Returns the viewer's layers, of which those with tracks are sources.
    """

    def __init__(self, session: Session, own: Samples, layers: Callable[[], Iterable[Any]]) -> None:
        self._session, self._own, self._layers = session, own, layers
        self.choices = PlotChoices()
        self._live: tuple[Any, LiveSource] | None = None
        self._recorded: dict[str, tuple[Any, RecordedSource]] = {}
        self._zlut = frames.ZLutFile()
        self._typed: tuple[int, ...] | None = ()
        self._by_itself = False  # the source was not chosen by the user
        self.choices.events.beads.connect(self._parse)

    # what there is to choose from

    def sources(self) -> tuple[tuple[str, str], ...]:
        """Return keys and names of what can be plotted: the engine, then opened tracks."""
        names = [layer.name for layer in plottable(self._layers())]
        keys = [f"layer:{name}" for name in names]
        return ((LIVE, "live"), *zip(keys, told_apart(names)))

    def choose_source(self, key: str) -> None:
        """Plot this, until the user chooses something else."""
        self._by_itself = False
        self.choices.halted = False
        self.choices.source = key
        if self.why_not_live(self.choices.kind):
            self.choices.kind = Kind.TIME

    def follow(self, _: Any = None) -> None:
        """Plot the opened recording as long as nothing is live, if the user has not chosen."""
        choices = self.choices
        if self._by_itself and self._session.scope is not None:
            self._by_itself = False
            choices.source = LIVE
        elif choices.source == LIVE and choices.kind in OF_TRACKS and self.source() is None:
            *_, (newest, _name) = self.sources()
            self._by_itself = newest != LIVE
            choices.source = newest

    def rows(self) -> tuple[tuple[str, str, bool], ...]:
        """Return name and label of what the time plot can show, and whether it does.

        Coordinates come first and are shown by themselves, and so are users' own quantities.
        """
        choices = self.choices
        known = [(axis, f"{axis} (nm)", True) for axis in AXES]
        known += [(one.name, one.label, one.own) for one in self._quantities()]
        return tuple(
            (name, label, name in choices.added or (usual and name not in choices.hidden))
            for name, label, usual in known
        )

    def show_row(self, name: str, on: bool) -> None:
        """Show a row of the time plot, or not."""
        choices = self.choices
        choices.hidden = choices.hidden - {name} if on else choices.hidden | {name}
        choices.added = choices.added | {name} if on else choices.added - {name}

    def references(self) -> tuple[int, ...]:
        """Return the reference beads, of which the drift is taken."""
        return tuple(sorted(bead for bead, one in self._annotations().items() if one.reference))

    def why_not_corrected(self) -> str:
        """Return why drift cannot be taken off, '' if it can."""
        if self.choices.kind not in OF_TRACKS:
            return "Nothing here drifts"
        return "" if self.references() else _NO_REFERENCE

    def why_not_live(self, kind: Kind) -> str:
        """Return why a kind cannot be drawn of the chosen source, '' if it can."""
        if kind in OF_TRACKS or self.choices.source == LIVE:
            return ""
        return "Only of the live frame: choose the source 'live'"

    def names(self) -> dict[int, str]:
        """Return what beads are called in legends, where it is more than their number."""
        named = {}
        for bead, one in self._annotations().items():
            parts = [str(bead), one.label, "(ref)" if one.reference else ""]
            named[bead] = " ".join(part for part in parts if part)
        return named

    # what follows from it

    @property
    def following(self) -> bool:
        """Whether the plot runs with time."""
        return self.choices.source == LIVE and not self.choices.halted

    @property
    def data_version(self) -> int:
        """A number that changes with the data; one that stands still needs no new figure."""
        if not self.following:
            return 0
        return time.monotonic_ns()

    def source(self) -> Source | None:
        """Return where tracks come from, None without any."""
        key = self.choices.source
        if key != LIVE:
            return self._layer_source(key)
        watch, scope = self._session.watch, self._session.scope
        known = None if self._live is None else self._live[0]
        if watch is not None and scope is not None and watch is not known:
            model = self._session.model
            source = LiveSource(
                watch.history, scope, self._own, lambda: model.calibration.nm_per_px
            )
            self._live = (watch, source)
        # Without an engine, what was seen of the last one can still be looked at.
        return None if self._live is None else self._live[1]

    def beads(self, there: tuple[int, ...]) -> tuple[int, ...]:
        """Return which of the beads that there are to draw: typed, else selected, else the first.

        Raises
        ------
        InputError
            What was typed is no list of beads.
        """
        if self.choices.beads.strip():
            if self._typed is None:
                raise InputError(
                    f"'{self.choices.beads}' is no list of beads", "write 0, 3, 5-8, or all"
                )
            everyone = self.choices.beads.strip().lower() == "all"
            return there if everyone else tuple(bead for bead in self._typed if bead in there)
        if self.choices.source == LIVE:
            selected = self._session.model.selected
            chosen = tuple(bead for bead in there if bead in selected)
            if chosen:
                return chosen
        return there[:FIRST]

    def request(self, columns: int, seen: tuple[float, float] | None) -> Request:
        """Return what to compute.

        Parameters
        ----------
        columns : int
            Width of the plot in px.
        seen : (float, float), optional
            What the user has zoomed to on the axis of time; it counts while nothing runs.
        """
        choices, source = self.choices, self.source()
        request = Request(
            choices.kind,
            columns=columns,
            rows=tuple(name for name, _, shown in self.rows() if shown),
            place=choices.place,
            across=choices.across,
            up=choices.up,
            axis=choices.axis,
            region=choices.region,
        )
        if source is None:
            return request
        first_s, last_s = source.span_s
        if choices.source == LIVE:
            first_s = max(first_s, last_s - choices.window_s)
            last_s = max(last_s, first_s + choices.window_s)  # fills from the left
        if seen is not None and not self.following:
            first_s, last_s = seen
        there = source.beads
        chosen = self.beads(there)
        watch = self._session.watch
        if choices.source == LIVE and watch is not None:
            watch.history.prefer(frozenset((*(self._typed or ()), *self._session.model.selected)))
        references = self.references() if choices.corrected and not self.why_not_corrected() else ()
        return replace(request, beads=chosen, references=references, start_s=first_s, stop_s=last_s)

    def work(self, request: Request) -> Callable[[], Figure]:
        """Return what computes the figure; it may run in any thread."""
        kind, source = request.kind, self.source()
        if kind in _FRAME_FIGURES:
            seen = self._frames()
            return lambda: _FRAME_FIGURES[kind][0](seen, request)
        if source is None:
            why = "Nothing to plot yet: press Live, or open a recording"
            return lambda: empty(why)
        if not request.beads and (kind is not Kind.TIME or not set(request.rows) - set(AXES)):
            return lambda: empty("No beads are tracked: find or add some, or type other numbers")
        return lambda: _FIGURES[kind][0](source, request)

    def every_s(self, columns: int) -> float:
        """Return how often a new figure is worth its while."""
        if not self.following or not self._session.model.live:
            return 0.5
        if self.choices.kind is Kind.TIME:  # one new column of the screen
            return min(1.0, max(0.1, self.choices.window_s / max(1, columns)))
        return _EVERY_S[self.choices.kind]

    def save_table(self, request: Request, path: Path, overwrite: bool = False) -> None:
        """Write what `request` shows as CSV, in a job; errors and the end are told."""
        from napari_beadscope.ui.plots.tables import save_csv

        kind, source = request.kind, self.source()
        seen = self._frames() if kind in _FRAME_FIGURES else None

        def work() -> int:
            table: Table
            if seen is not None:
                table = _FRAME_FIGURES[kind][1](seen, request)
            elif source is not None:
                table = _FIGURES[kind][1](source, request)
            else:
                table = Table()
            return save_csv(table, path, overwrite)

        self._session.run(
            "Saving the plot's data", work, lambda rows: self.saved(path, f"{rows:,} rows")
        )

    def saved(self, path: Path, what: str) -> None:
        """Tell that a file is there."""
        self._session.say(Message("info", f"Saved {what} to {path}", time.time()))

    def fail(self, error: BeadscopeError) -> None:
        """Tell an error."""
        self._session.fail(error)

    # inside

    def _parse(self, text: str) -> None:
        try:
            self._typed = parse_beads(text)
        except InputError:
            self._typed = None

    def _annotations(self) -> dict[int, Annotation]:
        if self.choices.source == LIVE:
            return self._session.model.annotations
        layer = self._layer(self.choices.source)
        return {} if layer is None else annotations_of(layer, self._layers())

    def _quantities(self) -> tuple[Any, ...]:
        source = self.source() if self.choices.source == LIVE else None
        return () if source is None else source.quantities

    def _frames(self) -> frames.Frames:
        session, model = self._session, self._session.model
        scope, watch = session.scope, session.watch
        zlut = model.calibration.zlut

        def newest() -> np.ndarray | None:
            frame = None if scope is None else scope.latest_frame()
            return None if frame is None else frame.image

        def measured(bead: int) -> frames.Measured | None:
            row = None if watch is None else watch.row_of(bead)
            if row is None:
                return None
            profile = row["profile"][: int(row["n_radial"])].copy()
            return frames.Measured(profile, float(row["z_nm"]), int(row["reason"]))

        return frames.Frames(newest, measured, model.beads, lambda: self._zlut.load(zlut))

    def _layer(self, key: str) -> Any:
        name = key.removeprefix("layer:")
        return next((one for one in plottable(self._layers()) if one.name == name), None)

    def _layer_source(self, key: str) -> RecordedSource | None:
        layer = self._layer(key)
        if layer is None:
            return None
        known = self._recorded.get(key)
        if known is None or known[0] is not layer:
            known = self._recorded[key] = (layer, source_of(layer))
        return known[1]


def parse_beads(text: str) -> tuple[int, ...]:
    """Return the beads in a list such as ``0, 3, 5-8``; none for '' and 'all'.

    Raises
    ------
    InputError
        It is no such list.

    Examples
    --------
    >>> parse_beads("0, 3, 5-8")
    (0, 3, 5, 6, 7, 8)
    """
    found: list[int] = []
    for word in text.replace(",", " ").split():
        if word.lower() == "all":
            continue
        first, dash, last = word.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise InputError(f"'{word}' is no bead", "write 0, 3, 5-8, or all")
        found.extend(range(int(first), int(last or first) + 1)[:1000])
    return tuple(dict.fromkeys(found))
