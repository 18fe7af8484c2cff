"""Beads, calibration, tracking and camera of the engine that is attached.

Must not know Qt or napari.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_beadscope.core.commands import (
    Annotate,
    GetCamera,
    SetBackend,
    SetBeads,
    SetCalibration,
    SetCamera,
    SetSettings,
)
from napari_beadscope.core.errors import InputError
from napari_beadscope.core.messages import Tracking
from napari_beadscope.core.settings import Settings
from napari_beadscope.core.types import Annotation, Bead, Calibration
from napari_beadscope.script.configure import absolute, number
from napari_beadscope.script.link import PREPARE_S
from napari_beadscope.script.looking import Looking

#: Stands for "leave it as it is" where None means something.
_AS_IT_IS: Any = object()


class Experiment(Looking):
    """What an experiment is set up with."""

    @property
    def beads(self) -> tuple[Bead, ...]:
        """The beads that are tracked."""
        return self._view.beads

    def set_beads(
        self,
        beads: tuple[Bead, ...] | list[Bead],
        annotations: Mapping[int, Annotation] | None = None,
    ) -> None:
        """Replace the beads that are tracked; returns when that is true for every tracker.

        Beads that stay keep their annotations, unless `annotations` gives those of all.
        """
        said = None if annotations is None else dict(annotations)
        self._ask(SetBeads(tuple(beads), said), timeout_s=PREPARE_S)

    def find_beads(
        self, max_beads: int | None = None, size_px: int | None = None
    ) -> tuple[Bead, ...]:
        """Find beads in the newest frame, track them, and return them.

        Of a camera that streams, the first frame is waited for.

        Raises
        ------
        StateError
            There is no frame.
        InputError
            No bead was found.
        """
        from napari_beadscope.tracking import beads_from_found, find_beads, suggest_roi_size

        frame = self.newest_frame()
        found = find_beads(frame.image, size_px=size_px)
        if not len(found.x_px):
            raise InputError(
                f"no beads were found in frame {frame.frame} of {self.camera_id}",
                "focus, raise the contrast, or add beads by hand",
            )
        size = size_px or suggest_roi_size(found)
        beads = beads_from_found(found, frame.image.shape, size)[:max_beads]
        if not beads:
            raise InputError(
                f"every bead in frame {frame.frame} of {self.camera_id} is too near the edge for "
                f"an ROI of {size} px",
                "move the stage, or choose smaller ROIs",
            )
        self.set_beads(beads, annotations={})  # the numbers are those of other beads now
        return beads

    @property
    def annotations(self) -> dict[int, Annotation]:
        """What is said about beads, by their IDs; nothing about those that are missing."""
        return dict(self._view.annotations)

    def annotate(
        self,
        bead: int | Iterable[int],
        *,
        label: str = _AS_IT_IS,
        good: bool | None = _AS_IT_IS,
        note: str = _AS_IT_IS,
        reference: bool = _AS_IT_IS,
    ) -> None:
        """Say something about one bead or several, also while recording; the rest stays.

        Parameters
        ----------
        bead : int or iterable of int
            The IDs.
        label : str
            A short name.
        good : bool or None
            Whether it is fit for use; None takes the judgement back.
        note : str
            Anything else.
        reference : bool
            Whether it is stuck to the surface, so that it shows the drift.

        Raises
        ------
        InputError
            There is no such bead.
        """
        beads = [bead] if isinstance(bead, int) else list(bead)
        given = {"label": label, "good": good, "note": note, "reference": reference}
        changes: dict[str, Any] = {k: v for k, v in given.items() if v is not _AS_IT_IS}
        now = self._view.annotations
        said = {one: replace(now.get(one, Annotation()), **changes) for one in beads}
        self._ask(Annotate(said))

    def set_annotations(self, annotations: Mapping[int, Annotation]) -> None:
        """Replace the annotations of the beads that are named; an empty one is forgotten."""
        self._ask(Annotate(dict(annotations)))

    @property
    def calibration(self) -> Calibration:
        """Pixel size and Z-LUT in use."""
        return self._view.calibration

    def set_calibration(
        self, nm_per_px: float | None = None, zlut: str | Path | None = None
    ) -> None:
        """Change the pixel size, the Z-LUT (a file; '' for none), or both."""
        old = self.calibration
        path = old.zlut if zlut is None else absolute(zlut)
        new = Calibration(
            old.nm_per_px if nm_per_px is None else number("nm_per_px", nm_per_px), path
        )
        self._ask(SetCalibration(new), timeout_s=PREPARE_S)

    @property
    def tracking(self) -> Tracking:
        """Which backend tracks with which method and why, and what is still being prepared."""
        self._attached()
        return self._view.status().tracking

    def set_backend(self, name: str | None = None, method: str | None = None) -> None:
        """Choose the tracking backend (see ``beadscope info``) and the method; None: as it is."""
        self._ask(SetBackend(name, method), timeout_s=PREPARE_S)

    def set_method(self, method: str) -> None:
        """Choose the tracking method: "precise" or "magtrack-compatible"."""
        self.set_backend(None, method)

    def set_settings(self, changes: Mapping[str, Any]) -> None:
        """Let other settings hold, in every process and for every front end; not saved.

        Camera properties, pixel size, Z-LUT, method and backend change at once, what a recording
        keeps with the next one, the engine's patience at once; memory, trackers, motors and the
        camera's options with the next engine.

        Parameters
        ----------
        changes : mapping
            Values by dotted names, such as ``{"recording.min_free_gb": 5}``.

        Raises
        ------
        SettingsError
            Names every mistake; nothing has changed.
        StateError
            A recording is on.

        Examples
        --------
        >>> from napari_beadscope import Scope
        >>> scope = Scope("simulated", settings={})
        >>> scope.set_settings({"tracking.nm_per_px": 66})
        >>> scope.settings.tracking.nm_per_px
        66.0
        """
        new = self.settings.replace(changes)
        if self._client is None and not self._stopped:
            self._settings = new
            return
        self._attached()
        self._use(new, set(changes))
        self._ask(SetSettings(new.to_dict()))

    def _use(self, settings: Settings, names: Collection[str]) -> None:
        """Bring camera and trackers to the settings of these names."""
        camera, tracking = settings.camera, settings.tracking
        asked: dict[str, Any] = {}
        if "camera.fps" in names:
            asked["fps"] = camera.fps
        if "camera.exposure_ms" in names:
            asked["exposure_ms"] = camera.exposure_ms
        if "camera.properties" in names:
            asked.update(camera.properties)
        self.set_camera(**{name: value for name, value in asked.items() if value is not None})
        if {"tracking.nm_per_px", "tracking.zlut"} & set(names):
            self.set_calibration(tracking.nm_per_px, tracking.zlut)
        if {"tracking.backend", "tracking.method"} & set(names):
            self.set_backend(tracking.backend, tracking.method)

    def camera_properties(self) -> list[dict[str, Any]]:
        """Return the camera's properties: name, unit, kind, minimum, maximum, choices, value."""
        return list(self._ask(GetCamera()))

    def set_camera(self, **values: float | str) -> None:
        """Set properties of the camera, such as ``exposure_ms=5``; refused while recording.

        ``roi="y0,x0,height,width"`` in px of the sensor (``"full"`` for all of it) and
        ``binning`` change the frames: on return `format` and `beads` are those of the new ones.
        """
        for name, value in values.items():
            self._ask(SetCamera(name, value))
