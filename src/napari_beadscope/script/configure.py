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
from napari_beadscope.core.session_settings import limits_of
from napari_beadscope.core.session_state import Limits
from napari_beadscope.core.settings import Settings, expanded
from napari_beadscope.core.types import Calibration
from napari_beadscope.devices import absolute_id
from napari_beadscope.engine import EngineConfig
from napari_beadscope.storage import load_settings

Given = Settings | Mapping[str, Any] | str | Path | None


def as_settings(settings: Given, camera: str | None = None) -> Settings:
    """Return settings from what a user gives.

    Parameters
    ----------
    settings : Settings, mapping or path, optional
        None means the user's own files; a mapping is changes to them by dotted names.
    camera : str, optional
        The microscope's camera, by default the user's: it has settings of its own.
    """
    if isinstance(settings, Settings):
        return settings
    if isinstance(settings, (str, Path)):
        return load_settings(settings)
    user = load_settings(None, camera=absolute_id(camera) if camera else None)
    return user if settings is None else user.replace(settings)


def camera_options(settings: Given, known: Settings, camera: str | None) -> dict[str, Any]:
    """Return the options of a camera in settings, none if these are another camera's."""
    of_another = isinstance(settings, (Settings, str, Path)) and camera not in (
        None,
        known.camera.id,
    )
    return {} if of_another else dict(known.camera.options)


def engine_config(
    camera: str, options: Mapping[str, Any], settings: Settings, verbose: bool
) -> EngineConfig:
    """Return what a new engine is told."""
    engine = settings.engine
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    trackers = engine.trackers or max(1, (cores or 2) // 2)
    limits = limits_of(engine, Limits(trackers=min(trackers, 30)))
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
    check_recording_name(name)
    root = settings.recording.path if folder is None else expanded(folder)
    date = datetime.now().astimezone().strftime("%Y-%m-%d_%H-%M-%S")
    return root.absolute() / f"{date}_{name or 'recording'}"


def check_recording_name(name: str) -> None:
    r"""Raise `InputError` if `name` would leave the folder of the recordings.

    Examples
    --------
    >>> check_recording_name("a/b")
    Traceback (most recent call last):
    ...
    napari_beadscope.core.errors.InputError: 'a/b' cannot be a recording's name: leave out / and \
    """
    if re.search(r"[/\\\0]", name) or name in (".", ".."):
        raise InputError(f"{name!r} cannot be a recording's name", "leave out / and \\")


def absolute(path: str | Path) -> str:
    """Return the absolute path as text; '' stays ''."""
    return str(expanded(path).absolute()) if str(path) else ""


def _with_absolute_path(camera: str) -> str:
    """The engine has a working folder of its own, so a path must not depend on the caller's."""
    kind, colon, path = camera.partition(":")
    if kind != "replay" or not colon:
        return absolute_id(camera)
    return f"{kind}:{expanded(path).absolute()}"
