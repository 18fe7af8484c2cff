"""Bead recordings with known x, y and z through the steps of a batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_beadscope.batch.beads.tables import read_tracks
from napari_beadscope.batch.beads.traces import without_drift
from napari_beadscope.batch.service import BatchError, Cancelled
from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import Roi
from napari_beadscope.storage.annotations import ANNOTATIONS_NAME
from napari_beadscope.storage.tables import TRACKS, header
from napari_beadscope.testing.bead_recordings import BeadRecording, bead_recording
from napari_beadscope.testing.service_chain import Chain
from napari_beadscope.tracking import track_stack

SIZE_PX = 64
STEPS = ("find_beads", "track_beads", "link_beads")


@pytest.fixture(scope="module", params=[0, 5])
def recording(request: pytest.FixtureRequest) -> BeadRecording:
    return bead_recording(request.param)


@pytest.fixture(scope="module")
def plain() -> BeadRecording:
    return bead_recording(0)


def tracked(folder: Path, taken: BeadRecording, chunk_frames: int = 16, **options: object) -> Chain:
    folder.mkdir(exist_ok=True)
    taken.zlut(SIZE_PX).save(folder / "zlut.txt")
    chain = Chain(folder, taken.frames, chunk_frames=chunk_frames)
    chain.run("find_beads", roi_size_px=SIZE_PX)
    chain.run("track_beads", zlut=str(folder / "zlut.txt"), **options)
    chain.run("link_beads")
    return chain


def live_rmse(taken: BeadRecording) -> np.ndarray:
    """RMSE of x, y, z with the same kernels in ROIs at rest, as in live tracking."""
    errors = []
    for bead in range(taken.truth.shape[1]):
        truth = taken.truth[:, bead]
        roi = Roi.around(truth[:, 1].mean(), truth[:, 0].mean(), SIZE_PX)
        result = track_stack(np.ascontiguousarray(roi.crop(taken.frames)), taken.zlut(SIZE_PX))
        where = np.column_stack([result.x_px + roi.x0, result.y_px + roi.y0, result.z_nm])
        errors.append(where - truth)
    return np.sqrt(np.mean(np.concatenate(errors) ** 2, axis=0))


def test_positions_are_as_good_as_in_live_tracking(
    tmp_path: Path, recording: BeadRecording
) -> None:
    chain = tracked(tmp_path, recording)
    table = chain.outputs["link_beads"][0]
    assert table.read_text().startswith("position," + header(TRACKS))
    rows = read_tracks(table)
    errors, who = recording.errors(rows)
    assert sorted(who.values()) == list(range(6))
    assert len(rows) == len(errors) == 6 * 40
    rmse = np.sqrt(np.mean(errors**2, axis=0))
    assert (rmse <= 1.1 * live_rmse(recording)).all()
    assert (rmse < (0.02, 0.02, 8.0)).all()
    assert (np.diff(np.lexsort((rows["bead"], rows["frame"]))) == 1).all()
    assert rows["time_s"].tolist() == pytest.approx((rows["frame"] * 0.01).tolist())
    assert rows["x_nm"] == pytest.approx(rows["x_px"] * 100, abs=1e-3)


def test_without_drift_stuck_beads_stand_still(tmp_path: Path, recording: BeadRecording) -> None:
    chain = tracked(tmp_path, recording)
    rows = read_tracks(chain.outputs["link_beads"][0])
    _, who = recording.errors(rows)
    stuck = [bead for bead, true in who.items() if true < 2]
    chain.run("drift", references={"field_a": stuck, "another": [77]})
    moved_nm = float(np.ptp(recording.truth[:, 0, 2]))
    assert chain.facts["drift"][0]["span_z_nm"] == pytest.approx(moved_nm, abs=8)
    chain.run("summary")
    table = np.genfromtxt(chain.outputs["summary"][0], delimiter=",", names=True, dtype=None,
                          encoding="utf-8")  # fmt: skip
    for row in table:
        if row["bead"] in stuck:
            assert row["sd_x_nm"] < 3
            assert row["sd_z_nm"] < 4
        else:
            assert row["sd_x_nm"] > 20  # on its tether
        assert row["trusted"] == row["rows"] == 40
        assert row["quality"] > 0.8
    chain.run("smooth", window_frames=9)
    smooth = read_tracks(chain.outputs["smooth"][0])
    mine = smooth[smooth["bead"] == stuck[0]]
    assert np.std(mine["z_nm"]) < 0.8 * table[table["bead"] == stuck[0]]["sd_z_nm"][0]
    assert mine["x_nm"] == pytest.approx(mine["x_px"] * 100, abs=2e-3)


def test_the_same_bytes_whoever_does_which_chunk_when(tmp_path: Path, plain: BeadRecording) -> None:
    first, second = tracked(tmp_path / "a", plain), tracked(tmp_path / "b", plain)
    second.chunks.reverse()
    second.cache.clear()
    second.run("track_beads", zlut=str(tmp_path / "b" / "zlut.txt"))
    second.outputs["track_beads"] = second.outputs["track_beads"][::-1]
    second.run("link_beads")
    for step in STEPS:
        for one, other in zip(first.outputs[step], second.outputs[step], strict=True):
            assert one.read_bytes() == other.read_bytes()


def test_chunks_of_any_length_give_the_same_beads_and_places(
    tmp_path: Path, plain: BeadRecording
) -> None:
    tables = [
        read_tracks(tracked(tmp_path / str(n), plain, n).outputs["link_beads"][0])
        for n in (1, 7, 40)
    ]
    for table in tables[1:]:
        assert table["bead"].tolist() == tables[0]["bead"].tolist()
        for name, apart in (("x_px", 0.01), ("y_px", 0.01), ("z_nm", 5.0)):
            assert np.abs(table[name] - tables[0][name]).max() < apart


def test_rois_follow_a_field_that_drifts_away(tmp_path: Path) -> None:
    taken = bead_recording(0, drift_rate_x_nm_per_s=9000.0, margin_px=70.0, beads=4)
    assert np.ptp(taken.truth[:, 0, 0]) > 33
    rows = read_tracks(tracked(tmp_path / "a", taken).outputs["link_beads"][0])
    errors, who = taken.errors(rows)
    assert len(who) == 4
    assert len(errors) >= 0.99 * 4 * 40
    assert np.abs(errors[:, :2]).max() < 0.2
    still = read_tracks(tracked(tmp_path / "b", taken, follow=False).outputs["link_beads"][0])
    lost = still[(still["reason"] != 0) & (still["frame"] > 35)]
    assert len(lost) >= 4 * 3  # which is told, and not made up
    assert np.abs(taken.errors(still)[0][:, :2]).max() < 0.2


def test_beads_of_a_field_that_was_changed_are_not_taken_for_the_old_ones(tmp_path: Path) -> None:
    one, other = bead_recording(0, frames=8), bead_recording(2, frames=8, dtype="uint8")
    both = BeadRecording(
        one.microscope, np.concatenate([one.frames, other.frames]), one.truth, one.zluts
    )
    chain = tracked(tmp_path, both, 8)
    tables = [chain.outputs["link_beads"][0].read_bytes()]
    chain.run("lookup_z", zlut=str(tmp_path / "zlut.txt"))
    tables.append(chain.run("link_beads")[0].read_bytes())
    for table in tables:
        (tmp_path / "table.csv").write_bytes(table)
        rows = read_tracks(tmp_path / "table.csv")
        good = rows["reason"] == 0
        assert good[rows["frame"] < 8].all()
        assert not good[rows["frame"] >= 8].any()


def test_a_bead_that_leaves_the_frame_is_not_replaced_by_the_next(tmp_path: Path) -> None:
    taken = bead_recording(
        1, frames=60, beads=8, drift_rate_x_nm_per_s=-25_000.0, drift_rate_y_nm_per_s=0.0
    )
    assert np.ptp(taken.truth[:, 0, 0]) > 140
    rows = read_tracks(tracked(tmp_path, taken, 5).outputs["link_beads"][0])
    start = rows[rows["frame"] == 0]
    for bead in range(8):
        mine = rows[(rows["bead"] == bead) & (rows["reason"] == 0)]
        first = start[start["bead"] == bead]
        true = np.hypot(
            taken.truth[0, :, 0] - first["x_px"], taken.truth[0, :, 1] - first["y_px"]
        ).argmin()
        truth = taken.truth[mine["frame"], true]
        assert np.hypot(mine["x_px"] - truth[:, 0], mine["y_px"] - truth[:, 1]).max() < 0.5
    there = (taken.truth[:, :, 0] > 33).sum(axis=1)
    enough = np.flatnonzero(there >= 4)
    seen = np.bincount(rows["frame"][rows["reason"] == 0], minlength=60)
    assert enough[-1] > 15
    assert (seen[enough] >= there[enough]).all()


def test_heights_from_rois_cut_anew_round_beads_far_from_the_middle(
    tmp_path: Path, plain: BeadRecording
) -> None:
    plain.zlut(SIZE_PX).save(tmp_path / "zlut.txt")
    lines = [f"{bead},{y + 9},{x - 8}" for bead, (x, y, _) in enumerate(plain.truth[0])]
    (tmp_path / "beads.csv").write_text("bead,y_px,x_px\n" + "\n".join(lines) + "\n")
    chain = Chain(tmp_path, plain.frames)
    chain.run("find_beads", beads=str(tmp_path / "beads.csv"), roi_size_px=SIZE_PX)
    chain.run("track_beads", zlut="none")
    assert chain.facts["track_beads"][0]["heights"] == 0
    chain.run("lookup_z", zlut=str(tmp_path / "zlut.txt"))
    chain.run("link_beads")
    errors, who = plain.errors(read_tracks(chain.outputs["link_beads"][0]))
    assert who == {bead: bead for bead in range(6)}  # the list's numbers
    assert (np.sqrt(np.mean(errors**2, axis=0)) <= 1.1 * live_rmse(plain)).all()


def test_black_frames_give_no_positions_and_are_bridged_only_by_smoothing(
    tmp_path: Path, plain: BeadRecording
) -> None:
    frames = plain.frames.copy()
    frames[16:19] = 0  # also the first of a chunk
    dark = BeadRecording(plain.microscope, frames, plain.truth, plain.zluts)
    chain = tracked(tmp_path, dark)
    assert chain.facts["track_beads"][1]["followed"] == 1
    rows = read_tracks(chain.outputs["link_beads"][0])
    black = np.isin(rows["frame"], (16, 17, 18))
    assert (rows["reason"][black] != 0).all()
    assert (rows["reason"][~black] == 0).all()
    assert np.isnan(rows["x_px"][black]).all()
    chain.run("smooth", window_frames=11)
    smooth = read_tracks(chain.outputs["smooth"][0])
    assert np.isfinite(smooth["z_nm"]).all()
    assert (smooth["reason"] == rows["reason"]).all()


def test_a_recordings_own_beads_z_lut_and_references(tmp_path: Path, plain: BeadRecording) -> None:
    folder = plain.record(tmp_path / "recording")
    (folder / ANNOTATIONS_NAME).write_text(
        "bead,label,good,note,reference\n10,,,,true\n11,,,,true\n"
    )
    (tmp_path / "out").mkdir()
    chain = Chain(tmp_path / "out", plain.frames, path=folder, kind="recording")
    for step in (*STEPS, "drift", "summary"):
        chain.run(step)
    rows = read_tracks(chain.outputs["link_beads"][0])
    errors, who = plain.errors(rows)
    assert who == {10 + k: k for k in range(6)}
    assert np.sqrt(np.mean(errors[:, 2] ** 2)) < 4
    assert chain.facts["drift"][0]["references"] == 2
    text = chain.outputs["summary"][0].read_text().splitlines()
    assert [line.split(",")[2] for line in text[1:]] == ["1", "1", "0", "0", "0", "0"]


def test_profiles_are_kept_when_asked_for(tmp_path: Path, plain: BeadRecording) -> None:
    chain = tracked(tmp_path, plain)
    with pytest.raises(BatchError, match="profiles: true in the step track_beads"):
        chain.run("profiles")
    chain.run("track_beads", profiles=True)
    chain.run("profiles")
    lines = chain.outputs["profiles"][0].read_text().splitlines()
    assert lines[0] == "position,frame,bead," + ",".join(f"r{k}" for k in range(32))
    assert len(lines) == 1 + 6 * 40
    values = np.array([[float(v) for v in line.split(",")[3:]] for line in lines[1:]])
    assert np.isfinite(values[:, 1:]).all()  # no pixel may be nearest to the centre itself


def test_what_is_missing_is_said_in_a_sentence(tmp_path: Path, plain: BeadRecording) -> None:
    chain = Chain(tmp_path, plain.frames)
    with pytest.raises(BatchError, match="put that step into the plan"):
        chain.run("track_beads")
    chain.run("find_beads", roi_size_px=SIZE_PX)
    with pytest.raises(InputError, match=r"Z-LUT file .*nowhere\.txt does not exist"):
        chain.run("track_beads", zlut=str(tmp_path / "nowhere.txt"))
    plain.zlut(48).save(tmp_path / "small.txt")
    with pytest.raises(InputError, match=r"use ROIs of 4. px or less"):
        chain.run("track_beads", zlut=str(tmp_path / "small.txt"), roi_size_px=SIZE_PX)
    chain.run("track_beads", zlut=str(tmp_path / "small.txt"))  # takes ROIs that suit it
    with pytest.raises(InputError, match="lookup_z has no Z-LUT"):
        chain.run("lookup_z", zlut="none")
    chain.run("link_beads")
    with pytest.raises(BatchError, match="give references in the step drift"):
        chain.run("drift")
    with pytest.raises(BatchError, match="has no bead 99"):
        chain.run("drift", references=[99])
    (tmp_path / "out.csv").write_text("bead,y_px,x_px\n0,3,100\n")
    with pytest.raises(InputError, match="leaves the frame"):
        chain.run("find_beads", beads=str(tmp_path / "out.csv"), roi_size_px=SIZE_PX)
    with pytest.raises(InputError, match="give roi_size_px in the step"):
        chain.run("find_beads", beads=str(tmp_path / "out.csv"))
    with pytest.raises(BatchError, match="has no channel 1"):
        chain.run("find_beads", channel=1)


def test_a_field_without_beads_has_empty_tables(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(100, 3, (20, 96, 96)).astype(np.uint8)
    chain = Chain(tmp_path, noise)
    for step in (*STEPS, "smooth", "summary"):
        chain.run(step)
        assert chain.facts[step][0].get("rows", 0) == 0
    assert chain.outputs["link_beads"][0].read_text() == "position," + header(TRACKS)


def test_neither_times_nor_size_of_a_pixel_are_guessed(
    tmp_path: Path, plain: BeadRecording
) -> None:
    chain = Chain(tmp_path, plain.frames[:4], interval_s=None, nm_per_px=None)
    for step in (*STEPS, "smooth", "summary"):
        chain.run(step)
    for step in ("link_beads", "smooth"):
        rows = read_tracks(chain.outputs[step][0])
        assert np.isfinite(rows["x_px"]).all()
        assert np.isnan(rows["x_nm"]).all()
        assert np.isnan(rows["time_s"]).all()
    assert chain.facts["link_beads"][0]["nm_per_px"] == "not known"


def test_a_cancelled_run_stops_between_batches(tmp_path: Path, plain: BeadRecording) -> None:
    def cancelled() -> None:
        raise Cancelled

    chain = Chain(tmp_path, plain.frames, checkpoint=cancelled)
    chain.run("find_beads", roi_size_px=SIZE_PX)
    with pytest.raises(Cancelled):
        chain.run("track_beads")


def test_where_the_drift_is_not_known_nor_is_the_position() -> None:
    from napari_beadscope.batch.beads.traces import DRIFT

    rows, drift = np.zeros(3, TRACKS), np.zeros(2, DRIFT)
    rows["frame"], drift["frame"], drift["x_nm"] = (0, 1, 2), (0, 2), (5.0, 7.0)
    before, unknown, after = without_drift(rows, drift)["x_nm"].tolist()
    assert (before, after) == (-5.0, -7.0)
    assert np.isnan(unknown)
    assert np.isnan(without_drift(rows, drift[:0])["x_nm"]).all()
