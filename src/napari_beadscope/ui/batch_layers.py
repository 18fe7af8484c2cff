"""A position of a batch as layers: channels, labels, tracks, and what is numbered as points.

Owns how results look in napari. Must not know Qt; results are read by `batch_position`, and
nothing is ever written into them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from napari.utils.colormaps.standardize_color import transform_color
from napari.utils.notifications import show_info, show_warning

from napari_beadscope.batch.flags import Flag
from napari_beadscope.batch.journal import NAME as JOURNAL_NAME
from napari_beadscope.batch.outcome import read_outcome
from napari_beadscope.batch.results import RESULTS_NAME
from napari_beadscope.ui.batch_look import is_batch
from napari_beadscope.ui.batch_position import KEY, OpenedPosition, Table, open_position
from napari_beadscope.ui.colours import GappyColormap
from napari_beadscope.ui.table_layers import MAX_VERTICES, LayerData

#: Files by which a batch can be opened, too.
BATCH_FILES = (JOURNAL_NAME, RESULTS_NAME)
#: Points that are drawn at most.
MAX_POINTS = 50_000
_COLOURS = {True: "#30a46c", False: "#e5484d", None: "#ffd400"}
_WORDS = {True: "yes", False: "no", None: ""}
_FLUORESCENT = ("green", "magenta", "cyan", "yellow", "red", "blue")
_DOT_PX = 12.0
#: Percentage that is black: of fluorescence the medium, or it would lie over the other images.
_DARK = {False: 0.1, True: 25.0}


def batch_folder(place: Path) -> tuple[Path, str] | None:
    """Return a batch's folder and a position's name, '' for any; None if `place` is neither.

    A batch is opened by its folder, by a file in it, or by the folder of one of its positions.
    """
    if place.is_dir() and is_batch(place):
        return place, ""
    if place.is_file() and place.name in BATCH_FILES:
        return (place.parent, "") if is_batch(place.parent) else None
    if place.is_dir() and place.parent.name == "positions" and is_batch(place.parent.parent):
        return place.parent.parent, place.name
    return None


def read_batch(path: str | Path) -> list[LayerData]:
    """Return the layers of a batch's position: the one that was named, or the first with results.

    Raises
    ------
    BeadscopeError
        There is no batch, or it cannot be read.
    """
    found = batch_folder(Path(path))
    folder, name = found if found is not None else (Path(path), "")
    outcome = read_outcome(folder)
    opened = open_position(folder, name, outcome)
    for words in opened.notes:
        show_warning(words)
    if not name and len(outcome.fields) > 1:
        show_info(f"{opened.name} of {folder.name}: the Jobs dock shows the other positions")
    return position_layers(opened)


def position_layers(opened: OpenedPosition) -> list[LayerData]:
    """Return the layers of a position that was opened; all carry it in their metadata."""
    layers = [*_images(opened), *_labels(opened), *_tracks(opened), *_points(opened)]
    if not layers:
        layers = [(np.zeros((0, 2)), {"name": f"{opened.name} (no results)"}, "points")]
    for data, attributes, _ in layers:
        ndim = data.shape[1] - (attributes.pop("is_tracks", False)) if _is_table(data) else 3
        side, unit = opened.place.nm_per_px, "um"
        side, unit = (side / 1000.0, unit) if side else (1.0, "pixel")
        attributes["scale"] = (*(1.0,) * (ndim - 2), side, side)
        attributes["units"] = ("pixel",) * (ndim - 2) + (unit,) * 2
        attributes["metadata"] = {KEY: opened, **attributes.get("metadata", {})}
    return layers


def opened_in(layer: Any) -> OpenedPosition | None:
    """Return what a layer was opened from, None if it is not of a batch."""
    found = layer.metadata.get(KEY)
    return found if isinstance(found, OpenedPosition) else None


def colours_of(opened: OpenedPosition, numbers: np.ndarray) -> np.ndarray:
    """Return the RGBA of each thing: green for good, red for bad, yellow for neither."""
    palette = {good: transform_color(colour)[0] for good, colour in _COLOURS.items()}
    colours = np.tile(palette[None], (len(numbers), 1))
    for number, flag in opened.flags.items():
        if flag.good is not None:
            colours[numbers == number] = palette[flag.good]
    return colours


def words_of(opened: OpenedPosition, numbers: np.ndarray) -> dict[str, Any]:
    """Return what is said of each thing, as columns of features."""
    said = [opened.flags.get(int(number), Flag()) for number in numbers]
    good = pd.Categorical([_WORDS[flag.good] for flag in said], ["", "yes", "no"])
    return {"good": good, "note": np.array([flag.note for flag in said], object)}


def _is_table(data: Any) -> bool:
    return isinstance(data, np.ndarray) and data.ndim == 2


def _images(opened: OpenedPosition) -> Iterator[LayerData]:
    colours = iter(_FLUORESCENT)
    for name, frames, role in opened.channels:
        fluorescent = role not in ("", "phase")
        low, high = _limits(frames, *opened.place.frames, _DARK[fluorescent])
        yield (
            frames,
            {
                "name": f"{opened.name} {name}".strip(),
                "contrast_limits": (low, high),
                "colormap": next(colours, "gray") if fluorescent else "gray",
                "blending": "additive" if fluorescent else "translucent_no_depth",
                "axis_labels": ("t", "y", "x"),
            },
            "image",
        )


def _limits(frames: Any, first: int, last: int, dark: float) -> tuple[float, float]:
    """Return what to show as black, `dark` % of a frame, and as white: also light that comes late.

    A frame that is all alike, such as one that cannot be read, does not count.
    """
    last = max(min(last or len(frames), len(frames)), first + 1)
    seen = [frames[at] for at in sorted({first, (first + last - 1) // 2, last - 1})]
    ranges = [np.percentile(one, (dark, 99.9)) for one in seen if np.ptp(one) > 0]
    if not ranges:
        return 0.0, 1.0
    low, high = float(np.median([r[0] for r in ranges])), float(max(r[1] for r in ranges))
    return low, max(high, low + 1.0)


def _labels(opened: OpenedPosition) -> Iterator[LayerData]:
    if opened.labels is None:
        return
    attributes: dict[str, Any] = {
        "name": f"{opened.name} cells",
        "opacity": 0.4,
        "axis_labels": ("t", "y", "x"),
    }
    if opened.kind == "cell":
        numbers = opened.sums.index.to_numpy()
        features = opened.sums.reset_index().assign(**words_of(opened, numbers))
        attributes["features"] = features.assign(index=numbers + 1)
    yield (opened.labels, attributes, "labels")


def _tracks(opened: OpenedPosition) -> Iterator[LayerData]:
    tables = opened.tables[-1:] if opened.kind == "cell" else opened.tables
    for table in tables:
        rows, every = _thinned(table, MAX_VERTICES)
        if not len(rows):
            continue
        data = rows[[table.kind, "frame", "y_px", "x_px"]].to_numpy(float)
        features = rows.select_dtypes("number")
        gappy = {name: features[name].to_numpy() for name in features if features[name].hasnans}
        yield (
            data,
            {
                "name": f"{opened.name} {table.step}" + _every(every),
                "features": features.reset_index(drop=True),
                "graph": _graph(rows) if table.kind == "cell" else {},
                "colormaps_dict": {n: GappyColormap.spanning(gappy[n]) for n in gappy},
                "blending": "translucent",
                "visible": table is tables[-1],
                "axis_labels": ("t", "y", "x"),
                "is_tracks": True,
            },
            "tracks",
        )


def _graph(rows: pd.DataFrame) -> dict[int, list[int]]:
    """Return mothers by daughter."""
    if "parent" not in rows:
        return {}
    known = set(rows["cell"])
    pairs = rows[["cell", "parent"]].drop_duplicates("cell").to_numpy()
    return {int(cell): [int(mother)] for cell, mother in pairs if mother in known - {cell}}


def _points(opened: OpenedPosition) -> Iterator[LayerData]:
    """Return beads where they mostly are, cells and particles in each frame."""
    table = opened.table
    if table is None:
        return
    if table.kind == "bead":
        middle = table.rows.groupby("bead")[["y_px", "x_px"]].median().dropna()
        numbers, places, every = middle.index.to_numpy(), middle.to_numpy(), 1
        features = opened.sums.loc[numbers].reset_index()
    else:
        rows, every = _thinned(table, MAX_POINTS)
        numbers, places = rows[table.kind].to_numpy(), rows[["frame", "y_px", "x_px"]].to_numpy()
        features = rows.select_dtypes("number").reset_index(drop=True)
    if not len(numbers):
        return
    attributes = {
        "name": f"{opened.name} {table.kind} numbers" + _every(every),
        "features": features.assign(**words_of(opened, numbers)),
        "size": _DOT_PX,
        "symbol": "disc",
        "face_color": "#00000080",  # behind a number, whatever colour the cell has
        "border_color": colours_of(opened, numbers),
        "border_width": 0.2,
        "text": {"string": f"{{{table.kind}}}", "size": 8, "color": "#ffffff"},
        "axis_labels": ("t", "y", "x")[-places.shape[1] :],
        "metadata": {"numbers": numbers},
    }
    yield (places.astype(float), attributes, "points")


def _thinned(table: Table, most: int) -> tuple[pd.DataFrame, int]:
    """Return rows with a place, of evenly chosen frames if there are more than `most`."""
    rows = table.rows.dropna(subset=["y_px", "x_px"])
    step = max(1, -(-len(rows) // most))
    if step > 1:
        rows = rows[rows["frame"].isin(np.unique(rows["frame"])[::step])]
    return rows, step * table.every


def _every(step: int) -> str:
    return f" (every {step}. frame)" if step > 1 else ""
