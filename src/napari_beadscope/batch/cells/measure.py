"""`measure_cells`: one row of numbers for every cell of a frame, by features from a registry.

Owns the registry and the frame that features look at. Must not know files or time. A feature is a
function that takes a `CellFrame` and returns columns by name, each with one value per cell; the
ones of this package are in `features`, those of users in files of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.own_code import own_module

#: Entry points of packages that bring features.
GROUP = "napari_beadscope.cell_features"
_HERE = "napari_beadscope.batch.cells.features"
_FEATURES = {
    "area": f"{_HERE}:area",
    "intensity": f"{_HERE}:intensity",
    "variation": f"{_HERE}:variation",
    "shape": f"{_HERE}:shape",
    "border": f"{_HERE}:border",
}
DEFAULT_FEATURES = ("area", "intensity", "shape", "border")
Columns = dict[str, np.ndarray]
Feature = Callable[["CellFrame"], Mapping[str, Any]]


@dataclass(frozen=True)
class CellFrame:
    """What features see of a frame. Rows are in the order of `used`.

    Attributes
    ----------
    labels : np.ndarray
        Shape (y, x), int32: 0 where there is no cell.
    images : dict of int to np.ndarray
        By channel, (y, x) float32: what cells send out, background taken away, in counts.
    backgrounds : dict of int to np.ndarray
        By channel, (y, x) float32: the background that was taken away, in counts.
    """

    labels: np.ndarray
    images: Mapping[int, np.ndarray] = field(default_factory=dict)
    backgrounds: Mapping[int, np.ndarray] = field(default_factory=dict)

    @cached_property
    def count(self) -> int:
        """The highest label."""
        return int(self.labels.max(initial=0))

    @cached_property
    def sums(self) -> np.ndarray:
        """Sums over the pixels of every label, (count + 1, 12): see `label_sums.geometry`."""
        from napari_beadscope.batch.cells.label_sums import geometry

        return geometry(self.labels, self.count)

    @cached_property
    def used(self) -> np.ndarray:
        """The labels there are, ascending, (n,)."""
        return np.flatnonzero(self.sums[:, 0] > 0)

    @cached_property
    def area_px(self) -> np.ndarray:
        """Pixels of every cell, (n,)."""
        return self.sums[self.used, 0]

    def brightness(self, image: np.ndarray) -> np.ndarray:
        """Return sum, sum of squares, minimum and maximum of an image in every cell, (n, 4)."""
        from napari_beadscope.batch.cells.label_sums import brightness

        return brightness(self.labels, image, self.count)[self.used]


def measure_cells(
    labels: Any,
    images: Mapping[int, Any] | None = None,
    backgrounds: Mapping[int, Any] | None = None,
    *,
    features: Sequence[str] = DEFAULT_FEATURES,
) -> Columns:
    """Measure the cells of one frame.

    Parameters
    ----------
    labels : array, shape (y, x), int
        0 where there is no cell.
    images, backgrounds : dict of int to array of shape (y, x), optional
        By channel: what cells send out in counts, and the background that was taken away.
    features : sequence of str
        Names of the registry, of an entry point, or ``my_file.py:function``.

    Returns
    -------
    dict of str to np.ndarray
        ``label``, ``y_px``, ``x_px`` and the features' columns, one value per cell, by label.

    Raises
    ------
    InputError
        Shapes differ, there is no such feature, or one does not give a value per cell.

    Examples
    --------
    >>> labels = np.zeros((64, 64), int)
    >>> labels[10:20, 30:50] = 1
    >>> found = measure_cells(labels, {1: np.full((64, 64), 2.5)}, features=["area", "intensity"])
    >>> [(name, float(values[0])) for name, values in found.items()]  # doctest: +ELLIPSIS
    [('label', 1.0), ('y_px', 14.5), ('x_px', 39.5), ('area_px', 200.0), \
('intensity_total_c1', 500.0), ...]
    """
    names = np.ascontiguousarray(labels, dtype=np.int32)
    if names.ndim != 2:
        raise InputError(f"labels of shape {names.shape}", "give one frame, shape (y, x)")
    frame = CellFrame(
        names,
        {key: _like(names, image, f"channel {key}") for key, image in (images or {}).items()},
        {key: _like(names, image, "background") for key, image in (backgrounds or {}).items()},
    )
    area = frame.area_px
    columns: Columns = {
        "label": frame.used,
        "y_px": frame.sums[frame.used, 1] / area,
        "x_px": frame.sums[frame.used, 2] / area,
    }
    for name in features:
        for column, values in find_feature(name)(frame).items():
            given = np.asarray(values)
            if given.shape != area.shape:
                raise InputError(
                    f"the feature {name!r} gives {column} with the shape {given.shape}",
                    f"give one value for each of the {len(area)} cells",
                )
            columns[column] = given
    return columns


def feature_names() -> tuple[str, ...]:
    """Return the names of our features and of those that installed packages bring."""
    return (*_FEATURES, *(name for name in _entry_points() if name not in _FEATURES))


def find_feature(name: str) -> Feature:
    """Return the function of a feature.

    Raises
    ------
    InputError
        There is none of this name; the sentence says which there are.
    """
    own, _, function = name.rpartition(":")
    if own.endswith(".py"):
        return _from_file(Path(own).expanduser().resolve(), function)
    target = _FEATURES.get(name) or _entry_points().get(name)
    if target is None:
        raise InputError(
            f"no feature is called {name!r}",
            f"there are {', '.join(feature_names())}; your own is my_file.py:function",
        )
    module, _, function = target.partition(":")
    found: Feature = getattr(import_module(module), function)
    return found


@cache
def _entry_points() -> dict[str, str]:
    return {point.name: point.value for point in metadata.entry_points(group=GROUP)}


def _from_file(path: Path, function: str) -> Feature:
    """Return a function of a user's file, which is run once."""
    found = getattr(own_module(path), function, None)
    if not callable(found):
        raise InputError(f"{path} has no function {function!r}", "name it after the colon")
    result: Feature = found
    return result


def _like(labels: np.ndarray, image: Any, what: str) -> np.ndarray:
    pixels = np.ascontiguousarray(image, dtype=np.float32)
    if pixels.shape != labels.shape:
        raise InputError(
            f"{what} has the shape {pixels.shape}, the labels {labels.shape}",
            "give images of the labels' shape",
        )
    return pixels
