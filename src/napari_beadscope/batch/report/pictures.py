"""Pictures of what was segmented or found: frames with outlines of cells, or boxes of beads.

Owns which frames are shown and how. Must not know HTML, nor how cells were found.
"""

from __future__ import annotations

import base64
import io
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_beadscope.batch.outcome import Field, Outcome, Part
from napari_beadscope.batch.report.traces import chosen
from napari_beadscope.batch.source import open_source
from napari_beadscope.batch.tables import columns_of, is_table
from napari_beadscope.core.errors import BeadscopeError

_LOG = logging.getLogger(__name__)
_MAX_POSITIONS = 8
_EDGE_PX = 320
_MAX_NUMBERS, _NUMBER_PX = 80, 11
_BLOCK_ROWS = 1_000_000
_INK = np.array(
    [(255, 196, 61), (64, 224, 208), (255, 120, 120), (150, 220, 90), (120, 170, 255)], np.uint8
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG as a data URL, and what it shows."""

    data: str
    words: str


def pictures_of(outcome: Outcome, step: str = "segment") -> dict[str, list[Picture]]:
    """Return pictures of the first, middle and last frame of some positions.

    Where cells are tracked, each has its number, and one colour in all frames. A position whose
    labels cannot be read is left out; one whose frames are not at hand is shown as labels alone.
    """
    done = [
        name
        for name in outcome.fields
        if (part := outcome.parts.get((name, step))) is not None and part.state == "done"
    ]
    pictures: dict[str, list[Picture]] = {}
    for name in chosen(done, _MAX_POSITIONS):
        part = outcome.parts[name, step]
        try:
            pictures[name] = _position(outcome, name, part)
        except (BeadscopeError, OSError, ValueError, KeyError) as error:
            _LOG.info("no pictures of %s: %s", name, error)
    return {name: some for name, some in pictures.items() if some}


def _position(outcome: Outcome, name: str, part: Part) -> list[Picture]:
    first, last = part.rows[0].first, part.rows[-1].last
    made, channel = [], json.loads(part.rows[0].settings or "{}").get("channel")
    frames = sorted({first, (first + last - 1) // 2, last - 1})
    cells = _cells(outcome, name, frames)
    for frame in frames:
        row = next(row for row in part.rows if row.first <= frame < row.last)
        labels = read_labels(outcome.folder / row.output, frame - row.first)
        image = _frame(outcome.fields[name], frame, channel)
        found = len(np.unique(labels)) - bool((labels == 0).any())
        words = f"frame {frame}: {found} cells" + ("" if image is not None else " (labels alone)")
        numbers = cells.get(frame, {})
        if numbers:  # label = cell + 1; what is no cell in the table has no outline
            as_cells = np.zeros(int(labels.max()) + 1, np.int64)
            for label, cell in numbers.items():
                if label < len(as_cells):
                    as_cells[label] = cell + 1
            labels = as_cells[labels]
        rgb = outlined(image, labels)
        made.append(Picture(_png(numbered(rgb, labels) if numbers else rgb), words))
    return made


def _cells(outcome: Outcome, name: str, frames: list[int]) -> dict[int, dict[int, int]]:
    """Return which cell each label of some frames is; nothing if they are not tracked."""
    import pandas as pd

    found: dict[int, dict[int, int]] = {}
    for of_position in outcome.table_parts().values():
        paths = [path for path in of_position.get(name, ()) if is_table(path)]
        if not paths or not {"cell", "frame", "label"} <= set(columns_of(paths[0])):
            continue
        for path in paths:
            with pd.read_csv(
                path, usecols=["cell", "frame", "label"], chunksize=_BLOCK_ROWS
            ) as blocks:
                for block in blocks:
                    some = block[block["frame"].isin(frames)]
                    for cell, frame, label in zip(some["cell"], some["frame"], some["label"]):
                        found.setdefault(int(frame), {})[int(label)] = int(cell)
        break
    return found


def pictures_of_beads(outcome: Outcome) -> dict[str, list[Picture]]:
    """Return the first frame of some positions with a box around every bead that is tracked there.

    A position whose frames are not at hand is left out.
    """
    pictures: dict[str, list[Picture]] = {}
    for step, of_position in outcome.table_parts().items():
        names = [name for name, some in of_position.items() if some and is_table(some[0])]
        if not names or not {"bead", "y_px", "x_px", "frame"} <= set(
            columns_of(of_position[names[0]][0])
        ):
            continue
        for name in chosen(names, _MAX_POSITIONS):
            made = _beads(outcome.fields[name], of_position[name][0])
            if made is not None and name not in pictures:
                pictures[name] = [replace(made, words=f"{step}, {made.words}")]
    return pictures


def _beads(field: Field, table: Path) -> Picture | None:
    import pandas as pd

    rows = pd.read_csv(table, usecols=["bead", "frame", "y_px", "x_px"], nrows=20_000)
    if not len(rows):
        return None
    frame = int(rows["frame"].min())
    rows = rows[(rows["frame"] == frame) & rows["y_px"].notna() & rows["x_px"].notna()]
    image = _frame(field, frame)
    if image is None:
        return None
    labels, half = np.zeros(image.shape, np.int32), max(8, max(image.shape) // 24)
    for bead, y, x in zip(rows["bead"], rows["y_px"].round(), rows["x_px"].round()):
        top, left = max(int(y) - half, 0), max(int(x) - half, 0)
        labels[top : int(y) + half + 1, left : int(x) + half + 1] = int(bead) + 1
    rgb = numbered(outlined(image, labels), labels, above=True)
    return Picture(_png(rgb), f"frame {frame}: {len(rows)} beads")


def read_labels(path: Path, number: int) -> np.ndarray:
    """Return the labels of one frame of an output: NPY, NPZ or TIFF, (n, y, x).

    Raises
    ------
    ValueError
        It is something else.
    """
    if path.suffix == ".npy":
        return np.array(np.load(path, mmap_mode="r")[number])
    if path.suffix == ".npz":
        with np.load(path) as file:
            name = "labels" if "labels" in file.files else file.files[0]
            return np.array(file[name][number])
    if path.suffix in (".tif", ".tiff"):
        import tifffile

        return np.asarray(tifffile.imread(path, key=number))
    raise ValueError(f"{path.name} holds no labels")


def outlined(image: np.ndarray | None, labels: np.ndarray) -> np.ndarray:
    """Return a frame as RGB with a line around every cell, made smaller to fit.

    Parameters
    ----------
    image : ndarray (y, x) or None
        None: what is inside a cell is grey.
    labels : ndarray (y, x)
        0 is background.

    Returns
    -------
    ndarray (h, w, 3), uint8
    """
    step = max(1, -(-max(labels.shape) // _EDGE_PX))
    small = labels[::step, ::step]
    if image is None:
        grey = np.where(small > 0, 120, 40).astype(np.uint8)
    else:
        height, width = (n // step * step for n in image.shape)
        binned = image[:height, :width].reshape(height // step, step, width // step, step)
        grey = _stretched(binned.mean(axis=(1, 3)))
        small = small[: grey.shape[0], : grey.shape[1]]
    rgb = np.repeat(grey[..., None], 3, axis=2)
    around = np.pad(small, 1, mode="edge")
    beside = (small, around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:])
    most = np.maximum.reduce(beside)
    edge = most != np.minimum.reduce(beside)
    rgb[edge] = _INK[most[edge].astype(np.int64) % len(_INK)]
    return rgb


def numbered(rgb: np.ndarray, labels: np.ndarray, above: bool = False) -> np.ndarray:
    """Return an outlined frame with the number of every cell or bead (label less one) in or on it.

    Of more than `_MAX_NUMBERS` none has one: nobody could read them.
    """
    from PIL import Image, ImageDraw, ImageFont

    step = max(1, -(-max(labels.shape) // _EDGE_PX))
    small = labels[::step, ::step]
    ys, xs = np.nonzero(small)
    if not len(ys):
        return rgb
    which, at = np.unique(small[ys, xs], return_inverse=True)
    if len(which) > _MAX_NUMBERS:
        return rgb
    count = np.bincount(at)
    y, x = np.bincount(at, ys) / count, np.bincount(at, xs) / count
    if above:
        y = np.full(len(which), np.inf)
        np.minimum.at(y, at, ys)
    picture = Image.fromarray(rgb)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(_NUMBER_PX)
    for label, top, left in zip(which.tolist(), y.tolist(), x.tolist()):
        place = (left, max(top, _NUMBER_PX) if above else top)
        anchor = "mb" if above else "mm"
        x0, y0, x1, y1 = draw.textbbox(place, str(label - 1), font, anchor)
        draw.rectangle((x0 - 2, y0 - 1, x1 + 1, y1 + 1), "black")
        draw.text(place, str(label - 1), "white", font, anchor)
    return np.asarray(picture)


def _stretched(image: np.ndarray) -> np.ndarray:
    low, high = np.percentile(image, [1, 99.5])
    return (np.clip((image - low) / max(high - low, 1e-9), 0, 1) * 255).astype(np.uint8)


def _frame(field: Field, frame: int, channel: int | None = None) -> np.ndarray | None:
    if channel is None:
        channels = [index for some in field.channels.values() for index in some]
        channel = field.channels.get("phase", tuple(channels[:1]) or (0,))[0]
    try:
        with open_source(field.path) as source:
            return np.asarray(source.read(field.index, channel, frame, frame + 1)[0], np.float32)
    except (BeadscopeError, OSError) as error:
        _LOG.info("frame %d of %s is not at hand: %s", frame, field.path, error)
        return None


def _png(rgb: np.ndarray) -> str:
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(rgb).save(data, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()
