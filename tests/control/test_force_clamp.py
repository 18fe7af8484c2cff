"""The force clamp's law, closed over simulated magnets."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_beadscope.control.force_clamp import ForceClampLaw

DECAY_MM = 2.5


def force_at(position_mm: float) -> float:
    return 0.5 * math.exp(position_mm / DECAY_MM)


def close(law: ForceClampLaw, steps: int, noise: float, seed: int = 0) -> list[float]:
    """Return the true forces after each step."""
    draw = np.random.default_rng(seed)
    target, forces = 0.0, []
    for _ in range(steps):
        measured = force_at(target) * math.exp(noise * draw.standard_normal())
        target = law.step(target, measured, noise).target
        forces.append(force_at(target))
    return forces


@pytest.mark.parametrize("decay_mm", [2.5, 1.5, 4.5])  # known, and wrong by much
def test_the_force_comes_to_what_is_wanted(decay_mm: float) -> None:
    law = ForceClampLaw(3.0, decay_mm, gain=0.5, max_step=5.0, low=0, high=10)
    assert close(law, 60, 1e-6)[-1] == pytest.approx(3.0, rel=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_hardly_followed(seed: int) -> None:
    law = ForceClampLaw(3.0, DECAY_MM, gain=0.5, max_step=5.0, low=0, high=10)
    forces = np.array(close(law, 200, 0.05, seed)[30:])
    assert np.abs(np.log(forces / 3.0)).max() < 0.2
    moves = np.count_nonzero(np.diff(forces))
    assert moves < 40  # of 170 looks: it rests unless it is sure


def test_steps_are_bounded_and_limits_are_kept_and_told() -> None:
    law = ForceClampLaw(100.0, DECAY_MM, gain=1.0, max_step=0.5, low=0, high=4)
    position, seen = 0.0, []
    for _ in range(10):
        step = law.step(position, force_at(position), 0.01)
        assert abs(step.target - position) <= 0.5
        position = step.target
        seen.append(step.what)
    assert position == 4.0
    assert seen == ["moved"] * 8 + ["limit"] * 2


def test_a_motor_that_goes_down_for_more_force() -> None:
    law = ForceClampLaw(3.0, -DECAY_MM, gain=1.0, max_step=5.0, low=-10, high=0)
    assert law.step(-1.0, 1.5, 0.01).target == pytest.approx(-1.0 - DECAY_MM * math.log(2))
