"""The pace of a script: sleep, wait for something, say how far it is; all obey a pause.

Must not know Qt or napari.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from napari_beadscope.core.errors import EngineError, InputError
from napari_beadscope.script.configure import number
from napari_beadscope.script.link import Link

_POLL_S = 0.005

#: What `wait_for` knows by name: how it is told, and what is said while it is waited for.
CONDITIONS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "live": (lambda scope: scope.status().streaming, "the camera streams"),
    "tracking": (lambda scope: scope.status().tracked_fps > 0, "beads are tracked"),
    "recording": (lambda scope: bool(scope.status().recording), "a recording is on"),
    "not recording": (lambda scope: not scope.status().recording, "no recording is on"),
    "at rest": (lambda scope: not any(m.moving for m in scope.motors()), "no motor moves"),
    "focus locked": (
        lambda scope: scope.locks.z is not None and scope.locks.z_state.phase == "locked",
        "the Z-lock holds",
    ),
}


class Pacing(Link):
    """Waits that can be paused, and progress."""

    def sleep(self, seconds: float) -> None:
        """Wait; time in which the script is paused does not count.

        Raises
        ------
        EngineError
            The engine has gone meanwhile.
        """
        wanted = number("seconds", seconds)
        if wanted < 0:
            raise InputError(f"seconds is {wanted:g}", "give a time to wait, s")
        end = self._now() + wanted
        self._there()
        while (left := end - self._now()) > 0:
            time.sleep(min(left, 4 * _POLL_S))
            self._there()

    def wait_for(
        self,
        condition: str | Callable[[Any], bool],
        timeout_s: float | None = 10.0,
        what: str = "",
    ) -> None:
        """Wait until something is so; time in which the script is paused does not count.

        Parameters
        ----------
        condition : str or callable
            ``"live"``, ``"tracking"``, ``"recording"``, ``"not recording"``, ``"at rest"`` (all
            motors), ``"focus locked"``; or a function that gets this Scope and returns whether
            it is so.
        timeout_s : float, optional
            The longest wait, s; None waits as long as it takes.
        what : str
            What is waited for, in words, for the error.

        Raises
        ------
        InputError
            There is no condition of that name.
        EngineError
            It did not come within `timeout_s`, or the engine has gone.
        """
        holds, words = _condition(condition)
        end = None if timeout_s is None else self._now() + number("timeout_s", timeout_s)
        there = self._attached().is_attached  # asked first: the condition may be that it goes
        while not holds(self):
            if not there:
                raise _gone()
            if end is not None and self._now() > end:
                awaited = what or words or "what was waited for"
                raise EngineError(
                    f"waited for {timeout_s:g} s in vain: {awaited}",
                    "see why it does not come, or wait longer",
                )
            time.sleep(_POLL_S)
            there = self._attached().is_attached

    def progress(self, done: float, total: float, text: str = "") -> None:
        """Say how far the script is: shown with the time left by whoever follows its run.

        Parameters
        ----------
        done, total : float
            So much of so much, in any unit, such as steps or seconds.
        text : str
            What it is doing.
        """
        whole = max(0.0, number("total", total))
        self._conduct.checkpoint()
        self._conduct.tell(min(max(0.0, number("done", done)), whole), whole, str(text))

    def _there(self) -> None:
        """Pause if asked to; raise if the engine has gone."""
        if not self._attached().is_attached:
            raise _gone()


def _gone() -> EngineError:
    return EngineError("the engine is gone", "start a new one")


def _condition(given: str | Callable[[Any], bool]) -> tuple[Callable[[Any], bool], str]:
    if callable(given):
        return given, ""
    if given not in CONDITIONS:
        known = ", ".join(repr(name) for name in CONDITIONS)
        raise InputError(f"wait_for does not know {given!r}", f"choose {known}, or give a function")
    return CONDITIONS[given]
