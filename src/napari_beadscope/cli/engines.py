"""`beadscope engines`, `stop` and `recover`: what runs, ends it, mends what was cut short."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from napari_beadscope.cli.output import Output, table
from napari_beadscope.core.errors import EngineError
from napari_beadscope.engine.places import list_engines, remove_leftovers


def engines_data() -> list[dict[str, Any]]:
    """Return the running engines; their secrets stay where they are."""
    return [
        {
            "engine_id": one.engine_id,
            "camera": one.camera,
            "pid": one.pid,
            "up_s": round(time.time() - one.started_unix_s, 1),
        }
        for one in list_engines()
    ]


def engine_rows() -> list[tuple[str, ...]]:
    """Return the running engines as rows of words."""
    return [
        (one["engine_id"], one["camera"], f"process {one['pid']}", f"up {one['up_s']:.0f} s")
        for one in engines_data()
    ]


def engines(output: Output) -> None:
    """Print the running engines."""
    output.result({"engines": engines_data()}, table(engine_rows()) or ["no engine is running"])


def stop(engine_id: str | None, recording: bool, output: Output) -> None:
    """Stop an engine, a recording in progress first; or only that `recording`.

    Raises
    ------
    EngineError
        There is no such engine, or there are several and none is named.
    StateError
        Only the recording was to end, and there is none.
    """
    from napari_beadscope.cli import interrupts
    from napari_beadscope.script import Scope

    running = list_engines()
    if engine_id is None and not running:
        raise EngineError("no engine is running", "there is nothing to stop")
    if engine_id is None and len(running) > 1:
        names = ", ".join(one.engine_id for one in running)
        raise EngineError(f"{len(running)} engines are running", f"name one of {names}")
    if engine_id is not None and engine_id not in {one.engine_id for one in running}:
        raise EngineError(f"no engine {engine_id} is running", "see `beadscope engines`")
    scope = Scope.attach(engine_id)
    info = scope.engine
    if recording:
        try:
            with interrupts.held():
                folder = scope.stop_recording()
        finally:
            scope.detach()
        data = {"engine": info.engine_id, "camera": info.camera, "out": folder}
        output.result(data, [f"the recording {folder} was ended, complete"])
        return
    with interrupts.held():
        scope.stop()
    output.result(
        {"stopped": info.engine_id, "camera": info.camera},
        [f"engine {info.engine_id} ({info.camera}) has ended"],
    )


def recover(folder: Path, output: Output) -> None:
    """Repair a recording and print what was saved and what is lost.

    What dead engines left in memory and in the runtime folder is removed as well.

    Raises
    ------
    StorageError
        It is not a recording, is still being written, or the disk fails.
    """
    from napari_beadscope.storage.recover import recover as mend

    report = mend(folder)
    remove_leftovers()
    data = {
        "out": str(report.folder),
        "frames": report.frames_saved,
        "rows": report.rows_saved,
        "lost": [gap.model_dump() for gap in report.frames_lost],
        "repaired": list(report.files_repaired),
        "sentence": report.sentence,
    }
    output.result(data, [report.sentence])
