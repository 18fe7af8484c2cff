"""The Camera dock: choose, set, Live.

Owns its widgets only; all it knows it has from `CameraPresenter`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_beadscope.ui.docks.base import SPACING_PX, Dock
from napari_beadscope.ui.docks.parts import FieldForm, form, note
from napari_beadscope.ui.model import Phase
from napari_beadscope.ui.presenters.camera import CameraPresenter
from napari_beadscope.ui.presenters.camera_choices import OTHER, REPLAY, Choice
from napari_beadscope.ui.roi_box import RoiBox
from napari_beadscope.ui.snap import Snap, show_snap

if TYPE_CHECKING:
    import napari


#: Room for the scroll bar of a long list.
SCROLL_BAR_PX = 24


class CameraDock(Dock):
    """Which camera, with what options; live or not."""

    min_height_px = 210

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)

    def build(self) -> None:
        """Make the widgets."""
        self.presenter = CameraPresenter(self.session)
        self._choices: tuple[Choice, ...] = ()
        self._build_choice()
        self._build_live()
        self._build_gone()
        self._build_offer()
        self._build_options()
        self.properties = FieldForm()
        self.properties.changed.connect(self.presenter.set_property)
        self.body.addWidget(self.properties)
        self._build_window()

    def _build_choice(self) -> None:
        self.camera = QComboBox()
        self.camera.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.camera.setMinimumContentsLength(12)
        self.camera.activated.connect(self._chosen)
        self.search = QPushButton("Find")
        self.search.clicked.connect(self.presenter.search)
        row = QHBoxLayout()
        row.addWidget(self.camera, 1)
        row.addWidget(self.search)
        top = form()
        top.addRow("Camera", row)
        self.body.addLayout(top)

    def _build_live(self) -> None:
        self.live = QPushButton("Live")
        self.live.setCheckable(True)
        self.live.setToolTip("Start the camera and show its frames; press again to stop")
        self.live.clicked.connect(self.presenter.set_live)
        self.snap = QPushButton("Snap")
        self.snap.setToolTip(
            "Keep the newest frame as a layer of its own, with its time and camera"
        )
        self.snap.clicked.connect(lambda: self.presenter.snap(self._show_snap))
        self.state = QLabel()
        row = QHBoxLayout()
        row.addWidget(self.live)
        row.addWidget(self.snap)
        row.addWidget(self.state, 1)
        self.body.addLayout(row)

    def _build_gone(self) -> None:
        """Make what brings the image back after its layer was deleted."""
        self.gone = QFrame()
        row = QHBoxLayout(self.gone)
        row.setContentsMargins(0, 0, 0, 0)
        self.show_again = QPushButton("Show again")
        self.show_again.setToolTip("Add the layer of the live image again")
        self.show_again.clicked.connect(self._bring_back)
        row.addWidget(note("The live image was deleted; the camera goes on."), 1)
        row.addWidget(self.show_again)
        self.body.addWidget(self.gone)

    def _build_offer(self) -> None:
        self.offer = QFrame()
        row = QHBoxLayout(self.offer)
        row.setContentsMargins(0, 0, 0, 0)
        self.offer_text = note()
        self.attach = QPushButton("Attach")
        self.attach.setToolTip("Show what the running engine sees and take control of it")
        self.attach.clicked.connect(self.presenter.attach)
        row.addWidget(self.offer_text, 1)
        row.addWidget(self.attach)
        self.body.addWidget(self.offer)

    def _build_window(self) -> None:
        """Make what chooses the part of the sensor that is read out."""
        self.box = RoiBox(self.host.viewer)
        self.window_row = QWidget()
        column = QVBoxLayout(self.window_row)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING_PX)
        self.window_text = note()
        self.draw = QPushButton("Draw ROI")
        self.draw.setCheckable(True)
        self.draw.clicked.connect(self._draw)
        self.whole = QPushButton("Full frame")
        self.whole.clicked.connect(self.presenter.set_whole)
        buttons = QHBoxLayout()
        buttons.addWidget(self.draw)
        buttons.addWidget(self.whole)
        column.addWidget(self.window_text)
        column.addLayout(buttons)
        self.body.addWidget(self.window_row)

    def _build_options(self) -> None:
        self.options_button = QToolButton()
        self.options_button.setCheckable(True)
        self.options_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.options_button.setAutoRaise(True)
        self.options_button.toggled.connect(self._unfold)
        self.body.addWidget(self.options_button)
        self.options = FieldForm()
        self.options.changed.connect(self.presenter.set_option)
        self.options.setVisible(False)
        self.body.addWidget(self.options)

    def wiring(self) -> tuple[tuple[Any, Callable[..., Any]], ...]:
        """Return pairs of model signal and slot."""
        events = self.model.events
        return (
            (self.presenter.cameras.changed, self._show_choice),
            (events.camera_id, self._show_choice),
            (events.options, self._show_choice),
            (events.phase, self._show_choice),
            (events.status, self._show_running),
            (events.live, self._show_state),
            (events.phase, self._show_state),
            (events.busy, self._show_state),
            (events.status, self._show_state),
            (events.recording, self._show_state),
            (events.phase, self._show_properties),
            (events.properties, self._show_properties),
            (events.properties, self._show_window),
            (events.live, self._show_window),
            (events.recording, self._show_window),
            (events.phase, self._show_window),
            (self.session.heard, self._heard),
            (events.live, self._show_gone),
            (events.screen, self._show_gone),
            (events.engines, self._show_offer),
            (events.phase, self._show_offer),
            (events.status, self._show_offer),
        )

    def _chosen(self, row: int) -> None:
        self.presenter.choose(self.camera.itemData(row))
        self._show_choice()
        if self.presenter.kind in (REPLAY, OTHER):
            self.options_button.setChecked(True)

    def _list(self) -> None:
        """Bring the list of cameras up to date."""
        choices = self.presenter.choices()
        if choices == self._choices:
            return
        self._choices = choices
        self.camera.clear()
        for row, choice in enumerate(choices):
            self.camera.addItem(choice.label, choice.camera_id)
            self.camera.setItemData(row, choice.tip, Qt.ItemDataRole.ToolTipRole)
            self.camera.model().item(row).setEnabled(choice.available)
        view = self.camera.view()  # as wide as its longest line, however narrow the dock is
        view.setMinimumWidth(view.sizeHintForColumn(0) + SCROLL_BAR_PX)

    def _unfold(self, on: bool) -> None:
        arrow = Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow
        self.options_button.setArrowType(Qt.ArrowType.NoArrow if self.presenter.fixed else arrow)
        self.options.setVisible(on)

    def _show_choice(self, _: Any = None) -> None:
        fixed = self.presenter.fixed
        self._list()
        self.camera.setCurrentIndex(self.camera.findData(self.presenter.chosen))
        self._show_search()
        elsewhere = "engine that was started elsewhere"
        what = f"Camera of an {elsewhere}" if fixed else "Where frames come from"
        self.camera.setToolTip(f"{what}: {self.camera.currentText()}")
        fields = self.presenter.fields()
        self.options.show_fields(fields)
        self.options_button.setText(self.presenter.summary())
        self.options_button.setToolTip(
            f"What comes from an {elsewhere}"
            if fixed
            else "Options of this camera; they hold from the next start on"
        )
        self.options_button.setEnabled(bool(fields))
        self.options_button.setVisible(fixed or bool(fields))
        self._unfold(self.options_button.isChecked() and bool(fields))

    def _show_search(self) -> None:
        why = self.presenter.why_no_search()
        self.search.setEnabled(not why and self.model.recording is None)
        found = self.presenter.cameras.summary()
        self.search.setText("…" if self.presenter.cameras.searching else "Find")
        tip = "Look for cameras that are connected; takes a few seconds"
        self.search.setToolTip(why or (f"{tip}. Last time: {found}" if found else tip))

    def _show_running(self, _: Any = None) -> None:
        if self.options_button.text() != self.presenter.summary():
            self._show_choice()

    def _show_state(self, _: Any = None) -> None:
        model = self.model
        self.live.setChecked(model.live or model.phase is Phase.STARTING)
        self.live.setText("● Live" if model.live else "Live")
        self.live.setEnabled(not model.busy.endswith(("the camera", "running engine")))
        text = self.presenter.state()
        if self.state.text() != text:
            self.state.setText(text)
        free = model.recording is None and not model.busy
        self.camera.setEnabled(free and not self.presenter.fixed)
        self._show_search()
        self.options.setEnabled(free)
        self.properties.setEnabled(model.recording is None)

    def _show_properties(self, _: Any = None) -> None:
        fields = self.presenter.properties()
        self.properties.show_fields(fields)
        self.properties.setVisible(bool(fields))

    def _show_window(self, _: Any = None) -> None:
        why = self.presenter.why_no_window()
        self.window_row.setVisible(self.presenter.window() is not None)
        self.window_text.setText(f"Image: {self.presenter.window_text()}")
        if why:
            self.box.cancel()
        self.draw.setEnabled(not why)
        self.draw.setToolTip(
            why
            or "Drag a box over the live image: the camera reads out that part of its sensor, "
            "faster and smaller; beads in it keep their IDs"
        )
        whole = "The whole sensor is shown" if self.presenter.is_whole() else ""
        self.whole.setEnabled(not (why or whole))
        self.whole.setToolTip(why or whole or "Read out the whole sensor again")

    def _show_gone(self, _: Any = None) -> None:
        seen = self.model.screen.shown > 0
        self.gone.setVisible(self.model.live and seen and self.host.live_view.layer is None)

    def _bring_back(self) -> None:
        self.host.show_image()
        self._show_gone()

    def _draw(self, on: bool) -> None:
        scope = self.session.scope
        if not on or scope is None:
            self.box.cancel()
            return
        self.host.viewer.status = "Drag a box over the live image; press Draw ROI again to cancel"
        self.box.start(
            scope.format.shape, self.presenter.set_window, lambda: self.draw.setChecked(False)
        )

    def _show_snap(self, snap: Snap) -> None:
        if self.host.closed:
            return
        show_snap(self.host.viewer, snap)
        above = ": hide it to see live frames again" if self.model.live else ""
        self.host.viewer.status = f"Kept as layer '{snap.name}'{above}"

    def _heard(self, event: Any = None) -> None:
        self.presenter.heard(event)

    def rest(self) -> None:
        """Stop to follow the model, and to wait for a box."""
        super().rest()
        self.box.cancel()

    def _show_offer(self, _: Any = None) -> None:
        text = self.presenter.offer()
        if text != self.offer_text.text():
            self.offer_text.setText(text)
        self.offer.setVisible(bool(text))
