"""Mistakes in a script that can be told before it runs: grammar, and calls that `Scope` refuses.

Looks at the text alone. Only names that are certainly a `Scope` are judged: what cannot be known
is left to the run. Must not run anything of the script.
"""

from __future__ import annotations

import ast
import difflib
import dis
import inspect
from collections.abc import Iterator
from dataclasses import dataclass

from napari_beadscope.core.errors import InputError

#: What of `Scope` returns a Scope.
_MAKERS = {"attach", "attach_or_start", "again", "start"}
_PACKAGES = ("napari_beadscope", "napari_beadscope.script", "napari_beadscope.script.scope")


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong in which line (0: not known), and the remedy."""

    line: int
    what: str
    remedy: str

    def told(self, name: str) -> str:
        """Return where and what it is.

        Examples
        --------
        >>> Mistake(3, "a Scope has no mov", "").told("pull.py")
        'line 3 of pull.py: a Scope has no mov'
        """
        where = f"line {self.line} of {name}" if self.line else name
        return f"{where}{' ' if self.what.startswith('is ') else ': '}{self.what}"


class ScriptMistake(InputError):
    """A script cannot be run; ``line`` is where it has to be mended, 0 if that is not known."""

    def __init__(self, what: str, remedy: str = "", line: int = 0) -> None:
        super().__init__(what, remedy)
        self.line = line


def check_script(source: str, name: str = "the script") -> None:
    """Raise `ScriptMistake` with the line if a script cannot work.

    Examples
    --------
    >>> check_script("print(1")
    Traceback (most recent call last):
    ...
    napari_beadscope.script.checking.ScriptMistake: line 1 of the script is not Python ('(' was \
never closed): mend it
    """
    mistakes = find_mistakes(source, name)
    if mistakes:
        raise mistakes_error(mistakes, name)


def mistakes_error(mistakes: tuple[Mistake, ...], name: str) -> ScriptMistake:
    """Return one error that tells the first mistake, and how many more there are."""
    first = mistakes[0]
    more = len(mistakes) - 1
    others = f" ({more} more mistake{'s' * (more > 1)} further down)" if more else ""
    return ScriptMistake(first.told(name), first.remedy + others, first.line)


def find_mistakes(source: str, name: str = "the script") -> tuple[Mistake, ...]:
    r"""Return all that is certainly wrong, in the order of the lines.

    Parameters
    ----------
    source : str
        Python.
    name : str
        Of its file.

    Examples
    --------
    >>> text = "from napari_beadscope import Scope\nwith Scope('simulated') as s:\n    s.mov(3)"
    >>> find_mistakes(text)
    (Mistake(line=3, what='a Scope has no mov', remedy="did you mean 'move'?"),)
    """
    try:
        compile(source, name, "exec", dont_inherit=True)
        tree = ast.parse(source, name)
    except SyntaxError as error:
        return (Mistake(error.lineno or 0, f"is not Python ({error.msg})", "mend it"),)
    except ValueError as error:
        return (Mistake(0, f"is not Python ({error})", "type it anew"),)
    except (MemoryError, RecursionError):
        return (Mistake(0, "is nested too deeply for Python", "make it simpler"),)
    try:
        found = {(one.line, one.what): one for one in _Reading(tree).mistakes()}
    except RecursionError:  # Python can run what is nested too deeply to be walked through
        return ()
    return tuple(found[key] for key in sorted(found))


class _Reading:
    """What a script's names stand for, as far as it is certain."""

    def __init__(self, tree: ast.Module) -> None:
        from napari_beadscope.script.scope import Scope

        self._tree, self._scope = tree, Scope
        self._known = {name for name in dir(Scope) if not name.startswith("__")}
        self._known |= set_at_birth(Scope)
        self._known |= {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)
        }
        self._known |= _asked_for(tree)
        self._classes = self._imported()
        self._scopes = self._bound()

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what is wrong."""
        caught = {
            id(inner)
            for node in ast.walk(self._tree)
            if isinstance(node, ast.Try) and _catches_misuse(node)
            for part in node.body
            for inner in ast.walk(part)
        }
        for node in ast.walk(self._tree):
            if id(node) in caught:
                continue
            if isinstance(node, ast.ImportFrom) and node.module == _PACKAGES[0]:
                yield from self._wrong_imports(node)
            elif isinstance(node, ast.Call):
                yield from self._wrong_call(node)
            elif isinstance(node, ast.Attribute):
                yield from self._wrong_name(node)
            elif isinstance(node, ast.Expr) and self._is_method(node.value):
                name = node.value.attr  # type: ignore[attr-defined]
                yield Mistake(node.lineno, f"{name} is not called", f"write .{name}()")

    # names

    def _imported(self) -> set[str]:
        """Return the names that stand for the class `Scope` and for nothing else."""
        found = {
            alias.asname or alias.name
            for node in ast.walk(self._tree)
            if isinstance(node, ast.ImportFrom) and node.module in _PACKAGES
            for alias in node.names
            if alias.name == "Scope"
        }
        return {name for name in found if _times_bound(self._tree, name) == 1}

    def _bound(self) -> set[str]:
        """Return the names that stand for a Scope wherever they are bound."""
        found: set[str] = set()
        while True:
            times: dict[str, int] = {}
            for target, value in _bindings(self._tree):
                if isinstance(target, ast.Name) and self._makes_scope(value, found):
                    times[target.id] = times.get(target.id, 0) + 1
            sure = {name for name, n in times.items() if _times_bound(self._tree, name) == n}
            if sure == found:
                return found
            found = sure

    def _makes_scope(self, node: ast.expr, scopes: set[str]) -> bool:
        if not isinstance(node, ast.Call):
            return isinstance(node, ast.Name) and node.id in scopes
        function = node.func
        if isinstance(function, ast.Name):
            return function.id in self._classes
        if not isinstance(function, ast.Attribute) or function.attr not in _MAKERS:
            return False
        owner = function.value
        is_class = isinstance(owner, ast.Name) and owner.id in self._classes
        return is_class or self._makes_scope(owner, scopes)

    def _is_scope(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Name):
            return node.id in self._scopes
        return self._makes_scope(node, self._scopes)

    # mistakes

    def _wrong_imports(self, node: ast.ImportFrom) -> Iterator[Mistake]:
        import importlib.util

        import napari_beadscope

        for alias in node.names:
            name = alias.name
            if name == "*" or name in dir(napari_beadscope) or name.startswith("__"):
                continue
            if importlib.util.find_spec(f"napari_beadscope.{name}") is None:
                yield Mistake(
                    node.lineno,
                    f"napari_beadscope has no {name}",
                    _nearest(name, dir(napari_beadscope), "see the docs for what it has"),
                )

    def _is_method(self, node: ast.expr) -> bool:
        return (
            isinstance(node, ast.Attribute)
            and self._is_scope(node.value)
            and inspect.isfunction(inspect.getattr_static(self._scope, node.attr, None))
        )

    def _wrong_name(self, node: ast.Attribute) -> Iterator[Mistake]:
        name, owner = node.attr, node.value
        if self._is_method(owner) and not hasattr(inspect.isfunction, name):
            method = owner.attr  # type: ignore[attr-defined]
            yield Mistake(node.lineno, f"{method} is not called", f"write .{method}().{name}")
        elif self._is_scope(owner) and name not in self._known and not name.startswith("__"):
            public = [known for known in self._known if not known.startswith("_")]
            remedy = _nearest(name, public, "see `beadscope commands`")
            yield Mistake(node.lineno, f"a Scope has no {name}", remedy)

    def _wrong_call(self, node: ast.Call) -> Iterator[Mistake]:
        function = node.func
        if isinstance(function, ast.Name) and function.id in self._classes:
            yield from _misfit(node, "Scope", inspect.signature(self._scope))
        elif isinstance(function, ast.Attribute):
            name, owner = function.attr, function.value
            of_class = isinstance(owner, ast.Name) and owner.id in self._classes
            member = inspect.getattr_static(self._scope, name, None)
            if name.startswith("_") or not (of_class or self._is_scope(owner)):
                return
            if isinstance(member, property) and not of_class:
                yield Mistake(node.lineno, f"{name} is no function", f"leave out the () of .{name}")
            elif of_class and isinstance(member, classmethod):
                yield from _misfit(node, name, inspect.signature(getattr(self._scope, name)))
            elif not of_class and inspect.isfunction(member):
                signature = inspect.signature(member)
                rest = list(signature.parameters.values())[1:]
                yield from _misfit(node, name, signature.replace(parameters=rest))


def _misfit(node: ast.Call, name: str, signature: inspect.Signature) -> Iterator[Mistake]:
    """Yield why a call does not fit, if that is certain."""
    parameters = signature.parameters
    kinds = {one.kind for one in parameters.values()}
    by_name = [
        p.name for p in parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    is_open = any(isinstance(one, ast.Starred) for one in node.args) or any(
        one.arg is None for one in node.keywords
    )
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        for keyword in node.keywords:
            if keyword.arg is not None and keyword.arg not in by_name:
                remedy = _nearest(keyword.arg, by_name, f"it takes {', '.join(by_name) or 'none'}")
                yield Mistake(keyword.value.lineno, f"{name} takes no {keyword.arg}", remedy)
                is_open = True  # said: what else is wrong may come from that
    if is_open:
        return
    try:
        signature.bind(*node.args, **{str(one.arg): one for one in node.keywords})
    except TypeError as error:
        shown = str(signature.replace(return_annotation=inspect.Signature.empty)).replace("'", "")
        yield Mistake(node.lineno, f"{name} does not fit ({error})", f"write {name}{shown}")


def _nearest(name: str, known: list[str], otherwise: str) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else otherwise


def set_at_birth(kind: type) -> set[str]:
    """Return the names that a class's instances get in their ``__init__``."""
    return {
        step.argval
        for one in kind.__mro__
        if "__init__" in vars(one) and inspect.isfunction(vars(one)["__init__"])
        for step in dis.get_instructions(vars(one)["__init__"])
        if step.opname == "STORE_ATTR"
    }


def _catches_misuse(node: ast.Try) -> bool:
    """Return whether the script itself sees to names that are not there."""
    kinds = ("AttributeError", "TypeError")
    return any(
        isinstance(inner, ast.Name) and inner.id in kinds
        for one in node.handlers
        if one.type is not None
        for inner in ast.walk(one.type)
    )


def _asked_for(tree: ast.Module) -> set[str]:
    """Return the names that the script asks whether they are there."""
    return {
        node.args[1].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("hasattr", "getattr", "setattr")
        and len(node.args) > 1
        and isinstance(node.args[1], ast.Constant)
        and isinstance(node.args[1].value, str)
    }


def _bindings(tree: ast.Module) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield pairs of target and value: assignments and ``with``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield target, node.value
        elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            yield node.target, node.value
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                if item.optional_vars is not None:
                    yield item.optional_vars, item.context_expr


def _times_bound(tree: ast.Module, name: str) -> int:
    """Return how often a name is given a meaning, in whatever way."""
    times = 0
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=found, ctx=ast.Store() | ast.Del()) if found == name:
                times += 1
            case ast.arg(arg=found) if found == name:
                times += 1
            case (
                ast.FunctionDef(name=found)
                | ast.AsyncFunctionDef(name=found)
                | ast.ClassDef(name=found)
            ) if found == name:
                times += 1
            case ast.alias(name=module, asname=shown) if (
                shown or module.partition(".")[0]
            ) == name:
                times += 1
            case (
                ast.ExceptHandler(name=found) | ast.MatchAs(name=found) | ast.MatchStar(name=found)
            ) if found == name:
                times += 1
            case ast.MatchMapping(rest=found) if found == name:
                times += 1
    return times
