"""The Camera dock's mind: which camera, with what options, live or not.

Owns the choices and their options. Must not know Qt; talks to cameras only through the session.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.messages import StreamChanged
from napari_beadscope.core.window import Window
from napari_beadscope.ui.model import Message, Phase
from napari_beadscope.ui.other_engines import records
from napari_beadscope.ui.presenters.camera_choices import (
    OTHER,
    REPLAY,
    SIMULATED,
    CameraChoices,
    Choice,
    id_field,
)
from napari_beadscope.ui.presenters.fields import Field, field_of_property
from napari_beadscope.ui.presenters.options import option_fields
from napari_beadscope.ui.roi_box import Box
from napari_beadscope.ui.session import Session
from napari_beadscope.ui.snap import Snap, take_snap

_PATH = Field("path", "File", "path", "", tip="TIFF, OME-TIFF, AVI, MP4, or a folder of images")


class CameraPresenter:
    """What the Camera dock shows and does.

    Parameters
    ----------
    session : Session
        Shared by all docks of the viewer.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.cameras = CameraChoices(session)
        self._kind, _, self._which = session.model.camera_id.partition(":")
        self._values: dict[str, dict[str, Any]] = {}
        if self._kind == REPLAY:
            self._values[REPLAY] = {"path": self._which}
        self._values.setdefault(self._kind, {}).update(session.model.options)
        session.model.events.camera_id.connect(self._chosen_elsewhere)

    @property
    def kind(self) -> str:
        """Which kind of camera is chosen; of an engine that was attached to, the one it runs."""
        return self.chosen.partition(":")[0]

    @property
    def chosen(self) -> str:
        """The line of the list that is chosen, by its ``camera_id``."""
        status = self._session.model.status
        kind, which = self._kind, self._which
        if self._session.attached and status is not None:
            kind, _, which = str(status.camera_id).partition(":")
        if kind in (SIMULATED, REPLAY):
            return kind
        return f"{kind}:{which}" if which else kind

    @property
    def fixed(self) -> bool:
        """Whether the camera belongs to an engine that was started elsewhere."""
        return self._session.attached

    def choices(self) -> tuple[Choice, ...]:
        """Return the cameras that can be chosen, those that cannot be used last."""
        return self.cameras.lines(self.chosen)

    def search(self) -> None:
        """Look for cameras that are connected."""
        self.cameras.search()

    def why_no_search(self) -> str:
        """Return why there can be no search now, '' if there can."""
        if self.fixed:
            return "The camera belongs to an engine that was started elsewhere"
        return "The libraries of all makers are looking" if self.cameras.searching else ""

    def fields(self) -> tuple[Field, ...]:
        """Return the options of the chosen camera, none while they are not this dock's."""
        if self.fixed:
            return ()
        if self._kind == OTHER:
            return (id_field(""),)
        templates = option_fields(self._kind)
        if self._kind == REPLAY:
            templates = (_PATH, *templates)
        values = self._values.get(self._kind, {})
        return tuple(replace(one, value=values.get(one.name, one.value)) for one in templates)

    def properties(self) -> tuple[Field, ...]:
        """Return what can be set on the running camera, but for the window of its sensor."""
        if self._session.scope is None:
            return ()
        props = self._session.model.properties
        return tuple(field_of_property(prop) for prop in props if prop["kind"] != "roi")

    def window(self) -> Window | None:
        """Return what of the sensor the frames show, None for a camera that has no choice."""
        props = {prop["name"]: prop for prop in self._session.model.properties}
        if self._session.scope is None or "roi" not in props:
            return None
        binning = props.get("binning", {"value": 1})["value"]
        return Window.parse(str(props["roi"]["value"]), int(float(binning)))

    def window_text(self) -> str:
        """Return the window in one line."""
        window, sensor = self.window(), self._sensor()
        if window is None or sensor is None:
            return ""
        size = f"{sensor.width} × {sensor.height} px"
        if (window.height, window.width) == (sensor.height, sensor.width):
            return f"whole sensor, {size}"
        return f"{window.width} × {window.height} of {size} at x {window.x0}, y {window.y0}"

    def why_no_window(self) -> str:
        """Return why the window can't be changed now, '' if it can."""
        model = self._session.model
        if self._session.scope is None or not model.live:
            return "Press Live first: the box is drawn over the live image"
        if model.recording is not None:
            return "Not while recording: stop the recording first"
        if self.window() is None:
            return "This camera shows its whole sensor only"
        return ""

    def is_whole(self) -> bool:
        """Return whether the frames show the whole sensor, as far as is known."""
        window, sensor = self.window(), self._sensor()
        return window is None or sensor is None or window.text == sensor.text

    def set_window(self, box: Box) -> None:
        """Let the camera read out what is in `box`, in px of the present frame."""
        window, sensor = self.window(), self._sensor()
        if window is None or sensor is None:
            return
        top, left = window.on_sensor(box.top, box.left)
        bottom, right = window.on_sensor(box.bottom, box.right)
        y0, x0 = max(round(top), sensor.y0), max(round(left), sensor.x0)
        height = min(round(bottom) + 1, sensor.y0 + sensor.height) - y0
        width = min(round(right) + 1, sensor.x0 + sensor.width) - x0
        if height < 1 or width < 1:
            text = "The box lies outside the camera's sensor: draw it over the image"
            self._session.say(Message("warning", text, time.time()))
            return
        self.set_property("roi", Window(y0, x0, height, width).text)

    def set_whole(self) -> None:
        """Let the camera read out its whole sensor."""
        self.set_property("roi", "full")

    def snap(self, show: Callable[[Snap], None]) -> None:
        """Take the newest frame, or of a camera that is off the first one, and `show` it."""
        session = self._session
        off = session.scope is None
        if off:
            session.start_live()

        def done(snap: Snap) -> None:
            show(snap)
            if off:
                session.stop_live()

        session.on_scope("Reading a frame", take_snap, done)

    def heard(self, event: Any) -> None:
        """Read the camera's properties when its frames have changed, by whomever."""
        if isinstance(event, StreamChanged) and self._session.model.phase is Phase.READY:
            model = self._session.model
            self._session.on_scope(
                "Reading the camera",
                lambda scope: tuple(scope.camera_properties()),
                lambda props: setattr(model, "properties", props),
            )

    def _sensor(self) -> Window | None:
        props = {prop["name"]: prop for prop in self._session.model.properties}
        return Window.parse(props["roi"]["choices"][0]) if "roi" in props else None

    def summary(self) -> str:
        """Return the options in one line, or what an engine that was attached to runs."""
        if self.fixed:
            return _running(self._session.model.status)
        values = {one.name: one.value for one in self.fields()}
        if self._kind == SIMULATED:
            return (
                f"{values['width_px']} × {values['height_px']} px · {values['fps']:g} fps · "
                f"{values['beads']} beads"
            )
        if self._kind == REPLAY:
            return Path(values["path"]).name or "no file chosen"
        if self._kind == OTHER:
            return "no ID yet"
        return "no options"

    def choose(self, camera_id: str) -> None:
        """Choose a line of the list."""
        self._kind, _, self._which = camera_id.partition(":")
        if self._kind != OTHER:  # which has no ID yet
            self._write()

    def set_option(self, name: str, value: Any) -> None:
        """Set an option of the chosen camera; it holds from the next start on."""
        if self._kind == OTHER:
            if str(value).strip():
                self.choose(str(value).strip())
            return
        self._values.setdefault(self._kind, {})[name] = value
        self._write()

    def set_property(self, name: str, value: Any) -> None:
        """Set a property of the running camera and read all of them back."""
        model = self._session.model

        def work(scope: Any) -> tuple[Any, ...]:
            scope.set_camera(**{name: value})
            return tuple(scope.camera_properties())

        self._session.on_scope(
            f"Setting {name}", work, lambda props: setattr(model, "properties", props)
        )

    def set_live(self, on: bool) -> None:
        """Show live frames, or stop to."""
        if not on:
            self._session.stop_live()
            return
        replays = self._kind == REPLAY and not self.fixed
        if replays and not self._values.get(REPLAY, {}).get("path"):
            self._session.fail(InputError("no file to replay", "choose one under Options"))
            self._session.model.events.live.emit(self._session.model.live)
            return
        if self._kind == OTHER and not self.fixed:
            self._session.fail(InputError("no camera is named", "type its ID under Options"))
            self._session.model.events.live.emit(self._session.model.live)
            return
        self._session.start_live()

    def attach(self) -> None:
        """Attach to the engine that is offered."""
        engine = self._session.others.offered
        if engine is not None:
            self._session.attach(engine.engine_id)

    def offer(self) -> str:
        """Return the sentence that offers to attach, '' when there is nothing to offer."""
        engine = self._session.others.offered
        if engine is None:
            return ""
        if engine.recording:
            return f"Runs and {records(engine)}: {engine.camera}"
        since = time.strftime("%H:%M", time.localtime(engine.started_unix_s))
        return f"Running since {since}: {engine.camera}"

    def state(self) -> str:
        """Return how the camera is, in a few words."""
        model = self._session.model
        if model.phase is Phase.STARTING:
            return "starting…"
        if model.phase is Phase.LOST:
            return "the engine ended; press Live to start a new one"
        status = model.status
        if self._session.scope is None or status is None:
            return "off"
        size = f"{status.width_px} × {status.height_px} px {status.dtype}"
        if not model.live:
            return f"paused · {size}" if model.recording is None else "recording, not shown"
        return f"{size} · {status.fps:.1f} fps"

    def _chosen_elsewhere(self, camera_id: str) -> None:
        """Follow a camera that the settings or a sample have chosen."""
        self._kind, _, self._which = camera_id.partition(":")
        if self._kind == REPLAY:
            self._values.setdefault(REPLAY, {})["path"] = self._which

    def _write(self) -> None:
        model = self._session.model
        values = dict(self._values.get(self._kind, {}))
        path = values.pop("path", "")
        which = path if self._kind == REPLAY else self._which
        model.camera_id = f"{self._kind}:{which}" if which or self._kind == REPLAY else self._kind
        model.options = values


def _running(status: Any) -> str:
    if status is None:
        return "a running engine"
    rate = f" · {status.nominal_fps:g} fps" if status.nominal_fps > 0 else ""
    return f"{status.width_px} × {status.height_px} px {status.dtype}{rate}"
