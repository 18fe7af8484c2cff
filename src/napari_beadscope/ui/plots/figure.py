"""What is to be drawn, as values: panels with curves, and what to say about them.

Owns the vocabulary that computations and the canvas share. Must not know Qt or the data's origin.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np


class Kind(str, Enum):
    """Kinds of plots."""

    TIME = "time"
    RELATION = "relation"
    HISTOGRAM = "histogram"
    PROFILE = "profile"
    ALLAN = "allan"
    SPECTRUM = "spectrum"


#: Kinds that are computed from tracks, so that they can be drawn of a recording, too.
OF_TRACKS = (Kind.TIME, Kind.RELATION, Kind.ALLAN, Kind.SPECTRUM)
AXES = ("x", "y", "z")


@dataclass(frozen=True, slots=True)
class Request:
    """What a user has asked for.

    Attributes
    ----------
    beads, references : tuple of int
        Beads to draw, and to take the drift from ('' for no correction).
    start_s, stop_s : float
        What is seen of time.
    columns : int
        Width of the plot in px.
    rows : tuple of str
        Of the time plot: 'x', 'y', 'z' and names of quantities.
    place : str
        Of each bead's curve: 'centred' about its median, 'apart' from the others, or 'measured'.
    across, up : str
        Of the relation: 'x', 'y', 'z' or the name of a quantity.
    axis : str
        Of Allan deviation and spectrum.
    region : str
        Of the histogram: 'frame' or 'beads'.
    """

    kind: Kind
    beads: tuple[int, ...] = ()
    references: tuple[int, ...] = ()
    start_s: float = 0.0
    stop_s: float = 0.0
    columns: int = 600
    rows: tuple[str, ...] = AXES
    place: str = "centred"
    across: str = "x"
    up: str = "y"
    axis: str = "x"
    region: str = "frame"


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One line, band or cloud; ``colour`` is a bead's ID, or -1 for a neutral one."""

    x: np.ndarray
    y: np.ndarray
    colour: int = -1
    style: str = "line"  # or 'bold', 'dashed', 'steps', 'dots'
    low: np.ndarray | None = None  # of a band about the line
    high: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An image behind the curves: ``values[row, column]`` over a box of the axes."""

    values: np.ndarray
    left: float
    right: float
    bottom: float
    top: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A line across the panel at a value of one axis, with its name."""

    at: float
    text: str = ""
    upright: bool = True
    colour: int = -1


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One pair of axes."""

    up: str  # label with unit
    curves: tuple[Curve, ...] = ()
    picture: Picture | None = None
    marks: tuple[Mark, ...] = ()
    log_up: bool = False
    height: int = 1  # relative


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """Panels above each other over one axis."""

    panels: tuple[Panel, ...]
    across: str = ""  # label with unit
    log_across: bool = False
    equal: bool = False  # one unit is as long across as up
    span: tuple[float, float] | None = None  # of the axis across; None: whatever there is
    beads: tuple[int, ...] = ()  # of the legend
    words: str = ""
    tone: str = "ok"


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """What a figure shows as columns, in full resolution; names end in their units."""

    columns: dict[str, np.ndarray] = field(default_factory=dict)


def empty(words: str, across: str = "", up: str = "") -> Figure:
    """Return a figure that only says why there is nothing to see.

    Examples
    --------
    >>> empty("no beads yet").panels[0].curves
    ()
    """
    return Figure((Panel(up),), across, words=words)
