"""The Script dock's mind: which script, its run, what it says and how it ended.

Owns the text's file and the present run. Must not know Qt.
"""

from __future__ import annotations

import time
from pathlib import Path

from napari_beadscope.core.errors import BeadscopeError, InputError, StorageError
from napari_beadscope.core.whole_file import whole_file
from napari_beadscope.script.runner import RunRecord
from napari_beadscope.script.runs import ScriptRun, drafts_folder, run_script, running_scripts
from napari_beadscope.ui.model import Phase
from napari_beadscope.ui.session import Session

STARTER = '''\
"""What this does, in one line."""

from napari_beadscope import Scope

with Scope.attach() as scope:  # the microscope of this viewer
    scope.start_live()
    if not scope.beads:
        scope.find_beads()
    print(f"{len(scope.beads)} beads are tracked")
    for frame in scope.frames(5):
        print(f"frame {frame.frame}: mean {frame.image.mean():.1f}")
'''
_DRAFT = "draft.py"


class ScriptPresenter:
    """What the Script dock shows and does.

    Parameters
    ----------
    session : Session
        Shared by all docks of the viewer.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.path: Path | None = None
        self.run: ScriptRun | None = None
        self.record: RunRecord | None = None
        self._asked_to_stop = False

    # the text

    @property
    def title(self) -> str:
        """The file's name."""
        return self.path.name if self.path is not None else "not saved yet"

    def first_text(self) -> str:
        """Return what to begin with: what was last typed without a name, or the starter."""
        draft = drafts_folder() / _DRAFT
        try:
            return draft.read_text(encoding="utf-8") if draft.exists() else STARTER
        except (OSError, UnicodeDecodeError):
            return STARTER

    def new(self) -> str:
        """Begin another script; return its text."""
        self.path = None
        return STARTER

    def open(self, path: str) -> str | None:
        """Return the text of a file, None if it cannot be read, which is told."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not a text"
            self._session.fail(InputError(f"{path} cannot be opened ({why})", "choose another"))
            return None
        self.path = Path(path)
        return text

    def save(self, text: str, path: str = "") -> bool:
        """Write the text to its file or to `path`; return whether that was possible."""
        target = Path(path) if path else self.path or drafts_folder() / _DRAFT
        try:
            with whole_file(target) as part:
                part.write_text(text, encoding="utf-8")
        except OSError as error:
            what = f"{target} cannot be written ({error.strerror})"
            self._session.fail(StorageError(what, "save it elsewhere"))
            return False
        if path:
            self.path = target
        return True

    def keep_draft(self, text: str) -> None:
        """Keep a text that was not saved for the next time that the dock is opened."""
        path, self.path = self.path, None
        self.save(text)
        self.path = path

    # the run

    @property
    def running(self) -> bool:
        """Whether a script runs."""
        return self.record is not None and self.record.state == "running"

    def why_not(self) -> str:
        """Return why no script can be run now, '' if one can."""
        if self.running:
            return "A script runs: stop it first"
        if self._session.scope is None or self._session.model.phase is not Phase.READY:
            return "Press Live in the Camera dock first: a script works on its engine"
        return ""

    def start(self, text: str) -> bool:
        """Save and run the text; return whether it runs."""
        scope = self._session.scope
        if scope is None or self.running or not self.save(text):
            return False
        target = self.path or drafts_folder() / _DRAFT
        try:
            self._follow(run_script(target, scope.engine.engine_id))
        except BeadscopeError as error:
            self._session.fail(error)
            return False
        return True

    def stop(self) -> None:
        """Ask the script to end; it is killed if it does not."""
        if self.run is not None:
            self._asked_to_stop = True
            self.run.stop()

    def look_for_runs(self) -> None:
        """Take over a script that runs on this engine, started by a viewer that is gone."""
        scope = self._session.scope
        if scope is None or not scope.is_started or self.running:
            return
        found = running_scripts(scope.engine.engine_id)
        if found:
            self._follow(found[-1])

    def poll(self) -> str:
        """Return what has been printed since the last call; take note of the end."""
        if self.run is None:
            return ""
        if self.running:
            self.run.insist()
            record = self.run.record  # before the rest of the output is read
            text = self.run.read()
            self.record = record
            return text
        return self.run.read()

    def state(self) -> tuple[str, str]:
        """Return how the run is, in words, and the tone."""
        record = self.record
        if record is None:
            return self.why_not(), "ok"
        name = Path(record.script).name
        name = "" if name == _DRAFT else f"{name} "
        if record.state == "running":
            seconds = max(0.0, time.time() - record.started_unix_s)
            word = "stopping…" if self._asked_to_stop else "runs"
            return _sentence(f"{name}{word} · {seconds:.0f} s"), "ok"
        took = max(0.0, record.ended_unix_s - record.started_unix_s)
        if record.state == "failed":
            where = f"failed in line {record.line}" if record.line else "failed"
            return _sentence(f"{name}{where}: {record.error}"), "bad"
        return _sentence(f"{name}{record.state} after {took:.1f} s"), "ok"

    def error_line(self) -> int:
        """Return the line in which the script that is shown failed, 0 if it did not."""
        record = self.record
        shown = self.path or drafts_folder() / _DRAFT
        if record is None or record.state != "failed" or Path(record.script) != shown:
            return 0
        return record.line

    def _follow(self, run: ScriptRun) -> None:
        self.run, self.record, self._asked_to_stop = run, run.record, False


def _sentence(text: str) -> str:
    """Return a text that begins with a capital, unless a file's name does."""
    return text if ".py " in text.split(":")[0] else text[:1].upper() + text[1:]
