"""A plot as a picture: PNG, SVG, clipboard.

Owns that pictures are dark on white whatever the theme, and replace no file unasked. Must not
know what is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QImage, QPainter
from qtpy.QtSvg import QSvgGenerator
from qtpy.QtWidgets import QApplication

from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.whole_file import whole_file
from napari_beadscope.ui.plots.canvas import PlotCanvas
from napari_beadscope.ui.plots.tables import refuse_existing

PICTURES = (".png", ".svg")
#: Pixels of a saved picture per pixel of the screen.
SCALE = 3


def picture(canvas: PlotCanvas, scale: int = SCALE) -> QImage:
    """Return what the canvas shows, on white."""
    image = QImage(canvas.size() * scale, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white)
    with _on_white(canvas):
        painter = QPainter(image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        canvas.render(painter, QRectF(image.rect()))
        painter.end()
    return image


def copy(canvas: PlotCanvas) -> None:
    """Put the picture on the clipboard."""
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    clipboard.setImage(picture(canvas))


def save_picture(canvas: PlotCanvas, path: Path, overwrite: bool = False) -> None:
    """Write the picture as PNG, or as SVG with lines as lines and text as text.

    Raises
    ------
    InputError
        The name ends in neither, or a file is there and must not be replaced.
    StorageError
        The file cannot be written.
    """
    ending = path.suffix.lower()
    if ending not in PICTURES:
        raise InputError(f"a plot cannot be saved as {path.name}", "end its name with .png or .svg")
    refuse_existing(path, overwrite)
    try:
        with whole_file(path) as part:
            if ending == ".svg":
                _write_svg(canvas, part)
            elif not picture(canvas).save(str(part), "PNG"):
                raise OSError("the folder is missing, full or not yours")
    except OSError as error:
        raise StorageError(f"cannot write {path}", error.strerror or str(error)) from error


def _write_svg(canvas: PlotCanvas, path: Path) -> None:
    path.touch()  # which says why a file cannot be there
    generator = QSvgGenerator()
    generator.setFileName(str(path))
    generator.setSize(canvas.size())
    generator.setViewBox(QRectF(canvas.rect()))
    generator.setTitle("BeadScope plot")
    with _on_white(canvas):
        painter = QPainter(generator)
        canvas.render(painter, QRectF(canvas.rect()))
        painter.end()


@contextmanager
def _on_white(canvas: PlotCanvas) -> Iterator[None]:
    before = canvas.theme
    canvas.set_theme("#ffffff", "#000000")
    try:
        yield
    finally:
        canvas.set_theme(*before)
