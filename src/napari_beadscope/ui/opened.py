"""What layers of an opened file know of where they come from.

Owns `Opened`, which all layers of one opening share in their metadata, and the way between
annotations and the features of a layer of beads, which are the truth about them. Must not know
Qt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_beadscope.core.types import Annotation, Bead, Calibration, Roi

if TYPE_CHECKING:
    from napari_beadscope.storage import Recording

KEY = "napari-beadscope-opened"
#: Of a bead that was added by hand and has no ID yet.
NEW = -1
_GOOD = {None: "", True: "yes", False: "no"}


@dataclass(eq=False)
class Opened:
    """One file or recording that was opened.

    ``annotations`` is what is said on disk. ``calibration.nm_per_px`` is 0 where the file does
    not tell; then positions are in um if ``in_um``, else in px.
    """

    path: Path
    calibration: Calibration
    annotations: dict[int, Annotation] = field(default_factory=dict)
    recording: Recording | None = None
    table: np.ndarray | None = None
    in_um: bool = False
    drawn: np.ndarray | None = None  # the Tracks, as they were made

    @property
    def rows(self) -> np.ndarray | None:
        """All rows of tracks, structured `storage.tables.TRACKS`; None where there are none."""
        return self.table if self.recording is None else self.recording.tracks

    @property
    def side_um(self) -> float:
        """Size in um of one unit of the layers' data; 0 where it is not known."""
        return 1.0 if self.in_um else self.calibration.nm_per_px / 1000.0

    def placing(self, ndim: int) -> dict[str, Any]:
        """Return ``scale`` and ``units`` of a layer of `ndim` dimensions."""
        side, unit = self.side_um, "um"
        if not side:
            side, unit = 1.0, "pixel"
        before = ndim - 2
        return {"scale": (*(1.0,) * before, side, side), "units": ("pixel",) * before + (unit,) * 2}


def opened_of(layer: Any) -> Opened | None:
    """Return what a layer was opened from, None if it was not by us."""
    found = layer.metadata.get(KEY)
    return found if isinstance(found, Opened) else None


def is_bead_layer(layer: Any) -> bool:
    """Return whether a layer holds the beads of an opened file."""
    return (
        type(layer).__name__ == "Points"
        and opened_of(layer) is not None
        and "bead" in layer.features
    )


def bead_layer_of(layers: Iterable[Any], opened: Opened) -> Any:
    """Return the layer that holds the beads of an opening, None if it is gone."""
    return next((one for one in layers if is_bead_layer(one) and opened_of(one) is opened), None)


def bead_features(
    beads: Sequence[int], sizes_px: Sequence[int], annotations: Mapping[int, Annotation]
) -> pd.DataFrame:
    """Return the features of a layer of beads."""
    said = [annotations.get(bead, Annotation()) for bead in beads]
    return pd.DataFrame({"bead": list(beads), "roi_size_px": list(sizes_px), **columns(said)})


def default_features() -> dict[str, Any]:
    """Return the features of a bead that is added to an opened layer by hand."""
    return {"bead": NEW, "roi_size_px": 0, "label": "", "good": "", "note": "", "reference": False}


def columns(said: Sequence[Annotation]) -> dict[str, Any]:
    """Return annotations as columns of features; ``good`` is yes, no or empty."""
    return {
        "label": np.array([one.label for one in said], object),
        "good": pd.Categorical([_GOOD[one.good] for one in said], ["", "yes", "no"]),
        "note": np.array([one.note for one in said], object),
        "reference": np.array([one.reference for one in said], bool),
    }


def annotations_in(features: pd.DataFrame) -> dict[int, Annotation]:
    """Return what the features of a layer say, by bead; nothing about the others.

    Examples
    --------
    >>> features = bead_features([3, 4], [64, 64], {4: Annotation("long", good=False)})
    >>> annotations_in(features)
    {4: Annotation(label='long', good=False, note='', reference=False)}
    """
    known = [name for name in ("label", "good", "note", "reference") if name in features]
    found = {}
    for bead, *values in zip(bead_ids(features), *(features[name] for name in known)):
        one = _annotation(dict(zip(known, values)))
        if one != Annotation():
            found[bead] = one
    return found


def bead_ids(features: pd.DataFrame) -> list[int]:
    """Return the IDs of the beads; those added by hand, or copied, are numbered after the others.

    Examples
    --------
    >>> bead_ids(pd.DataFrame({"bead": [5, -1, 2, -1, 5]}))
    [5, 6, 2, 7, 8]
    """
    ids = [int(bead) for bead in features["bead"]]
    fresh = max(ids, default=-1)
    taken: set[int] = set()
    for place, bead in enumerate(ids):
        if bead < 0 or bead in taken:
            fresh += 1
            ids[place] = fresh
        taken.add(ids[place])
    return ids


def roi_sizes(features: pd.DataFrame) -> list[int]:
    """Return the sides of the ROIs in px: of beads added by hand as of the others, 0 if unknown."""
    if "roi_size_px" not in features:
        return [0] * len(features)
    sizes = [int(size) for size in features["roi_size_px"]]
    usual = max(sizes, default=0)
    return [size or usual for size in sizes]


def beads_in(layer: Any, size_px: int, nm_per_px: float) -> tuple[Bead, ...]:
    """Return the beads of an opened layer.

    Parameters
    ----------
    layer : Points
        See `is_bead_layer`.
    size_px : int
        Side of the ROIs where the layer does not tell.
    nm_per_px : float
        For a layer in um.
    """
    opened = opened_of(layer)
    centres = np.asarray(layer.data, float)[:, -2:]
    if opened is not None and opened.in_um:
        centres = centres * 1000.0 / nm_per_px
    ids, sizes = bead_ids(layer.features), roi_sizes(layer.features)
    return tuple(
        Bead(bead, Roi.around(float(y), float(x), size or size_px))
        for bead, size, (y, x) in zip(ids, sizes, centres)
    )


def _annotation(values: Mapping[str, Any]) -> Annotation:
    texts = {name: _text(values[name]) for name in ("label", "note") if name in values}
    word = _text(values.get("good", "")).strip().lower()
    good = {"yes": True, "true": True, "no": False, "false": False}.get(word)
    reference = _text(values.get("reference", "")).lower() in ("true", "yes", "1")
    return Annotation(texts.get("label", ""), good, texts.get("note", ""), reference)


def _text(value: Any) -> str:
    return "" if value is None or value is pd.NA or value != value else str(value)
