"""Services in a script, without a run; and the step `copy`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_beadscope.batch.service import BatchError
from napari_beadscope.batch.services import open_service, service_names
from napari_beadscope.batch.source import open_source
from napari_beadscope.core.errors import InputError

from .conftest import SERVICES, Case, pixels

CHANNELS = {"phase": (0,), "fluorescence": (1,)}


def test_a_service_in_a_script_makes_what_a_run_makes(case: Case) -> None:
    case.run()
    with open_source(case.folder / "cells1.tif") as source:
        sums = open_service(f"{SERVICES}:Sums").process_position(
            source, 0, case.folder / "here", plan_channels=CHANNELS, chunk_frames=4
        )
        running = open_service(f"{SERVICES}:Running").process_position(
            source, 0, case.folder / "here", chunk_frames=4, inputs={"sums": sums}
        )
        tables = open_service(f"{SERVICES}:Table").process_positions(
            source, None, case.folder / "here", inputs={"sums": sums, "running": running}
        )
    outputs = case.outputs()
    for path in (*sums, *running, *tables["cells1"]):
        name = path.relative_to(case.folder / "here").as_posix()
        assert path.read_bytes() == outputs[f"positions/{name}"]


def test_a_failing_position_is_told_at_the_end(case: Case) -> None:
    service = open_service(f"{SERVICES}:Sums")
    with (
        open_source(case.folder / "cells1.tif") as source,
        pytest.raises(BatchError, match=r"sums failed for 1 of 2 positions: position 7"),
    ):
        service.process_positions(source, [7, 0], case.folder / "a", plan_channels=CHANNELS)
    assert [path.name for path in (case.folder / "a").rglob("*.npy")] == ["000000-000011.npy"]


def test_copy_is_the_same_movie(case: Case) -> None:
    copy = open_service("copy")
    with open_source(case.folder / "cells2.tif") as source:
        (path,) = copy.process_position(source, 0, case.folder / "a", plan_channels=CHANNELS)
        (same,) = copy.process_position(source, 0, case.folder / "b", plan_channels=CHANNELS)
    assert path.read_bytes() == same.read_bytes()
    np.testing.assert_array_equal(tifffile.imread(path), pixels(2))
    with open_source(path) as source:
        (info,) = source.positions()
        assert (info.frames, len(info.channels)) == (12, 2)
        np.testing.assert_array_equal(source.read(0, 1, 3, 7), pixels(2)[3:7, 1])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("segmant", "no service is called 'segmant'"),
        ("nothing.py:Here", "there is no file"),
        (f"{SERVICES}:Own", "no subclass 'Own'"),
    ],
)
def test_services_that_are_none_are_told(name: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        open_service(name, Path())


@pytest.mark.parametrize("name", service_names())
def test_every_service_of_ours_can_be_opened_and_describes_its_settings(name: str) -> None:
    service = open_service(name)
    assert service.name == name
    assert service.version >= 1
    for field in service.Settings.model_fields.values():
        assert field.description
    assert service.Settings.model_config.get("extra") == "forbid"
