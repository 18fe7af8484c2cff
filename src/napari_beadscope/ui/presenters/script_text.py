"""Where the text of a script is kept: in its file, or in a draft of this viewer alone.

Owns how both are read and written. Must not know runs or Qt.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import psutil

from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.whole_file import whole_file


class ScriptFile:
    """A script's file, with its line endings, and whether another program has changed it.

    Parameters
    ----------
    path : Path
        The file; a link is followed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: bytes | None = None
        self._ending = "\n"

    def read(self) -> str:
        """Return the text, its lines ended by a newline alone.

        Raises
        ------
        InputError
            It cannot be read, or is not a text.
        """
        try:
            data = self.path.read_bytes()
            text = data.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not a text"
            what = f"{self.path} cannot be opened ({why})"
            raise InputError(what, "choose another") from error
        self._known = data
        self._ending = "\r\n" if "\r\n" in text else "\n"
        return text.replace("\r\n", "\n")

    @property
    def is_there(self) -> bool:
        """Whether the file is on the disk."""
        return self.path.exists()

    @property
    def changed_elsewhere(self) -> bool:
        """Whether it is not what was read or written here last; not if it is gone."""
        try:
            return self._known is not None and self.path.read_bytes() != self._known
        except FileNotFoundError:
            return False
        except OSError:
            return True

    def write(self, text: str) -> None:
        """Write it, whole or not at all; permissions stay.

        Raises
        ------
        InputError
            A character is in it that no file can hold.
        StorageError
            The file cannot be written.
        """
        try:
            data = text.replace("\n", self._ending).encode("utf-8")
        except UnicodeEncodeError as error:
            line = text.count("\n", 0, error.start) + 1
            what = f"line {line} of the script has a character that no file can hold"
            raise InputError(what, "take it out") from error
        target = Path(os.path.realpath(self.path))
        try:
            with whole_file(target) as part:
                part.write_bytes(data)
                if target.exists():
                    shutil.copymode(target, part)
        except OSError as error:
            what = f"{self.path} cannot be written ({error.strerror})"
            raise StorageError(what, "save it elsewhere") from error
        self._known = data


class Draft:
    """A draft that no other viewer writes to; the one that was left last is taken first.

    Parameters
    ----------
    folder : Path
        Of all drafts. Beside a draft that is held lies a file with its holder's process number.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / "draft.py"
        self._held = False

    def hold(self) -> Path:
        """Take a draft if none is held yet, the present one if it is free; return its path."""
        if self._held:
            return self.path
        left = sorted(self._folder.glob("draft*.py"), key=_age)
        new = [self._folder / f"draft{k}.py" for k in ("", *range(2, 1000))]
        first = [self.path] if self.path.exists() else []
        for path in (*first, *left, *(path for path in new if path not in left)):
            if _claim(_mark(path)):
                self.path, self._held = path, True
                break
        return self.path

    def release(self) -> None:
        """Leave it to whoever comes next; twice is fine."""
        if self._held:
            self._held = False
            with contextlib.suppress(OSError):
                _mark(self.path).unlink(missing_ok=True)


def _mark(path: Path) -> Path:
    return path.with_suffix(".held")


def _age(path: Path) -> float:
    with contextlib.suppress(OSError):
        return -path.stat().st_mtime
    return 0.0


def _claim(mark: Path) -> bool:
    """Return whether the mark could be set; that of a process that is gone does not count."""
    try:
        if mark.exists() and not psutil.pid_exists(int(mark.read_text() or "0")):
            mark.unlink(missing_ok=True)
        with mark.open("x") as file:
            file.write(str(os.getpid()))
    except (OSError, ValueError):
        return False
    return True
