"""The Annotations dock's mind: what people say about beads, live or of an opened file.

Owns where annotations are read and written: in the engine for live beads, in the features of the
layer for those of an opened file. Must not know Qt.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from napari_beadscope.core.errors import BeadscopeError, InputError
from napari_beadscope.core.types import Annotation
from napari_beadscope.storage.annotations import (
    ANNOTATIONS_NAME,
    check_texts,
    merged,
    read_annotations,
    write_annotations,
)
from napari_beadscope.ui.model import Message
from napari_beadscope.ui.opened import (
    Opened,
    annotations_in,
    bead_ids,
    bead_layer_of,
    beads_in,
    columns,
    is_bead_layer,
    opened_of,
)
from napari_beadscope.ui.session import Session

_NOTHING = Annotation()


@dataclass(frozen=True, slots=True)
class AnnotationRow:
    """One line of the table."""

    bead: int
    said: Annotation


class Annotated(Protocol):
    """Beads that can be annotated."""

    title: str

    def beads(self) -> list[int]:
        """Their IDs."""
        ...

    def annotations(self) -> dict[int, Annotation]:
        """What is said; nothing about beads that are missing."""
        ...

    def write(self, changes: dict[int, Annotation]) -> None:
        """Replace what is said about these beads."""
        ...

    def selected(self) -> frozenset[int]:
        """Those that are selected in the image."""
        ...

    def select(self, beads: frozenset[int]) -> None:
        """Select these in the image."""
        ...


class LiveBeads:
    """The beads of the session, whose annotations live in the engine."""

    title = "Live beads"

    def __init__(self, session: Session) -> None:
        self._session = session
        # On its way to the engine, oldest first. What the engine tells meanwhile is older, and
        # who types fast goes on from what they have typed.
        self._underway: list[dict[int, Annotation]] = []

    def beads(self) -> list[int]:
        """Their IDs."""
        return [bead.bead for bead in self._session.model.beads]

    def annotations(self) -> dict[int, Annotation]:
        """What is said, as far as is known here."""
        return self._after(self._session.model.annotations)

    def write(self, changes: dict[int, Annotation]) -> None:
        """Show it at once, and take it back if the engine refuses."""
        session, model = self._session, self._session.model
        self._underway.append(changes)
        model.annotations = self.annotations()
        if session.scope is None:
            self._underway.remove(changes)
            return

        def arrived(_: Any = None) -> None:
            self._underway.remove(changes)
            if session.scope is not None:
                model.annotations = self._after(session.scope.annotations)

        session.on_scope(
            "Setting annotations",
            lambda scope: scope.set_annotations(changes),
            arrived,
            undo=arrived,
        )

    def _after(self, told: Mapping[int, Annotation]) -> dict[int, Annotation]:
        """Return what is said once all that is underway has arrived."""
        said = dict(told)
        for changes in self._underway:
            said.update(changes)
        return {bead: one for bead, one in said.items() if one != _NOTHING}

    def selected(self) -> frozenset[int]:
        """Those that are selected in the image or in another dock."""
        return self._session.model.selected

    def select(self, beads: frozenset[int]) -> None:
        """Select these everywhere."""
        self._session.model.selected = beads


class LayerBeads:
    """The beads of an opened file, whose annotations are features of their layer."""

    def __init__(self, layer: Any, opened: Opened) -> None:
        self.layer, self.opened = layer, opened

    @property
    def title(self) -> str:
        """The layer's name."""
        return str(self.layer.name)

    def beads(self) -> list[int]:
        """Their IDs."""
        return bead_ids(self.layer.features)

    def annotations(self) -> dict[int, Annotation]:
        """What the features say."""
        return annotations_in(self.layer.features)

    def write(self, changes: dict[int, Annotation]) -> None:
        """Change the features."""
        said = {**self.annotations(), **changes}
        ids = self.beads()
        in_order = [said.get(bead, _NOTHING) for bead in ids]
        self.layer.features = self.layer.features.assign(bead=ids, **columns(in_order))

    def selected(self) -> frozenset[int]:
        """Those whose points are selected."""
        ids = self.beads()
        return frozenset(ids[place] for place in self.layer.selected_data if place < len(ids))

    def select(self, beads: frozenset[int]) -> None:
        """Select their points."""
        chosen = {place for place, bead in enumerate(self.beads()) if bead in beads}
        if chosen != set(self.layer.selected_data):
            self.layer.selected_data = chosen

    @property
    def folder(self) -> Path | None:
        """The recording's, None for a table."""
        recording = self.opened.recording
        return None if recording is None else recording.folder

    def changes(self) -> dict[int, Annotation]:
        """Return what is said otherwise than when it was read; a bead that is gone has no say."""
        now, read = self.annotations(), self.opened.annotations
        said = {bead: now.get(bead, _NOTHING) for bead in self.beads()}
        return {bead: one for bead, one in said.items() if one != read.get(bead, _NOTHING)}

    def unsaved(self) -> int:
        """Return of how many beads something else is said than when it was read."""
        return len(self.changes())

    def save(self, folder: Path) -> None:
        """Write what was changed here, and show what others have written meanwhile.

        Raises
        ------
        BeadscopeError
            It cannot be saved; the file is as it was.
        """
        changes, read = self.changes(), self.opened.annotations
        check_texts(changes)
        path = folder / ANNOTATIONS_NAME
        disk = read if not folder.is_dir() else read_annotations(path) if path.exists() else {}
        said = merged(disk, read, changes)
        write_annotations(path, said)
        self.opened.annotations = said
        self.write({bead: said.get(bead, _NOTHING) for bead in self.beads()})


class AnnotationsPresenter:
    """What the Annotations dock shows and does.

    Parameters
    ----------
    session : Session
        Shared by all docks of the viewer.
    layers : iterable
        The viewer's.
    """

    def __init__(self, session: Session, layers: Iterable[Any]) -> None:
        self._session = session
        self._layers = layers
        self._live = LiveBeads(session)
        self._layer: Any = None

    @property
    def target(self) -> LiveBeads | LayerBeads:
        """The beads that the dock is about."""
        layer = self._layer
        opened = None if layer is None or layer not in self._layers else opened_of(layer)
        return self._live if opened is None else LayerBeads(layer, opened)

    def targets(self) -> list[tuple[str, Any]]:
        """Return name and layer of all that can be annotated; the live beads have none."""
        found: list[tuple[str, Any]] = [(self._live.title, None)]
        return found + [(layer.name, layer) for layer in self._layers if is_bead_layer(layer)]

    def choose(self, layer: Any) -> None:
        """Be about this layer's beads, or about the live ones."""
        self._layer = layer

    def follow(self, active: Any) -> None:
        """Be about what belongs to the layer that the user has chosen in napari."""
        opened = None if active is None else opened_of(active)
        if opened is not None:
            found = bead_layer_of(self._layers, opened)
            self._layer = self._layer if found is None else found
        elif active is not None and "napari-beadscope" in active.metadata:
            self._layer = None

    def rows(self) -> tuple[AnnotationRow, ...]:
        """Return the table: one row per bead."""
        said = self.target.annotations()
        return tuple(AnnotationRow(bead, said.get(bead, _NOTHING)) for bead in self.target.beads())

    def say(self, beads: Iterable[int], **changes: Any) -> None:
        """Change one field, or several, of what is said about these beads."""
        said = self.target.annotations()
        wanted = {bead: replace(said.get(bead, _NOTHING), **changes) for bead in beads}
        wanted = {b: text for b, text in wanted.items() if text != said.get(b, _NOTHING)}
        if not wanted:
            return
        if isinstance(self.target, LayerBeads):  # else the engine checks it
            try:
                check_texts(wanted)
            except InputError as error:
                self._session.fail(error, doing="Setting annotations")
                return
        self.target.write(wanted)

    def summary(self) -> str:
        """Return how many beads there are and what is said, in words."""
        rows = self.rows()
        if not rows:
            return "No beads"
        parts = [f"{len(rows)} bead{'s' if len(rows) > 1 else ''}"]
        for count, word in (
            (sum(row.said.good is True for row in rows), "good"),
            (sum(row.said.good is False for row in rows), "bad"),
            (sum(row.said.reference for row in rows), "reference"),
        ):
            if count:
                parts.append(f"{count} {word}")
        return ", ".join(parts)

    def why_not_save(self) -> str:
        """Return why 'Save to recording' can do nothing, '' if it can."""
        target = self.target
        if isinstance(target, LiveBeads):
            return "Live annotations are kept by themselves, in every recording that is made"
        if target.folder is None:
            return "This is no recording: use File → Save Selected Layers on its tracks or beads"
        if target.folder == self._session.model.recording:
            return "This recording is still on: annotate the live beads, and they are kept in it"
        return "" if target.unsaved() else "Nothing has changed since it was saved"

    def save(self) -> None:
        """Write what was changed into the recording's folder; nothing else in its file changes."""
        target = self.target
        if isinstance(target, LiveBeads) or target.folder is None:
            return
        try:
            target.save(target.folder)
        except BeadscopeError as error:
            self._session.fail(error, doing="Saving annotations")
            return
        self._tell(f"Annotations saved to {target.folder / ANNOTATIONS_NAME}")

    def why_not_take_over(self) -> str:
        """Return why 'Take over' can do nothing, '' if it can."""
        if isinstance(self.target, LiveBeads):
            return "Choose an opened recording or table first"
        if self._session.model.recording is not None:
            return "Beads cannot change while recording: stop it first"
        return "" if self.target.beads() else "There are no beads"

    def take_over(self) -> None:
        """Track the opened beads live, with their annotations, pixel size and Z-LUT."""
        target, model = self.target, self._session.model
        if isinstance(target, LiveBeads):
            return
        known, now = target.opened.calibration, model.calibration
        zlut = known.zlut if known.zlut and Path(known.zlut).is_file() else now.zlut
        calibration = replace(now, nm_per_px=known.nm_per_px or now.nm_per_px, zlut=zlut)
        size = model.beads[0].roi.size if model.beads else model.roi_size_px or model.click_roi_px
        beads = beads_in(target.layer, size, calibration.nm_per_px)
        if len({bead.roi.size for bead in beads}) > 1:
            self._session.fail(
                InputError("the beads' ROIs differ in size", "use one ROI size for all beads")
            )
            return
        ids = {bead.bead for bead in beads}
        said = {bead: text for bead, text in target.annotations().items() if bead in ids}
        try:
            check_texts(said)
        except InputError as error:
            self._session.fail(error, doing="Taking over")
            return
        if calibration != now:
            self._calibrate(calibration)
        self._session.set_beads(beads, said)
        where = "" if self._session.scope is not None else ", for the next start of the camera"
        self._tell(f"{len(beads)} beads taken over from {target.title}{where}")

    def _calibrate(self, calibration: Any) -> None:
        model, before = self._session.model, self._session.model.calibration
        model.calibration = calibration
        if self._session.scope is not None:
            self._session.on_scope(
                "Setting the calibration",
                lambda scope: scope.set_calibration(calibration.nm_per_px, calibration.zlut),
                undo=lambda: setattr(model, "calibration", before),
            )

    def _tell(self, text: str) -> None:
        self._session.say(Message("info", text, time.time()))
