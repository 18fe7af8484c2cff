"""The Annotations dock: label, judgement, reference and note of each bead.

Owns its widgets and follows the layer that is annotated; all it knows it has from
`AnnotationsPresenter`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import (
    QBoxLayout,
    QComboBox,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QWidget,
)
from superqt import QElidingLabel

from napari_beadscope.ui.docks.annotation_table import AnnotationView
from napari_beadscope.ui.docks.base import Dock
from napari_beadscope.ui.docks.parts import allow, toned
from napari_beadscope.ui.presenters.annotations import AnnotationsPresenter, LayerBeads
from napari_beadscope.ui.presenters.names import told_apart

_WIDE_PX = 600
_SELECT_FIRST = "Select beads in the table or the image first"


class AnnotationsDock(Dock):
    """What people say about the beads, live or of an opened file."""

    min_height_px = 150
    stretches_last = False

    def build(self) -> None:
        """Make the widgets."""
        self.layers = self.host.viewer.layers
        self.presenter = AnnotationsPresenter(self.session, self.layers)
        self._followed: Any = None
        self._due = QTimer(self)
        self._due.setSingleShot(True)
        self._due.setInterval(0)
        self._due.timeout.connect(self._show)
        self.bars = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        self.bars.setSpacing(4)
        self.bars.setContentsMargins(0, 0, 0, 0)
        self._rows = self._build_source(), self._build_actions()
        self.bars.addLayout(self._rows[0], 1)
        self.bars.addLayout(self._rows[1])
        self.both = QWidget()  # as narrow as one above the other, also while they are side by side
        self.both.setLayout(self.bars)
        self.both.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.body.addWidget(self.both)
        self.table = AnnotationView(
            lambda beads, field, value: self._say(beads, **{field: value}), self._choose_beads
        )
        self.body.addWidget(self.table, 1)
        self.body.addLayout(self._build_files())

    def wiring(self) -> tuple[tuple[Any, Callable[..., Any]], ...]:
        """Return pairs of model signal and slot."""
        events = self.model.events
        return (
            (events.beads, self._show),
            (events.annotations, self._show),
            (events.selected, self._show),
            (events.recording, self._show),
        )

    def wake(self) -> None:
        """Follow the model and the viewer's layers."""
        if not self.awake and not self.host.closed:
            self.layers.events.inserted.connect(self._layers_changed)
            self.layers.events.removed.connect(self._layers_changed)
            self.layers.selection.events.active.connect(self._activated)
            self.presenter.follow(self.layers.selection.active)
        super().wake()
        if self.awake:
            self._layers_changed()

    def rest(self) -> None:
        """Stop to follow them."""
        if self.awake:
            self._due.stop()
            self.layers.events.inserted.disconnect(self._layers_changed)
            self.layers.events.removed.disconnect(self._layers_changed)
            self.layers.selection.events.active.disconnect(self._activated)
            self._follow_layer(None)
        super().rest()

    def event(self, event: QEvent) -> bool:
        """Look again when the mouse comes in: napari's table of features changes them silently."""
        if event.type() == QEvent.Type.Enter and self.awake:
            self._show()
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Put the bars side by side where there is room."""
        directions = QBoxLayout.Direction
        wide = self.width() >= _WIDE_PX
        self.bars.setDirection(directions.LeftToRight if wide else directions.TopToBottom)
        self.both.setMinimumWidth(max(row.minimumSize().width() for row in self._rows))
        super().resizeEvent(event)

    # widgets

    def _build_source(self) -> QHBoxLayout:
        self.source = QComboBox()
        self.source.setToolTip("Which beads: those that are tracked now, or of an opened file")
        self.source.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.source.setMinimumWidth(110)
        self.source.activated.connect(self._choose_source)
        self.count = QElidingLabel()
        row = QHBoxLayout()
        row.addWidget(self.source, 1)
        row.addWidget(self.count, 1)
        return row

    def _build_actions(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.buttons: dict[str, tuple[QPushButton, str]] = {}
        for name, tip, changes in (
            ("Good", "The selected beads are fit for use (Y in the column good)", {"good": True}),
            ("Bad", "The selected beads are not fit for use (N)", {"good": False}),
            ("Not judged", "Take the judgement back (Delete)", {"good": None}),
            ("Reference", "The selected beads are stuck and show the drift (Space)", {}),
        ):
            button = QPushButton(name)
            button.clicked.connect(
                lambda _=False, what=changes: self._say(self.table.chosen, **(what or self._turn()))
            )
            self.buttons[name] = (button, tip)
            row.addWidget(button)
        return row

    def _build_files(self) -> QHBoxLayout:
        self.save = QPushButton("Save to recording")
        self.save.clicked.connect(self._save)
        self.take = QPushButton("Take over live")
        self.take.clicked.connect(lambda: self.presenter.take_over())
        self.state = QElidingLabel()
        row = QHBoxLayout()
        row.addWidget(self.state, 1)
        row.addWidget(self.save)
        row.addWidget(self.take)
        return row

    # what the user does

    def _say(self, beads: frozenset[int], **changes: Any) -> None:
        self.presenter.say(beads, **changes)
        self._show()

    def _turn(self) -> dict[str, bool]:
        """Return the change that makes all selected beads references, or none of them."""
        said = self.presenter.target.annotations()
        chosen = self.table.chosen
        every = all(bead in said and said[bead].reference for bead in chosen)
        return {"reference": not every}

    def _choose_beads(self, beads: frozenset[int]) -> None:
        self.presenter.target.select(beads)
        self._show_allowed()

    def _choose_source(self, place: int) -> None:
        self.presenter.choose(self.source.itemData(place))
        self._show()

    def _save(self) -> None:
        self.presenter.save()
        self._show()

    # what happens elsewhere

    def _layers_changed(self, _: Any = None) -> None:
        targets = self.presenter.targets()
        self.source.blockSignals(True)
        self.source.clear()
        for name, layer in targets:
            self.source.addItem(name, layer)
        self.source.blockSignals(False)
        self._show()

    def _activated(self, event: Any) -> None:
        self.presenter.follow(event.value)
        self._show()

    def _features_changed(self, _: Any = None) -> None:
        self._due.start()

    def _follow_layer(self, layer: Any) -> None:
        """Listen to this layer only; None to none."""
        if layer is self._followed:
            return
        for one, connect in ((self._followed, False), (layer, True)):
            if one is None:
                continue
            selection = one.selected_data.events.items_changed
            signals = (one.events.features, one.events.data, one.events.name, selection)
            for signal in signals:
                (signal.connect if connect else signal.disconnect)(self._features_changed)
        self._followed = layer

    # what is shown

    def _show(self, _: Any = None) -> None:
        target = self.presenter.target
        layer = target.layer if isinstance(target, LayerBeads) else None
        self._follow_layer(layer)
        places = [self.source.itemData(place) for place in range(self.source.count())]
        names = [one.name for one in places if one is not None]
        for place, name in enumerate(told_apart(names), start=1):
            self.source.setItemText(place, name)
            self.source.setItemData(place, names[place - 1], Qt.ItemDataRole.ToolTipRole)
        for place, found in enumerate(places):
            if found is layer:
                self.source.setCurrentIndex(place)
        self.table.show_rows(self.presenter.rows(), target.selected())
        self.count.setText(self.presenter.summary())
        self.count.setToolTip(self.presenter.summary())
        self._show_files()
        self._show_allowed()

    def _show_files(self) -> None:
        target = self.presenter.target
        is_layer = isinstance(target, LayerBeads)
        if isinstance(target, LayerBeads):
            unsaved = target.unsaved()
            what = f"{unsaved} bead{'s' if unsaved > 1 else ''} not saved" if unsaved else "saved"
            toned(self.state, what, "warn" if unsaved else "ok")
        for widget in (self.state, self.save, self.take):
            widget.setVisible(is_layer)
        if not is_layer:
            self.count.setToolTip("What is said about live beads is kept in every recording")
        why = self.presenter.why_not_save()
        allow(self.save, "Write annotations.csv into the recording's folder", (bool(why), why))
        why = self.presenter.why_not_take_over()
        allow(
            self.take,
            "Track these beads live, with their annotations, pixel size and Z-LUT",
            (bool(why), why),
        )

    def _show_allowed(self) -> None:
        for button, tip in self.buttons.values():
            allow(button, tip, (not self.table.chosen, _SELECT_FIRST))
