"""The beads' ROIs as one Points layer that is edited the napari way.

Owns that layer: boxes (square symbols: 20 times cheaper than Shapes), their IDs and colours, the
keys for undo, copy and paste. It tells what the user did and shows what it is told; must not know
Qt, the engine, or whether an edit is allowed. A layer that the user deletes stays away until it
is asked for.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_beadscope.core.types import Bead
from napari_beadscope.ui.bead_edits import NEW, Place
from napari_beadscope.ui.bead_states import COLOURS, LOOKS, BeadState, BeadStates
from napari_beadscope.ui.layers import as_live, find_layer, mark

if TYPE_CHECKING:
    from napari.components import ViewerModel

LABEL_COLOUR = "#ffffff"
#: Of the side; wide enough to show beside napari's own mark of what is selected.
_WIDTH, _SELECTED_WIDTH = 0.03, 0.08
_FRESH_COLOUR = LOOKS[BeadState.WAITING].colour
#: The key that copies and pastes everywhere else.
_COMMAND = "Meta" if sys.platform == "darwin" else "Control"
_EDITS = {"added", "removed", "changed"}


class BeadUser(Protocol):
    """Who is told what the user did to the boxes."""

    def placed(self, places: tuple[Place, ...]) -> None:
        """The boxes are here now."""
        ...

    def selected(self, beads: frozenset[int]) -> None:
        """These are selected."""
        ...

    def adding(self, on: bool) -> None:
        """A click adds a bead from now on, or not any more."""
        ...

    def undo(self) -> None:
        """Take the last edit back."""
        ...

    def redo(self) -> None:
        """Do again what was taken back."""
        ...

    def copy(self) -> None:
        """Remember the selected beads."""
        ...

    def paste(self) -> None:
        """Add beads like those that are remembered."""
        ...

    def resized(self) -> None:
        """The boxes were given another size, which has been taken back."""
        ...


class BeadLayer:
    """The Points layer of ROI boxes of one viewer.

    Parameters
    ----------
    viewer : napari viewer
        Where the layer goes.
    user : BeadUser
        Who is told.
    """

    def __init__(self, viewer: ViewerModel, user: BeadUser) -> None:
        self._viewer = viewer
        self._user = user
        self._layer: Any = None
        self._writing = False
        self._beads: tuple[Bead, ...] = ()
        self._size_px = 64
        self._selected: frozenset[int] = frozenset()
        self._codes = np.zeros(0, np.int64)
        self._labels: list[str] = []

    @property
    def layer(self) -> Any:
        """The Points layer, None if there is none."""
        return self._layer if self._layer in self._viewer.layers else None

    def begin(self) -> None:
        """Make the layer if it is missing."""
        if self.layer is not None:
            return
        self.close()
        layer = self._layer = find_layer(self._viewer, "beads") or self._add()
        layer.events.data.connect(self._edited)
        layer.events.size.connect(self._resized)
        layer.events.mode.connect(self._mode_changed)
        layer.events.visible.connect(self._made_visible)
        layer.selected_data.events.items_changed.connect(self._selection_changed)
        for key, act in (
            ("Z", self._user.undo),
            ("Shift-Z", self._user.redo),
            ("Y", self._user.redo),
            ("C", self._user.copy),
            ("V", self._user.paste),
        ):
            layer.bind_key(f"{_COMMAND}-{key}", _ignoring_layer(act), overwrite=True)

    def close(self) -> None:
        """Let go of the layer, which stays in the viewer."""
        layer, self._layer = self._layer, None
        if layer is not None:
            layer.events.data.disconnect(self._edited)
            layer.events.size.disconnect(self._resized)
            layer.events.mode.disconnect(self._mode_changed)
            layer.events.visible.disconnect(self._made_visible)
            layer.selected_data.events.items_changed.disconnect(self._selection_changed)
            layer.keymap = {}

    def show(self, beads: tuple[Bead, ...], size_px: int) -> None:
        """Draw the boxes of `beads`; one that the user adds gets `size_px`."""
        self._beads, self._size_px = beads, size_px
        layer = self.layer
        if layer is None or not layer.visible:  # napari takes no note of changes while hidden
            return
        ids = np.array([bead.bead for bead in beads], np.int64)
        centres = np.array([bead.roi.centre_px for bead in beads], float).reshape(-1, 2)
        sizes = np.array([bead.roi.size for bead in beads], float)
        side = float(sizes[0] if len(sizes) else size_px)
        same = np.array_equal(_ids(layer), ids) and np.array_equal(layer.size, sizes)
        if same and np.array_equal(layer.data, centres):
            if layer.current_size != side:
                self._write_size(layer, side)
            return
        self._writing = True
        try:
            layer.selected_data = set()
            layer.data = centres
            if not same:
                self._name(layer, ids)
                layer.size = sizes if len(sizes) else side
                half = side / 2
                layer.text.translation = np.array([-half, -half])
                self._codes = np.zeros(0, np.int64)
            layer.refresh_text()
        finally:
            self._writing = False
        self._write_size(layer, side)
        self.select(self._selected)

    def select(self, beads: frozenset[int]) -> None:
        """Select the boxes of these beads."""
        self._selected = beads
        layer = self.layer
        if layer is None:
            return
        chosen = {at for at, bead in enumerate(_ids(layer)) if int(bead) in beads}
        if chosen != set(layer.selected_data):
            self._writing = True
            try:
                layer.selected_data = chosen
            finally:
                self._writing = False

    def show_states(self, states: BeadStates) -> None:
        """Colour the boxes; only what has changed costs anything."""
        layer = self.layer
        if layer is None or not layer.visible or not np.array_equal(_ids(layer), states.bead):
            return
        labels = states.labels()
        other_codes = not np.array_equal(self._codes, states.shown)
        other_labels = labels != self._labels or len(labels) != len(layer.data)
        if other_codes:
            self._codes = states.shown.copy()
            self._colour(layer, states)
        if other_codes or other_labels:
            self._labels = labels
            words = [LOOKS[BeadState(int(code))].word for code in states.shown]
            layer.features = {"bead": states.bead, "label": labels, "state": words}
        if other_labels:
            layer.refresh_text()

    def start_adding(self, on: bool) -> None:
        """Make a click in the image add a bead, or not any more."""
        layer = self.layer
        if layer is None:
            return
        if on and layer.mode != "add":
            if not layer.visible:  # else napari would leave the mode
                layer.visible = True
            self._viewer.layers.selection.active = layer
            self._write_size(layer, float(self._size_px))
            layer.mode = "add"
        elif not on and layer.mode == "add":
            layer.mode = "pan_zoom"

    def _add(self) -> Any:
        return self._viewer.add_points(
            np.zeros((0, 2)),
            name="Beads",
            metadata=mark("beads"),
            features={"bead": np.zeros(0, np.int64), "label": np.zeros(0, str)},
            symbol="square",
            size=float(self._size_px),
            face_color="transparent",
            border_color=_FRESH_COLOUR,
            border_width=_WIDTH,
            antialiasing=0,
            text={
                "string": "{label}",
                "size": 9,
                "color": LABEL_COLOUR,
                "anchor": "lower_left",
            },
            **as_live(self._viewer),
        )

    def _name(self, layer: Any, ids: np.ndarray) -> None:
        known = dict(zip((str(bead) for bead in _ids(layer)), self._labels))
        self._labels = [known.get(str(bead), str(bead)) for bead in ids]
        layer.features = {
            "bead": ids,
            "label": np.array(self._labels, dtype=object),
            "state": np.full(len(ids), LOOKS[BeadState.WAITING].word, dtype=object),
        }
        layer.feature_defaults = {"bead": [NEW], "label": [""], "state": [""]}

    def _colour(self, layer: Any, states: BeadStates) -> None:
        if len(self._codes):
            layer.border_color = COLOURS[self._codes]
            widths = np.where(states.selected, _SELECTED_WIDTH, _WIDTH)
            if not np.array_equal(widths, layer.border_width):
                layer.border_width = widths

    def _write_size(self, layer: Any, size_px: float) -> None:
        """Set the size of the next box without changing those that are selected."""
        with layer.block_update_properties():
            layer.current_size = size_px

    # what the user did

    def _selection_changed(self, *_: Any) -> None:
        layer = self.layer
        if self._writing or layer is None:
            return
        if len(layer.data) != len(self._beads):  # napari adds without an event in some places
            self._tell_places(layer)
            return
        ids = _ids(layer)
        self._selected = frozenset(int(ids[at]) for at in layer.selected_data if at < len(ids))
        self._user.selected(self._selected)

    def _edited(self, event: Any) -> None:
        layer = self.layer
        if not self._writing and layer is not None and str(event.action) in _EDITS:
            self._tell_places(layer)

    def _tell_places(self, layer: Any) -> None:
        rows = zip(_ids(layer), layer.data)
        self._user.placed(tuple(Place(int(bead), float(y), float(x)) for bead, (y, x) in rows))

    def _resized(self, *_: Any) -> None:
        layer = self.layer
        if self._writing or layer is None:
            return
        sizes = np.array([bead.roi.size for bead in self._beads], float)
        if len(sizes) == len(layer.size) and not np.array_equal(sizes, layer.size):
            layer.size = sizes
            self._user.resized()

    def _made_visible(self, *_: Any) -> None:
        self.show(self._beads, self._size_px)

    def _mode_changed(self, *_: Any) -> None:
        if self.layer is not None:
            self._user.adding(self.layer.mode == "add")


def _ids(layer: Any) -> np.ndarray:
    found: np.ndarray = layer.features["bead"].to_numpy()
    return found


def _ignoring_layer(act: Any) -> Any:
    """Return a function for napari's keymap, which passes the layer."""

    def pressed(_: Any) -> None:
        act()

    return pressed
