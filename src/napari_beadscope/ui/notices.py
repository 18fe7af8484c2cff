"""Messages as napari notifications, with buttons, and the window with a message's traceback.

Owns how the user is told at once. Must not know docks or engines. napari's own way of showing a
traceback needs the exception; ours often comes as text from another process, so the button is ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from napari.utils.notifications import Notification, notification_manager
from qtpy.QtCore import Qt
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from napari_beadscope.ui.model import Message

#: The same words are not shown twice within this time.
_REPEAT_S = 10.0


class Notices:
    """Tells the user; the same words not twice in a row."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}

    def show(self, message: Message) -> None:
        """Show a warning or an error; with a traceback it has a button for that."""
        now = time.monotonic()
        if now - self._told.get(message.text, -_REPEAT_S) < _REPEAT_S:
            return
        self._told = {text: at for text, at in self._told.items() if now - at < _REPEAT_S}
        self._told[message.text] = now
        actions: tuple[tuple[str, Callable[[Any], object]], ...] = ()
        if message.traceback:
            actions = (("View Traceback", lambda shown: open_message(message, shown.parent())),)
        _dispatch(message.text, message.severity, actions)

    def offer(self, text: str, button: str, accept: Callable[[], None]) -> None:
        """Offer something, with a button that accepts it."""
        _dispatch(text, "info", ((button, lambda _: accept()),))

    def withdraw(self, text: str) -> None:
        """Take away what was offered in these words, if it is shown still."""
        for shown in QApplication.allWidgets():
            # Its class is private to napari: known by name, so that nothing breaks without it.
            if type(shown).__name__ == "NapariQtNotification" and shown.message.text() == text:
                shown.close()


class _Notice(Notification):
    """A notification that names us as its source; napari would name its own manager."""

    @property
    def source(self) -> str:
        """Return who says it."""
        return "BeadScope"


def _dispatch(text: str, severity: str, actions: Any) -> None:
    notification_manager.dispatch(_Notice(text, severity=severity, actions=actions))


def open_message(message: Message, parent: QWidget | None) -> MessageDialog:
    """Open the window with a message's traceback."""
    dialog = MessageDialog(message, None if parent is None else parent.window())
    dialog.open()
    return dialog


class MessageDialog(QDialog):
    """One message with its traceback, to read and to copy."""

    def __init__(self, message: Message, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("BeadScope message")
        self.resize(680, 400)
        self._message = message
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(message.time_s))
        head = QLabel(f"{stamp}  {message.text}")
        head.setWordWrap(True)
        head.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.text = QPlainTextEdit(message.traceback or "No traceback: nothing went wrong inside.")
        self.text.setReadOnly(True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.copy = buttons.addButton("Copy", QDialogButtonBox.ButtonRole.ActionRole)
        self.copy.setToolTip("Copy message and traceback, to paste them into a report")
        self.copy.clicked.connect(self._copy)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        for widget in (head, self.text, buttons):
            column.addWidget(widget)

    def _copy(self) -> None:
        text = f"{self._message.text}\n\n{self._message.traceback}".strip()
        QApplication.clipboard().setText(text)
