from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from napari_beadscope.core.errors import RingError
from napari_beadscope.ring import SegmentOwner, segment_names, sweep
from napari_beadscope.ring.lock import ProcessLock, is_held
from napari_beadscope.ring.segment import (
    Segment,
    segment_folder,
    session_alive,
    unlink_session,
)


def test_a_segment_is_zeroed_and_shared(segments: Path):
    with_writer = Segment.create("t-a", 10_000)
    view = with_writer.array(np.uint8, 10_000)
    assert not view.any()
    other = Segment.attach("t-a")
    view[77] = 5
    seen = other.array(np.uint8, 10_000)
    assert seen[77] == 5
    with pytest.raises(ValueError, match="read-only"):
        seen[0] = 1
    assert (segments / "beadscope-t-a").stat().st_mode & 0o077 == 0
    Segment.unlink("t-a")
    Segment.unlink("t-a")
    assert seen[77] == 5
    del view, seen
    with_writer.close()
    other.close()
    other.close()


def test_an_array_beyond_the_end_is_refused():
    segment = Segment.create("t-a", 4096)
    with pytest.raises(RingError, match="4096 bytes where 4104 are needed"):
        segment.array(np.int64, 1, 4096)
    segment.close()
    Segment.unlink("t-a")


def test_a_full_memory_is_an_error_at_creation(monkeypatch):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, monkeypatch.context() as patch:
        patch.setenv("BEADSCOPE_SEGMENT_DIR", folder)
        free = shutil.disk_usage(folder).free
        with pytest.raises(RingError, match=r"cannot create .* MiB .*No space left") as caught:
            Segment.create("t-full", free + 2**30)
        assert "engine.ring_mb" in caught.value.remedy
        assert segment_names() == []


@pytest.mark.parametrize("nbytes", [0, -1, 2**70])
def test_an_impossible_size_is_an_error_and_leaves_nothing(nbytes):
    with pytest.raises(RingError):
        Segment.create("t-a", nbytes)
    assert segment_names() == []


def test_a_name_that_exists_is_not_taken():
    Segment.create("t-a", 4096).close()
    with pytest.raises(RingError, match="File exists"):
        Segment.create("t-a", 4096)
    assert segment_names("t") == ["t-a"]
    Segment.unlink("t-a")


def test_the_owner_removes_everything_of_its_session_only():
    with SegmentOwner("aa"), SegmentOwner("aab"):
        for name in ("aa-1", "aa-2", "aab-1"):
            Segment.create(name, 4096).close()
        assert session_alive("aa")
        unlink_session("aa")
        assert segment_names() == ["aab-1", "aab-owner"]
    assert segment_names() == []
    assert not session_alive("aa")


def test_a_session_has_one_owner_and_closing_twice_is_fine():
    owner = SegmentOwner("aa")
    with pytest.raises(RingError, match="aa"):
        SegmentOwner("aa")
    assert session_alive("aa")
    owner.close()
    with SegmentOwner("aa"):
        owner.close()
        assert session_alive("aa")
    for bad in ("", "a-b"):
        with pytest.raises(RingError, match="ID"):
            SegmentOwner(bad)


def test_the_sweep_leaves_its_own_process_and_the_living_alone(child):
    process = child("own", session="bb")
    assert process.stdout.readline() == "ready\n"
    with SegmentOwner("aa"):
        Segment.create("aa-1", 4096).close()
        for _ in range(3):
            assert sweep() == []
        assert segment_names() == ["aa-1", "aa-owner", "bb-0", "bb-owner"]
        process.stdin.write("close\n")
        process.stdin.flush()
        assert process.stdout.readline() == "closed\n"
        assert segment_names() == ["aa-1", "aa-owner"]


def test_the_sweep_removes_the_segments_of_the_dead(child):
    process = child("own", session="bb", count=3)
    assert process.stdout.readline() == "ready\n"
    with SegmentOwner("aa"):
        process.kill()
        process.wait()
        assert len(segment_names("bb")) == 4
        assert not session_alive("bb")
        assert sweep() == ["bb"]
        assert segment_names() == ["aa-owner"]
        assert sweep() == []


def test_a_forked_child_does_not_keep_the_session_alive(child):
    process = child("own", session="bb", fork=True)
    heir = int(process.stdout.readline().split()[1])
    assert process.stdout.readline() == "ready\n"
    assert session_alive("bb")
    process.kill()
    process.wait()
    try:
        assert not session_alive("bb")
        assert sweep() == ["bb"]
    finally:
        os.kill(heir, 9)


def test_a_started_program_does_not_keep_the_session_alive():
    with SegmentOwner("aa") as owner:
        program = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        owner._lock.close()
        assert not session_alive("aa")
        program.communicate(b"\n")
    unlink_session("aa")


def test_leftovers_without_an_owner_are_swept():
    Segment.create("cc-1", 4096).close()
    (segment_folder() / "beadscope-dd-owner.new").touch()
    (segment_folder() / "beadscope-ee-owner").touch()
    assert sweep() == ["cc", "dd", "ee"]
    assert segment_names() == []


def test_a_draft_that_a_sweep_took_is_made_again(monkeypatch, segments: Path):
    """A sweep between the draft's birth and its lock takes it for a dead one."""
    import fcntl

    flock, stolen = fcntl.flock, []

    def late(fd: int, kind: int) -> None:
        if not stolen and kind == fcntl.LOCK_EX:
            stolen.append(sweep())
        flock(fd, kind)

    monkeypatch.setattr(fcntl, "flock", late)
    with SegmentOwner("aa"):
        assert stolen == [["aa"]]
        assert session_alive("aa")
        assert segment_names() == ["aa-owner"]


def test_asking_does_not_make_it_look_alive(segments: Path):
    """Many who ask at once must not take each other for the owner."""
    (segments / "beadscope-aa-owner").touch()
    answers: list[bool] = []

    def ask() -> None:
        answers.extend(is_held(segments / "beadscope-aa-owner") for _ in range(200))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [False] * 800
    assert sweep() == ["aa"]


def test_files_of_another_user_are_left_alone(monkeypatch, segments: Path):
    (segments / "beadscope-aa-owner").touch()
    (segments / "beadscope-bb-frames").touch()
    real_open, real_unlink = os.open, Path.unlink

    def closed(path, *arguments):
        if str(path).endswith("aa-owner"):
            raise PermissionError(13, "Permission denied", str(path))
        return real_open(path, *arguments)

    def sticky(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", closed)
        patch.setattr(Path, "unlink", sticky)
        assert sweep() == []
    assert real_unlink is Path.unlink
    assert segment_names() == ["aa-owner", "bb-frames"]
    assert sweep() == ["aa", "bb"]


def test_a_lock_may_be_dropped_and_taken_again(tmp_path: Path):
    lock = ProcessLock(tmp_path / "lock")
    assert is_held(tmp_path / "lock")
    with pytest.raises(FileExistsError):
        ProcessLock(tmp_path / "lock")
    lock.close()
    lock.close()
    assert not is_held(tmp_path / "lock")
    assert not is_held(tmp_path / "none")


def test_sweeps_race_with_sessions_that_come_and_go(child):
    """No living session ever loses a segment, however hard others sweep."""
    people = [child("come_and_go", session=f"s{k}", rounds=150) for k in range(2)]
    deadline = time.monotonic() + 20
    while any(person.poll() is None for person in people) and time.monotonic() < deadline:
        sweep()
    assert [person.wait(1) for person in people] == [0, 0]
    sweep()
    assert segment_names() == []


def test_where_segments_lie(monkeypatch, tmp_path: Path):
    with monkeypatch.context() as patch:
        patch.setenv("BEADSCOPE_SEGMENT_DIR", str(tmp_path / "deep" / "down"))
        assert segment_folder().is_dir()
        patch.delenv("BEADSCOPE_SEGMENT_DIR")
        assert segment_folder() == Path("/dev/shm")
        patch.setattr(os, "access", lambda path, mode: False)
        patch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
        assert segment_folder().parent == tmp_path
        assert segment_folder().stat().st_mode & 0o777 == 0o700
