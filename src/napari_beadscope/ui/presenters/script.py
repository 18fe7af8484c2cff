"""The Script dock's mind: which script, its run, what it says and how it ended.

Owns the text's file and the present run. Must not know Qt.
"""

from __future__ import annotations

import time
from pathlib import Path

from napari_beadscope.core.errors import BeadscopeError, InputError, StorageError
from napari_beadscope.script.checking import ScriptMistake
from napari_beadscope.script.conduct import progress_words
from napari_beadscope.script.recipes import is_recipe
from napari_beadscope.script.recipes.samples import SAMPLES
from napari_beadscope.script.runner import RunRecord
from napari_beadscope.script.runs import ScriptRun, drafts_folder, run_script, running_scripts
from napari_beadscope.ui.model import Phase
from napari_beadscope.ui.presenters.script_text import Draft, ScriptFile
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


class ScriptPresenter:
    """What the Script dock shows and does.

    Parameters
    ----------
    session : Session
        Shared by all docks of the viewer.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._file: ScriptFile | None = None
        self._draft = Draft(drafts_folder())
        self.run: ScriptRun | None = None
        self.record: RunRecord | None = None
        self._asked_to_stop = False
        self._mistake_line = 0

    # the text

    @property
    def path(self) -> Path | None:
        """The script's file, None for a draft."""
        return self._file.path if self._file is not None else None

    @property
    def title(self) -> str:
        """The file's name."""
        return self._file.path.name if self._file is not None else "draft"

    def first_text(self) -> str:
        """Return what to begin with: what was last typed without a name, or the starter."""
        draft = ScriptFile(self._draft.hold())
        try:
            return draft.read() if draft.is_there else STARTER
        except InputError:
            return STARTER

    def new(self, recipe: str = "") -> str:
        """Begin another script, or a recipe of this kind; return its text."""
        self._file = None
        return SAMPLES[recipe] if recipe else STARTER

    def suggested_name(self, text: str) -> str:
        """Return the name of a file to save a text in."""
        return str(self.path or ("recipe.yaml" if is_recipe(text) else "script.py"))

    def open(self, path: str) -> str | None:
        """Return the text of a file, None if it cannot be read, which is told."""
        file = ScriptFile(Path(path))
        try:
            text = file.read()
        except InputError as error:
            self._session.fail(error)
            return None
        self._file = file
        return text

    def save(self, text: str, path: str = "") -> bool:
        """Write the text to its file or to `path`; return whether that was possible.

        A file that another program has changed is left alone, unless it is named by `path`.
        """
        file = ScriptFile(Path(path)) if path else self._file or ScriptFile(self._draft.hold())
        try:
            if file.changed_elsewhere:
                what = f"{file.path.name} was changed here, and by another program"
                raise StorageError(what, "save this one under another name, or open it anew")
            file.write(text)
        except BeadscopeError as error:
            self._session.fail(error)
            return False
        if path:
            self._file = file
        return True

    def keep_draft(self, text: str) -> None:
        """Keep a text that was not saved for the next time that the dock is opened."""
        file, self._file = self._file, None
        self.save(text)
        self._file = file

    def rest(self) -> None:
        """Leave the draft to the next dock."""
        self._draft.release()

    def wake(self) -> None:
        """Have a draft of its own again."""
        self._draft.hold()

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

    def newer_text(self, modified: bool) -> str | None:
        """Return what another program wrote to the script, None if nothing or if changed here."""
        if modified or self._file is None or not self._file.changed_elsewhere:
            return None
        return self.open(str(self._file.path))

    def start(self, text: str, modified: bool = True) -> bool:
        """Run the text, which is saved first if it was `modified`; return whether it runs."""
        scope = self._session.scope
        if scope is None or self.running:
            return False
        self._mistake_line = 0
        is_saved = self._file is not None and self._file.is_there and not modified
        if not is_saved and not self.save(text):
            return False
        try:
            target, folder = self._shown(), None if self._file else self._drafts_work_in()
            self._follow(run_script(target, scope.engine.engine_id, folder))
        except BeadscopeError as error:
            if isinstance(error, ScriptMistake):
                self._mistake_line = error.line
            self._session.fail(error)
            return False
        return True

    def _drafts_work_in(self) -> Path:
        root = self._session.model.root
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            what = f"the folder of the recordings, {root}, cannot be made ({error.strerror})"
            raise StorageError(what, "choose another in the Acquisition dock") from error
        return root

    def _shown(self) -> Path:
        return self._file.path if self._file is not None else self._draft.path

    def stop(self) -> None:
        """Ask the script to end; it is killed if it does not."""
        if self.run is not None:
            self._asked_to_stop = True
            self.run.stop()

    @property
    def waits(self) -> bool:
        """Whether the script was asked to pause."""
        return self.running and self.run is not None and self.run.is_to_pause

    def pause(self) -> None:
        """Let the script wait at its next call of a Scope, or go on if it was to wait."""
        if self.run is not None and self.waits:
            self.run.resume()
        elif self.run is not None and not self._asked_to_stop:
            self.run.pause()

    def why_no_pause(self) -> str:
        """Return why the script cannot be told to wait, '' if it can."""
        if not self.running:
            return "No script runs"
        return "It is stopping" if self._asked_to_stop else ""

    def progress(self) -> tuple[float, str] | None:
        """Return the share that is done, 0 to 1, and words; None if the script says nothing."""
        if self.run is None or not self.running:
            return None
        state = self.run.progress
        return (state.fraction, progress_words(state, time.time())) if state.total else None

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
        name = "" if Path(record.script).parent == drafts_folder() else f"{name} "
        if record.state == "running":
            seconds = max(0.0, time.time() - record.started_unix_s)
            word = "stopping…" if self._asked_to_stop else self._pace()
            return _sentence(f"{name}{word} · {seconds:.0f} s"), "ok"
        took = max(0.0, record.ended_unix_s - record.started_unix_s)
        rested = f" ({record.rested})" if record.rested else ""
        if record.state == "failed":
            where = f"failed in line {record.line}" if record.line else "failed"
            return _sentence(f"{name}{where}: {record.error}{rested}"), "bad"
        return _sentence(f"{name}{record.state} after {took:.1f} s{rested}"), "ok"

    def _pace(self) -> str:
        if self.run is None or not self.waits:
            return "runs"
        return "paused" if self.run.progress.paused else "pauses at its next call of Scope"

    def error_line(self) -> int:
        """Return the line in which the script that is shown failed, 0 if it did not."""
        if self._mistake_line:
            return self._mistake_line
        record = self.record
        if record is None or record.state != "failed" or Path(record.script) != self._shown():
            return 0
        return record.line

    def _follow(self, run: ScriptRun) -> None:
        self.run, self.record, self._asked_to_stop = run, run.record, False


def _sentence(text: str) -> str:
    """Return a text that begins with a capital, unless a file's name does."""
    return text if ".py " in text.split(":")[0] else text[:1].upper() + text[1:]
