"""`beadscope record`: a camera, live or replayed, into a recording of its own folder.

Owns the order of steps and what is said meanwhile. Must not know how an engine works.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import typer

from napari_beadscope.cli import interrupts
from napari_beadscope.cli.choices import (
    Choices,
    Wanted,
    assumed_scale,
    check_choices,
    check_new_folder,
    check_positive,
    choose_beads,
)
from napari_beadscope.cli.interrupts import Interrupted
from napari_beadscope.cli.output import Output
from napari_beadscope.cli.running import running, said_if_slow
from napari_beadscope.cli.summary import saved_lines, summarise
from napari_beadscope.core.errors import EngineError, InputError, StateError
from napari_beadscope.core.messages import (
    AcquisitionChanged,
    CameraBack,
    CameraLost,
    Event,
    Status,
    WorkerLost,
)
from napari_beadscope.core.settings import Settings
from napari_beadscope.core.types import AcquisitionMode, Bead
from napari_beadscope.devices import Camera, EndOfStream, open_camera
from napari_beadscope.devices.replay import open_frames
from napari_beadscope.script import Scope
from napari_beadscope.script.configure import as_settings, camera_options

_LOOK_S = 0.1
_FIRST_FRAMES = 5
_FRAME_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class RecordRequest:
    """The command's options as given."""

    out: Path
    camera: str | None
    seconds: float | None
    frames: int | None
    mode: str | None
    wanted: Wanted
    options: tuple[str, ...] = ()
    settings: Path | None = None
    verbose: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """The command's options, checked."""

    out: Path
    camera: str
    options: dict[str, Any]
    mode: AcquisitionMode
    seconds: float
    frames: int
    settings: Settings
    choices: Choices
    can_wait: bool

    @property
    def needs_beads(self) -> bool:
        return self.mode.tracks or self.mode.rois


def record(request: RecordRequest, output: Output) -> None:
    """Record as asked, and print what was saved.

    Raises
    ------
    BeadscopeError
        Nothing was recorded, or less than asked for; the message says why.
    typer.Exit
        With 130 or 143 after a signal; every file is closed.
    """
    plan = _checked(request)
    source_note = _source_note(plan.camera)
    if source_note:
        output.note(f"{plan.camera}: {source_note}")
    scale_note = assumed_scale(request.wanted, plan.settings) if plan.mode.tracks else ""
    beads: tuple[Bead, ...] = ()
    if plan.needs_beads and plan.can_wait:
        beads = choose_beads(plan.choices, _first_of_source(plan), plan.camera, output.note)
    scope = Scope(
        plan.camera, options=plan.options, settings=plan.settings, verbose=request.verbose
    )
    with running(scope):
        for name, error in scope.missing_motors.items():
            output.warn(f"the {name} motor of the settings is not there: {error}")
        if plan.needs_beads and not plan.can_wait:
            beads = _beads_of_live(plan, scope, output)
        if plan.needs_beads:
            with said_if_slow(output, lambda: scope.tracking.step):
                _prepare(plan, scope, beads)
        tracking = scope.tracking.sentence if plan.mode.tracks else ""
        if scale_note:
            output.note(scale_note)
        stopped = run_recording(
            scope,
            plan.out,
            plan.mode,
            output,
            seconds=plan.seconds,
            frames=plan.frames,
            note="; ".join(text for text in (source_note, scale_note) if text),
        )
    summary = summarise(plan.out)
    summary["interrupted"] = stopped is not None
    summary["tracking"] = tracking
    output.result(summary, saved_lines(summary))
    if stopped is not None:
        output.note(f"beadscope: {stopped}; every file is closed")
        raise typer.Exit(stopped.exit_code)


def run_recording(
    scope: Scope,
    folder: Path,
    mode: AcquisitionMode,
    output: Output,
    *,
    seconds: float = 0.0,
    frames: int = 0,
    note: str = "",
    meanwhile: Callable[[Status], None] | None = None,
) -> Interrupted | None:
    """Record with `scope` to the end, showing progress; return the signal that ended it, if any.

    `meanwhile` is called with the newest status about ten times a second.

    Raises
    ------
    StorageError
        It ended early; what was saved is in the folder.
    EngineError
        The engine died; the message names what makes its files readable.
    """
    ended = threading.Event()

    def heard(event: Event) -> None:
        match event:
            case AcquisitionChanged(on=False):
                ended.set()
            case WorkerLost(name, why, _, restarted):
                fate = "was started again" if restarted else "stays down"
                output.warn(f"the {name} process died ({why}) and {fate}")
            case CameraLost(why, remedy):
                advice = f" ({remedy})" if remedy else ""
                output.warn(f"the camera is lost: {why}{advice}; the recording waits for it")
            case CameraBack(away_s):
                output.warn(f"the camera is back after {away_s:.0f} s")

    forget = scope.on_event(heard)
    try:
        with interrupts.held():
            scope.start_recording(folder, mode, seconds=seconds, frames=frames, note=note)
        limits = [f"{seconds:g} s"] if seconds else []
        if frames:
            limits = [f"{frames} frame{'s' * (frames != 1)}"]
        if not limits and scope.status().can_wait:
            limits = ["the end"]
        until = " or ".join([*limits, "Ctrl-C"])
        output.note(f"recording {mode.value} into {folder} until {until}")
        _watch(
            scope, ended, output, frames or round(seconds * scope.status().nominal_fps), meanwhile
        )
        scope.wait_recorded(_FRAME_TIMEOUT_S)
    except Interrupted as signal:
        with contextlib.suppress(StateError):  # it may just have ended by itself
            scope.stop_recording()
        return signal
    except EngineError as error:
        if scope.is_started:
            raise
        raise EngineError(
            "the engine died while recording", f"run: beadscope recover {folder}"
        ) from error
    finally:
        forget()
    return None


def _watch(
    scope: Scope,
    ended: threading.Event,
    output: Output,
    expected: int,
    meanwhile: Callable[[Status], None] | None,
) -> None:
    """Show progress until the recording has ended or the engine is gone."""
    with output.progress(
        "{task.completed:.0f} frames",
        "{task.fields[fps]:.0f} frames/s",
        "{task.fields[dropped]} dropped",
        "{task.fields[left]:.1f} GB left",
    ) as progress:
        task = progress.add_task("recording", total=expected or None, fps=0.0, dropped=0, left=0.0)
        while not ended.wait(_LOOK_S) and scope.is_started:
            status = scope.status()
            if meanwhile is not None:
                meanwhile(status)
            progress.update(
                task,
                completed=status.recorded_frames,
                fps=status.fps,
                dropped=status.dropped,
                left=status.disk_left_bytes / 1e9,
            )


def _checked(request: RecordRequest) -> _Plan:
    settings = as_settings(request.settings, request.camera)
    check_positive("--seconds", request.seconds)
    check_positive("--frames", request.frames)
    if request.seconds is not None and request.frames is not None:
        raise InputError("both --seconds and --frames are given", "give one of them")
    mode = _mode(request.mode or settings.recording.mode.value)
    choices = check_choices(request.wanted, settings)
    out = check_new_folder(request.out, settings)
    camera = request.camera or settings.camera.id
    kept = camera_options(request.settings, settings, request.camera)
    options = {**kept, **_options(request.options)}
    if camera.startswith("replay:") and request.seconds is None:
        options.setdefault("fps", 0)  # as fast as it can be
    can_wait = open_camera(camera, options).can_wait
    return _Plan(
        out,
        camera,
        options,
        mode,
        request.seconds or 0.0,
        request.frames or 0,
        settings.replace(
            {
                "tracking.nm_per_px": choices.nm_per_px,
                "tracking.zlut": "",
                "tracking.backend": choices.backend,
                "tracking.method": choices.tracker.method,
            }
        ),
        choices,
        can_wait,
    )


def _mode(name: str) -> AcquisitionMode:
    try:
        return AcquisitionMode(name)
    except ValueError:
        known = ", ".join(mode.value for mode in AcquisitionMode)
        raise InputError(f"there is no acquisition mode {name!r}", f"choose from {known}") from None


def _options(texts: tuple[str, ...]) -> dict[str, Any]:
    """Return ``name=value`` texts as a dict, numbers and yes or no as such."""
    import yaml

    options: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise InputError(f"--option {text!r} is not NAME=VALUE", "write it as beads=20")
        try:
            options[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            options[name.strip()] = value
    return options


def _source_note(camera: str) -> str:
    """Return what is to be known of how a replay's files are taken as frames."""
    kind, _, path = camera.partition(":")
    if kind != "replay":
        return ""
    with open_frames(path) as frames:
        return frames.note


def _first_of_source(plan: _Plan) -> Iterator[np.ndarray]:
    """Yield the first frames of a source that can wait, which the engine reads again later."""
    camera: Camera = open_camera(plan.camera, {**plan.options, "fps": 0})
    with camera:
        camera.start()
        image = np.empty(camera.format.shape, camera.format.dtype)
        for _ in range(_FIRST_FRAMES):
            try:
                if camera.read_into(image, _FRAME_TIMEOUT_S) is None:
                    return
            except EndOfStream:
                return
            yield image


def _beads_of_live(plan: _Plan, scope: Scope, output: Output) -> tuple[Bead, ...]:
    scope.start_live()
    images = (frame.image for frame in scope.frames(_FIRST_FRAMES, _FRAME_TIMEOUT_S))
    return choose_beads(plan.choices, images, plan.camera, output.note)


def _prepare(plan: _Plan, scope: Scope, beads: tuple[Bead, ...]) -> None:
    if plan.choices.zlut is not None:
        plan.choices.zlut.check_matches(beads[0].roi.size)
    scope.set_beads(beads)
    if plan.choices.zlut_path:
        scope.set_calibration(zlut=plan.choices.zlut_path)
