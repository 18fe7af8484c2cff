"""The Acquisition dock: what is recorded, how it ends, what it takes, and why not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import Qt

from napari_beadscope.core.types import AcquisitionMode, Bead, Roi
from napari_beadscope.ui.host import SessionHost
from napari_beadscope.ui.preferences import use_settings
from napari_beadscope.ui.presenters.acquisition import BY_FRAMES, BY_TIME
from napari_beadscope.ui.presenters.disk import DiskState

LEFT = Qt.MouseButton.LeftButton
BEAD = Bead(0, Roi(40, 40, 48))


def choose(box: Any, data: str) -> None:
    """Choose a line of a combo box as a user does."""
    box.setCurrentIndex(box.findData(data))
    box.activated.emit(box.currentIndex())


def type_into(line: Any, text: str) -> None:
    line.setText(text)
    line.editingFinished.emit()


def test_record_by_mouse(
    live: SessionHost, open_dock: Any, qtbot: Any, scopes: Any, tmp_path: Path
) -> None:
    dock = open_dock(live, "Acquisition")
    dock.root.changed.emit(str(tmp_path))
    type_into(dock.name, "pull")
    type_into(dock.note, "PBS, 2.8 µm beads")
    choose(dock.mode, AcquisitionMode.FULL.value)
    qtbot.waitUntil(lambda: "MB/s" in dock.estimate.text())
    assert "per minute" in dock.estimate.text()
    assert "lasts" in dock.disk.text()
    qtbot.waitUntil(dock.button.isEnabled)
    qtbot.mouseClick(dock.button, LEFT)
    qtbot.waitUntil(lambda: live.session.model.recording == tmp_path / "20261121_pull")
    assert scopes.last.asked == {
        "mode": "full",
        "seconds": 0.0,
        "frames": 0,
        "note": "PBS, 2.8 µm beads",
    }
    assert dock.button.text() == "■ Stop recording"
    for editor in (dock.mode, dock.root, dock.name, dock.note, dock.limit_kind):
        assert not editor.isEnabled()
    assert dock.open.toolTip() == "Not while recording"
    qtbot.waitUntil(lambda: "frames" in dock.progress.text())
    qtbot.waitUntil(dock.button.isEnabled)
    qtbot.mouseClick(dock.button, LEFT)
    qtbot.waitUntil(lambda: dock.progress.text() == "Saved: 20261121_pull")
    assert dock.mode.isEnabled()
    assert str(tmp_path) in dock.open.toolTip()


@pytest.mark.parametrize(
    ("kind", "asked", "size"),
    [(BY_TIME, (120.0, 0), "in 2:00"), (BY_FRAMES, (0.0, 6000), "in 1:00")],
)
def test_a_limit_by_time_or_frames(
    live: SessionHost,
    open_dock: Any,
    qtbot: Any,
    scopes: Any,
    tmp_path: Path,
    kind: str,
    asked: tuple[float, int],
    size: str,
) -> None:
    dock = open_dock(live, "Acquisition")
    live.session.model.root = tmp_path
    assert dock.limit_s.isHidden()
    assert dock.limit_frames.isHidden()
    choose(dock.mode, "full")
    choose(dock.limit_kind, kind)
    dock.limit_s.setValue(120.0)
    dock.limit_frames.setValue(6000)
    assert dock.limit_s.isHidden() == (kind != BY_TIME)
    assert dock.limit_frames.isHidden() == (kind != BY_FRAMES)
    qtbot.waitUntil(lambda: size in dock.estimate.text())
    qtbot.mouseClick(dock.button, LEFT)
    qtbot.waitUntil(lambda: live.session.model.recording is not None)
    assert (scopes.last.asked["seconds"], scopes.last.asked["frames"]) == asked
    qtbot.waitUntil(
        lambda: (" of 2:00" if kind == BY_TIME else " of 6,000") in dock.progress.text()
    )


def test_why_it_cannot_be_started_is_said(
    host: SessionHost, open_dock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dock, model = open_dock(host, "Acquisition"), host.session.model
    model.root = tmp_path

    def refused() -> str:
        assert not dock.button.isEnabled()
        assert dock.button.toolTip() == dock.progress.text()
        return dock.progress.text()

    assert refused() == "No beads yet: find or add some, or save Full video"
    model.mode = AcquisitionMode.FULL
    assert dock.button.isEnabled()
    assert dock.progress.text() == "Not recording"
    model.mode, model.beads = AcquisitionMode.TRACK, (BEAD,)
    assert dock.button.isEnabled()
    model.name = "a/b"
    assert "leave out / and \\" in refused()
    model.name = "a"
    (tmp_path / "file").touch()
    model.root = tmp_path / "file"
    assert refused().startswith("Nothing can be written to")
    model.root = tmp_path / "new" / "deep"
    assert dock.button.isEnabled()
    monkeypatch.setattr(dock.presenter._disk, "state", lambda: DiskState(10**8, 0.0))
    model.name = "b"
    assert refused() == "Only 100 MB left on the disk: free some space"


def test_what_does_not_fit_on_the_disk_is_a_warning(
    live: SessionHost, open_dock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dock, model = open_dock(live, "Acquisition"), live.session.model
    monkeypatch.setattr(dock.presenter._disk, "state", lambda: DiskState(10**11, 1e8))
    model.limit_kind, model.limit_s = BY_TIME, 2000.0
    assert dock.estimate.text() == "Size: 100 MB/s, 200 GB in 33:20"
    assert dock.disk.text() == "Disk: 100 GB free, lasts 17 min"
    assert "#d98c00" in dock.disk.styleSheet()
    model.limit_s = 60.0
    assert dock.disk.styleSheet() == ""


def test_a_closed_dock_keeps_its_settings(host: SessionHost, tmp_path: Path) -> None:
    window, plugin = host.viewer.window, "napari-beadscope"
    holder, dock = window.add_plugin_dock_widget(plugin, "Acquisition")
    type_into(dock.name, "pull")
    type_into(dock.note, "PBS")
    choose(dock.limit_kind, BY_FRAMES)
    dock.limit_frames.setValue(77)
    holder.destroyOnClose()
    again = window.add_plugin_dock_widget(plugin, "Acquisition")[1]
    assert (again.name.text(), again.note.text()) == ("pull", "PBS")
    assert again.limit_frames.value() == 77
    assert not again.limit_frames.isHidden()


def test_what_another_program_moves_is_told_and_waited_for(
    live: SessionHost, open_dock: Any, qtbot: Any, scopes: Any, tmp_path: Path
) -> None:
    dock = open_dock(live, "Acquisition")
    dock.root.changed.emit(str(tmp_path))
    choose(dock.mode, AcquisitionMode.FULL.value)
    qtbot.waitUntil(dock.button.isEnabled)
    free = scopes.last.readings["focus"]
    info = replace(free.info, claimed="a Z-LUT sweep")
    scopes.last.readings["focus"] = replace(free, info=info)
    qtbot.waitUntil(lambda: not dock.button.isEnabled())
    assert "focus motor is busy with a Z-LUT sweep" in dock.button.toolTip()
    scopes.last.readings["focus"] = free
    qtbot.waitUntil(dock.button.isEnabled)


def test_a_folder_of_nobody_is_told_and_the_default_stays(
    host: SessionHost, open_dock: Any
) -> None:
    model = host.session.model
    before = model.root
    settings = model.settings.replace({"recording.folder": "~nobodyx/a"})
    use_settings(host.session, settings, {"recording.folder": "~nobodyx/a"}, lambda: None)
    assert model.root == before
    text = model.messages[-1].text
    assert "'~nobodyx/a'" in text
    assert f"recordings go to {before}" in text
    dock = open_dock(host, "Acquisition")
    dock.root.changed.emit("~nobodyx/b")
    assert model.root == before
    assert model.messages[-1].text.startswith("There is no home folder '~nobodyx'")


def test_record_takes_what_is_being_typed(
    live: SessionHost, open_dock: Any, qtbot: Any, scopes: Any, tmp_path: Path
) -> None:
    dock = open_dock(live, "Acquisition")
    dock.root.changed.emit(str(tmp_path))
    choose(dock.mode, AcquisitionMode.FULL.value)
    qtbot.waitUntil(dock.button.isEnabled)
    dock.name.setText("a/b")  # no Return, and the focus stays in the field
    dock.button.click()
    assert live.session.model.recording is None
    assert "leave out /" in dock.progress.text()
    dock.name.setText("pull")
    dock.name.editingFinished.emit()
    qtbot.waitUntil(dock.button.isEnabled)
    dock.name.setText("second")
    dock.note.setText("PBS")
    dock.button.click()
    qtbot.waitUntil(lambda: live.session.model.recording == tmp_path / "20261121_second")
    assert scopes.last.asked["note"] == "PBS"
