"""`beadscope zlut sweep`: the microscope that runs makes a Z-LUT by itself.

Owns which engine it is and what is said. Must not know how a sweep goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_beadscope.cli.output import Output
from napari_beadscope.cli.zlut.common import report_lines
from napari_beadscope.core.errors import InputError


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """The command's options as given."""

    out: Path
    engine: str | None = None
    beads: str | None = None
    low_um: float = -1.5
    high_um: float = 1.5
    step_nm: float = 50.0
    frames: int = 10
    motor: str = "focus"


def sweep(request: SweepRequest, output: Output) -> None:
    """Sweep as asked, and say how good the Z-LUT is; an interrupt brings the focus back.

    Raises
    ------
    BeadscopeError
        There is no engine, or the sweep cannot be made.
    """
    from napari_beadscope.script import Scope
    from napari_beadscope.tracking.zlut_words import report_data

    beads = None if request.beads is None else _ids(request.beads)
    scope = Scope.attach(request.engine)
    try:
        with output.progress("{task.fields[what]}") as progress:
            task = progress.add_task("sweep", total=1.0, what="")
            swept = scope.sweep_zlut(
                beads,
                low_um=request.low_um,
                high_um=request.high_um,
                step_nm=request.step_nm,
                frames_per_step=request.frames,
                folder=request.out,
                motor=request.motor,
                progress=lambda done, total, what: progress.update(
                    task, completed=done, total=total, what=what
                ),
            )
    finally:
        scope.detach()
    data = {
        "file": str(swept.zlut),
        **report_data(swept.report),
        "drift_nm": swept.drift_nm,
        "files": {str(bead): str(path) for bead, path in swept.files.items()},
        "failed": {str(bead): why for bead, why in swept.failed.items()},
    }
    lines = [f"{swept.zlut}: the microscope measures z with it from now on"]
    lines += [f"  {line}" for line in report_lines(data)]
    if swept.drift_nm:
        lines.append(f"  {swept.drift_nm:.0f} nm of drift were taken off")
    lines += [f"no Z-LUT of bead {bead}: {why}" for bead, why in swept.failed.items()]
    output.result(data, lines)


def _ids(text: str) -> list[int]:
    """Return the IDs in a list such as ``0,3,7``.

    Examples
    --------
    >>> _ids("0, 3,7")
    [0, 3, 7]
    """
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise InputError(f"--beads {text} is no list of IDs", "write them as 0,3,7") from None
