"""A small editor for Python: line numbers, colours, and a marked line.

Owns the widget. Must not know what the text is for.
"""

from __future__ import annotations

import keyword

from qtpy.QtCore import QRect, QRegularExpression, QSize, Qt
from qtpy.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QResizeEvent,
    QSyntaxHighlighter,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
)
from qtpy.QtWidgets import QPlainTextEdit, QTextEdit, QWidget

_INDENT = "    "
_MARK = "#e5484d"
#: Colours of (keyword, text, comment), to be read on light and on dark.
_LIGHT = ("#8a3ea8", "#2b7a2b", "#767676")
_DARK = ("#d39ae8", "#8fd18f", "#9a9a9a")


def code_font() -> QFont:
    """Return the system's font for code, a little smaller than usual."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    font.setPointSizeF(9.5)
    return font


class CodeEditor(QPlainTextEdit):
    """Edits Python; Tab makes four spaces, Enter keeps the indent."""

    def __init__(self) -> None:
        super().__init__()
        self.setFont(code_font())
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setTabStopDistance(4 * self.fontMetrics().horizontalAdvance(" "))
        self._marked = 0
        self._numbers = _LineNumbers(self)
        self._colours = _Colours(self.document())
        self.blockCountChanged.connect(lambda _: self._make_room())
        self.updateRequest.connect(self._scrolled)
        self.textChanged.connect(lambda: self.mark(0) if self._marked else None)
        self._make_room()

    def mark(self, line: int) -> None:
        """Mark a line and bring it into view; 0 takes the mark away."""
        self._marked = line
        block = self.document().findBlockByNumber(line - 1)
        selections = []
        if line and block.isValid():
            cursor = QTextCursor(block)
            one = QTextEdit.ExtraSelection()
            colour = QColor(_MARK)
            colour.setAlpha(80)
            one.format.setBackground(colour)
            one.format.setProperty(QTextFormat.Property.FullWidthSelection, True)
            one.cursor = cursor
            selections.append(one)
            self.setTextCursor(cursor)
            self.centerCursor()
        self.setExtraSelections(selections)

    @property
    def marked(self) -> int:
        """The line that is marked, 0 for none."""
        return self._marked

    def sizeHint(self) -> QSize:
        """Return room for some sixty letters and eight lines."""
        metrics = self.fontMetrics()
        return QSize(60 * metrics.horizontalAdvance("m"), 8 * metrics.lineSpacing())

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Indent the Python way."""
        assert event is not None
        cursor = self.textCursor()
        if event.key() == Qt.Key.Key_Tab and not cursor.hasSelection():
            cursor.insertText(_INDENT[cursor.positionInBlock() % len(_INDENT) :])
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            line = cursor.block().text()[: cursor.positionInBlock()]
            indent = line[: len(line) - len(line.lstrip())]
            cursor.insertText("\n" + indent + (_INDENT if line.rstrip().endswith(":") else ""))
            self.ensureCursorVisible()
            return
        super().keyPressEvent(event)

    def changeEvent(self, event: object) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if hasattr(self, "_colours"):
            self._colours.follow(self.palette())

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Keep the line numbers beside the text."""
        super().resizeEvent(event)
        inner = self.contentsRect()
        self._numbers.setGeometry(QRect(inner.left(), inner.top(), self._room(), inner.height()))

    def paint_numbers(self, painter: QPainter) -> None:
        """Draw the numbers of the lines in view."""
        ink = self.palette().color(QPalette.ColorRole.Text)
        ink.setAlpha(120)
        painter.setPen(ink)
        painter.setFont(self.font())
        height = self.fontMetrics().height()
        block = self.firstVisibleBlock()
        while block.isValid():
            top = self.blockBoundingGeometry(block).translated(self.contentOffset()).top()
            if top > self.height():
                break
            box = QRect(0, int(top), self._room() - 6, height)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight, str(block.blockNumber() + 1))
            block = block.next()

    def _room(self) -> int:
        digits = max(2, len(str(self.blockCount())))
        return 12 + digits * self.fontMetrics().horizontalAdvance("9")

    def _make_room(self) -> None:
        self.setViewportMargins(self._room(), 0, 0, 0)

    def _scrolled(self, area: QRect, dy: int) -> None:
        if dy:
            self._numbers.scroll(0, dy)
        else:
            self._numbers.update(0, area.y(), self._numbers.width(), area.height())


class _LineNumbers(QWidget):
    def __init__(self, editor: CodeEditor) -> None:
        super().__init__(editor)
        self._editor = editor

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the numbers."""
        del event
        painter = QPainter(self)
        self._editor.paint_numbers(painter)
        painter.end()


class _Colours(QSyntaxHighlighter):
    """Keywords, texts and comments; enough to see what is what."""

    _WORD = r"\b(?:" + "|".join(keyword.kwlist) + r")\b"
    _TEXT = r"[fr]?\"(?:\\.|[^\"\\])*\"|[fr]?'(?:\\.|[^'\\])*'"
    _COMMENT = r"#[^\n]*"

    def __init__(self, document: QTextDocument | None) -> None:
        super().__init__(document)
        self._rule = QRegularExpression(f"({self._TEXT})|({self._COMMENT})|({self._WORD})")
        self._is_dark: bool | None = None
        self._formats = [QTextCharFormat() for _ in range(3)]

    def follow(self, palette: QPalette) -> None:
        """Choose colours that can be read on this background."""
        is_dark = palette.color(QPalette.ColorRole.Text).lightness() > 128
        if is_dark == self._is_dark:
            return
        self._is_dark = is_dark
        words, texts, comments = _DARK if is_dark else _LIGHT
        for form, colour in zip(self._formats, (texts, comments, words)):
            form.setForeground(QColor(colour))
        self.rehighlight()

    def highlightBlock(self, text: str | None) -> None:
        """Colour one line."""
        found = self._rule.globalMatch(text or "")
        while found.hasNext():
            match = found.next()
            group = next(k for k in (1, 2, 3) if match.capturedStart(k) >= 0)
            start, length = match.capturedStart(group), match.capturedLength(group)
            self.setFormat(start, length, self._formats[group - 1])
