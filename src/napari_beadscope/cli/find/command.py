"""What `beadscope find` does: read one frame, find, select, write, say.

Owns checks and words. Must not know how beads are found or drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_beadscope.cli.choices import refuse_existing
from napari_beadscope.cli.output import Output, table
from napari_beadscope.cli.sources import open_footage
from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import MAX_BEAD, Roi

if TYPE_CHECKING:
    from napari_beadscope.tracking import FoundBeads

_LISTED = 12  # lines on a terminal when no file is written


@dataclass(frozen=True, slots=True)
class FindRequest:
    """The command's options as given."""

    image: Path
    out: Path | None = None
    frame: int = 0
    min_score: float | None = None
    max_beads: int | None = None
    roi_size_px: int | None = None
    isolated_only: bool = False
    picture: Path | None = None
    overwrite: bool = False


def find(request: FindRequest, output: Output) -> None:
    """Find as asked, and say what was found.

    Raises
    ------
    BeadscopeError
        The request cannot be met, or there is no bead: nothing is written then.
    """
    from napari_beadscope.cli.find.picture import check_ending, draw
    from napari_beadscope.storage.beads_csv import write_found
    from napari_beadscope.tracking import find_beads, suggest_roi_size
    from napari_beadscope.tracking.find import MIN_SCORE

    request = _checked(request)
    if request.picture is not None:
        check_ending(request.picture)
    files = [path for path in (request.out, request.picture) if path is not None]
    refuse_existing(files, request.overwrite, [request.image])
    image, frame = _frame(request.image, request.frame)
    least = MIN_SCORE if request.min_score is None else request.min_score
    every = find_beads(image, size_px=request.roi_size_px, min_score=least)
    size = request.roi_size_px or suggest_roi_size(every)
    found = _selected(every, request)
    if not len(found):
        raise _nothing(request, len(every), least, size)
    if request.out is not None:
        columns = (found.y_px, found.x_px, found.radius_px, found.score, found.isolated)
        write_found(request.out, *columns)
    if request.picture is not None:
        draw(request.picture, image, found, size)
    data = _data(request, frame, image, found, size, least)
    output.result(data, _lines(data, found))


def _checked(request: FindRequest) -> FindRequest:
    """Check the numbers, and expand ``~`` in the names of files to write."""
    least = request.min_score
    if least is not None and not 0 <= least <= 1:
        raise InputError(f"--min-score is {least:g}", "give a number from 0 to 1")
    if request.max_beads is not None and request.max_beads < 1:
        raise InputError(f"--max-beads is {request.max_beads}", "give 1 or more")
    from napari_beadscope.tracking.stack import MAX_SIZE_PX, MIN_SIZE_PX

    size = request.roi_size_px
    if size is not None and not MIN_SIZE_PX <= size <= MAX_SIZE_PX:
        raise InputError(
            f"ROIs of {size} px cannot be tracked", f"use {MIN_SIZE_PX} to {MAX_SIZE_PX} px"
        )
    out, picture = request.out, request.picture
    out = out.expanduser() if out is not None else None
    picture = picture.expanduser() if picture is not None else None
    if out is not None and picture is not None and out.absolute() == picture.absolute():
        raise InputError(f"--out and --picture are both {out}", "give them different names")
    return replace(request, out=out, picture=picture)


def _frame(path: Path, number: int) -> tuple[np.ndarray, int]:
    """Return a frame and its number; a negative one counts from the end."""
    with open_footage(path) as footage:
        frames = len(footage)
        at = number + frames if number < 0 else number
        if not 0 <= at < frames:
            last = "it has one frame" if frames == 1 else f"it has frames 0 to {frames - 1}"
            raise InputError(f"there is no frame {number} in {path}", last)
        return footage.image(at), at


def _selected(every: FoundBeads, request: FindRequest) -> FoundBeads:
    """Return the best beads that are asked for."""
    keep = np.flatnonzero(every.isolated) if request.isolated_only else np.arange(len(every))
    keep = keep[: min(request.max_beads or len(every), MAX_BEAD + 1)]
    return type(every)(**{field.name: getattr(every, field.name)[keep] for field in fields(every)})


def _nothing(request: FindRequest, found: int, least: float, size: int) -> InputError:
    if found:
        return InputError(
            f"none of the {found} beads in {request.image} stands alone in an ROI of {size} px",
            "leave out --isolated-only, or choose a smaller --roi-size",
        )
    return InputError(
        f"no bead was found in {request.image} (least score {least:g})",
        "focus, raise the contrast, or lower --min-score",
    )


def _data(
    request: FindRequest,
    frame: int,
    image: np.ndarray,
    found: FoundBeads,
    size: int,
    least: float,
) -> dict[str, Any]:
    rois = [Roi.around(float(y), float(x), size) for y, x in zip(found.y_px, found.x_px)]
    shape = (image.shape[0], image.shape[1])
    return {
        "image": request.image,
        "frame": frame,
        "height_px": image.shape[0],
        "width_px": image.shape[1],
        "beads": len(found),
        "isolated": int(found.isolated.sum()),
        "cut": sum(not roi.inside(shape) for roi in rois),
        "roi_size_px": size,
        "min_score": least,
        "median_radius_px": float(np.median(found.radius_px)),
        "out": request.out,
        "picture": request.picture,
        "found": [
            {
                "bead": bead,
                "y_px": round(float(found.y_px[bead]), 3),
                "x_px": round(float(found.x_px[bead]), 3),
                "radius_px": float(found.radius_px[bead]),
                "score": round(float(found.score[bead]), 4),
                "isolated": bool(found.isolated[bead]),
            }
            for bead in range(len(found))
        ],
    }


def _lines(data: dict[str, Any], found: FoundBeads) -> list[str]:
    """Return the result for people."""
    count, alone, size = data["beads"], data["isolated"], data["roi_size_px"]
    lines = [
        f"{count} bead{'s' * (count != 1)} of {data['median_radius_px']:g} px radius (median); "
        f"{alone} alone in an ROI of {size} px"
    ]
    if data["cut"]:
        lines.append(
            f"{data['cut']} too near the edge for that ROI: they cannot be tracked with it "
            "(--isolated-only leaves them out)"
        )
    if data["out"] is None:
        head = ("bead", "y_px", "x_px", "radius_px", "score", "isolated")
        rows = [
            (
                str(row["bead"]),
                f"{row['y_px']:.1f}",
                f"{row['x_px']:.1f}",
                f"{row['radius_px']:g}",
                f"{row['score']:.2f}",
                "yes" if row["isolated"] else "no",
            )
            for row in data["found"][:_LISTED]
        ]
        lines += table([head, *rows])
        if count > _LISTED:
            lines.append(f"and {count - _LISTED} more: add --out FILE.csv for all of them")
    else:
        lines.append(f"listed in {data['out']}")
    if data["picture"] is not None:
        lines.append(f"drawn in {data['picture']}")
    return lines
