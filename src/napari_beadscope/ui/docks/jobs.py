"""The Jobs dock: run a batch's plan, see how far it is, open what it has found.

Owns its widgets only; all it knows it has from `BatchJobsPresenter` and `BatchResultsPresenter`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, QTimer
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import (
    QBoxLayout,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QTabWidget,
    QToolButton,
    QWidget,
)
from superqt import QElidingLabel

from napari_beadscope.storage.settings_file import recent_batches
from napari_beadscope.ui.docks.base import Dock
from napari_beadscope.ui.docks.job_results import ResultsPanel
from napari_beadscope.ui.docks.job_tables import FailureList, StepTable, WorkerTable
from napari_beadscope.ui.docks.parts import allow, toned
from napari_beadscope.ui.presenters.batch_jobs import BatchJobsPresenter
from napari_beadscope.ui.presenters.batch_results import BatchResultsPresenter

if TYPE_CHECKING:
    import napari

_POLL_MS = 1000
_SLOWER = 4  # as long as nothing runs
_WIDE_PX = 620
_MENU_PX = 26
_TABS_PX = 340  # of all tabs, with counts
_LINE_PX = 120
_ERRORS, _WORKERS = "Errors", "Workers"
_PLANS = "Plans (*.yaml *.yml);;All files (*)"
_PICK = "A plan, or the folder of a batch's results: type, choose, or take one of the last ones"


class JobsDock(Dock):
    """Run batches and look at their results."""

    min_height_px = 150
    stretches_last = False

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)

    def build(self) -> None:
        """Make the widgets."""
        self._ticks = 0
        self.presenter = BatchJobsPresenter(self.session, self._show)
        self.results = BatchResultsPresenter(self.session, self.host.viewer, self._show_results)
        self._build_head()
        self._build_line()
        self.steps = StepTable(self._step_opened)
        self.steps.selectionModel().selectionChanged.connect(lambda *_: self._show_allowed())
        self.found = ResultsPanel(self.results)
        self.failures, self.workers = FailureList(), WorkerTable()
        self.tabs = QTabWidget()
        for widget, name in (
            (self.steps, "Steps"),
            (self.found, "Results"),
            (self.failures, _ERRORS),
            (self.workers, _WORKERS),
        ):
            self.tabs.addTab(widget, name)
        self.tabs.setMinimumSize(200, 60)
        self.body.addWidget(self.tabs, 1)
        self._clock = QTimer(self)
        self._clock.setInterval(_POLL_MS)
        self._clock.timeout.connect(self._tick)

    def _build_head(self) -> None:
        self.path = QComboBox()
        self.path.setEditable(True)
        self.path.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.path.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.path.setMinimumContentsLength(4)
        self.path.setToolTip(_PICK)
        self.path.setAccessibleName("Plan or results")
        self.path.lineEdit().setPlaceholderText("a plan, or a folder of results")
        self.path.lineEdit().setToolTip(_PICK)
        self.path.lineEdit().editingFinished.connect(self._typed)
        self.path.activated.connect(lambda _: self._typed())
        self.choose = QToolButton()
        self.choose.setText("Choose")
        self.choose.setToolTip("Choose a plan, or the folder of a batch's results")
        self.choose.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.choose.setMinimumWidth(
            self.choose.fontMetrics().horizontalAdvance("Choose") + _MENU_PX
        )
        menu = QMenu(self.choose)
        self.plan = menu.addAction("Plan…", self._choose_plan)
        self.folder = menu.addAction("Folder of results…", self._choose_folder)
        self.choose.setMenu(menu)
        self.run = _button("▶ Run", lambda: self.presenter.run())
        self.drain = _button("Finish", lambda: self.presenter.drain())
        self.stop = _button("■ Stop", lambda: self.presenter.stop())
        self.open = _button("Open", self._open)
        self.head = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        self.head.setSpacing(4)
        for widgets in ((self.path, self.choose), (self.run, self.drain, self.stop)):
            row = QHBoxLayout()
            row.setSpacing(4)
            for widget in widgets:
                row.addWidget(widget, int(widget is self.path))
            if self.run in widgets:
                row.addWidget(self.open)
                row.addStretch()
            self.head.addLayout(row, int(self.path in widgets))
        self.body.addLayout(self.head)

    def _build_line(self) -> None:
        self.state = QElidingLabel()
        policy = self.state.sizePolicy()
        policy.setVerticalPolicy(QSizePolicy.Policy.Minimum)
        self.state.setSizePolicy(policy)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setMaximumWidth(90)
        self.bar.setToolTip("Which part of all units is done")
        self.line = _Line()
        line = QHBoxLayout(self.line)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        line.addWidget(self.state, 1)
        line.addWidget(self.bar)
        self.body.addWidget(self.line)

    # its life

    def wiring(self) -> tuple[tuple[Any, Callable[..., Any]], ...]:
        """Return pairs of signal and slot."""
        return ((self.session.model.events.recording, self._show),)

    def rest(self) -> None:
        """Look no more; a run goes on."""
        if self.awake:
            self._clock.stop()
            events = self.host.viewer.layers.events
            for signal in (events.inserted, events.removed):
                signal.disconnect(self._layers_changed)
            self.host.viewer.layers.selection.events.active.disconnect(self._layers_changed)
            self.results.rest()
            self.presenter.rest()
        super().rest()

    def wake(self) -> None:
        """Look at the batch, and follow the layers."""
        if not self.awake and not self.host.closed:
            events = self.host.viewer.layers.events
            for signal in (events.inserted, events.removed):
                signal.connect(self._layers_changed)
            self.host.viewer.layers.selection.events.active.connect(self._layers_changed)
            self.results.wake()
            self.presenter.wake()
            self._clock.start()
        super().wake()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Put things side by side where there is room."""
        super().resizeEvent(event)
        wide = self.width() >= _WIDE_PX
        directions = QBoxLayout.Direction
        self.head.setDirection(directions.LeftToRight if wide else directions.TopToBottom)
        self.line.wanted_px = self.width() - _TABS_PX
        if wide and self.tabs.cornerWidget() is None:
            self.tabs.setCornerWidget(self.line)
        elif not wide and self.tabs.cornerWidget() is not None:
            self.tabs.setCornerWidget(None)
            self.body.insertWidget(1, self.line)
        self.line.show()
        self.line.updateGeometry()

    def _tick(self) -> None:
        self._ticks += 1
        if self.presenter.is_on or self._ticks % _SLOWER == 0:
            self.presenter.poll()

    def _layers_changed(self, _: Any = None) -> None:
        before = self.results.opened
        self.results.look()
        now = self.results.opened
        if now is not None and now is not before:
            self.presenter.follow(now.folder)

    # choosing

    def _typed(self) -> None:
        self.presenter.choose(self.path.currentText())

    def _choose_plan(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a plan", self._start(), _PLANS)
        if path:
            self.presenter.choose(path)

    def _choose_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Results of a batch", self._start())
        if path:
            self.presenter.choose(path)

    def _start(self) -> str:
        return str(self.presenter.path or "")

    def _open(self) -> None:
        chosen = self.steps.chosen
        folder = self.presenter.folder
        if folder is not None and not self.presenter.why_no_results():
            self.tabs.setCurrentWidget(self.found)
            self.results.show(folder, chosen[0] if chosen else "")

    def _step_opened(self, position: str, step: str) -> None:
        """Show why a step has failed, or what it has found."""
        failures = self.presenter.failures(position, step)
        if failures:
            self.tabs.setCurrentWidget(self.failures)
            self.failures.open(failures[0])
        else:
            self._open()

    # what is shown

    def _show(self, _: Any = None) -> None:
        self._show_path()
        text, tone, tip = self.presenter.state()
        toned(self.state, text, tone)
        self.state.setToolTip(tip)
        share = self.presenter.share()
        self.bar.setVisible(share is not None)
        self.bar.setValue(round(1000 * (share or 0.0)))
        self.steps.show_rows(self.presenter.rows)
        failures = self.presenter.failures()
        self.failures.show_failures(failures)
        self._count(self.failures, _ERRORS, len(failures))
        workers = self.presenter.workers()
        self.workers.show_workers(workers)
        self._count(self.workers, _WORKERS, len(workers))
        self._show_allowed()

    def _count(self, widget: QWidget, name: str, count: int) -> None:
        text = f"{name} ({count})" if count else name
        place = self.tabs.indexOf(widget)
        if self.tabs.tabText(place) != text:
            self.tabs.setTabText(place, text)

    def _show_path(self) -> None:
        path = str(self.presenter.path or "")
        if self.path.lineEdit().hasFocus() and self.path.lineEdit().isModified():
            return
        if self.path.currentText() != path or not self.path.count():
            self.path.blockSignals(True)
            self.path.clear()
            self.path.addItems([str(one) for one in recent_batches()])
            self.path.setEditText(path)
            self.path.blockSignals(False)
            self.path.setToolTip(path or _PICK)

    def _show_allowed(self) -> None:
        presenter = self.presenter
        chosen = self.steps.chosen
        where = f"of {chosen[0]}" if chosen else "of the first position; choose a row for another"
        for button, tip, why in (
            (
                self.run,
                "Compute what is not done, in a process that goes on without napari",
                presenter.why_no_run(),
            ),
            (self.drain, "Let it finish what it has begun, then end", presenter.why_no_drain()),
            (self.stop, "End it at once; what is done stays done", presenter.why_no_stop()),
            (
                self.open,
                f"Frames, labels, tracks and table {where}",
                presenter.why_no_results(),
            ),
        ):
            allow(button, tip, (bool(why), why))

    def _show_results(self) -> None:
        self.found.show_results()


class _Line(QWidget):
    """A row that takes what room there is beside tabs, and needs little."""

    wanted_px = 0

    def sizeHint(self) -> QSize:
        """Return the width that is wanted."""
        return QSize(max(_LINE_PX, self.wanted_px), super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        """Return a width that is easy to have."""
        return QSize(_LINE_PX, super().minimumSizeHint().height())


def _button(text: str, act: Callable[[], Any], tip: str = "") -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setMinimumWidth(button.fontMetrics().horizontalAdvance(text) + 14)
    button.clicked.connect(lambda: act())
    return button
