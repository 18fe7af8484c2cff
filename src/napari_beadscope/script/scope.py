"""`Scope`: a microscope in a few lines, the same for scripts, notebooks, the CLI and the docks.

Owns the life of one engine, or the attachment to one. Must not know Qt or napari.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import threading
import time
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from napari_beadscope.core.commands import AddMotor, Shutdown
from napari_beadscope.core.errors import BeadscopeError, EngineError, StateError
from napari_beadscope.core.lifetime import Closing
from napari_beadscope.devices import absolute_id
from napari_beadscope.engine import (
    EngineClient,
    EngineInfo,
    launch,
    list_engines,
    remove_leftovers,
)
from napari_beadscope.script.configure import Given, as_settings, camera_options, engine_config
from napari_beadscope.script.link import STOP_TIMEOUT_S
from napari_beadscope.script.pacing import Pacing
from napari_beadscope.script.recording import Recorder
from napari_beadscope.script.sweep import Sweeper

_LOG = logging.getLogger(__name__)
_START_TIMEOUT_S = 120.0
#: Names the engine that a script is to attach to.
ENGINE_VARIABLE = "BEADSCOPE_ENGINE"


class Scope(Sweeper, Recorder, Pacing, Closing):
    """A microscope: start it, look at it, find beads, record, stop it.

    Parameters
    ----------
    camera : str, optional
        A camera ID such as ``simulated`` or ``replay:movie.tif`` (see ``beadscope cameras``);
        default that of the settings.
    options : mapping, optional
        The camera's own options, beside those in the settings.
    settings : Settings, mapping or path, optional
        Settings, a mapping of dotted names to values, or a YAML file; default the user's files:
        those for every microscope, and those of the one with this camera. Motors in the settings
        start with the camera.
    verbose : bool
        Log the camera's health once a minute, and details.

    Examples
    --------
    >>> scope = Scope("simulated", options={"beads": 4, "height_px": 256, "width_px": 256})
    >>> scope.is_started
    False
    """

    def __init__(
        self,
        camera: str | None = None,
        *,
        options: Mapping[str, Any] | None = None,
        settings: Given = None,
        verbose: bool = False,
    ) -> None:
        known = as_settings(settings, camera)
        super().__init__(camera or known.camera.id, known)
        self._options = {**camera_options(settings, known, camera), **(options or {})}
        self._verbose = verbose
        self._process: subprocess.Popen | None = None
        self._guest = False

    # --- life ---------------------------------------------------------------------------

    @classmethod
    def attach(cls, engine_id: str | None = None) -> Scope:
        """Attach to a running engine: the one with this ID, or the newest.

        A script that was started by the Script dock gets the engine of that dock's viewer, which
        the environment variable ``BEADSCOPE_ENGINE`` names. Who attaches is a guest: at the end
        of a ``with`` it lets go of the engine, which goes on; `stop` ends it.

        Raises
        ------
        EngineError
            There is none.
        """
        host = os.environ.get(ENGINE_VARIABLE, "") if engine_id is None else ""
        wanted = engine_id or host or None
        engines = [e for e in list_engines() if wanted in (None, e.engine_id)]
        if not engines:
            which = f"no engine {wanted}" if wanted else "no engine"
            raise EngineError(f"{which} is running", "start one, or see `beadscope engines`")
        scope = cls(engines[-1].camera)
        scope._guest = True
        scope._connect(engines[-1])
        scope._view.wait_up(_START_TIMEOUT_S)
        return scope

    @classmethod
    def attach_or_start(
        cls,
        camera: str | None = None,
        *,
        options: Mapping[str, Any] | None = None,
        settings: Given = None,
    ) -> Scope:
        """Return the engine of the viewer that runs this script, or start one for it.

        So the same file runs in the Script dock and by itself. The arguments are those of
        `Scope` and count only for an engine that is started.
        """
        if os.environ.get(ENGINE_VARIABLE):
            return cls.attach()
        return cls(camera, options=options, settings=settings).start()

    def again(self) -> Scope:
        """Return another Scope attached to the same engine, for work that outlives this one."""
        return type(self).attach(self._attached().info.engine_id)

    def start(self, timeout_s: float = _START_TIMEOUT_S) -> Self:
        """Start the engine and return when it is ready; starting twice only warns.

        Raises
        ------
        StateError
            It was stopped before: make a new Scope.
        BeadscopeError
            The camera or the engine can't be started; the message says why.
        """
        if self._stopped:
            raise StateError("this Scope was stopped and cannot be started again", "make a new one")
        if self._client is not None:
            warnings.warn("the Scope is started already", RuntimeWarning, stacklevel=2)
            return self
        config = engine_config(self.camera_id, self._options, self.settings, self._verbose)
        self._process, info = launch(config)
        try:
            self._connect(info)
            self._view.wait_up(timeout_s)
            self._apply_settings()
            self._add_motors()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the engine, a recording in progress first; return when every process has gone."""
        if self._client is None:
            self._stopped = True
            if self._process is not None and self._process.poll() is None:
                _end_unheard(self._process)
            return
        client, process = self._client, self._process
        try:
            if not client.is_attached:  # the engine may be there all the same
                client = EngineClient(client.info, lambda event: None)
                client.start()
            client.ask(Shutdown(), STOP_TIMEOUT_S)
        except EngineError as error:
            _LOG.debug("while stopping: %s", error)
        client.wait_gone(STOP_TIMEOUT_S)
        client.close()
        self._leave()
        if process is not None:
            process.wait(STOP_TIMEOUT_S)
        else:
            _wait_for_end(client.info.pid, STOP_TIMEOUT_S)
        for pid in self._view.worker_pids():  # if it died, they finish without it
            _wait_for_end(pid, STOP_TIMEOUT_S)
        remove_leftovers()

    def detach(self) -> None:
        """Let go of the engine; a recording in progress goes on to its end without us."""
        if self._client is None:
            return
        self._leave()
        process, self._process = self._process, None
        if process is not None:  # it is our child still: somebody has to take note of its end
            threading.Thread(target=process.wait, name="engine-end", daemon=True).start()

    def close(self) -> None:
        """Leave a ``with``: end the engine that was started here, let go of one attached to."""
        if self._guest:
            self.detach()
        else:
            self.stop()

    def __enter__(self) -> Self:
        if self._client is None:
            self.start()
        return self

    @property
    def is_started(self) -> bool:
        """Whether an engine is attached."""
        return self._client is not None and self._client.is_attached

    @property
    def engine(self) -> EngineInfo:
        """The engine that is attached."""
        return self._attached().info

    # --- inside -------------------------------------------------------------------------

    def _connect(self, info: EngineInfo) -> None:
        client = EngineClient(info, self._view.heard)
        self._view.welcome(client.welcome)
        self._client = client
        client.start()

    def _leave(self) -> None:
        assert self._client is not None
        self._client.close()
        self._client = None
        self._stopped = True
        self._view.close()

    def _add_motors(self) -> None:
        """Start the motors' processes, all at the same time.

        Of those in the settings, one that is not there does not keep the rest from starting.
        """
        kept = {
            name: (absolute_id(motor.id), dict(motor.options))
            for name, motor in (self.settings.hardware.motors or {}).items()
            if name not in self._hardware
        }
        wanted = {**self._hardware, **kept}
        if not wanted:
            return
        with ThreadPoolExecutor(len(wanted)) as pool:
            asked = {
                name: pool.submit(self._ask, AddMotor(name, *kind)) for name, kind in wanted.items()
            }
        for name, answer in asked.items():
            error = answer.exception()
            if error is None:
                self._hardware[name] = wanted[name]
            elif name in kept and isinstance(error, BeadscopeError):
                _LOG.warning("the %s motor of the settings is not there: %s", name, error)
                self.missing_motors[name] = error
            else:
                raise error

    def _apply_settings(self) -> None:
        """Bring camera and trackers to what the settings ask for and the engine was not told.

        Trackers may be compiling: what they are asked here, the start has to wait for.
        """
        tracking = self.settings.tracking
        names = ["camera.fps", "camera.exposure_ms", "camera.properties"]
        if tracking.zlut:
            names.append("tracking.zlut")
        if tracking.backend != "auto":  # the engine was told: now refuse one that cannot be used
            names.append("tracking.backend")
        self._use(self.settings, names)


def _end_unheard(engine: subprocess.Popen) -> None:
    """End an engine that has not let us in, and what it has started."""
    import psutil

    children = psutil.Process(engine.pid).children(recursive=True)
    engine.terminate()
    engine.wait(STOP_TIMEOUT_S)
    psutil.wait_procs(children, STOP_TIMEOUT_S)
    remove_leftovers()


def _wait_for_end(pid: int, timeout_s: float) -> None:
    import psutil

    deadline = time.monotonic() + timeout_s
    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        process = psutil.Process(pid)
        while "napari_beadscope.engine" in " ".join(process.cmdline()):  # else: number reused
            if process.status() == psutil.STATUS_ZOMBIE:  # its parent has not taken note yet
                return
            if time.monotonic() > deadline:
                raise EngineError(f"the engine (process {pid}) does not end", "kill it")
            time.sleep(0.01)
