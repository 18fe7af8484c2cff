"""Fits that a batch's folder holds, for the report. Must not know curves or HTML."""

from __future__ import annotations

import base64
import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_beadscope.batch.fitting import FITS_NAME

_MAX_BYTES = 4_000_000  # of a picture


@dataclass(frozen=True, slots=True)
class Fitted:
    """A table of fits: its name, how many there are and can be trusted, values, a picture.

    ``values`` are lower quartile, median and upper quartile by name; ``picture`` is a data URL or
    ''.
    """

    name: str
    traces: int
    trusted: int
    values: dict[str, tuple[float, float, float]]
    picture: str


def fits_in(folder: Path) -> list[Fitted]:
    """Return the fits of a batch's folder; tables that are none are left out."""
    found = []
    for path in sorted((folder / FITS_NAME).glob("*.csv")):
        try:
            with open(path, newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error):
            continue
        if rows and {"model", "r_squared", "problem"} <= rows[0].keys():
            found.append(_fitted(path, rows))
    return found


def _fitted(path: Path, rows: list[dict[str, str]]) -> Fitted:
    trusted = [row for row in rows if not row["problem"]]
    names = [name.removesuffix("_error") for name in rows[0] if name.endswith("_error")]
    values = {}
    for name in names:
        some = [float(row[name]) for row in trusted if row[name] and row[f"{name}_error"]]
        if some:
            low, middle, high = (float(value) for value in np.percentile(some, [25, 50, 75]))
            values[name] = (low, middle, high)
    picture, image = "", path.with_suffix(".png")
    if image.is_file() and image.stat().st_size <= _MAX_BYTES:
        data = base64.b64encode(image.read_bytes()).decode()
        picture = f"data:image/png;base64,{data}"
    name = f"{rows[0]['model']} of {rows[0]['y']}"
    return Fitted(name, len(rows), len(trusted), values, picture)
