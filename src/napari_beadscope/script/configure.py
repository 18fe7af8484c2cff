"""From what a user gives to what an engine needs: settings, limits, folders."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.session_state import Limits
from napari_beadscope.core.settings import Settings, expanded
from napari_beadscope.core.types import Calibration
from napari_beadscope.devices import absolute_id
from napari_beadscope.engine import EngineConfig
from napari_beadscope.storage import load_settings


def as_settings(settings: Settings | Mapping[str, Any] | str | Path | None) -> Settings:
    """Return settings from what a user gives; None means the user's own file."""
    if isinstance(settings, Settings):
        return settings
    if settings is None or isinstance(settings, (str, Path)):
        return load_settings(settings)
    return load_settings(None).replace(settings)


def engine_config(
    camera: str, options: Mapping[str, Any], settings: Settings, verbose: bool
) -> EngineConfig:
    """Return what a new engine is told."""
    engine = settings.engine
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    trackers = engine.trackers or max(1, (cores or 2) // 2)
    limits = Limits(
        trackers=min(trackers, 30),
        stall_s=engine.stall_s,
        start_timeout_s=engine.start_timeout_s,
        grace_s=engine.grace_s,
        max_restarts=engine.max_restarts,
        restart_window_s=engine.restart_window_s,
    )
    return EngineConfig(
        camera_id=_with_absolute_path(camera),
        camera_options=dict(options),
        limits=limits,
        ring_mb=engine.ring_mb,
        min_ring_slots=engine.min_ring_slots,
        status_hz=engine.status_hz,
        backend=settings.tracking.backend,
        method=settings.tracking.method,
        calibration=Calibration(settings.tracking.nm_per_px),
        profiles=settings.tracking.profiles or settings.recording.profiles,
        settings=settings.to_dict(),
        verbose=verbose,
    )


def number(name: str, value: Any) -> float:
    """Return `value` as a finite number; InputError says which argument is none."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise InputError(f"{name} is {value!r}", "give a number")
    return found


def whole_number(name: str, value: Any) -> int:
    """Return `value` as an int; InputError says which argument is no whole number."""
    found = number(name, value)
    if found != int(found):
        raise InputError(f"{name} is {value!r}", "give a whole number")
    return int(found)


def recording_folder(folder: str | Path | None, name: str, settings: Settings) -> Path:
    """Return the folder of a new recording: `folder` itself, or ``<date>_<name>`` inside it.

    Raises
    ------
    InputError
        `name` would leave the folder.
    """
    if folder is not None and not name:
        return expanded(folder).absolute()
    if re.search(r"[/\\\0]", name) or name in (".", ".."):
        raise InputError(f"{name!r} cannot be a recording's name", "leave out / and \\")
    root = settings.recording.path if folder is None else expanded(folder)
    date = datetime.now().astimezone().strftime("%Y-%m-%d_%H-%M-%S")
    return root.absolute() / f"{date}_{name or 'recording'}"


def absolute(path: str | Path) -> str:
    """Return the absolute path as text; '' stays ''."""
    return str(expanded(path).absolute()) if str(path) else ""


def _with_absolute_path(camera: str) -> str:
    """The engine has a working folder of its own, so a path must not depend on the caller's."""
    kind, colon, path = camera.partition(":")
    if kind != "replay" or not colon:
        return absolute_id(camera)
    return f"{kind}:{expanded(path).absolute()}"
