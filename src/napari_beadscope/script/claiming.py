"""Motors that one program has for itself for a while.

Must not know Qt or napari.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from napari_beadscope.core.commands import ClaimMotor, ReleaseMotor
from napari_beadscope.core.errors import BeadscopeError, StateError
from napari_beadscope.script.configure import number
from napari_beadscope.script.link import Link

_LOG = logging.getLogger(__name__)
_BACK_S = 310.0  # the engine gives a motor up that is not back before


class Claiming(Link):
    """What a program has for itself."""

    @contextmanager
    def claimed(self, motor: str, why: str, back_to: float | None = None) -> Iterator[None]:
        """Have a motor for yourself within a ``with``; at its end the motor goes back.

        Meanwhile nobody else moves it, the Z-lock does not take it, and no recording begins; each
        is refused with `why`. The engine brings the motor back also when this program is killed,
        and when the motor's own process was. Whoever stops the motor ends the claim, and the
        motor stays where it is.

        Parameters
        ----------
        motor : str
            Its name.
        why : str
            What others are told, such as ``"a Z-LUT sweep"``.
        back_to : float, optional
            Where it goes at the end, in its unit; default where it is now.

        Raises
        ------
        InputError
            There is no such motor, or `back_to` is beyond its limits.
        StateError
            A recording is on, the Z-lock holds the motor, or another program has claimed it; at
            the end: the claim was ended by somebody who stopped the motor.
        DeviceError
            The motor could not go back.
        """
        where = self._here(motor) if back_to is None else number("back_to", back_to)
        self._ask(ClaimMotor(motor, where, why))
        try:
            yield
        except BaseException as error:
            try:
                self._ask(ReleaseMotor(motor), _BACK_S)
            except StateError as second:  # stopped by somebody, whom the error may tell of
                _LOG.info("%s", second)
            except BeadscopeError as second:
                _LOG.warning("%s", second)
                if isinstance(error, BeadscopeError):
                    raise type(error)(f"{error.what}; {second.what}", second.remedy) from error
            raise
        self._ask(ReleaseMotor(motor), _BACK_S)

    def _here(self, motor: str) -> float:
        """Return where a motor is, within its limits: readings are noisy."""
        position = self._view.motor(motor)["position"]
        info = next(one for one in self._view.motors if one.name == motor)
        return min(max(position, info.low), info.high) if info.unit else position
