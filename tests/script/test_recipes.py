"""Recipes: what is wrong in them, and what they do on a real engine."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import TRACK_ROW
from napari_beadscope.script import Scope
from napari_beadscope.script.checking import ScriptMistake
from napari_beadscope.script.recipes import is_recipe, read_recipe, recipe_mistakes
from napari_beadscope.script.recipes.force import measure
from napari_beadscope.script.recipes.models import ForceClamp
from napari_beadscope.script.recipes.samples import SAMPLES
from napari_beadscope.script.runs import ScriptRun, mistakes_of, run_script
from napari_beadscope.storage import open_recording

pytestmark = pytest.mark.timeout(180)
OPTIONS = {"height_px": 256, "width_px": 256, "beads": 1, "fps": 50}
PATIENCE_S = 90.0


def written(folder: Path, text: str, name: str = "pull.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", SAMPLES)
def test_samples_are_right_with_all_that_is_commented(kind: str, tmp_path: Path) -> None:
    text = SAMPLES[kind]
    assert is_recipe(text)
    assert read_recipe(written(tmp_path, text)).recipe == kind
    head, *lines = text.splitlines()
    all_of_it = "\n".join([head, *(line.removeprefix("# ") for line in lines)])
    assert read_recipe(written(tmp_path, all_of_it)).z_lock == "reference"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1 of x.yaml: 'recipe' is missing: choose force-ramp, force-clamp, "),
        ("recipe: rmp", "line 1 of x.yaml: there is no recipe 'rmp': choose force-ramp"),
        ("recipe: [", "line 1 of x.yaml is not YAML"),
        ("- 1", "x.yaml: does not hold a recipe: begin with 'recipe: KIND'"),
        (
            "recipe: time-lapse\nrecordings: 2\nevery_s: 1\n\nseconds_each: 3\n",
            "line 5 of x.yaml: 'seconds_each': has to be less than every_s, 1 s",
        ),
        (
            "recipe: force-ramp\npositions: [1, x]\nseconds_each: 1\n",
            "line 2 of x.yaml: 'positions.1' cannot be 'x': it is a list in the motor's unit",
        ),
        (
            "recipe: force-ramp\npositions: {start: 0, stop: 1}\nseconds_each: 1\n",
            "line 2 of x.yaml: 'positions.steps' is missing: it is how many positions",
        ),
        (
            "recipe: constant-force\nforces_pn: [9]\nseconds_each: 1\ncalibration: {0: 1, 1: 2}\n",
            "line 2 of x.yaml: 'forces_pn': 9 pN is not within the calibration, 1 to 2 pN",
        ),
        (
            "recipe: constant-force\nforces_pn: [1]\nseconds_each: 1\n"
            "calibration: {0: 1, 1: 2, 2: 1.5}\n",
            "line 4 of x.yaml: 'calibration': needs two or more lines",
        ),
        (
            "recipe: force-ramp\npositions: [1]\nseconds_each: .nan\n",
            "line 3 of x.yaml: 'seconds_each' cannot be nan: it is how long it rests",
        ),
        (
            "recipe: force-ramp\npositions: [1]\nsecond_each: 1\nseconds_each: 1\n",
            "line 3 of x.yaml: a force-ramp has no 'second_each': did you mean 'seconds_each'?",
        ),
    ],
)
def test_a_mistake_is_one_sentence_with_its_line(text: str, told: str, tmp_path: Path) -> None:
    path = written(tmp_path, text, "x.yaml")
    with pytest.raises(ScriptMistake) as caught:
        read_recipe(path)
    assert str(caught.value).startswith(told)
    assert len(recipe_mistakes(path)) == 1


def test_all_mistakes_are_told(tmp_path: Path) -> None:
    text = (
        "recipe: force-ramp\nplaces: [1]\nseconds_each: -3\nseconds_each: -4\n"
        "microscope: {camera: simulated, option: {a: 1}}\n"
    )
    path = written(tmp_path, text)
    mistakes = mistakes_of(text, path)
    found = {one.line: one.what for one in mistakes}
    assert found == {
        1: "'positions' is missing",
        2: "a force-ramp has no 'places'",
        3: "'seconds_each' cannot be -4",
        4: "'seconds_each' is given again, after line 3",
        5: "'microscope' has no 'option'",
    }
    with pytest.raises(InputError, match=r"\(4 more mistakes further down\)"):
        run_script(path, "e")


def test_what_needs_no_hardware_is_told_beforehand(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "class Mine:\n    limits = (0.0, 5.0)\n\n    def __init__(self, port=1):\n"
        "        raise OSError('not connected')\n"
    )
    text = (
        "recipe: force-ramp\nname: a/b\nseconds_each: 1\npositions: [1, 12, -4, 12]\n"
        "microscope:\n  options:\n    beds: 3\n    fps: -1\n  motors:\n"
        f"    magnet: {{id: '{tmp_path}/mine.py:Mine', options: {{prot: 2}}}}\n"
        "    stage: {id: no-such}\n"
    )
    path = written(tmp_path, text)
    found = {one.line: f"{one.what}: {one.remedy}" for one in recipe_mistakes(path)}
    assert list(found) == [2, 4, 7, 8, 10, 11]
    assert found[2] == "'a/b' cannot be a recording's name: leave out / and \\"
    assert found[4] == "'positions': the magnet motor cannot go to 12, -4: stay within 0 to 5"
    assert found[7] == "'microscope.options' has no 'beds': did you mean 'beads'?"
    assert found[8].startswith("'microscope.options.fps' cannot be -1: ")
    assert found[10].endswith("magnet.options' has no 'prot': did you mean 'port'?")
    assert found[11].startswith("there is no motor 'no-such': choose from ")
    text = (
        "recipe: constant-force\nforces_pn: [1, 9]\nseconds_each: 1\n"
        "calibration: {0: 1, 20: 9}\n"
        "microscope: {motors: {magnet: {id: simulated-magnet, options: {high: 19}}}}\n"
    )
    (one,) = recipe_mistakes(written(tmp_path, text))
    assert one.what == "'forces_pn': the magnet motor cannot go to 20"
    assert recipe_mistakes(written(tmp_path, text.replace("19}", "20}"))) == ()


def test_a_ramp_there_and_back(tmp_path: Path) -> None:
    text = (
        "recipe: force-ramp\nseconds_each: 1\nthere_and_back: true\n"
        "positions: {start: 0, stop: 2, steps: 3}\n"
    )
    recipe = read_recipe(written(tmp_path, text))
    assert recipe.targets == [0.0, 1.0, 2.0, 1.0, 0.0]  # type: ignore[attr-defined]


def test_the_measured_force_is_that_of_the_motion() -> None:
    rows = np.zeros(20_000, TRACK_ROW)
    draw = np.random.default_rng(0)
    rows["time_ns"] = np.arange(10_000).repeat(2) * 5_000_000
    rows["bead"] = np.tile([0, 1], 10_000)
    rows["y_px"] = draw.normal(0, 0.8, 20_000) + rows["time_ns"] * 1e-10  # 80 nm, and drift
    rows["y_px"][::50] = np.nan
    recipe = ForceClamp(
        recipe="force-clamp", force_pn=1, seconds=1, length_nm=1000, axis="y", units_per_e=1,
        max_step=1, temperature_k=298,
    )  # fmt: skip
    force, error = measure(rows, (0, 1), 100.0, recipe)
    assert force == pytest.approx(0.0138065 * 298 * 1000 / 80**2, rel=0.03)
    assert 0.005 < error < 0.03


# --- on an engine -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine() -> Iterator[Scope]:
    """A live engine with a bead and a magnet."""
    with Scope("simulated", options=OPTIONS, settings={"engine.ring_mb": 16}) as scope:
        scope.add_hardware("magnet", "simulated-magnet", speed=20.0)
        scope.start_live()
        scope.newest_frame()
        scope.find_beads()
        scope.set_xy_lock()  # starts the process that holds it
        scope.set_xy_lock(False)
        yield scope


@pytest.fixture
def start(engine: Scope, tmp_path: Path) -> Iterator[Callable[[str], ScriptRun]]:
    """Start a recipe with this text; end it with the test."""
    runs: list[ScriptRun] = []

    def run(text: str) -> ScriptRun:
        path = written(tmp_path, f"{text}folder: {tmp_path}\n", f"r{len(runs)}.yaml")
        runs.append(run_script(path, engine.engine.engine_id))
        return runs[-1]

    yield run
    for one in runs:
        one.stop()
        one.wait(PATIENCE_S)
    engine.move("magnet", 0.0)


def steps_of(folder: Path) -> list[dict[str, float]]:
    with (folder / "steps.csv").open(encoding="utf-8") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def test_a_force_ramp_records_all_steps_and_comes_back(
    start: Callable, engine: Scope, tmp_path: Path
) -> None:
    run = start(
        "recipe: force-ramp\npositions: [1, 3]\nseconds_each: 0.5\nsettle_s: 0.1\n"
        "xy_lock: true\nname: up\nnote: a slide\n"
    )
    record = run.wait(PATIENCE_S)
    assert (record.state, record.error) == ("finished", ""), run.read()
    said = run.read().splitlines()
    assert said[1:] == ["step 1 of 2: magnet at 1", "step 2 of 2: magnet at 3"]
    assert run.progress.text == "done"
    (folder,) = tmp_path.glob("*_up")
    recording = open_recording(folder)
    assert recording.manifest.state == "complete"
    assert any("a slide" in note for note in recording.manifest.notes)
    first, second = steps_of(folder)
    assert (first["target"], second["target"]) == (1, 3)
    assert first["ended_s"] - first["began_s"] >= 0.5
    assert second["began_s"] > first["ended_s"]
    times = recording.times_s
    inside = (times > second["began_s"]) & (times < second["ended_s"])
    assert np.count_nonzero(inside) > 5  # the times are those of the recording
    assert engine.motor_positions()["magnet"] == pytest.approx(0.0, abs=1e-6)
    engine.wait_for(lambda it: it.locks.xy is None, PATIENCE_S)


def test_a_series_and_a_time_lapse_make_a_recording_each(
    start: Callable, engine: Scope, tmp_path: Path
) -> None:
    run = start(
        "recipe: constant-force\nforces_pn: [1, 2]\nseconds_each: 0.3\nsettle_s: 0\n"
        "calibration: {0: 1, 4: 4}\nback: false\n"
    )
    assert run.wait(PATIENCE_S).state == "finished", run.read()
    assert engine.motor_positions()["magnet"] == pytest.approx(2.0, abs=1e-6)
    for force, at in ((1, 0), (2, 2)):
        (folder,) = tmp_path.glob(f"*_constant-force-{force}pN")
        (step,) = steps_of(folder)
        assert (step["target"], step["force_pn"]) == (at, force)
    run = start("recipe: time-lapse\nrecordings: 2\nevery_s: 1\nseconds_each: 0.2\n")
    assert run.wait(PATIENCE_S).state == "finished", run.read()
    lapse = [open_recording(path) for path in tmp_path.glob("*_time-lapse-000*")]
    assert [len(one.frame_numbers) > 0 for one in lapse] == [True, True]


def test_a_clamp_raises_the_force_to_what_is_wanted(
    start: Callable, engine: Scope, tmp_path: Path
) -> None:
    run = start(
        "recipe: force-clamp\nforce_pn: 20\nseconds: 12\nwindow_s: 6\nlength_nm: 900\n"
        "units_per_e: 2.5\nmax_step: 1\nsettle_s: 0\nback: false\n"
    )
    assert run.wait(PATIENCE_S).state == "finished", run.read()
    (folder,) = tmp_path.glob("*_force-clamp")
    first, second = steps_of(folder)
    assert 0.1 < first["force_pn"] < 3  # it is 0.5 pN
    assert (first["target"], second["target"]) == (0, 1)  # by one step, in the right direction


def test_what_cannot_be_reached_is_refused_before_anything_moves(
    start: Callable, engine: Scope, tmp_path: Path
) -> None:
    record = start("recipe: force-ramp\npositions: [1, 3000]\nseconds_each: 1\n").wait(PATIENCE_S)
    assert record.state == "failed"
    assert record.error.startswith("3000 mm is beyond the magnet motor's limits: stay within")
    record = start("recipe: force-ramp\npositions: [1]\nseconds_each: 1\nmotor: pump\n").wait(
        PATIENCE_S
    )
    assert record.error == "there is no motor named 'pump': known motors: magnet"
    assert engine.motor_positions()["magnet"] == 0.0
    assert not list(tmp_path.glob("*_force-ramp"))


def test_a_recording_that_is_on_is_left_alone(
    start: Callable, engine: Scope, tmp_path: Path
) -> None:
    folder = engine.start_recording(tmp_path / "mine", "full")
    record = start("recipe: force-ramp\npositions: [1]\nseconds_each: 1\n").wait(PATIENCE_S)
    assert record.error == f"a recording into {folder} is on: stop that one first"
    assert engine.motor_positions()["magnet"] == 0.0
    assert engine.status().recording == str(folder)
    engine.stop_recording()


def test_a_recipe_that_is_stopped_ends_its_recording(
    start: Callable, engine: Scope, tmp_path: Path
) -> None:
    run = start("recipe: force-ramp\npositions: [0.5]\nseconds_each: 600\nxy_lock: true\n")
    engine.wait_for("recording", PATIENCE_S)
    run.stop()
    record = run.wait(PATIENCE_S)
    assert record.state == "stopped"
    assert "the XY-lock was switched off" in record.rested
    (folder,) = tmp_path.glob("*_force-ramp")
    engine.wait_for("not recording", PATIENCE_S)
    assert open_recording(folder).manifest.state == "complete"


def test_a_recording_that_somebody_ends_ends_the_recipe(start: Callable, engine: Scope) -> None:
    run = start("recipe: force-ramp\npositions: [0.5]\nseconds_each: 600\n")
    engine.wait_for("recording", PATIENCE_S)
    engine.stop_recording()
    record = run.wait(PATIENCE_S)
    assert record.state == "failed"
    assert record.error.startswith("somebody has ended the recording in ")
