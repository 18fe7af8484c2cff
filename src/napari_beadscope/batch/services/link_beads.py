"""The steps `link_beads`, `drift` and `profiles`: from chunks to the tables of a position.

Own which rows go into which table. IDs over chunks are given by `batch.beads.link`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from napari_beadscope.batch.service import (
    BatchError,
    Facts,
    Service,
    ServiceSettings,
    Work,
)
from napari_beadscope.batch.services.bead_parts import (
    bead_places,
    load_rows,
    required,
    times_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np


class LinkBeadsSettings(ServiceSettings):
    """How beads of one chunk are recognised in the next."""

    max_step_px: float | None = Field(
        None,
        gt=0,
        description="Farthest that a new bead moves between two chunks, px; none takes a quarter "
        "of the ROI",
    )


class LinkBeads(Service):
    """The tracks of a position: ``position``, then the columns of a recording's tracks.csv."""

    name = "link_beads"
    category = "BEAD_LINK"
    needs = ("find_beads", "track_beads", "lookup_z")
    requires = (("track_beads",),)
    whole = True
    suffix = ".csv"
    uses_times = True
    uses_scale = True
    Settings = LinkBeadsSettings

    def process(self, work: Work, settings: LinkBeadsSettings) -> Facts:
        from napari_beadscope.batch.beads.tables import as_tracks, write_tracks

        paths = required(work, "lookup_z", "track_beads")
        ids = _linked(work, settings.max_step_px)
        times_s, scale = times_of(work), work.position.nm_per_px
        facts: Facts = {"beads": len({bead for one in ids for bead in one.values()}), "trusted": 0}

        def parts() -> Iterator[np.ndarray]:
            for path, mapping in zip(paths, ids, strict=True):
                work.checkpoint()
                rows = as_tracks(load_rows(path), mapping, times_s, scale)
                facts["trusted"] = int(facts["trusted"]) + int((rows["reason"] == 0).sum())
                yield rows

        facts["rows"] = write_tracks(work.output, work.position.name, parts())
        facts["nm_per_px"] = "not known" if scale is None else scale
        return facts


def _linked(work: Work, max_step_px: float | None) -> list[dict[int, int]]:
    """Return the ID of each bead of each chunk; where all were known from the start, their own."""
    import numpy as np

    from napari_beadscope.batch.beads.link import ends_of, link_chunks

    placed, paths = bead_places(work), required(work, "track_beads")
    known = [one.bead.bead for one in placed]
    step = max_step_px or (placed[0].bead.roi.size / 4 if placed else 1.0)
    there = [np.unique(load_rows(path)["bead"]) for path in paths]
    mappings = [{int(bead): int(bead) for bead in one if bead >= 0} for one in there]
    if any((one < 0).any() for one in there):
        linked = link_chunks(
            (ends_of(load_rows(path)) for path in paths), max_step_px=step, known=known
        )
        mappings = [known_ones | new for known_ones, new in zip(mappings, linked, strict=True)]
    return mappings


class DriftSettings(ServiceSettings):
    """Which beads show the drift."""

    references: tuple[int, ...] | dict[str, tuple[int, ...]] = Field(
        (),
        description="IDs of the beads that are stuck, or {position: IDs}; none takes those marked "
        "as reference",
    )
    how: Literal["median", "mean"] = Field("median", description="Of several references")
    max_gap_frames: int = Field(
        10, ge=0, description="Frames without any reference that a straight line bridges"
    )


class Drift(Service):
    """How the field drifts, frame by frame, by reference beads."""

    name = "drift"
    category = "BEAD_LINK"
    needs = ("find_beads", "link_beads")
    requires = (("link_beads",),)
    whole = True
    suffix = ".csv"
    Settings = DriftSettings

    def process(self, work: Work, settings: DriftSettings) -> Facts:
        import numpy as np

        from napari_beadscope.batch.beads.tables import read_tracks, write_drift
        from napari_beadscope.batch.beads.traces import AXES, drift_rows

        rows = read_tracks(required(work, "link_beads")[0])
        references = _references(settings, work.position.name) or marked(work)
        if not references:
            raise BatchError(
                f"no bead of {work.position.name} is marked as a reference",
                "give references in the step drift: the IDs of beads that are stuck",
            )
        missing = sorted(set(references) - set(np.unique(rows["bead"]).tolist()))
        if missing:
            raise BatchError(
                f"{work.position.name} has no bead {missing[0]}, which is to be a reference",
                "see the column bead of its table",
            )
        work.checkpoint()
        drift = drift_rows(rows, references, how=settings.how, max_gap=settings.max_gap_frames)
        write_drift(work.output, work.position.name, drift)
        facts: Facts = {"references": len(references)}
        for axis in AXES:
            seen = drift[axis][np.isfinite(drift[axis])]
            facts[f"span_{axis}"] = round(float(np.ptp(seen)), 5) if len(seen) else 0.0
        return facts


def _references(settings: DriftSettings, position: str) -> tuple[int, ...]:
    given = settings.references
    return given.get(position, ()) if isinstance(given, dict) else given


def marked(work: Work) -> tuple[int, ...]:
    """Return the beads that are marked as references."""
    if not work.inputs.get("find_beads"):
        return ()
    return tuple(one.bead.bead for one in bead_places(work) if one.reference)


class Profiles(Service):
    """The radial profiles of a position: ``position,frame,bead,r0,r1,...``."""

    name = "profiles"
    category = "FINAL_WRITE"
    needs = ("find_beads", "track_beads")
    requires = (("track_beads",),)
    whole = True
    suffix = ".csv"
    Settings = LinkBeadsSettings

    def process(self, work: Work, settings: LinkBeadsSettings) -> Facts:
        from napari_beadscope.batch.beads.tables import write_profiles

        paths = required(work, "track_beads")
        ids = _linked(work, settings.max_step_px)
        return {"rows": write_profiles(work.output, work.position.name, _parts(work, paths, ids))}


def _parts(
    work: Work, paths: tuple[Path, ...], ids: list[dict[int, int]]
) -> Iterator[tuple[np.ndarray, dict[int, int]]]:
    for path, mapping in zip(paths, ids, strict=True):
        work.checkpoint()
        rows = load_rows(path)
        if len(rows) and "profile" not in (rows.dtype.names or ()):
            raise BatchError(
                f"no profiles of {work.position.name} were kept",
                "set profiles: true in the step track_beads",
            )
        if len(rows):
            yield rows, mapping
