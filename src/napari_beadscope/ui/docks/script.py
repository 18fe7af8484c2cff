"""The Script dock: type or open a script or a recipe, run it on this microscope, follow it.

Owns its widgets only; all it knows it has from `ScriptPresenter`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QKeySequence, QResizeEvent, QTextCursor
from qtpy.QtWidgets import (
    QBoxLayout,
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QMessageBox,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QShortcut,
    QSplitter,
    QToolButton,
)
from superqt import QElidingLabel

from napari_beadscope.script.recipes.samples import SAMPLES
from napari_beadscope.ui.docks.base import Dock
from napari_beadscope.ui.docks.code_editor import CodeEditor, code_font
from napari_beadscope.ui.docks.parts import allow, toned
from napari_beadscope.ui.presenters.script import ScriptPresenter

if TYPE_CHECKING:
    import napari

_POLL_MS = 100
_MAX_LINES = 5000
_WIDE_PX = 560
_MENU_PX = 36
_PATTERN = "Scripts and recipes (*.py *.yaml *.yml);;All files (*)"


class ScriptDock(Dock):
    """Run scripts on this microscope."""

    min_height_px = 150
    stretches_last = False

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)

    def build(self) -> None:
        """Make the widgets."""
        self.presenter = ScriptPresenter(self.session)
        self._build_buttons()
        self.editor = CodeEditor()
        self.editor.setToolTip(
            "Python, in which Scope.attach() is the microscope of this viewer; or a recipe"
        )
        self.editor.setPlainText(self.presenter.first_text())
        self.editor.document().setModified(False)
        self.editor.document().modificationChanged.connect(lambda _: self._show_title())
        self.output = QPlainTextEdit()
        self.output.setReadOnly(True)
        self.output.setFont(code_font())
        self.output.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.output.setMaximumBlockCount(_MAX_LINES)
        self.output.setPlaceholderText("What the script prints comes here, line by line.")
        self.output.setToolTip("What the script prints")
        self.parts = QSplitter(Qt.Orientation.Vertical)
        for part, share in ((self.editor, 3), (self.output, 2)):
            part.setMinimumSize(100, 40)
            self.parts.addWidget(part)
            self.parts.setStretchFactor(self.parts.count() - 1, share)
        self.parts.setChildrenCollapsible(False)
        self.parts.setSizes([600, 400])
        self.body.addWidget(self.parts, 1)
        self._clock = QTimer(self)
        self._clock.setInterval(_POLL_MS)
        self._clock.timeout.connect(self._poll)
        for keys, act in (("Ctrl+R", self._run), ("Ctrl+S", self._save)):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(act)

    def _build_buttons(self) -> None:
        self.run = _button("▶ Run", self._run)
        self.pause = _button("Resume", self._pause)
        self.pause.setText("Pause")
        self.stop = _button("■ Stop", lambda: self.presenter.stop())
        self.new = QToolButton()
        self.new.setText("New")
        self.new.setToolTip("Begin another script; beside it: a recipe, without programming")
        self.new.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self.new.clicked.connect(lambda: self._new())
        menu = QMenu(self.new)
        menu.addAction("Script", lambda: self._new())
        menu.addSection("Recipe")
        for kind in SAMPLES:
            menu.addAction(kind.replace("-", " ").capitalize(), lambda kind=kind: self._new(kind))
        self.new.setMenu(menu)
        self.open = _button("Open…", self._open, "Open a script or a recipe")
        self.save = _button("Save", self._save, "Save (Ctrl+S); with Shift under another name")
        # Qt does not count the arrow of its menu.
        self.new.setMinimumWidth(self.new.fontMetrics().horizontalAdvance("New") + _MENU_PX)
        self.title = QElidingLabel()
        self.head = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        self.head.setSpacing(4)
        self.body.addLayout(self.head)
        for parts in ((self.run, self.pause, self.stop), (self.new, self.open, self.save)):
            row = QHBoxLayout()
            row.setSpacing(4)
            for button in parts:
                row.addWidget(button)
            if parts[0] is self.new:
                row.addWidget(self.title, 1)
            row.addStretch()
            self.head.addLayout(row)
        self.state = QElidingLabel()  # what does not fit is in the tooltip
        self.head.addWidget(self.state, 1)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.hide()
        self.body.addWidget(self.bar)

    def wiring(self) -> tuple[tuple[Any, Callable[..., Any]], ...]:
        """Return pairs of model signal and slot."""
        events = self.model.events
        return ((events.phase, self._engine_changed), (events.live, self._show_state))

    def rest(self) -> None:
        """Stop to follow; a script that runs goes on."""
        if self.awake:
            self._clock.stop()
            if self.editor.document().isModified():
                self.presenter.keep_draft(self.editor.toPlainText())
            self.presenter.rest()
        super().rest()

    def wake(self) -> None:
        """Follow the model, and the script that runs."""
        if not self.awake and not self.host.closed:
            self.presenter.wake()
        super().wake()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Put text and output, and all buttons, side by side where there is room."""
        super().resizeEvent(event)
        wide = self.width() >= _WIDE_PX
        self.parts.setOrientation(Qt.Orientation.Horizontal if wide else Qt.Orientation.Vertical)
        directions = QBoxLayout.Direction
        self.head.setDirection(directions.LeftToRight if wide else directions.TopToBottom)

    # the text

    def _new(self, recipe: str = "") -> None:
        if self._may_leave():
            self._show_text(self.presenter.new(recipe))

    def _open(self) -> None:
        if not self._may_leave():
            return
        start = str(self.presenter.path or "")
        path, _ = QFileDialog.getOpenFileName(self, "Open a script", start, _PATTERN)
        if path:
            self.open_file(path)

    def open_file(self, path: str) -> None:
        """Show a file in the editor."""
        text = self.presenter.open(path)
        if text is not None:
            self._show_text(text)

    def _save(self) -> bool:
        from qtpy.QtWidgets import QApplication

        shift = QApplication.keyboardModifiers() & Qt.KeyboardModifier.ShiftModifier
        path = ""
        if self.presenter.path is None or shift:
            start = self.presenter.suggested_name(self.editor.toPlainText())
            path, _ = QFileDialog.getSaveFileName(self, "Save the script", start, _PATTERN)
            if not path:
                return False
        if not self.presenter.save(self.editor.toPlainText(), path):
            return False
        self.editor.document().setModified(False)
        self._show_title()
        return True

    def _may_leave(self) -> bool:
        """Return whether the text may go: it is saved, or the user lets it go."""
        if not self.editor.document().isModified():
            return True
        buttons = QMessageBox.StandardButton
        answer = QMessageBox.question(
            self,
            "Script",
            f"Keep the changes to the script ({self.presenter.title})?",
            buttons.Save | buttons.Discard | buttons.Cancel,
        )
        return self._save() if answer == buttons.Save else answer == buttons.Discard

    def _show_text(self, text: str) -> None:
        self.editor.setPlainText(text)
        self.editor.document().setModified(False)
        self._show_title()
        self.editor.mark(self.presenter.error_line())

    def _show_title(self) -> None:
        path = self.presenter.path
        star = " *" if path is not None and self.editor.document().isModified() else ""
        self.title.setText(self.presenter.title + star)
        self.title.setToolTip(
            str(path or "It is kept as a draft; Save gives it a name and a place")
        )

    # the run

    def _run(self) -> None:
        if self.presenter.why_not():
            return
        newer = self.presenter.newer_text(self.editor.document().isModified())
        if newer is not None:
            self._show_text(newer)
        self.editor.mark(0)
        self.output.clear()
        modified = self.editor.document().isModified()
        if self.presenter.start(self.editor.toPlainText(), modified):
            if self.presenter.path is not None:
                self.editor.document().setModified(False)
            self._clock.start()
        else:
            self.editor.mark(self.presenter.error_line())
        self._show_state()

    def _pause(self) -> None:
        self.presenter.pause()
        self._show_state()

    def _engine_changed(self, _: Any = None) -> None:
        self.presenter.look_for_runs()
        if self.presenter.running:
            self._clock.start()
        self._show_title()
        self._show_state()

    def _poll(self) -> None:
        text = self.presenter.poll()
        if text:
            self._append(text)
        if not self.presenter.running and not text:
            self._clock.stop()
            self.editor.mark(self.presenter.error_line())
        self._show_state()

    def _append(self, text: str) -> None:
        bar = self.output.verticalScrollBar()
        at_end = bar.value() == bar.maximum()
        cursor = QTextCursor(self.output.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(text)
        if at_end:  # else the user reads something further up
            bar.setValue(bar.maximum())

    def _show_state(self, _: Any = None) -> None:
        running = self.presenter.running
        why = self.presenter.why_not()
        allow(
            self.run,
            "Run it as it is here, in a process of its own (Ctrl+R); changes are saved",
            (bool(why), why),
        )
        allow(
            self.stop,
            "Ask it to end; after 5 s it is killed",
            (not running, "No script runs"),
        )
        waits = self.presenter.waits
        if self.pause.text() != (words := "Resume" if waits else "Pause"):
            self.pause.setText(words)
        tip = "Let it go on" if waits else "Let it wait at its next call of Scope"
        why = self.presenter.why_no_pause()
        allow(self.pause, f"{tip}; recordings and locks go on all the time", (bool(why), why))
        self._show_progress()
        text, tone = self.presenter.state()
        toned(self.state, text or "Ready to run", tone)
        self.state.setToolTip(text)

    def _show_progress(self) -> None:
        progress = self.presenter.progress()
        self.bar.setVisible(progress is not None)
        if progress is not None:
            self.bar.setValue(round(1000 * progress[0]))
            self.bar.setFormat(progress[1].replace("%", "%%"))
            self.bar.setToolTip(progress[1])


def _button(text: str, act: Callable[[], Any], tip: str = "") -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setMinimumWidth(button.fontMetrics().horizontalAdvance(text) + 14)
    button.clicked.connect(lambda: act())
    return button
