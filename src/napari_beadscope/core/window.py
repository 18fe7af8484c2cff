"""The window of its sensor that a camera reads out, and how beads follow when it changes.

Owns the arithmetic between sensor and frame pixels. Must not know cameras or rings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import Bead, Roi

#: An ROI does not get smaller than this when pixels are binned.
_MIN_ROI_PX = 8

Place = TypeVar("Place", float, np.ndarray)


@dataclass(frozen=True, slots=True)
class Window:
    """A box in sensor pixels, and its binning: how many of them make one frame pixel's edge.

    The frame pixel ``(0, 0)`` is the mean of the first ``binning`` by ``binning`` sensor pixels.
    Sizes of 0 stand for a camera that always shows its whole sensor.

    Examples
    --------
    >>> window = Window.parse("100,200,64,128", binning=2)
    >>> window.shape, window.text
    ((32, 64), '100,200,64,128')
    >>> window.on_sensor(0.0, 0.0), window.in_frame(100.5, 200.5)
    ((100.5, 200.5), (0.0, 0.0))
    """

    y0: int = 0
    x0: int = 0
    height: int = 0
    width: int = 0
    binning: int = 1

    @classmethod
    def parse(cls, text: str, binning: int = 1) -> Window:
        """Return the window that ``y0,x0,height,width`` in sensor pixels names.

        Raises
        ------
        InputError
            Those are not four whole numbers, or no box.

        Examples
        --------
        >>> Window.parse("1,2,three,4")
        Traceback (most recent call last):
        ...
        napari_beadscope.core.errors.InputError: 'three' in the ROI 1,2,three,4 is no whole \
number: give y0,x0,height,width in px of the sensor
        """
        remedy = "give y0,x0,height,width in px of the sensor"
        parts = [part.strip() for part in text.split(",")]
        if len(parts) != 4:
            raise InputError(f"the ROI {text!r} has {len(parts)} of 4 numbers", remedy)
        wrong = next((part for part in parts if not part.removeprefix("-").isdecimal()), None)
        if wrong is not None:
            raise InputError(f"{wrong!r} in the ROI {text} is no whole number", remedy)
        y0, x0, height, width = (int(part) for part in parts)
        window = cls(y0, x0, height, width, binning)
        if min(window.y0, window.x0) < 0 or min(window.height, window.width) < 1:
            raise InputError(f"the ROI {text} is not a box on a sensor", remedy)
        return window

    @property
    def text(self) -> str:
        """``y0,x0,height,width`` in sensor pixels."""
        return f"{self.y0},{self.x0},{self.height},{self.width}"

    @property
    def shape(self) -> tuple[int, int]:
        """``(y, x)`` of the frames in px; what is left over by binning is not read."""
        return self.height // self.binning, self.width // self.binning

    def inside(self, sensor: Window) -> bool:
        """Return whether the box lies within that of `sensor`."""
        return (
            self.y0 >= sensor.y0
            and self.x0 >= sensor.x0
            and self.y0 + self.height <= sensor.y0 + sensor.height
            and self.x0 + self.width <= sensor.x0 + sensor.width
        )

    def on_sensor(self, y_px: Place, x_px: Place) -> tuple[Place, Place]:
        """Return a place in the frame as a place on the sensor; pixel centres at integers."""
        shift = (self.binning - 1) / 2
        return self.y0 + y_px * self.binning + shift, self.x0 + x_px * self.binning + shift

    def in_frame(self, y_px: Place, x_px: Place) -> tuple[Place, Place]:
        """Return a place on the sensor as a place in the frame."""
        shift = (self.binning - 1) / 2
        return (
            (y_px - self.y0 - shift) / self.binning,
            (x_px - self.x0 - shift) / self.binning,
        )


def follow(
    beads: Sequence[Bead], before: Window, after: Window, shape: tuple[int, int]
) -> tuple[tuple[Bead, ...], tuple[int, ...]]:
    """Return the beads where they are in a frame of another window, and who is not in it.

    Parameters
    ----------
    beads : sequence of Bead
        In px of frames of the window `before`.
    before, after : Window
        Of the same sensor.
    shape : tuple of int
        ``(y, x)`` of the frames after the change, px.

    Returns
    -------
    beads : tuple of Bead
        With their IDs; the ROIs show the same part of the sensor, of at least 8 px.
    left_out : tuple of int
        IDs of those whose ROI would leave the frame.

    Examples
    --------
    >>> beads = (Bead(3, Roi(100, 120, 32)), Bead(5, Roi(0, 0, 32)))
    >>> follow(beads, Window(0, 0, 512, 512), Window(90, 100, 256, 256), (256, 256))
    ((Bead(bead=3, roi=Roi(y0=10, x0=20, size=32)),), (5,))
    """
    kept, left_out = [], []
    for bead in beads:
        size = bead.roi.size
        if after.binning != before.binning:
            size = max(_MIN_ROI_PX, round(size * before.binning / after.binning))
        place = after.in_frame(*before.on_sensor(*bead.roi.centre_px))
        roi = Roi.around(*place, size)
        if roi.inside(shape):
            kept.append(Bead(bead.bead, roi))
        else:
            left_out.append(bead.bead)
    return tuple(kept), tuple(left_out)
