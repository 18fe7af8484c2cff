"""Plans: what they come to, and that all mistakes are told at once with their lines."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image

from napari_beadscope.batch.discovery import discover
from napari_beadscope.batch.naming import distinct_stems
from napari_beadscope.batch.plan import InputItem, Plan, Sample, Workers
from napari_beadscope.batch.plan_file import VARIABLES, PlanError, make_plan, with_workers
from napari_beadscope.batch.plan_inputs import find_inputs
from napari_beadscope.batch.plan_text import plan_text
from napari_beadscope.batch.planning import open_plan, resolve_plan
from napari_beadscope.batch.sources import FORMATS
from napari_beadscope.core.errors import InputError
from napari_beadscope.core.settings import describe
from napari_beadscope.core.settings_fields import Section
from napari_beadscope.storage.yaml_file import write_yaml

SERVICE = """
from pydantic import Field
from napari_beadscope.batch.service import Service, ServiceSettings
from napari_beadscope.batch.sources import FORMATS
from napari_beadscope.core.errors import InputError
from napari_beadscope.core.settings import describe
from napari_beadscope.core.settings_fields import Section

class Settings(ServiceSettings):
    radius: float = Field(3.0, gt=0, le=50, description="Radius, px")
    mode: str = Field("mean", description="Mode")

class Timed(Service):
    name, uses_times, Settings = "timed", True, Settings
    def process(self, work, settings):
        return {}

class Blur(Service):
    name, Settings = "blur", Settings
    def channels(self, plan_channels, settings):
        if "phase" not in plan_channels:
            raise InputError("there is no phase channel", "give channels: {phase: NUMBER}")
        return plan_channels["phase"]
    def process(self, work, settings):
        return {}

class After(Service):
    name, needs = "after", ("blur",)
    def process(self, work, settings):
        return {}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file of two positions, one without times, and services of one's own."""
    (tmp_path / "own.py").write_text(SERVICE)
    data = np.zeros((10, 2, 64, 64), np.uint16)
    with tifffile.TiffWriter(tmp_path / "cells.ome.tif", ome=True) as writer:
        for _ in range(2):
            writer.write(
                data,
                photometric="minisblack",
                metadata={
                    "axes": "TCYX",
                    "Channel": {"Name": ["Phase", "GFP"]},
                    "TimeIncrement": 300.0,
                },
            )
    (tmp_path / "more").mkdir()
    tifffile.imwrite(tmp_path / "more" / "cells.tif", data[:, 0], metadata={"axes": "TYX"})
    return tmp_path


def _plan(folder: Path, text: str) -> Path:
    path = folder / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    return path


GOOD = """\
inputs:
  - cells.ome.tif
  - {path: more/*.tif, frames: 2-6, sample: treated, frame_interval_s: 60}
channels: {phase: 0}
steps:
  - own.py:Blur: {radius: 5}
  - own.py:Timed
output: out
chunk_frames: 4
nm_per_px: 65
samples: [{name: control, fovs: "0-1"}]
"""


def test_what_a_plan_comes_to(folder: Path) -> None:
    batch = open_plan(_plan(folder, GOOD))
    stem = f"{folder.name}_cells"  # as the other file has the same name
    names = [one.name for one in batch.positions]
    assert names == [f"{stem}_p000", f"{stem}_p001", "more_cells"]
    first, _, last = batch.positions
    assert first.chunks == ((0, 4), (4, 8), (8, 10))
    assert last.chunks == ((2, 6), (6, 7))
    assert (first.sample, last.sample) == ("control", "treated")
    assert first.info.times_s == tuple(300.0 * k for k in range(10))
    assert last.info.times_s == tuple(60.0 * k for k in range(10))
    assert {one.info.nm_per_px for one in batch.positions} == {65.0}
    assert first.channels == {"phase": (0,)}
    assert [step.name for step in batch.steps] == ["blur", "timed"]
    assert batch.steps[0].settings.model_dump() == {"radius": 5.0, "mode": "mean"}
    assert batch.output == folder / "out"
    assert not batch.output.exists()


def test_a_resolved_plan_comes_to_the_same_from_anywhere(folder: Path, tmp_path: Path) -> None:
    batch = open_plan(_plan(folder, GOOD))
    elsewhere = tmp_path / "elsewhere" / "plan.yaml"
    write_yaml(elsewhere, batch.plan.to_dict())
    again = open_plan(elsewhere)
    assert again.positions == batch.positions
    assert again.output == batch.output
    assert [step.settings for step in again.steps] == [step.settings for step in batch.steps]
    assert again.plan == batch.plan


def test_channels_by_name_and_positions_by_number(folder: Path) -> None:
    text = """\
inputs: {path: cells.ome.tif, position: 1}
channels: {phase: phase, fluorescence: [GFP]}
steps: own.py:Blur
output: out
"""
    (position,) = open_plan(_plan(folder, text)).positions
    assert (position.name, position.info.index) == ("cells_p001", 1)
    assert position.channels == {"phase": (0,), "fluorescence": (1,)}


def _mistakes(path: Path) -> list[str]:
    with pytest.raises(PlanError) as told:
        open_plan(path)
    for sentence in told.value.mistakes:
        assert sentence in str(told.value) or len(told.value.mistakes) == 1
    return list(told.value.mistakes)


def test_all_mistakes_in_the_fields_are_told_at_once_with_their_lines(folder: Path) -> None:
    text = """\
inputs:
  - {path: cells.ome.tif, positions: 3-1}
  - {pathh: cells.ome.tif}
stepps: [segment]
steps: []
chunk_frames: many
workers:
  cpu: 0
  unit_timeout_s: -1
"""
    told = "\n".join(_mistakes(_plan(folder, text)))
    for line, words in (
        (2, r"'inputs\[0\]\.positions': the range '3-1' ends before it begins"),
        (3, r"no 'inputs\[1\]\.pathh': did you mean 'path'\?"),
        (4, "no 'stepps': did you mean 'steps'"),
        (5, "'steps' has nothing in it"),
        (6, "'chunk_frames' cannot be 'many': allowed is 1 to 1000000 frames, or none"),
        (8, r"'workers\.cpu' cannot be 0: allowed is 1 to 1024 processes"),
        (9, r"'workers\.unit_timeout_s' cannot be -1"),
        (1, "'output' is missing"),
    ):
        assert re.search(f"line {line}: .*{words}", told), told


def test_all_that_does_not_fit_is_told_at_once(folder: Path) -> None:
    text = """\
inputs:
  - {path: cells.ome.tif, positions: "0,5"}
  - {path: more/cells.tif, frames: 5-50}
  - none.tif
  - "*.czi"
channels: {phase: 7, fluorescences: 1}
steps:
  - segmnt
  - own.py:After
  - own.py:Blur: {radius: 60, mod: mean}
  - own.py:Timed
output: own.py
samples: [{name: a, fovs: 9}]
"""
    told = "\n".join(_mistakes(_plan(folder, text)))
    for line, words in (
        (2, r"'inputs\[0\]': .*cells.ome.tif has no position 5: the last is 1"),
        (3, r"'inputs\[1\].frames' are 5-50, but position cells .* has 10 frames"),
        (4, r"'inputs\[2\]': there is nothing at .*none.tif"),
        (5, r"'inputs\[3\]': nothing matches \*.czi"),
        (6, "'channels.phase' is 7, which .*cells.tif does not have: its channels are 0"),
        (6, "there is no role 'fluorescences': did you mean 'fluorescence'"),
        (8, r"'steps\[0\]': no service is called 'segmnt'"),
        (10, r"'steps\[2\]\.radius' cannot be 60"),
        (10, r"no 'steps\[2\]\.mod': did you mean 'mode'"),
        (1, "when the frames of .*cells.tif were taken, which step 'timed' needs"),
        (12, "'output' .*own.py is a file"),
        (13, "sample 'a' has position 9, but there are 1"),
    ):
        assert re.search(f"line {line}: .*{words}", told), (words, told)
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "'inputs' is missing"),
        ("- a", "does not hold a plan: begin with a section such as 'inputs:'"),
        ("inputs: [", "line 1 is not valid YAML"),
        ("inputs:\n  - *.tif\n", 'patterns need quotes, such as "*.tif"'),
        ("inputs: a\ninputs: b\noutput: o\nsteps: a\n", "'inputs' is given again"),
    ],
)
def test_a_file_that_is_no_plan(text: str, words: str, folder: Path) -> None:
    assert words in "\n".join(_mistakes(_plan(folder, text)))
    with pytest.raises(PlanError, match=r"there is no file .*none\.yaml"):
        open_plan(folder / "none.yaml")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": ["own.py:After", "own.py:Blur"]}, "'after' comes before 'blur'"),
        ({"steps": ["own.py:Blur", {"own.py:Blur": {"radius": 1}}]}, "'blur' is there twice"),
        ({"channels": {}}, "there is no phase channel: give channels"),
        ({"inputs": ["cells.ome.tif", "cells.*"]}, "position 0 of .* is there twice"),
        ({"samples": {"a": "0-1", "b": 1}}, "position 1 is in the samples 'a' and 'b'"),
        ({"steps": ["own.py:Timed"], "inputs": "more/cells.tif"}, "give 'frame_interval_s'"),
        ({"steps": ["own.py:Nothing"]}, "is not a service"),
    ],
)
def test_what_does_not_fit_together(change: dict[str, object], words: str, folder: Path) -> None:
    data = {
        "inputs": "cells.ome.tif", "channels": {"phase": 0}, "steps": ["own.py:Blur"],
        "output": "out",
    }  # fmt: skip
    if "inputs" in change:
        data["channels"] = {}
    with pytest.raises(PlanError, match=words):
        resolve_plan(make_plan({**data, **change}), folder)


def test_files_in_settings_are_relative_to_the_plan(folder: Path) -> None:
    data = {
        "inputs": {"path": "cells.ome.tif"}, "channels": {"phase": 0, "fluorescence": 1},
        "steps": ["segment", {"correct": {"flat_field": "flat.tif", "dark": 100}}], "output": "o",
    }  # fmt: skip
    batch = resolve_plan(make_plan(data), folder)
    step = batch.steps[1]
    assert step.service.files(step.settings) == (folder / "flat.tif",)


def test_results_are_not_written_into_an_input(folder: Path) -> None:
    images = folder / "images"
    images.mkdir()
    for k in range(2):
        tifffile.imwrite(images / f"a{k}.tif", np.zeros((64, 64), np.uint8))
    plan = make_plan({"inputs": "images", "steps": ["own.py:After"], "output": "images/out"})
    with pytest.raises(PlanError, match="is inside the input"):
        resolve_plan(plan, folder)


def _small(**more: object) -> Plan:
    return make_plan({"inputs": "a.tif", "steps": ["a"], "output": "o", **more})


def test_workers_are_the_plans_then_the_environments_then_the_command_lines() -> None:
    plan = _small(workers={"cpu": 2, "readers": 3, "max_cpu_backlog": 9})
    environment = {"BEADSCOPE_NUM_CPU_WORKERS": "4", "BEADSCOPE_NUM_VIDEO_READERS": "5"}
    workers = with_workers(plan, environment, cpu=6, gpu=None).workers
    assert (workers.cpu, workers.readers, workers.max_cpu_backlog) == (6, 5, 9)
    assert with_workers(plan, {}).workers == plan.workers
    every = with_workers(plan, dict.fromkeys(VARIABLES, "7")).workers
    assert [getattr(every, field) for field in VARIABLES.values()] == [7] * 7


@pytest.mark.parametrize(
    ("environment", "given", "words"),
    [
        (
            {"BEADSCOPE_NUM_CPU_WORKERS": "many"},
            {},
            "BEADSCOPE_NUM_CPU_WORKERS: 'workers.cpu' cannot be 'many': allowed is 1 to 1024",
        ),
        ({}, {"cpu": 0}, "--workers: 'workers.cpu' cannot be 0"),
        (
            {"BEADSCOPE_QUEUE_HARD_LIMIT": "5"},
            {},
            "queue_hard_limit 5 is below queue_soft_limit 1024",
        ),
    ],
)
def test_workers_that_cannot_be(
    environment: dict[str, str], given: dict[str, int], words: str
) -> None:
    with pytest.raises(PlanError, match=re.escape(words)):
        with_workers(_small(), environment, **given)


def test_names_of_positions_never_meet() -> None:
    paths = [Path("/d/mon/A.tif"), Path("/d/tue/a.tif"), Path("/e/tue/a.tif"), Path("/d/b.tif")]
    stems = distinct_stems(paths)
    assert len({stem.lower() for stem in stems}) == 4
    assert stems[3] == "b"
    alike = [Path("/x y/a.tif"), Path("/x_y/a.tif")]
    assert len(set(distinct_stems(alike))) == 2


def test_a_plan_for_what_is_found_can_be_run_as_it_is_and_with_all_comments_taken_away(
    folder: Path,
) -> None:
    (folder / "more" / "broken.tif").write_bytes(b"II*\0")
    (folder / "results").mkdir()
    (folder / "results" / "journal.sqlite").touch()
    tifffile.imwrite(folder / "results" / "mask.tif", np.zeros((9, 64, 64), np.uint8))
    (folder / "own.py").unlink()
    paths = discover(folder)
    assert [path.name for path in paths] == ["cells.ome.tif", "broken.tif", "cells.tif"]
    wrong: list[str] = []
    plan = make_plan({"inputs": [str(path) for path in paths], "steps": "x", "output": "out"})
    found = find_inputs(plan.inputs, folder, lambda place, what, remedy="": wrong.append(what))
    assert len(wrong) == 1
    text = plan_text(found, "beads", "out dir", wrong, ["find_beads"])
    assert "broken.tif" in text
    assert "# frame_interval_s" in text
    batch = open_plan(_plan(folder, text))
    assert [one.info.path.name for one in batch.positions] == [
        "cells.ome.tif", "cells.ome.tif", "cells.tif",
    ]  # fmt: skip
    assert batch.output == folder / "out dir"
    uncommented = re.sub(r"^( *)# (  )?(\w+:)", r"\1\2\3", text, flags=re.MULTILINE)
    uncommented = uncommented.replace("found 3", "# found 3").replace("\nfound", "\n# found")
    uncommented = re.sub(r"^(frame_interval_s:).*", r"\1 5", uncommented, flags=re.MULTILINE)
    uncommented = re.sub(r"^( *(left out|for cells|also|\d):?)", r"# \1", uncommented, flags=re.M)
    uncommented = uncommented.replace("fovs: '0-3,5'", "fovs: '0-2'")
    data = yaml.safe_load(uncommented)
    assert data["workers"]["cpu"] is None
    assert data["samples"]
    assert open_plan(_plan(folder, uncommented)).positions[0].info.times_s is not None


@pytest.mark.parametrize("model", [Plan, InputItem, Sample, Workers])
def test_every_field_is_in_the_reference(model: type[Section]) -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "batch-plan.md"
    lines = page.read_text(encoding="utf-8").splitlines()
    for row in describe(model):
        if "." not in row.name:
            cells = f"| `{row.name}` | {row.unit} | {row.range} | "
            assert [line for line in lines if line.startswith(cells) and row.description in line]


def test_plans_in_the_documentation_are_plans() -> None:
    pages = (Path(__file__).parents[2] / "docs").rglob("*batch*.md")
    blocks = [
        block
        for page in pages
        for block in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        if "steps:" in block and "inputs:" in block
    ]
    assert len(blocks) >= 3
    for block in blocks:
        make_plan(yaml.safe_load(block))


def test_every_variable_and_every_ending_is_in_the_reference() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "batch-plan.md"
    text = page.read_text(encoding="utf-8")
    assert [name for name in VARIABLES if f"`{name}`" not in text] == []
    endings = [ending for one in FORMATS if not one.folders for ending in one.endings]
    spoken = [ending for ending in endings if ending not in (".nd2", ".czi", ".lif")]
    assert [ending for ending in spoken if f"`{ending}`" not in text] == []


def test_pictures_beside_stacks_are_no_recordings(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((5, 64, 64), np.uint8))
    tifffile.imwrite(tmp_path / "a_snap.tif", np.zeros((64, 64), np.uint8))
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "a.png")
    assert [path.name for path in discover(tmp_path)] == ["a_snap.tif", "b.tif"]


def test_channels_that_files_lack_are_told_once_and_nothing_follows_from_them(
    folder: Path,
) -> None:
    steps = ["segment", {"correct": {"dark": 100}}, "track", "extract"]
    data = {
        "inputs": ["cells.ome.tif", "more/cells.tif"], "steps": steps, "output": "out",
        "channels": {"phase": 7, "fluorescence": "RFP"}, "frame_interval_s": 60,
    }  # fmt: skip
    with pytest.raises(PlanError) as error:
        resolve_plan(make_plan(data), folder)
    told = error.value.mistakes
    assert len(told) == 2
    assert re.search(r"'channels.phase' is 7, which .* does not have, nor do 2 more", told[0])
    assert "'channels.fluorescence' is 'RFP'" in told[1]


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (["track"], ["step 'track' works on what 'segment' has made"]),
        (["segment", "extract"], ["step 'extract' works on what 'track' has made"]),
        (["segments", "track", "extract"], ["no service is called 'segments'"]),
        ([{"segment": {"neck": 7}}, "track"], ["cannot be 7"]),
    ],
)
def test_steps_that_lack_others_are_refused_and_mistyped_ones_are_told_alone(
    steps: list[object], told: list[str], folder: Path
) -> None:
    data = {
        "inputs": "cells.ome.tif", "steps": steps, "output": "out", "channels": {"phase": 0},
    }  # fmt: skip
    with pytest.raises(PlanError) as error:
        resolve_plan(make_plan(data), folder)
    assert len(error.value.mistakes) == len(told)
    assert all(words in one for words, one in zip(told, error.value.mistakes))


def test_a_folder_with_nothing_in_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is nothing to process in"):
        discover(tmp_path)


def test_names_that_cannot_be_written_are_mistakes(folder: Path) -> None:
    shutil.copy(folder / "more" / "cells.tif", os.fsdecode(os.fsencode(folder) + b"/a\xff.tif"))
    data = {
        "inputs": ["a*.tif"],
        "channels": {"phase": 0},
        "output": "o\0",
        "steps": ["own.py:Blur"],
    }
    with pytest.raises(PlanError) as caught:
        resolve_plan(make_plan(data), folder)
    told = str(caught.value)
    assert "bytes that are no UTF-8: rename it" in told
    assert "'output' cannot be" in told
    told.encode()
