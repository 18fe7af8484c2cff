"""`beadscope track`: files in, track rows out, frame by frame.

Owns the pipeline: one thread reads and cuts crops while the backend tracks the batch before on
its own threads. Holds two batches, never the whole recording.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import typer

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
from napari_beadscope.cli.running import said_if_slow
from napari_beadscope.cli.sources import Footage, open_footage
from napari_beadscope.cli.summary import saved_lines, summarise
from napari_beadscope.core.errors import BeadscopeError, DeviceError, InputError
from napari_beadscope.core.settings import Settings
from napari_beadscope.core.types import Bead, Calibration, FrameStamp
from napari_beadscope.script.configure import as_settings

if TYPE_CHECKING:
    from napari_beadscope.storage import Manifest, RecordingWriter
    from napari_beadscope.tracking import Backend

_BATCH_BYTES = 64 << 20
_BATCH_FRAMES = 256
_FIRST_FRAMES = 5
_SLOWEST_FPS, _FASTEST_FPS = 1e-6, 1e6  # else times do not fit into 64 bits of ns


@dataclass(frozen=True, slots=True)
class TrackRequest:
    """The command's options as given."""

    source: Path
    out: Path
    wanted: Wanted
    fps: float | None = None
    settings: Path | None = None
    verbose: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Crops of some frames, bead by bead, and the indices and stamps of those frames."""

    crops: np.ndarray
    numbers: range
    stamps: list[FrameStamp]


def track(request: TrackRequest, output: Output) -> None:
    """Track as asked, and print what was found.

    Raises
    ------
    BeadscopeError
        The request cannot be met, or a frame is damaged: what comes before it is kept.
    typer.Exit
        With 130 or 143 after a signal; every file is closed.
    """
    from napari_beadscope.storage import RecordingWriter

    settings = as_settings(request.settings)
    check_positive("--fps", request.fps)
    if request.fps is not None and not _SLOWEST_FPS <= request.fps <= _FASTEST_FPS:
        raise InputError(
            f"--fps is {request.fps:g}", f"give {_SLOWEST_FPS:g} to {_FASTEST_FPS:g} frames/s"
        )
    choices = check_choices(request.wanted, settings)
    out = check_new_folder(request.out, settings)
    stopped: BaseException | None = None
    began = time.perf_counter()
    with open_footage(request.source, request.fps) as footage:
        if footage.note:
            output.note(f"{footage.name}: {footage.note}")
        beads = _beads(footage, choices, output)
        if choices.zlut is not None:
            choices.zlut.check_matches(beads[0].roi.size)
        backend = choices.tracker.open()
        manifest = _manifest(footage, choices, beads, backend, settings, request.wanted)
        assumed = tuple(_assumed(footage, request.wanted, settings))
        manifest.notes.extend(assumed)
        with RecordingWriter.create(out, manifest) as writer:
            try:
                _work(footage, beads, choices, backend, writer, output)
                if note := getattr(backend, "note", ""):  # it had to fall back
                    writer.manifest.notes.append(note)
            except (Interrupted, DeviceError) as error:
                stopped = error
                _note_rest(writer, footage, error)
    if not isinstance(stopped, BeadscopeError):
        for text in assumed:
            output.note(text)
    _tell(out, stopped, time.perf_counter() - began, choices.tracker.sentence, output)


def _tell(
    out: Path, stopped: BaseException | None, wall_s: float, tracking: str, output: Output
) -> None:
    if isinstance(stopped, BeadscopeError):
        raise DeviceError(stopped.what, f"what comes before it is tracked in {out}") from stopped
    summary = summarise(out)
    summary["tracking"] = tracking
    summary["interrupted"] = stopped is not None
    summary["tracked_fps"] = summary["frames"] / wall_s
    output.result(summary, saved_lines(summary))
    if isinstance(stopped, Interrupted):
        output.note(f"beadscope: {stopped}; every file is closed")
        raise typer.Exit(stopped.exit_code)


def _beads(footage: Footage, choices: Choices, output: Output) -> tuple[Bead, ...]:
    if choices.beads is None and footage.beads:
        return footage.resized_beads(choices.size_px)
    first = footage.first_images(_FIRST_FRAMES)
    beads = choose_beads(choices, first, footage.name, output.note)
    footage.check_beads(beads)
    return beads


def _manifest(
    footage: Footage,
    choices: Choices,
    beads: tuple[Bead, ...],
    backend: Backend,
    settings: Settings,
    wanted: Wanted,
) -> Manifest:
    from napari_beadscope.storage import Manifest

    nm_per_px = choices.nm_per_px
    if wanted.nm_per_px is None and footage.nm_per_px is not None:
        nm_per_px = footage.nm_per_px
    manifest = Manifest.new(
        mode="track",
        format=footage.format,
        beads=beads,
        calibration=Calibration(nm_per_px, choices.zlut_path),
        fps=footage.fps,
        camera_id=f"file:{footage.name}",
        backend=backend.name,
        method=backend.method,
        settings=settings.to_dict(),
        name=Path(footage.name).name,
        profiles=settings.recording.profiles,
    )
    manifest.min_free_bytes = int(settings.recording.min_free_gb * 1e9)
    manifest.notes.append(f"tracked offline from {footage.name}")
    if footage.note:
        manifest.notes.append(footage.note)
    return manifest


def _assumed(footage: Footage, wanted: Wanted, settings: Settings) -> Iterator[str]:
    """Yield what neither the source nor the user has said."""
    if footage.nm_per_px is None and (text := assumed_scale(wanted, settings)):
        yield text
    if footage.fps_assumed:
        yield (
            f"the source states no rate: {footage.fps:g} frames/s are assumed; "
            "say otherwise with --fps"
        )


def _work(
    footage: Footage,
    beads: tuple[Bead, ...],
    choices: Choices,
    backend: Backend,
    writer: RecordingWriter,
    output: Output,
) -> None:
    from napari_beadscope.tracking.rows import to_rows

    with said_if_slow(output, lambda: "compiling kernels"):
        backend.warm_up(beads[0].roi.size, footage.format.dtype, choices.zlut)
    with output.progress(
        "{task.completed:.0f}/{task.total:.0f} frames", "{task.fields[fps]:.0f} frames/s"
    ) as progress:
        task = progress.add_task("tracking", total=len(footage), fps=0.0)
        for batch in _ahead(_batches(footage, beads, choices.tracker.batch_rois)):
            result = backend.track(batch.crops, choices.zlut)
            rows = to_rows(result, beads, batch.numbers, batch.stamps)
            writer.write_frames(None, batch.stamps)
            writer.write_tracks(rows)
            progress.advance(task, len(batch.stamps))
            progress.update(task, fps=progress.tasks[task].speed or 0.0)


def _note_rest(writer: RecordingWriter, footage: Footage, error: BaseException) -> None:
    """Say in the manifest which frames were not reached, and why."""
    last = footage.stamp(len(footage) - 1).frame
    done = writer.last_frame
    first = footage.stamp(0).frame if done is None else done + 1
    if first <= last:
        writer.note_gap(first, last, f"not tracked: {error}")


def _batches(footage: Footage, beads: tuple[Bead, ...], rois: int) -> Iterator[_Batch]:
    """Yield the crops of all frames, some frames at a time.

    Frames before a damaged one are yielded first; then its `DeviceError` is raised.
    """
    size = beads[0].roi.size
    one = len(beads) * size * size * np.dtype(footage.format.dtype).itemsize
    length = min(_BATCH_FRAMES, rois // len(beads), _BATCH_BYTES // one)
    numbers = iter(range(len(footage)))
    while some := list(islice(numbers, max(1, length))):
        crops = np.empty((len(some), len(beads), size, size), footage.format.dtype)
        broken: DeviceError | None = None
        for place, number in enumerate(some):
            try:
                footage.crop_into(number, beads, crops[place])
            except DeviceError as error:
                broken, some = error, some[:place]
                break
        if some:
            yield _Batch(
                crops[: len(some)].reshape(-1, size, size),
                range(some[0], some[-1] + 1),
                [footage.stamp(number) for number in some],
            )
        if broken is not None:
            raise broken


def _ahead(batches: Iterator[_Batch]) -> Iterator[_Batch]:
    """Yield the same, reading the next batch on a thread while one is worked on."""
    with ThreadPoolExecutor(1, thread_name_prefix="reader") as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch
