"""recording.yaml: a whole round trip, and what is not one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from napari_beadscope.core.errors import StorageError
from napari_beadscope.core.settings import Settings
from napari_beadscope.storage import Manifest, open_recording
from napari_beadscope.storage.manifest import FileRecord, RangeRecord


def test_everything_comes_back(tmp_path: Path, make_manifest: Callable[..., Any]) -> None:
    manifest = make_manifest(
        "track+rois",
        name="höhe: #1 'x'",
        camera_id="simulated:one",
        camera_properties={"exposure_ms": 5.0, "gain": 3, "mode": "fast: yes", "on": True},
        backend="cpu",
        settings=Settings().to_dict(),
    )
    manifest.gaps = [RangeRecord(first=3, last=5, cause="dropped: ring full")]
    manifest.untracked = [RangeRecord(first=7, last=7, cause="lost: 'really' \\ \"ü\n😀")]
    manifest.files = [FileRecord(name="tracks.csv", kind="tracks", frames=3, bytes=99)]
    manifest.first_frame, manifest.first_time_ns = 10**12, 2**62
    manifest.notes = ["line\nbreak", "no", "1e3"]
    manifest.save(tmp_path)
    assert Manifest.load(tmp_path) == manifest
    assert Manifest.load(tmp_path).bead_list == manifest.bead_list
    assert [path.name for path in tmp_path.iterdir()] == ["recording.yaml"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema_version: 2\nsoftware: beadscope 9\n", "schema version 2, .* reads 1: .*scope 9"),
        ("schema_version: 1\nmode: [\n", "not valid YAML at line 3"),
        ("just words\n", "not the manifest of a recording"),
        ("a: 1\n", "not the manifest of a recording"),
        ("schema_version: 1\nmode: full\n", "not a valid manifest: 'format'"),
        ("schema_version: 1\nmode: full\nfoo: 1\n", "not a valid manifest"),
    ],
)
def test_what_is_no_manifest_is_refused_in_a_sentence(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "recording.yaml").write_text(text)
    with pytest.raises(StorageError, match=message):
        open_recording(tmp_path)


def test_binary_rubbish_and_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is not a recording"):
        open_recording(tmp_path)
    with pytest.raises(StorageError, match="is not a recording"):
        open_recording(tmp_path / "no" / "such")
    (tmp_path / "recording.yaml").write_bytes(b"\xff\xfe\x00rubbish")
    with pytest.raises(StorageError, match="cannot read"):
        open_recording(tmp_path)


def test_a_failed_save_leaves_the_old_one(
    tmp_path: Path, make_manifest: Callable[..., Any]
) -> None:
    manifest = make_manifest("full")
    manifest.save(tmp_path)
    with pytest.raises(StorageError, match="cannot write"):
        manifest.save(tmp_path / "gone")
    assert Manifest.load(tmp_path) == manifest
