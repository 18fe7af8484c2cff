"""Small simulated microscopes, and the truth about their frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from napari_beadscope.core.types import Bead, Roi
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.script import Scope

OPTIONS = {"height_px": 160, "width_px": 224, "beads": 3, "fps": 100, "seed": 5}
ROI_PX = 48


@pytest.fixture(scope="session")
def options() -> dict[str, Any]:
    """The options of the small microscope."""
    return dict(OPTIONS)


@pytest.fixture(scope="session")
def render(options: dict) -> Callable[[int], np.ndarray]:
    """The frame with a number."""
    return SimulatedMicroscope(options).render


@pytest.fixture(scope="session")
def beads(options: dict) -> tuple[Bead, ...]:
    """An ROI around each simulated bead."""
    places = SimulatedMicroscope(options).bead_positions_px()
    return tuple(Bead(k, Roi.around(y, x, ROI_PX)) for k, (x, y) in enumerate(places))


@pytest.fixture(scope="module")
def running(options: dict, beads: tuple[Bead, ...]) -> Iterator[Scope]:
    """One engine for the tests of a module: live, with beads, nothing recorded."""
    settings = {"engine.max_restarts": 1000, "engine.ring_mb": 64}
    with Scope("simulated", options=options, settings=settings) as scope:
        scope.start_live()
        scope.set_beads(beads)
        yield scope


@pytest.fixture
def scope(running: Scope, beads: tuple[Bead, ...]) -> Scope:
    """The module's engine as every test finds it."""
    assert not running.status().recording
    running.set_beads(beads)
    running.start_live()
    return running
