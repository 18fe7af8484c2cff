"""One source of mathematics, several machines: plain functions become compiled ones.

`specialise` takes a plain function and everything it reaches among the modules of this package,
gives each a copy whose globals are those of a `Target` (the words of `cooperative`, the working
type, the compiled copies of its helpers) and hands it to the target's compiler. Knows no
mathematics and no backend.

On disk only entry points are cached. numba finds a cached function by file, qualified name and
line, and notices edits of that file alone; so the entry's copy carries in its name the target and
a digest of the code and constants of all it reaches. An edit of any helper is another name, and
two variants of one source never share an entry.
"""

from __future__ import annotations

import builtins
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from dis import get_instructions
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from napari_beadscope.tracking import cooperative

_PACKAGE = "napari_beadscope.tracking."
_FAST = {"contract", "reassoc", "nsz"}  # NaN and infinity keep their meaning
_FLOAT32 = np.finfo(np.float32)


@dataclass(frozen=True, slots=True)
class Target:
    """Where functions are to run.

    Attributes
    ----------
    name : str
        Part of the names under which compiled code is cached.
    helper, entry : callable
        ``(function, finite) -> compiled function``, for functions called by others and for the
        one that was asked for.
    words : mapping
        What to bind instead of a function that stands for a target's own (a word of
        `cooperative`, or a loop tuned for one kind of machine), by the function it replaces.
    real, tally : type
        The working type of literals and constants, and that of sums.
    recipe : str
        Says with which options it compiles; what was cached under others is not used.
    """

    name: str
    helper: Callable[[FunctionType, bool], Any]
    entry: Callable[[FunctionType, bool], Any]
    words: Mapping[Callable[..., Any], Any] = field(default_factory=dict)
    real: type = np.float64
    tally: type = np.float64
    recipe: str = ""


def specialise(function: Callable[..., Any], target: Target) -> Any:
    """Return `function` compiled for `target`, with all that it reaches.

    Parameters
    ----------
    function : function
        Plain Python in numba's subset.
    target : Target
        Where it is to run.

    Raises
    ------
    TypeError
        If a function calls itself, directly or through others.
    """
    return _Build(target).of(_plain(function), entry=True)


def for_cpu(function: Callable[..., Any], *, real: type = np.float64) -> Any:
    """Return `function` compiled for one thread of the CPU: no GIL, cached on disk.

    Parameters
    ----------
    function : function
        Plain Python in numba's subset.
    real : type
        The working type, float64 or float32 (twice as many in a vector).
    """
    return specialise(function, _cpu(real))


def for_cuda(function: Callable[..., Any], *, real: type = np.float32) -> Any:
    """Return `function` as a CUDA kernel, compiled on its first launch and cached on disk.

    Parameters
    ----------
    function : function
        Plain Python in numba's subset; it returns nothing.
    real : type
        The working type, float32 or float64.
    """
    from napari_beadscope.tracking.cuda_target import cuda_target

    return specialise(function, cuda_target(real))


def digest_of(function: Callable[..., Any], target: Target) -> str:
    """Return a short name for the code and constants of `function` and all that it reaches."""
    return _Build(target).digest(_plain(function))


@cache
def _cpu(real: type) -> Target:
    from numba import njit
    from numba.core import types
    from numba.extending import intrinsic

    from napari_beadscope.tracking.compiling import cached

    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    # Inlined by force: else a process that compiles links helpers compiled on their own, one that
    # loads the entry from the cache those inside it, and their last bits differ.
    inlined = options | {"forceinline": True}

    def fast(finite: bool) -> set[str]:
        return _FAST | {"nnan"} if finite else _FAST

    def constant(value: int) -> Any:
        """Return a function without arguments that is a number by the time of optimisation."""

        def answer(typingctx: Any) -> Any:
            def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                return context.get_constant(types.intp, value)

            return types.intp(), code

        return intrinsic(answer)

    zero, one = constant(0), constant(1)
    indices = (cooperative.thread, cooperative.lane, cooperative.warp)
    counts = (cooperative.threads, cooperative.lanes, cooperative.warps)
    return Target(
        name="cpu",
        helper=lambda function, finite: njit(fastmath=fast(finite), **inlined)(function),
        entry=lambda function, finite: cached(njit(fastmath=fast(finite), **options)(function)),
        words=dict.fromkeys(indices, zero) | dict.fromkeys(counts, one),
        real=real,
        recipe=repr((options, inlined, sorted(fast(False)), sorted(fast(True)))),
    )


class _Build:
    """One walk over the functions that an entry point reaches."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._done: dict[FunctionType, Any] = {}
        self._underway: list[FunctionType] = []

    def of(self, function: FunctionType, *, entry: bool = False) -> Any:
        """Return the compiled copy of `function`."""
        if function in self._done:
            return self._done[function]
        if function in self._underway:
            raise TypeError(f"{function.__qualname__} calls itself, which kernels cannot")
        if function.__closure__:
            raise TypeError(f"{function.__qualname__} uses variables of the function around it")
        self._underway.append(function)
        names = {name: self._bind(function, name, value) for name, value in _uses(function)}
        self._underway.pop()
        copy = FunctionType(
            self._code(function),
            {"__builtins__": builtins, "__name__": function.__module__, **names},
            function.__name__,
            function.__defaults__,
        )
        copy.__module__, copy.__doc__ = function.__module__, function.__doc__
        copy.__qualname__ = function.__qualname__
        if entry:
            copy.__qualname__ += f"_{self._target.name}_{self.digest(function)}"
        compiler = self._target.entry if entry else self._target.helper
        compiled = compiler(copy, hasattr(function, "__beadscope_finite__"))
        self._done[function] = compiled
        return compiled

    def digest(self, function: FunctionType) -> str:
        """Return a digest of the code, constants and words that `function` reaches."""
        seen: set[FunctionType] = set()
        target = self._target
        parts, waiting = [repr((target.recipe, target.real, target.tally))], [function]
        while waiting:
            one = waiting.pop(0)
            if one in seen:
                continue
            seen.add(one)
            code = one.__code__
            parts += [one.__qualname__, code.co_code.hex(), repr(code.co_consts)]
            parts += [repr(code.co_names), repr(sorted(vars(one)))]
            for name, value in _uses(one):
                meant = self._meaning(value)
                if _is_ours(meant):
                    waiting.append(_plain(meant))
                elif isinstance(meant, int | float | str | tuple | np.generic):
                    parts.append(f"{name}={meant!r}")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]

    def _meaning(self, value: Any) -> Any:
        """Return what stands for `value` here: another function for some, else itself."""
        return self._target.words.get(_plain(value), value) if _is_ours(value) else value

    def _bind(self, function: FunctionType, name: str, value: Any) -> Any:
        """Return what the global `name` of `function` is in its copy."""
        value = self._meaning(value)
        if value is np.float64 and name in ("real", "tally"):
            return self._target.real if name == "real" else self._target.tally
        if _is_ours(value):
            return self.of(_plain(value))
        if isinstance(value, ModuleType) and value.__name__.startswith(_PACKAGE):
            raise TypeError(f"{function.__qualname__} must import names, not {value.__name__}")
        return self._constant(function, value)

    def _constant(self, function: FunctionType, value: Any) -> Any:
        """Return a literal or constant in the working type, unless that could not hold it."""
        if isinstance(value, tuple):
            return tuple(self._constant(function, each) for each in value)
        if type(value) is not float or self._target.real is np.float64:
            return value
        if hasattr(function, "__beadscope_double__"):
            return value
        size = abs(value)
        if (
            size == 0.0
            or not np.isfinite(value)
            or float(_FLOAT32.tiny) <= size <= float(_FLOAT32.max)
        ):
            return self._target.real(value)
        return value

    def _code(self, function: FunctionType) -> CodeType:
        code = function.__code__
        constants = tuple(self._constant(function, value) for value in code.co_consts)
        return code.replace(co_consts=constants)


def _uses(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield the globals that the code of `function` names, in order."""
    loads = (one.argval for one in get_instructions(function) if one.opname == "LOAD_GLOBAL")
    for name in dict.fromkeys(loads):
        if name in function.__globals__:
            yield name, function.__globals__[name]


def _is_ours(value: Any) -> bool:
    """Whether `value` is a function of this package, plain or compiled."""
    value = getattr(value, "py_func", value)
    return isinstance(value, FunctionType) and value.__module__.startswith(_PACKAGE)


def _plain(function: Any) -> FunctionType:
    """Return the Python function behind a compiled one."""
    plain = getattr(function, "py_func", function)
    if not isinstance(plain, FunctionType):
        raise TypeError(f"{function!r} is not a Python function")
    return plain
