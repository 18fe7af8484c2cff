"""Tables of tracks and beads as layers.

Owns how rows become Tracks and beads become Points. Must not know Qt, or what is in the files:
`storage` reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_beadscope.core.types import Calibration
from napari_beadscope.storage.bead_table import read_bead_table
from napari_beadscope.storage.magscope import read_magscope_hdf5, read_magscope_text
from napari_beadscope.storage.tracks_csv import TrackTable, read_track_table
from napari_beadscope.ui.bead_layer import LABEL_COLOUR
from napari_beadscope.ui.colours import GappyColormap
from napari_beadscope.ui.opened import KEY, Opened, bead_features, default_features

LayerData = tuple[Any, dict[str, Any], str]
#: napari draws this many Tracks vertices in about a tenth of a second.
MAX_VERTICES = 200_000
BEAD_COLOUR = "#ffd400"
_FEATURES = ("frame", "time_s", "z_nm", "quality", "reason", "bead")
_DOT_PX, _DOT_UM = 12.0, 1.2  # where no ROI is known


def read_track_file(path: str | Path) -> list[LayerData]:
    """Return Tracks and Points of a table of tracks, annotated or not.

    Raises
    ------
    InputError
        The table cannot be understood.
    """
    return _table_layers(Path(path), read_track_table(path))


def read_hdf5_file(path: str | Path) -> list[LayerData]:
    """Return Tracks and Points of MagScope's HDF5, in um.

    Raises
    ------
    InputError
        The file cannot be understood.
    """
    return _table_layers(Path(path), TrackTable(read_magscope_hdf5(path)))


def read_text_file(path: str | Path) -> list[LayerData]:
    """Return Tracks and Points of MagScope's text, in um.

    Raises
    ------
    InputError
        The file cannot be understood.
    """
    return _table_layers(Path(path), TrackTable(read_magscope_text(path)))


def read_bead_file(path: str | Path) -> list[LayerData]:
    """Return the Points of a list or table of beads.

    Raises
    ------
    InputError
        The list cannot be understood.
    """
    path = Path(path)
    table = read_bead_table(path)
    opened = Opened(path, Calibration(table.nm_per_px), table.annotations)
    ids = [point.bead for point in table.points]
    centres = np.array([(point.y_px, point.x_px) for point in table.points])
    return [bead_layer(path.stem, opened, ids, centres, table.sizes_px)]


def track_layer(name: str, opened: Opened, rows: np.ndarray, times: np.ndarray) -> list[LayerData]:
    """Return the Tracks of rows, thinned evenly if there are too many, or nothing for none.

    Parameters
    ----------
    name : str
        Of the layer; how it was thinned is added.
    opened : Opened
        Tells the unit of the data: px, or um.
    rows : ndarray
        Structured `storage.tables.TRACKS`; rows without a position are left out.
    times : ndarray
        Where on the axis t each row lies.
    """
    y, x = _positions(rows, opened.in_um)
    found = np.isfinite(x) & np.isfinite(y)
    step = max(1, -(-int(found.sum()) // MAX_VERTICES))
    if step > 1:
        found &= np.isin(times, np.unique(times[found])[::step])
    if not found.any():
        return []
    order = np.flatnonzero(found)[np.lexsort((times[found], rows["bead"][found]))]
    kept = rows[order]
    data = np.stack([kept["bead"], times[order], y[order], x[order]], axis=1).astype(float)
    # What was not measured is NaN, as in the table.
    features = {column: kept[column] for column in _FEATURES}
    gappy = [column for column, values in features.items() if np.isnan(values).any()]
    attributes = {
        "name": name + (f" (every {step}. frame)" if step > 1 else ""),
        "features": features,
        "colormaps_dict": {column: GappyColormap.spanning(kept[column]) for column in gappy},
        "blending": "translucent",
        "axis_labels": ("t", "y", "x"),
        "metadata": {KEY: opened, "every_frame": step},
        **opened.placing(3),
    }
    opened.drawn = data
    return [(data, attributes, "tracks")]


def bead_layer(
    name: str,
    opened: Opened,
    beads: Sequence[int],
    centres: np.ndarray,
    sizes_px: Sequence[int],
) -> LayerData:
    """Return the Points of beads, with what is said about them as features.

    Parameters
    ----------
    name : str
        Of the layer.
    opened : Opened
        Tells the unit of the data, and what is said.
    beads : sequence of int
        Their IDs.
    centres : ndarray
        ``(n, 2)`` y, x.
    sizes_px : sequence of int
        Sides of the ROIs, 0 where there are none; those are drawn as dots.
    """
    known = bool(max(sizes_px, default=0)) and not opened.in_um
    dot = _DOT_UM if opened.in_um else _DOT_PX
    size = np.array([float(side) or dot for side in sizes_px]) if known else dot
    half = float(np.max(size)) / 2
    attributes = {
        "name": name,
        "features": bead_features(beads, sizes_px, opened.annotations),
        "feature_defaults": default_features(),
        "size": size,
        "symbol": "square" if known else "disc",
        "face_color": "transparent",
        "border_color": BEAD_COLOUR,
        "border_width": 0.03 if known else 0.1,
        "text": {
            "string": "{bead}",
            "size": 9,
            "color": LABEL_COLOUR,
            "anchor": "lower_left",
            "translation": np.full(2, -half),
        },
        "metadata": {KEY: opened},
        **opened.placing(2),
    }
    return (centres, attributes, "points")


def _table_layers(path: Path, table: TrackTable) -> list[LayerData]:
    rows = table.rows
    in_um = not np.isfinite(rows["x_px"]).any()
    opened = Opened(path, Calibration(table.nm_per_px), table.annotations, None, rows, in_um)
    name = path.name.removesuffix(path.suffix).removesuffix(".tracks")
    layers = track_layer(f"{name} tracks", opened, rows, rows["frame"])
    y, x = _positions(rows, in_um)
    found = np.isfinite(x) & np.isfinite(y)
    places = pd.DataFrame({"bead": rows["bead"], "y": y, "x": x})[found]
    middle = places.groupby("bead").median()
    if len(middle):
        ids = [int(bead) for bead in middle.index]
        centres = middle[["y", "x"]].to_numpy(float)
        layers.append(bead_layer(f"{name} beads", opened, ids, centres, [0] * len(ids)))
    if not layers:
        attributes = {"name": f"{name} (no positions)", "metadata": {KEY: opened}}
        layers.append((np.zeros((0, 2)), attributes, "points"))
    return layers


def _positions(rows: np.ndarray, in_um: bool) -> tuple[np.ndarray, np.ndarray]:
    if in_um:
        return rows["y_nm"] / 1000.0, rows["x_nm"] / 1000.0
    return rows["y_px"], rows["x_px"]
