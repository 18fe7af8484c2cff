"""IDs over chunks, the field's shift, particles, smoothing and summaries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_beadscope.batch.beads.link import Ends, link_chunks
from napari_beadscope.batch.beads.places import (
    find_places,
    places_from_list,
    read_places,
    shift_of,
    write_places,
)
from napari_beadscope.batch.beads.smoothing import METHODS, smooth_trace
from napari_beadscope.batch.beads.summary import frame_noise, summarise
from napari_beadscope.batch.beads.tables import read_tracks
from napari_beadscope.core.errors import InputError
from napari_beadscope.storage.beads_csv import is_bead_list
from napari_beadscope.storage.tables import TRACKS
from napari_beadscope.testing.scenes import ring_profile
from napari_beadscope.testing.service_chain import Chain


def field(
    places: list[tuple[float, float]], shape: tuple[int, int] = (220, 260), seed: int = 0
) -> np.ndarray:
    """Ring beads at y, x on grey with a little noise."""
    y, x = np.indices(shape)
    image = np.random.default_rng(seed).normal(100, 2, shape)
    for at_y, at_x in places:
        image += ring_profile(np.hypot(y - at_y, x - at_x), 0.0, 48) - 100
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def test_a_bead_that_comes_later_has_one_number_over_chunks_even_after_a_gap(
    tmp_path: Path,
) -> None:
    fixed = [(60.0, 60.0), (150.0, 70.0)]
    frames = []
    for t in range(40):
        late = [(70.0 + 0.1 * t, 180.0)] if 10 <= t < 18 or t >= 30 else []
        other = [(160.0, 190.0 - 0.2 * t)] if t >= 20 else []
        frames.append(field(fixed + late + other, seed=t))
    chain = Chain(tmp_path, np.stack(frames), chunk_frames=10)
    chain.run("find_beads", roi_size_px=48)
    assert chain.facts["find_beads"][0]["beads"] == 2
    chain.run("track_beads", new_beads=True)
    chain.run("link_beads")
    rows = read_tracks(chain.outputs["link_beads"][0])
    seen = rows[rows["reason"] == 0]
    late = seen[np.hypot(seen["y_px"] - 72, seen["x_px"] - 180) < 8]
    other = seen[np.hypot(seen["y_px"] - 160, seen["x_px"] - 186) < 8]
    assert set(late["bead"]) == {2}
    assert set(late["frame"]) == {*range(10, 18), *range(30, 40)}
    assert set(other["bead"]) == {3}
    assert set(seen["bead"]) == {0, 1, 2, 3}


def test_beads_that_come_into_an_empty_field_are_tracked(tmp_path: Path) -> None:
    frames = [field([(90.0, 110.0)] if t >= 10 else [], seed=t) for t in range(20)]
    chain = Chain(tmp_path, np.stack(frames), chunk_frames=5)
    chain.run("find_beads")
    chain.run("track_beads", new_beads=True, roi_size_px=48)
    chain.run("link_beads")
    rows = read_tracks(chain.outputs["link_beads"][0])
    assert rows["frame"].tolist() == list(range(10, 20))
    assert set(rows["bead"]) == {0}
    assert np.abs(rows["y_px"] - 90).max() < 0.1


@pytest.mark.parametrize("by", [7, 40])
def test_a_field_that_jumps_is_followed(tmp_path: Path, by: int) -> None:
    places = [(60.0, 60.0), (150.0, 70.0), (100.0, 150.0)]
    moved = [(y + 3, x + by) for y, x in places]
    frames = [field(places if t < 5 else moved, seed=t) for t in range(10)]
    chain = Chain(tmp_path, np.stack(frames), chunk_frames=5)
    chain.run("find_beads", roi_size_px=48)
    chain.run("track_beads")
    facts = chain.facts["track_beads"][1]
    assert (facts["shift_y_px"], facts["shift_x_px"]) == pytest.approx((3, by), abs=0.3)
    assert facts["trusted"] == 15


def test_numbers_survive_chunks_whatever_order_beads_are_found_in() -> None:
    rng = np.random.default_rng(1)
    truth = rng.uniform(0, 500, (30, 2))
    apart = np.hypot(*(truth[:, np.newaxis] - truth[np.newaxis]).T) + 1e9 * np.eye(30)
    truth = truth[apart.min(axis=1) > 20]
    chunks, owned = [], []
    for _ in range(8):
        who = rng.permutation(len(truth))[: len(truth) - 3]
        places = truth[who] + rng.normal(0, 1, (len(who), 2))
        truth = truth + np.array([2.5, -1.5])  # the field drifts while some are missing
        number = -1 - np.arange(len(who))
        end = truth[who] + rng.normal(0, 1, (len(who), 2))
        order = np.argsort(number)
        chunks.append(Ends(number[order], places[order], end[order]))
        owned.append(dict(zip(number.tolist(), who.tolist())))
    owners: dict[int, set[int]] = {}
    for mapping, who in zip(link_chunks(chunks, max_step_px=9.0), owned):
        assert len(set(mapping.values())) == len(mapping)
        for number, bead in mapping.items():
            owners.setdefault(bead, set()).add(who[number])
    assert all(len(true) == 1 for true in owners.values())
    assert len(owners) == len(truth)


@settings(max_examples=40, deadline=None)
@given(
    shift=st.tuples(st.floats(-40, 40), st.floats(-40, 40)),
    seed=st.integers(0, 2**16),
    lost=st.integers(0, 5),
)
def test_the_shift_of_a_field_is_found(shift: tuple[float, float], seed: int, lost: int) -> None:
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, 1000, (15, 2))
    seen = places[lost:] + shift + rng.normal(0, 0.3, (15 - lost, 2))
    seen = np.concatenate([seen, rng.uniform(0, 1000, (4, 2))])
    found = shift_of(places, rng.permutation(seen), 60.0)
    assert found is not None
    assert np.abs(np.subtract(found, shift)).max() < 1.0


def test_no_shift_is_told_without_evidence() -> None:
    rng = np.random.default_rng(0)
    places = rng.uniform(0, 1000, (12, 2))
    assert shift_of(places, rng.uniform(0, 1000, (12, 2)), 48.0) is None
    assert shift_of(places, np.empty((0, 2)), 48.0) is None


def test_the_bead_table_comes_back_as_it_was(tmp_path: Path) -> None:
    placed = find_places([field([(60.2, 60.9), (150.0, 70.0)])], first=7, size_px=49)
    write_places(tmp_path / "beads.csv", "a", placed)
    again = read_places(tmp_path / "beads.csv")
    assert [one.bead for one in again] == [one.bead for one in placed]
    assert [one.frame for one in again] == [7, 7]
    assert is_bead_list(tmp_path / "beads.csv")
    assert [one.bead for one in places_from_list(tmp_path / "beads.csv", None)] == [
        one.bead for one in placed
    ]
    assert find_places([field([]), field([(60, 60)])], first=7, size_px=48)[0].frame == 8


def test_particles_are_followed_over_chunks(tmp_path: Path) -> None:
    paths = [(60 + 2.0 * t, 60.0 + 0.5 * t) for t in range(30)]
    crossing = [(170 - 2.0 * t, 190.0 - 1.0 * t) for t in range(30)]
    brief = {t: [(40.0, 220.0)] for t in (5,)}
    frames = [field([paths[t], crossing[t], *brief.get(t, [])], seed=t) for t in range(30)]
    chain = Chain(tmp_path, np.stack(frames), chunk_frames=8)
    chain.run("find_particles", roi_size_px=48)
    chain.run("link_particles", max_step_px=5.0)
    rows = read_tracks(chain.outputs["link_particles"][0])
    assert chain.facts["link_particles"][0] == {"particles": 2, "rows": 60, "not_linked": 1}
    for path in (paths, crossing):
        start = np.hypot(rows["y_px"] - path[0][0], rows["x_px"] - path[0][1])
        mine = rows[rows["bead"] == rows["bead"][start.argmin()]]
        assert mine["frame"].tolist() == list(range(30))
        away = np.column_stack([mine["y_px"], mine["x_px"]]) - path
        assert np.abs(away).max() < 0.3
    chain.run("smooth", window_frames=5)
    chain.run("summary")
    assert chain.facts["summary"][0]["beads"] == 2


@pytest.mark.parametrize("method", list(METHODS))
def test_smoothing_takes_noise_away_and_leaves_what_is_slow(method: str) -> None:
    rng = np.random.default_rng(2)
    t = np.arange(2000)
    true = 1e5 + 40 * np.sin(t / 120)
    noisy = true + rng.normal(0, 5, 2000)
    noisy[rng.random(2000) < 0.05] = np.nan
    smooth = smooth_trace(noisy, 21, method=method)
    assert np.isfinite(smooth[1:-1]).all()
    assert np.nanstd(smooth - true) < 0.5 * 5


@pytest.mark.parametrize("method", list(METHODS))
def test_long_gaps_stay_and_nothing_is_extrapolated(method: str) -> None:
    values = np.arange(60.0)
    values[:3] = values[20:40] = values[50:53] = np.nan
    smooth = smooth_trace(values, 9, method=method)
    assert np.isnan(smooth[:3]).all()
    assert np.isnan(smooth[20:40]).sum() >= 12
    assert np.isfinite(smooth[50:53]).all()
    assert smooth[52] == pytest.approx(52, abs=2.5)
    assert np.isnan(smooth_trace(np.full(9, np.nan), 5, method=method)).all()
    assert len(smooth_trace(np.empty(0), 5, method=method)) == 0


def test_smoothing_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(InputError, match="window of 0 frames"):
        smooth_trace(np.zeros(4), 0)
    with pytest.raises(InputError, match="choose local, mean, median"):
        smooth_trace(np.zeros(4), 3, method="wish")
    with pytest.raises(InputError, match="one trace"):
        smooth_trace(np.zeros((4, 2)), 3)


def test_a_summary_tells_noise_from_motion() -> None:
    rng = np.random.default_rng(3)
    rows = np.zeros(4000, TRACKS)
    rows["frame"], rows["bead"] = np.repeat(np.arange(2000), 2), np.tile([4, 9], 2000)
    rows["time_s"] = rows["frame"] * 0.02
    rows["quality"] = 0.9
    slow = 50 * np.sin(rows["frame"] / 300)
    for name in ("x_nm", "y_nm", "z_nm"):
        rows[name] = slow * (rows["bead"] == 9) + rng.normal(0, 2, 4000)
    rows["reason"][10] = 7
    still, moving = summarise(rows, references=frozenset([4]))
    assert (still["bead"], still["reference"], moving["reference"]) == (4, 1, 0)
    assert (still["rows"], still["trusted"], moving["trusted"]) == (2000, 1999, 2000)
    assert still["noise_x_nm"] == pytest.approx(2, rel=0.1)
    assert moving["noise_x_nm"] == pytest.approx(2, rel=0.1)
    assert moving["sd_x_nm"] > 20
    assert still["allan_z_nm"] == pytest.approx(2 / np.sqrt(50), rel=0.4)
    assert still["allan_tau_s"] == pytest.approx(1.0)
    assert np.isnan(frame_noise(np.full(9, np.nan)))
