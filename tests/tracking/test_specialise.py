"""One source, several machines: plain functions, compiled copies, and their names on disk."""

from __future__ import annotations

import subprocess
import sys
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import pytest

from napari_beadscope.testing.backends import rings
from napari_beadscope.tracking import cooperative, kernels, open_backend, specialise
from napari_beadscope.tracking.specialise import Target, digest_of, for_cpu
from napari_beadscope.tracking.verdict import compatible_tables

NAME = "napari_beadscope.tracking.maths_of_a_test"
SOURCE = """
from napari_beadscope.tracking.cooperative import *
from napari_beadscope.tracking import cooperative

FACTOR = 0.1

def helper(value):
    return value * FACTOR + 1e-300

def entry(values, out):
    mine = real(0)
    for k in range(thread(), values.size, threads()):
        mine += helper(real(values[k]))
    out[0] = total(mine)

@in_double
def doubled(values, out):
    out[0] = wide(values[0]) * 0.1

def around(n):
    return around(n - 1) if n else 0

def by_module(out):
    out[0] = cooperative.thread()
"""


def module(source: str = SOURCE, path: str = "") -> ModuleType:
    made = ModuleType(NAME)
    made.__file__ = path
    exec(compile(source, path or "<test>", "exec"), made.__dict__)
    return made


class Plain:
    """A target that keeps the copies as they are, to be looked at."""

    def __init__(self, real: type) -> None:
        self.helpers: list[FunctionType] = []
        self.target = Target("plain", self.helper, self.entry, real=real)

    def helper(self, function: FunctionType, finite: bool) -> Any:
        self.helpers.append(function)
        return function

    def entry(self, function: FunctionType, finite: bool) -> Any:
        return function


def test_plain_and_compiled_functions_agree(tmp_path: Any) -> None:
    maths = module(path=str(tmp_path / "maths.py"))
    (tmp_path / "maths.py").write_text(SOURCE, encoding="utf-8")
    values, out = np.arange(10.0), np.zeros((3, 1))
    maths.entry(values, out[0])
    for_cpu(maths.entry)(values, out[1])
    for_cpu(maths.entry, real=np.float32)(values, out[2])
    assert out[0] == pytest.approx(4.5)
    assert out[1] == pytest.approx(out[0], rel=1e-14)
    assert out[2] == pytest.approx(out[0], rel=1e-6)
    assert out[2] != out[1]


def test_literals_and_constants_take_the_working_type() -> None:
    plain = Plain(np.float32)
    specialise.specialise(module().entry, plain.target)
    helper = next(one for one in plain.helpers if one.__name__ == "helper")
    assert type(helper.__globals__["FACTOR"]) is np.float32
    assert 1e-300 in helper.__code__.co_consts  # single precision could not hold it
    doubled = specialise.specialise(module().doubled, plain.target)
    assert type(next(c for c in doubled.__code__.co_consts if c == 0.1)) is float


def test_names_say_which_code_and_which_target() -> None:
    targets = Plain(np.float64).target, Plain(np.float32).target
    same, other = module(), module(SOURCE.replace("FACTOR = 0.1", "FACTOR = 0.2"))
    helped = module(SOURCE.replace("value * FACTOR", "value / FACTOR"))
    assert digest_of(module().entry, targets[0]) == digest_of(same.entry, targets[0])
    digests = {
        digest_of(same.entry, targets[0]),
        digest_of(same.entry, targets[1]),
        digest_of(other.entry, targets[0]),
        digest_of(helped.entry, targets[0]),
    }
    assert len(digests) == 4
    names = {specialise.specialise(same.entry, target).__qualname__ for target in targets}
    assert len(names) == 2


def test_what_cannot_be_compiled_is_refused() -> None:
    with pytest.raises(TypeError, match="calls itself"):
        for_cpu(module().around)
    with pytest.raises(TypeError, match="must import names"):
        for_cpu(module().by_module)
    inside = 1

    def uses_it() -> int:
        return inside

    with pytest.raises(TypeError, match="function around it"):
        for_cpu(uses_it)
    with pytest.raises(TypeError, match="not a Python function"):
        for_cpu(abs)


def test_words_of_one_thread() -> None:
    out = np.zeros(3)
    cooperative.sum_up((1.0, 2.0, 3.0), out)
    assert out.tolist() == [1.0, 2.0, 3.0]
    assert cooperative.peak(np.array([1.0, 5.0, 5.0]), 3) == 1
    assert [cooperative.nearest(x) for x in (0.5, 1.5, -0.4)] == [0, 2, 0]
    assert [cooperative.floor(-0.5), cooperative.ceil(-0.5), cooperative.floor(2.0)] == [-1, 0, 2]


@pytest.mark.timeout(120)
def test_the_source_of_the_kernels_runs_as_plain_python() -> None:
    size = 24
    stack = rings(np.array([11.2]), np.array([12.6]), np.zeros(1), size).round().astype(np.uint8)
    compiled = open_backend("cpu", method="magtrack-compatible").track(stack, None)
    tables = compatible_tables(size, None)
    floats, integers = kernels.scratch(size)
    row, profile = np.full(8, np.nan), np.zeros(size // 2)
    work, marks = np.empty(floats), np.empty(integers, np.int32)
    pix = stack.reshape(-1).astype(np.float64)
    median = float(np.median(pix))
    with np.errstate(all="ignore"):
        kernels.track_roi(
            pix, size, 0, True, 0.0, median, tables, row, profile, work, marks, np.empty(0)
        )
    np.testing.assert_allclose(row[0], compiled.x_px[0], atol=1e-9)
    np.testing.assert_allclose(row[1], compiled.y_px[0], atol=1e-9)
    np.testing.assert_allclose(row[3], compiled.quality[0], atol=1e-6)
    np.testing.assert_allclose(profile, compiled.profiles[0], rtol=1e-6)


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, napari_beadscope.tracking.specialise, napari_beadscope.tracking.kernels, "
        "napari_beadscope.tracking.fallback, napari_beadscope.tracking.gpu\n"
        "assert not {'numba', 'cupy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=50)
