"""Python files of people's own, of which a class or a function is used by its name.

Owns how such a file is run, and the sentence if it cannot be. Must not know what is in it.
"""

from __future__ import annotations

import hashlib
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from napari_beadscope.core.errors import InputError

_PREFIX = "beadscope_own_"


def own_module(path: Path, *, again: bool = False) -> ModuleType:
    """Return the module that a Python file makes; it may import what lies beside it.

    Parameters
    ----------
    path : Path
        The file.
    again : bool
        Run it also if this process has run it before: it may have been changed.

    Raises
    ------
    InputError
        There is no such file, or its code raises; with the line.
    """
    path = path.expanduser().absolute()
    name = _PREFIX + hashlib.sha256(str(path).encode()).hexdigest()[:16]
    if name in sys.modules and not again:
        return sys.modules[name]
    if not path.is_file():
        raise InputError(f"there is no file {path}", "give the path of a Python file")
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is not a Python file", "give it the ending .py")
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look there
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # somebody else's code
        del sys.modules[name]
        words = words_of_own(error, path)
        raise InputError(f"{path} cannot be run ({words})", "correct it") from error
    return module


def own_file(module_name: str) -> Path | None:
    """Return the file of which `own_module` made the module of that name; None if it did not."""
    file = getattr(sys.modules.get(module_name), "__file__", None)
    return Path(file) if file and module_name.startswith(_PREFIX) else None


def words_of_own(error: BaseException, path: Path | None = None) -> str:
    """Return an error of somebody else's code in words, with the line of a file it came through."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if path is not None and trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"{type(error).__name__}: {error}" + (f", line {line}" if line else "")
