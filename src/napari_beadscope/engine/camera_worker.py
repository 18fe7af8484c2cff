"""The camera process: one camera into the frame ring. Never waits for a reader it needn't."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import ExitStack

import numpy as np

from napari_beadscope.core.errors import BeadscopeError
from napari_beadscope.core.messages import Stream
from napari_beadscope.core.orders import (
    KnowMotors,
    ListProperties,
    Order,
    Ready,
    RunCamera,
    SetProperty,
    StreamEnded,
)
from napari_beadscope.core.types import FrameStamp
from napari_beadscope.devices import Camera, EndOfStream, Resumable, open_camera
from napari_beadscope.devices.camera import window_of
from napari_beadscope.engine.config import WorkerConfig, motor_spec
from napari_beadscope.engine.places import camera_claim
from napari_beadscope.engine.worker import RingWorker
from napari_beadscope.ring import FrameRingSpec, FrameWriter, LatestTable

_LOG = logging.getLogger(__name__)
_READ_TIMEOUT_S = 0.05
_FULL_PAUSE_S = 0.0005
_IDLE_PAUSE_S = 0.05
_OPEN_LEASE_S = 60.0


class CameraWorker(RingWorker):
    """Streams frames into the ring while told to.

    Frame numbers go on over pauses and restarts: what the ring has seen is never numbered again,
    and time in which a live camera was down counts as lost frames.
    """

    def __init__(self, config: WorkerConfig) -> None:
        super().__init__(config)
        self._held = ExitStack()
        self._motors = LatestTable.attach(motor_spec(config.shared.motors))
        self._motor_names = config.motors
        self._ring: FrameWriter | None = None
        self._scratch: np.ndarray | None = None
        self._running = False
        self._fits = False  # the ring is for the frames that the camera makes now
        self._joined = False
        self._base: int | None = None  # added to the camera's frame numbers; None: not known yet
        self._logged = (time.monotonic(), 0, 0)
        self.camera: Camera

    def open(self) -> None:
        """Own the camera, open it and report its format."""
        engine = self.config.engine
        self.camera = open_camera(
            engine.camera_id, dict(engine.camera_options), self._motor_positions
        )
        self.beat(_OPEN_LEASE_S)
        self._held.enter_context(camera_claim(self.camera.lock_name, self.config.session))
        self.camera.open()
        self._held.callback(self.camera.close)
        self.beat()
        for failed in self._set_all(self._set_all(self.config.camera_settings)):
            _LOG.warning("%s cannot be set to what it was", failed)
        self._report_ready()

    def _set_all(self, settings: Mapping[str, float | str]) -> dict[str, float | str]:
        """Set properties; return those that were refused, maybe because of another one."""
        refused = {}
        for name, value in settings.items():
            try:
                self.camera.set(name, value)
            except BeadscopeError:
                refused[name] = value
        return refused

    def _report_ready(self) -> None:
        camera = self.camera
        self.report(
            Ready(
                camera.format,
                camera.fps,
                camera.can_wait,
                properties={p.name: p.value for p in camera.properties()},
                window=window_of(camera),
            )
        )

    def attach(self, stream: Stream) -> None:
        """Attach to the frame ring, or go on where a dead predecessor stopped writing it.

        The ring may be one for what the camera was before it was set again; then nothing is
        written to it, and another one comes.
        """
        self._fits = (stream.format, stream.window) == (self.camera.format, window_of(self.camera))
        if self._ring is not None:
            self._ring.close()
        self._ring = FrameWriter.attach(FrameRingSpec(stream.ring, stream.format, stream.slots))
        self._scratch = np.empty(stream.format.shape, stream.format.dtype)
        seen = self._ring.seen
        if not self._joined and seen is not None and isinstance(self.camera, Resumable):
            self.camera.resume_after(seen)
            self._base = 0
        self._joined = True

    def obey(self, order: Order) -> None:
        """Carry out an order."""
        match order:
            case RunCamera(on):
                self._run(on)
            case SetProperty(number, name, value):
                self._set(number, name, value)
            case ListProperties(number):
                self.done(number, value=self._properties())
            case KnowMotors(names=names):
                self._motor_names = names
            case _:
                super().obey(order)

    def _set(self, number: int, name: str, value: float | str) -> None:
        before = self.camera.format, window_of(self.camera)
        try:
            self.camera.set(name, value)
        except BeadscopeError as error:
            self.done(number, error)
            return
        if (self.camera.format, window_of(self.camera)) != before:
            self._fits = False  # until there is a ring for such frames
            self._report_ready()
        self.done(number, value=self._properties())

    def is_hopeless(self) -> bool:
        """What cannot be opened, or a source that can be read again and failed, fails again."""
        return not self.is_started or self.camera.can_wait

    def turn(self) -> float:
        """Bring one frame into the ring."""
        if not self._running or self._ring is None or self.is_orphan:
            return _IDLE_PAUSE_S
        if not self._fits:
            return _FULL_PAUSE_S
        slot = self._ring.claim()
        if slot is None and self.camera.can_wait:
            return _FULL_PAUSE_S
        assert self._scratch is not None
        try:
            stamp = self.camera.read_into(self._scratch if slot is None else slot, _READ_TIMEOUT_S)
        except EndOfStream:
            self._run(False)
            self.report(StreamEnded(self._ring.head))
            return 0.0
        if stamp is not None:
            stamp = self._numbered(stamp)
            if slot is None:
                slot = self._ring.claim()  # room may have come up while waiting for the frame
                if slot is None:
                    self._ring.drop(stamp)
                    return 0.0
                slot[...] = self._scratch
            head = self._ring.commit(stamp) + 1
            self.beat(frames=head)
            self._log_health(head)
        return 0.0

    def close(self) -> None:
        """Close the camera and the rings."""
        self._held.close()
        if self._ring is not None:
            self._ring.close()
        self._motors.close()

    def _run(self, on: bool) -> None:
        if on == self._running:
            return
        if on:
            self.camera.start()
            if not (self.camera.can_wait and self._base is not None):
                self._base = None
        else:
            self.camera.stop()
            self._base = None
        self._running = on
        self.state("RUNNING" if on else "READY")

    def _numbered(self, stamp: FrameStamp) -> FrameStamp:
        """Return the stamp with a number that goes on from what the ring has seen."""
        if self._base is None:
            assert self._ring is not None
            seen = self._ring.seen
            self._base = 0
            if seen is not None and stamp.frame <= seen.frame:
                fps = self.camera.fps
                late = (stamp.time_ns - seen.time_ns) * 1e-9 * fps - 1
                lost = 0 if self.camera.can_wait else max(0, round(late))
                self._base = seen.frame + 1 + lost - stamp.frame
        return FrameStamp(stamp.frame + self._base, stamp.time_ns)

    def _motor_positions(self) -> Mapping[str, float]:
        return {
            name: self._motors.read(row)["position"] for row, name in enumerate(self._motor_names)
        }

    def _properties(self) -> list[dict]:
        return [
            {
                "name": p.name,
                "unit": p.unit,
                "kind": p.kind,
                "minimum": p.minimum,
                "maximum": p.maximum,
                "choices": list(p.choices),
                "value": p.value,
            }
            for p in self.camera.properties()
        ]

    def _log_health(self, head: int) -> None:
        """Log frames, rate and drops, once a minute by default, in verbose mode."""
        if not self.config.engine.verbose:
            return
        since, frames, lost = self._logged
        elapsed = time.monotonic() - since
        if elapsed < self.config.engine.health_log_s:
            return
        assert self._ring is not None
        _LOG.info(
            "%d frames, %.1f frames/s, %d lost in the last %.0f s",
            head,
            (head - frames) / elapsed,
            self._ring.dropped + self._ring.missed - lost,
            elapsed,
        )
        self._logged = (time.monotonic(), head, self._ring.dropped + self._ring.missed)
