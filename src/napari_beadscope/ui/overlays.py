"""Between the session's beads and the layers that show them.

Owns what is drawn when: boxes and their colours, positions, trails, and the preview of a search;
and passes on what the user does to them in napari. Must not know Qt or any dock.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from napari_beadscope.ui.bead_edits import Place
from napari_beadscope.ui.bead_layer import BeadLayer
from napari_beadscope.ui.candidate_layer import CandidateLayer
from napari_beadscope.ui.candidates import choose
from napari_beadscope.ui.model import Message
from napari_beadscope.ui.position_layers import PositionLayers
from napari_beadscope.ui.presenters.bead_rows import states_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_beadscope.ui.session import Session

#: Colours that change faster than this cannot be read.
STATES_EVERY_S = 0.2


class Overlays:
    """The beads of one session in one viewer.

    Parameters
    ----------
    viewer : napari viewer
        Where the layers go.
    session : Session
        Whose beads they are.
    """

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        self._viewer = viewer
        self._session = session
        self._model = session.model
        self._boxes = BeadLayer(viewer, self)
        self._found = PositionLayers(viewer)
        self._preview = CandidateLayer(viewer)
        self._number = self._vertices_number = -1
        self._states_due_s = 0.0
        events = self._model.events
        self._wiring = (
            (events.beads, self._show_beads),
            (events.wanted_beads, self._show_beads),
            (events.roi_size_px, self._show_beads),
            (events.selected, self._show_selected),
            (events.annotations, self._show_states),
            (events.locked, self._show_states),
            (events.adding, self._show_adding),
            (events.recording, self._end_adding),
            (events.candidates, self._show_candidates),
            (events.criteria, self._show_candidates),
        )
        for signal, slot in self._wiring:
            signal.connect(slot)

    @property
    def boxes(self) -> Any:
        """The Points layer of ROI boxes, None if there is none."""
        return self._boxes.layer

    @property
    def positions(self) -> Any:
        """The Points layer of positions, None if there is none."""
        return self._found.positions

    @property
    def trails(self) -> Any:
        """The Tracks layer, None if there is none."""
        return self._found.trails

    @property
    def candidates(self) -> Any:
        """The Points layer of a search's preview, None if there is none."""
        return self._preview.layer

    def begin(self) -> None:
        """Make the layers that are missing and show the beads."""
        active = self._viewer.layers.selection.active
        self._found.begin()
        self._boxes.begin()
        if active is not None:
            self._viewer.layers.selection.active = active
        self._number = self._vertices_number = -1
        self._show_beads()
        self._show_candidates()

    def close(self) -> None:
        """Let go of the layers, which stay in the viewer."""
        for signal, slot in self._wiring:
            signal.disconnect(slot, missing_ok=True)
        self._boxes.close()
        self._found.close()
        self._preview.close()

    def tick(self) -> None:
        """Show what the trackers have found since the last call."""
        overlay = self._session.overlay
        if overlay is not None and overlay.number != self._number:
            self._number = overlay.number
            self._found.show_positions(overlay.newest)
            if overlay.vertices_number != self._vertices_number:
                self._vertices_number = overlay.vertices_number
                self._found.show_trails(overlay.vertices)
        if time.monotonic() >= self._states_due_s:
            self._show_states()

    def start_adding(self, on: bool) -> None:
        """Make a click in the image add a bead, or not any more."""
        self._model.adding = on

    # what the user did to the layer of boxes

    def placed(self, places: tuple[Place, ...]) -> None:
        """Track beads where the boxes are now."""
        self._session.edits.place(places)

    def selected(self, beads: frozenset[int]) -> None:
        """Select these everywhere."""
        self._model.selected = beads

    def adding(self, on: bool) -> None:
        """Tell whether a click adds a bead."""
        self._model.adding = on

    def undo(self) -> None:
        """Take the last edit back."""
        self._session.edits.undo()

    def redo(self) -> None:
        """Do again what was taken back."""
        self._session.edits.redo()

    def copy(self) -> None:
        """Remember the selected beads."""
        count = self._session.edits.copy()
        self._say(f"{count} bead{'' if count == 1 else 's'} copied: Ctrl+V pastes them")

    def paste(self) -> None:
        """Add beads beside those that were copied."""
        self._session.edits.paste()

    def resized(self) -> None:
        """Say where the size of boxes is set."""
        self._say("All ROIs have one size, which is set in the Beads dock")

    # what is shown

    def _show_beads(self, _: Any = None) -> None:
        edits = self._session.edits
        self._boxes.show(edits.beads, edits.roi_size_px)
        self._show_states()

    def _show_selected(self, _: Any = None) -> None:
        self._boxes.select(self._model.selected)
        self._show_states()

    def _show_states(self, _: Any = None) -> None:
        self._states_due_s = time.monotonic() + STATES_EVERY_S
        if self._boxes.layer is not None:
            self._boxes.show_states(states_of(self._session))

    def _show_adding(self, on: bool) -> None:
        if on and self._boxes.layer is None:
            self.begin()
        self._boxes.start_adding(on)
        if on and self.boxes.mode != "add":
            self._model.adding = False
            self._say("Beads are added in the 2-D view: switch from 3-D first")

    def _end_adding(self, recording: Any) -> None:
        """Beads do not change within a recording, which a click should not have to learn."""
        if recording is not None:
            self._model.adding = False

    def _show_candidates(self, _: Any = None) -> None:
        found = self._model.candidates
        if found is None:
            self._preview.hide()
        else:
            self._preview.show(found, choose(found, self._model.criteria))

    def _say(self, text: str) -> None:
        self._session.say(Message("info", text, time.time()))
