"""After a script that failed or was stopped: what it has set going is brought to rest.

Motors that are still on the way to where it sent them are halted, locks that it switched on are
switched off, a recording that it began ends, complete. What it found on, or what somebody else has
changed since, is left alone. Must not know how the script ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from napari_beadscope.core.errors import BeadscopeError, StorageError
from napari_beadscope.engine.places import list_engines
from napari_beadscope.script.conduct import Deed, read_deeds

if TYPE_CHECKING:
    from napari_beadscope.script.scope import Scope

_WORDS = {
    "move": "the {} motor",
    "record": "the recording",
    "xy": "the XY-lock",
    "z": "the Z-lock",
}


def make_safe(record: Path) -> list[str]:
    """Bring to rest what the script of a run has set going; return what was done, as clauses.

    Parameters
    ----------
    record : Path
        The run's record.
    """
    deeds = read_deeds(record)
    alive = {info.engine_id for info in list_engines()}
    said: list[str] = []
    for engine_id in dict.fromkeys(deed.engine_id for deed in deeds):
        if engine_id not in alive:
            continue  # with its engine, all has come to rest
        said += _rest(engine_id, [deed for deed in deeds if deed.engine_id == engine_id])
    return said


def _rest(engine_id: str, deeds: list[Deed]) -> Iterator[str]:
    from napari_beadscope.script.scope import Scope

    last = {(deed.kind, deed.name if deed.kind == "move" else ""): deed for deed in deeds}
    if not last:
        return
    try:
        scope = Scope.attach(engine_id)
    except BeadscopeError as error:
        yield f"the engine could not be asked to bring its work to rest ({error.what})"
        return
    try:
        for (kind, name), deed in sorted(last.items(), key=lambda item: item[0][0] == "record"):
            try:
                done = _undo(scope, kind, name, deed)
            except BeadscopeError as error:
                yield f"{_WORDS[kind].format(name)} could not be brought to rest ({error.what})"
                continue
            if done:
                yield done
    finally:
        scope.detach()


def _undo(scope: Scope, kind: str, name: str, deed: Deed) -> str:
    match kind:
        case "move":
            now = next((one for one in scope.motors() if one.info.name == name), None)
            if now is not None and now.moving and now.target == deed.target:
                scope.stop_motor(name)
                return f"the {name} motor was halted"
        case "xy" if deed.on and scope.locks.xy is not None:
            scope.set_xy_lock(False)
            return "the XY-lock was switched off"
        case "z" if deed.on and scope.locks.z is not None:
            scope.set_z_lock(False)
            return "the Z-lock was switched off"
        case "record" if scope.status().recording == deed.name:
            try:
                scope.stop_recording()
            except StorageError as error:
                return f"the recording had to end early ({error.what})"
            return f"the recording {deed.name} was ended, complete"
    return ""
