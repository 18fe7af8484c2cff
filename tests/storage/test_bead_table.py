"""Tables of beads with annotations, and plain lists of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.types import Annotation, Bead, Roi
from napari_beadscope.storage.bead_table import read_bead_table, write_bead_table
from napari_beadscope.storage.beads_csv import BeadPoint, read_beads, write_beads

POINTS = (BeadPoint(4, 17.5, 27.5), BeadPoint(7, 47.0, 37.25))
SAID = {7: Annotation("a,\nb", False, "µ", True)}


def test_a_table_comes_back_and_serves_as_a_list(tmp_path: Path) -> None:
    path = tmp_path / "beads.csv"
    write_bead_table(path, POINTS, (16, 16), 72.5, SAID)
    table = read_bead_table(path)
    assert (table.points, table.sizes_px, table.nm_per_px) == (POINTS, (16, 16), 72.5)
    assert table.annotations == SAID
    assert read_beads(path, 16)[0] == Bead(4, Roi(10, 20, 16))


def test_a_plain_list_has_no_sizes(tmp_path: Path) -> None:
    write_beads(tmp_path / "b.csv", [Bead(4, Roi(10, 20, 16))])
    table = read_bead_table(tmp_path / "b.csv")
    assert (table.points, table.sizes_px) == ((BeadPoint(4, 17.5, 27.5),), (0,))
    assert (table.nm_per_px, table.annotations) == (0, {})


def test_what_is_not_known_stays_empty(tmp_path: Path) -> None:
    write_bead_table(tmp_path / "b.csv", POINTS, (0, 0), 0.0, {})
    assert read_bead_table(tmp_path / "b.csv").sizes_px == (0, 0)


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    path = tmp_path / "b.csv"
    path.write_text("bead,y_px,x_px,roi_size_px\n1,2,3,large\n")
    with pytest.raises(InputError, match="line 2, column 'roi_size_px': 'large'"):
        read_bead_table(path)
    with pytest.raises(StorageError, match="cannot write"):
        write_bead_table(tmp_path / "no" / "b.csv", POINTS, (0, 0), 0.0, {})
