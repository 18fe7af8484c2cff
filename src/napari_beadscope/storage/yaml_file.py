"""YAML files that people write, with the line of everything that is wrong in them.

Owns reading and writing of the text. Must not know what the values mean.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from napari_beadscope.core.errors import SettingsError
from napari_beadscope.core.whole_file import whole_file

_MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class YamlFile:
    """A mapping as a file holds it; ``twice`` are sentences on keys that are given again."""

    path: Path
    data: dict[str, Any]
    root: Any
    twice: tuple[SettingsError, ...]

    def line_of(self, where: tuple[int | str, ...]) -> int:
        """Return the line, from 1, of the deepest key or item on the way `where`."""
        line, node = 1, self.root
        for part in where:
            if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
                if not 0 <= part < len(node.value):
                    break
                node = node.value[part]
                line = node.start_mark.line + 1
                continue
            if not isinstance(node, yaml.MappingNode):
                break
            for key, value in node.value:
                if key.value == str(part):
                    line, node = key.start_mark.line + 1, value
                    break
            else:
                break
        return line


def read_yaml(path: Path, what: str, begin: str = "camera:") -> YamlFile:
    """Read a mapping from a YAML file; an empty file is an empty mapping.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        What it is to hold, such as "settings".
    begin : str
        How such a file may begin, for the sentence on one that is something else.

    Raises
    ------
    SettingsError
        It is not there, cannot be read, is not YAML, or is no mapping.
    """
    text = _text(path, what)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        raise SettingsError(
            f"{path}{line} is not valid YAML ({problem})", "correct it, or remove the file"
        ) from None
    except (ValueError, TypeError, RecursionError) as error:  # no such date, a list as a key, ...
        raise SettingsError(
            f"{path} holds a value that is none ({error})", "correct it, or remove the file"
        ) from None
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise SettingsError(
            f"{path} does not hold {what}", f"begin with a section such as '{begin}'"
        )
    return YamlFile(path, {str(k): v for k, v in data.items()}, root, tuple(_twice(root)))


def write_yaml(path: Path, data: Mapping[str, Any], head: str = "") -> None:
    """Write `data` as a whole new file, after `head` as a comment.

    Raises
    ------
    SettingsError
        The file cannot be written; an older one is unharmed.
    """
    body = yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True) if data else ""
    comment = "".join(f"# {line}\n" for line in head.splitlines())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as part, open(part, "w", encoding="utf-8", newline="") as file:
            file.write(comment + body)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise SettingsError(
            f"the file {path} cannot be written ({error.strerror})",
            "check the folder and free space",
        ) from error


def _text(path: Path, what: str) -> str:
    noun = "settings file" if what == "settings" else "file"
    try:
        if path.exists() and not path.is_file():
            raise SettingsError(f"{path} is no file", f"give a YAML text file with {what}")
        if path.stat().st_size > _MAX_BYTES:
            raise SettingsError(f"{path} is too large for {what}", "give another file")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(f"there is no {noun} {path}", "check the path") from None
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"the {noun} {path} cannot be read ({error})", "give a YAML text file"
        ) from None


def _twice(node: Any, above: str = "", depth: int = 0) -> Iterator[SettingsError]:
    """Say which keys a mapping has again: YAML would take the last one without a word."""
    if not isinstance(node, yaml.MappingNode) or depth > 5:
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        name = f"{above}{key.value}"
        line = key.start_mark.line + 1
        if name in seen:
            what = f"line {line}: '{name}' is given again, after line {seen[name]}"
            yield SettingsError(what, "keep one of them")
        seen[name] = line
        yield from _twice(value, f"{name}.", depth + 1)
