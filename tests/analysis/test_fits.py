"""Curves through traces: known values come back, errors are honest, doubts are said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_beadscope.analysis.fit_models import FitModel
from napari_beadscope.analysis.fits import REGISTRY, adjusted, find_model, fit_trace
from napari_beadscope.core.errors import InputError
from napari_beadscope.devices.simulated.options import SimulatedOptions
from napari_beadscope.devices.simulated.tether import Tether

HOUR_S = 3600.0
T = np.linspace(0.0, 30 * HOUR_S, 181)
FORCES = np.geomspace(0.05, 20.0, 40)
KNOWN = {
    "exponential": (T, {"amplitude": -40.0, "time_constant_s": 2e4, "offset": 90.0}),
    "growth": (T, {"start": 300.0, "rate_per_h": 0.07}),
    "maturation": (
        T,
        {
            "onset_s": 2.5 * HOUR_S,
            "production_per_h": 5000.0,
            "decay_per_h": 0.11,
            "maturation_per_h": 1.28,
            "degradation_per_h": 5.22e-3,
            "offset": 800.0,
        },
    ),
    "worm-like-chain": (
        FORCES,
        {
            "contour_nm": 2400.0,
            "persistence_nm": 47.0,
            "stretch_pn": np.inf,
            "temperature_k": 298.15,
            "offset_nm": 0.0,
        },
    ),
}


def made(name: str, noise: float = 0.0, seed: int = 0) -> tuple[FitModel, np.ndarray, np.ndarray]:
    model, (x, values) = find_model(name), KNOWN[name]
    y = model.value(x, values)
    noise *= np.ptp(y)
    return model, x, y + np.random.default_rng(seed).normal(0, 1, len(x)) * noise


@pytest.mark.parametrize("name", REGISTRY)
def test_values_that_made_a_trace_come_back(name: str) -> None:
    model, x, y = made(name)
    found = fit_trace(x, y, model)
    assert found.problem == ""
    assert found.values == pytest.approx(KNOWN[name][1], rel=1e-4)
    assert found.r_squared == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("name", REGISTRY)
def test_errors_are_as_large_as_values_are_off(name: str) -> None:
    off: dict[str, list[float]] = {}
    for seed in range(40):
        model, x, y = made(name, noise=0.02, seed=seed)
        found = fit_trace(x, y, model)
        assert found.problem == ""
        assert 0.98 < found.r_squared < 1.0
        for parameter in model.parameters:
            if parameter.fixed is None:
                true = KNOWN[name][1][parameter.name]
                miss = (found.values[parameter.name] - true) / found.errors[parameter.name]
                off.setdefault(parameter.name, []).append(miss)
    spread = {
        parameter: float(np.sqrt(np.mean(np.square(some)))) for parameter, some in off.items()
    }
    assert all(0.7 < size < 1.4 for size in spread.values()), spread


def test_the_simulated_tethers_pull_is_a_worm_like_chain() -> None:
    options = SimulatedOptions()
    tether, heights = Tether(options), np.linspace(1.0, 6.0, 20)
    force = np.array([tether.force_pn(height) for height in heights])
    extension = np.array([tether.extension_nm(height) for height in heights])
    found = fit_trace(force, extension, find_model("worm-like-chain"))
    assert found.values["contour_nm"] == pytest.approx(options.contour_nm, rel=0.01)
    assert found.values["persistence_nm"] == pytest.approx(options.persistence_nm, rel=0.05)


def test_equal_rates_do_not_divide_by_zero() -> None:
    model = find_model("maturation")
    values = dict(KNOWN["maturation"][1])
    near = {**values, "decay_per_h": values["degradation_per_h"] * (1 + 1e-5)}
    same = {**values, "decay_per_h": values["degradation_per_h"]}
    assert model.value(T, same) == pytest.approx(model.value(T, near), rel=1e-5)
    both = values["degradation_per_h"] + values["maturation_per_h"]
    assert np.isfinite(model.value(T, {**values, "decay_per_h": both})).all()


def test_maturation_obeys_its_rate_equations() -> None:
    """Integrated by small steps instead of solved."""
    values, step_h = KNOWN["maturation"][1], 1e-3
    light, raw, rna, seen = 0.0, 0.0, 1.0, []
    for _ in range(5000):
        made_h = values["production_per_h"] * rna - values["maturation_per_h"] * raw
        light += step_h * (values["maturation_per_h"] * raw - values["degradation_per_h"] * light)
        raw += step_h * (made_h - values["degradation_per_h"] * raw)
        rna -= step_h * values["decay_per_h"] * rna
        seen.append(light)
    at_s = values["onset_s"] + np.arange(1, 5001) * step_h * HOUR_S
    solved = find_model("maturation").value(at_s, values) - values["offset"]
    assert solved[500:] == pytest.approx(np.array(seen)[500:], rel=5e-3)


def test_missing_points_are_left_out() -> None:
    model, x, y = made("growth")
    y[[3, 60]] = np.nan
    found = fit_trace(x, y, model)
    assert found.points == len(x) - 2
    assert found.values["rate_per_h"] == pytest.approx(0.07)


@pytest.mark.parametrize(
    ("y", "problem"),
    [
        (np.full(181, 7.0), "does not vary"),
        (np.full(181, np.nan), "0 points are too few, 4 at different time_s"),
        (np.r_[1.0, 2.0, 3.0, np.full(178, np.nan)], "3 points are too few"),
    ],
)
def test_a_trace_that_tells_nothing_says_so(y: np.ndarray, problem: str) -> None:
    found = fit_trace(T, y, find_model("exponential"))
    assert problem in found.problem


@pytest.mark.parametrize("name", REGISTRY)
def test_any_trace_gets_an_answer(name: str) -> None:
    """Whatever is in it: wrong units, noise alone, infinite values; never an error or warning."""
    draw = np.random.default_rng(5)
    for size in (1e-9, 1.0, 1e9):
        for level in (0.0, -100.0, 1e12):
            x, y = np.sort(draw.random(25)) * size, draw.normal(level, 1 + abs(level) / 50, 25)
            y[3], y[7] = np.inf, np.nan
            found = fit_trace(x, y, find_model(name))
            assert found.points == 23
            assert set(found.values) == set(found.errors) == set(KNOWN[name][1])
            assert found.problem or found.r_squared <= 1


def test_a_value_at_its_bound_has_no_error_and_says_so() -> None:
    model, x, y = made("growth")
    found = fit_trace(x, y, adjusted(model, bounds={"rate_per_h": (0.0, 0.05)}))
    assert found.values["rate_per_h"] == pytest.approx(0.05)
    assert np.isnan(found.errors["rate_per_h"])
    assert np.isfinite(found.errors["start"])
    assert found.problem == "at its bound: rate_per_h"


def test_parameters_can_be_fixed_and_freed() -> None:
    values = {**KNOWN["worm-like-chain"][1], "stretch_pn": 900.0}
    model = find_model("worm-like-chain")
    y = model.value(FORCES, values)
    stiff = fit_trace(FORCES, y, model)
    freed = fit_trace(FORCES, y, adjusted(model, free=["stretch_pn"]))
    told = fit_trace(FORCES, y, adjusted(model, fixed={"stretch_pn": 900.0}))
    assert stiff.values["contour_nm"] > 2405
    assert freed.values["stretch_pn"] == pytest.approx(900, rel=1e-3)
    assert told.values["contour_nm"] == pytest.approx(2400, rel=1e-4)
    assert np.isnan(told.errors["stretch_pn"])


def test_wrong_words_are_refused_in_a_sentence(tmp_path: Path) -> None:
    model = find_model("growth")
    with pytest.raises(InputError, match=r"no curve 'parabola': use exponential, growth"):
        find_model("parabola")
    with pytest.raises(InputError, match=r"no parameter 'tau': it has start, rate_per_h"):
        adjusted(model, fixed={"tau": 1.0})
    with pytest.raises(InputError, match="fixed: leave a parameter"):
        adjusted(model, fixed={"start": 1.0, "rate_per_h": 1.0})
    with pytest.raises(InputError, match="between 2 and 1"):
        adjusted(model, bounds={"start": (2.0, 1.0)})
    with pytest.raises(InputError, match="temperature_k cannot be 25: give 200 to 400 K"):
        adjusted(find_model("worm-like-chain"), fixed={"temperature_k": 25.0})
    with pytest.raises(InputError, match="one trace"):
        fit_trace(T, T[1:], model)
    with pytest.raises(InputError, match="there is no file"):
        find_model(f"{tmp_path}/none.py:LINE")


def test_a_curve_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "curves.py"
    file.write_text(
        "from napari_beadscope.analysis.fit_models import FitModel, Parameter\n"
        "LINE = FitModel('line', 'a straight line', 'time_s', '',\n"
        "    (Parameter('slope', '', 'per s'), Parameter('start', '', 'at 0')),\n"
        "    lambda x, at: at['slope'] * x + at['start'],\n"
        "    lambda x, y, fixed: [{'slope': 0.0, 'start': 0.0, **fixed}])\n"
        "OTHER = 3\n"
    )
    found = fit_trace(T, 3 * T + 1, find_model(f"{file}:LINE"))
    assert found.values == pytest.approx({"slope": 3.0, "start": 1.0}, rel=1e-3)
    with pytest.raises(InputError, match="no FitModel called OTHER"):
        find_model(f"{file}:OTHER")
