"""How far a batch is, for anybody who looks from outside: a terminal, a dock, a script.

Owns the reading: counts are the journal's, speed and workers what the run says of itself. Must
not know how it is shown.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from napari_beadscope.batch.journal import Journal
from napari_beadscope.batch.monitor import LIVE_NOTE, Snapshot, StepProgress
from napari_beadscope.batch.run_lock import is_running


def read_status(folder: str | Path) -> Snapshot:
    """Return how far the batch in a folder is.

    Parameters
    ----------
    folder : str or Path
        A batch's output folder; a run may be on.

    Returns
    -------
    Snapshot
        Its ``state`` is "cut off" for a run that was killed.

    Raises
    ------
    InputError
        There is no batch.
    """
    folder = Path(folder)
    with Journal.open(folder) as journal:
        alive = is_running(folder)
        noted = journal.note(LIVE_NOTE)
        counts = journal.counts()
    live = msgspec.convert(noted, Snapshot) if noted else Snapshot.nothing()
    known = {(step.position, step.step): step for step in live.steps}
    steps: dict[tuple[str, str], StepProgress] = {}
    for count in counts:
        place = (count.position, count.step)
        # Steps come in the plan's order by their last units, in whatever state those are.
        step = steps[place] = steps.pop(place, StepProgress(*place))
        step.units += count.units
        step.frames += count.frames
        if count.state == "done":
            step.done, step.frames_done = count.units, count.frames
        elif count.state == "failed":
            step.failed = count.units
        elif count.state == "blocked":
            step.blocked = count.units
        if alive and place in known:
            step.frames_per_s, step.eta_s = known[place].frames_per_s, known[place].eta_s
    state = live.state
    if not alive and state in ("running", "draining"):
        state = "cut off"
    workers = live.workers if alive else ()
    return msgspec.structs.replace(live, state=state, steps=tuple(steps.values()), workers=workers)
