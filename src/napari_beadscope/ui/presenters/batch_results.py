"""The mind of the Jobs dock's results: what was found at a position, chosen and judged.

Owns the position that is shown, the selection that table and layers share, and what is said about
cells and beads. That goes into a file beside the results, which stay as they are. Must not know Qt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.batch.flags import Flag, change_flags
from napari_beadscope.ui.batch_layers import colours_of, opened_in, position_layers, words_of
from napari_beadscope.ui.batch_position import OpenedPosition, open_position
from napari_beadscope.ui.jobs import Job, JobLane, Outcome
from napari_beadscope.ui.session import Session

_GOOD = {None: "", True: "yes", False: "no"}
#: Columns that tell most of a thing; the first two that there are, are shown.
_TELLING = ("area_px", "intensity_total", "z_nm", "quality")


@dataclass(frozen=True, slots=True)
class ThingRow:
    """A line of the table: a cell, bead or particle."""

    number: int
    frames: str
    first: str
    second: str
    good: str
    note: str
    tip: str


class BatchResultsPresenter:
    """What the Jobs dock shows of results, and does with them.

    Parameters
    ----------
    session : Session
        Shared by all docks of the viewer.
    viewer : napari viewer
        Where layers are.
    changed : callable
        Called when there is something new to show.
    """

    def __init__(self, session: Session, viewer: Any, changed: Callable[[], None]) -> None:
        self._session, self._viewer, self._changed = session, viewer, changed
        self._lane: JobLane | None = None
        self.opened: OpenedPosition | None = None
        self.selected: frozenset[int] = frozenset()
        self._linking = False
        self._shown: tuple[dict[int, Flag], tuple[ThingRow, ...]] | None = None

    def wake(self) -> None:
        """Follow the viewer's layers."""
        self._lane = JobLane(self._session.launch, lambda _: None)
        self.look()

    def rest(self) -> None:
        """Let go."""
        self._let_go()
        self.opened = None
        if self._lane is not None:
            self._lane.close()
            self._lane = None

    # which position

    def show(self, folder: Path, position: str) -> None:
        """Open a position's layers in place of those of another position of the batch."""

        def done(opened: OpenedPosition) -> None:
            layers = self._viewer.layers
            for layer in [one for one in layers if _is_of(one, folder)]:
                layers.remove(layer)
            for data, attributes, kind in position_layers(opened):
                getattr(self._viewer, f"add_{kind}")(data, **attributes)
            for words in opened.notes:
                self._session.say(_warning(words))
            self.look(opened)

        self._session.jobs.run(
            f"Opening {position or 'results'}", lambda _: open_position(folder, position), done
        )

    def look(self, wanted: OpenedPosition | None = None) -> None:
        """Be about the position of the chosen layer, else about one that has layers."""
        layers = list(self._viewer.layers)
        there = [opened for layer in layers if (opened := opened_in(layer)) is not None]
        active = self._viewer.layers.selection.active
        of_active = None if active is None else opened_in(active)
        found = wanted or of_active or (self.opened if self.opened in there else None)
        found = found or (there[-1] if there else None)
        if found is not self.opened:
            self._let_go()
            self.opened, self.selected = found, frozenset()
        self._follow()
        self._changed()

    def layers(self, kind: str = "") -> list[Any]:
        """Return the layers of the position, of one class if `kind` is its name."""
        return [
            layer
            for layer in self._viewer.layers
            if self.opened is not None
            and opened_in(layer) is self.opened
            and kind in ("", type(layer).__name__)
        ]

    # what is shown

    @property
    def title(self) -> str:
        """What was found, in words."""
        opened = self.opened
        if opened is None:
            return "Open a position's results to see and judge what was found"
        if opened.table is None:
            return f"{opened.name}: no table"
        return f"{opened.name}: {len(opened.sums)} {opened.kind}s"

    def columns(self) -> tuple[str, str]:
        """Return the names of the two figures that rows show."""
        opened = self.opened
        names = [] if opened is None else [str(name) for name in opened.sums]
        found = [n for wanted in _TELLING for n in names if n.startswith(wanted)][:2]
        first, second, *_ = (*found, "", "")
        return first, second

    def rows(self) -> tuple[ThingRow, ...]:
        """Return the table: one row for each cell, bead or particle."""
        opened = self.opened
        if opened is None or not len(opened.sums):
            return ()
        if self._shown is None or self._shown[0] is not opened.flags:
            self._shown = (opened.flags, self._rows(opened))
        return self._shown[1]

    def _rows(self, opened: OpenedPosition) -> tuple[ThingRow, ...]:
        columns = self.columns()
        sums = opened.sums
        given = [sums[name].tolist() if name else [np.nan] * len(sums) for name in columns]
        rows = []
        spans = zip(sums.index, sums["frames"], sums["first"], sums["last"], *given)
        for number, frames, first, last, one, two in spans:
            flag = opened.flags.get(int(number), Flag())
            tip = f"{opened.kind} {number}: {frames} frames, {first:.0f} to {last:.0f}"
            one_text, two_text = ("" if x != x else f"{x:.4g}" for x in (one, two))
            good = _GOOD[flag.good]
            rows.append(
                ThingRow(int(number), str(frames), one_text, two_text, good, flag.note, tip)
            )
        return tuple(rows)

    # what is said

    def why_not_judge(self) -> str:
        """Return why nothing can be said now, '' if it can."""
        if self.opened is None or not self.opened.kind:
            return "Open a position with cells, beads or particles first"
        return "" if self.selected else "Choose rows, or points in the image"

    def judge(self, numbers: Iterable[int], **changes: Any) -> None:
        """Say something about these: ``good`` true, false or None; ``note`` a text."""
        opened = self.opened
        if opened is None or self._lane is None:
            return
        before = dict(opened.flags)
        wanted = {n: replace(before.get(n, Flag()), **changes) for n in numbers}
        wanted = {n: flag for n, flag in wanted.items() if flag != before.get(n, Flag())}
        if not wanted:
            return
        things = {opened.thing(number): flag for number, flag in wanted.items()}
        opened.flags = {**before, **wanted}
        self._show_flags(opened)

        def done(flags: Any) -> None:
            opened.take_flags(flags)
            self._show_flags(opened)

        def failed(outcome: Outcome) -> None:
            opened.flags = {**opened.flags, **{n: before.get(n, Flag()) for n in wanted}}
            self._show_flags(opened)
            if outcome.error is not None:
                self._session.fail(outcome.error, outcome.traceback, "Saving flags")

        folder = opened.folder
        self._lane.submit(
            Job("Saving flags", lambda: change_flags(folder, things), done, failed, quick=True)
        )

    def _show_flags(self, opened: OpenedPosition) -> None:
        for layer in [one for one in self._viewer.layers if opened_in(one) is opened]:
            kind = type(layer).__name__
            if kind == "Points" and "numbers" in layer.metadata:
                numbers = layer.metadata["numbers"]
                if len(numbers) == len(layer.data):
                    layer.border_color = colours_of(opened, numbers)
                    layer.features = layer.features.assign(**words_of(opened, numbers))
            elif kind == "Labels" and "cell" in layer.features:
                numbers = layer.features["cell"].to_numpy()
                layer.features = layer.features.assign(**words_of(opened, numbers))
        self._changed()

    # the selection

    def select(self, numbers: frozenset[int]) -> None:
        """Choose these, in the image too; go to a frame in which the first one is."""
        if numbers == self.selected or self._linking:
            return
        self.selected = numbers
        self._linking = True
        try:
            self._show_selected()
        finally:
            self._linking = False
        self._changed()

    def _show_selected(self) -> None:
        opened = self.opened
        for layer in self.layers("Points"):
            numbers = layer.metadata.get("numbers", ())
            if len(numbers) == len(layer.data):
                layer.selected_data = set(np.flatnonzero(np.isin(numbers, list(self.selected))))
        if opened is None or not self.selected:
            return
        one = min(self.selected)
        if opened.kind == "cell":
            for layer in self.layers("Labels"):
                layer.selected_label = one + 1
        dims, seen = self._viewer.dims, opened.sums.loc[one]
        if dims.ndim > 2 and self.layers("Image") + self.layers("Labels"):
            now, first, last = dims.point[dims.ndim - 3], float(seen["first"]), float(seen["last"])
            if not first <= now <= last:
                dims.set_point(dims.ndim - 3, first)

    def _follow(self) -> None:
        """Listen to the selection in the position's layers."""
        self._let_go()
        for layer in self.layers():
            if type(layer).__name__ == "Points":
                layer.selected_data.events.items_changed.connect(self._points_selected)
            elif type(layer).__name__ == "Labels":
                layer.events.selected_label.connect(self._label_selected)

    def _let_go(self) -> None:
        for layer in self.layers():
            if type(layer).__name__ == "Points":
                layer.selected_data.events.items_changed.disconnect(
                    self._points_selected, missing_ok=True
                )
            elif type(layer).__name__ == "Labels":
                layer.events.selected_label.disconnect(self._label_selected)

    def _points_selected(self, *_: Any) -> None:
        found: set[int] = set()
        for layer in self.layers("Points"):
            numbers = layer.metadata.get("numbers", ())
            found |= {int(numbers[at]) for at in layer.selected_data if at < len(numbers)}
        self._choose(frozenset(found))

    def _label_selected(self, event: Any) -> None:
        opened = self.opened
        if opened is not None and opened.kind == "cell":
            number = int(event.source.selected_label) - 1
            if number in opened.sums.index:
                self._choose(frozenset({number}))

    def _choose(self, numbers: frozenset[int]) -> None:
        if self._linking or numbers == self.selected:
            return
        self.selected = numbers
        self._changed()


def _is_of(layer: Any, folder: Path) -> bool:
    opened = opened_in(layer)
    return opened is not None and opened.folder == folder


def _warning(words: str) -> Any:
    import time

    from napari_beadscope.ui.model import Message

    return Message("warning", words, time.time())
