"""What is told about a camera or motor that one can ask for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """A camera or motor one can ask for by `id`; ``why_not`` is '' if it can be had.

    ``usual_name`` is what a motor is called unless it is given another name.

    Examples
    --------
    >>> DeviceInfo("pylon:SERIAL", "Basler camera", "none is connected").available
    False
    """

    id: str
    label: str
    why_not: str = ""
    usual_name: str = ""

    @property
    def available(self) -> bool:
        """Whether it can be had."""
        return not self.why_not
