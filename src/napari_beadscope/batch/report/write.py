"""Making the report of a batch's folder. Owns what is gathered, and the file."""

from __future__ import annotations

from pathlib import Path

from napari_beadscope.batch.flags import read_flags
from napari_beadscope.batch.outcome import read_outcome
from napari_beadscope.batch.report.fitted import fits_in
from napari_beadscope.batch.report.page import page
from napari_beadscope.batch.report.pictures import pictures_of, pictures_of_beads
from napari_beadscope.batch.report.traces import tables_shown
from napari_beadscope.core.errors import StorageError
from napari_beadscope.core.whole_file import whole_file

REPORT_NAME = "report.html"
PLAN_NAME = "plan.yaml"


def write_report(folder: Path, path: Path | None = None, *, pictures: bool = True) -> Path:
    """Write the report of a batch, during a run or after it.

    Parameters
    ----------
    folder : Path
        The batch's folder.
    path : Path, optional
        Where to; default ``report.html`` in it. Replaced if it is there.
    pictures : bool
        With pictures of segmented frames, for which sources are read.

    Returns
    -------
    Path
        The report: one file that needs no other.

    Raises
    ------
    InputError
        The folder holds no batch.
    StorageError
        A result that is done cannot be read, or the report not be written.
    """
    outcome, flags = read_outcome(folder), read_flags(folder)
    target = path or folder / REPORT_NAME
    plan_file = folder / PLAN_NAME
    try:
        plan = plan_file.read_text(encoding="utf-8") if plan_file.is_file() else ""
        shown = tables_shown(outcome, flags)
        seen = {**pictures_of_beads(outcome), **pictures_of(outcome)} if pictures else {}
        text = page(outcome, shown, seen, fits_in(folder), flags, plan)
        with whole_file(target) as new:
            new.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        raise StorageError(
            f"the report {target} cannot be made ({error.strerror or error}{place})",
            "check the folder; results that are gone are made anew when the plan is run again",
        ) from error
    return target
