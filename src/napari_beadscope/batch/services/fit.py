"""The step `fit`: a curve through every trace of a position.

Owns which step's table is fitted. Curves are in `analysis.fits`, tables of fits in
`batch.fitting`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from napari_beadscope.batch.service import BatchError, Facts, Service, ServiceSettings, Work
from napari_beadscope.core.errors import InputError

if TYPE_CHECKING:
    from napari_beadscope.analysis.fit_models import FitModel

_TABLES = ("extract", "smooth", "link_beads", "link_particles")


class FitSettings(ServiceSettings):
    """Which curve, through what."""

    model: str = Field(
        description="exponential, growth, maturation, worm-like-chain, or FILE.py:NAME"
    )
    y: str = Field("", description="Column that is fitted; none takes the curve's own")
    x: str = Field("", description="Column against which; none takes the curve's own")
    table: Literal["", "extract", "smooth", "link_beads", "link_particles"] = Field(
        "", description="Step whose table it is; none takes the first that has the columns"
    )
    fix: dict[str, float] = Field({}, description="Values of parameters that are kept")
    free: tuple[str, ...] = Field((), description="Parameters that are found, though fixed else")
    bounds: dict[str, tuple[float, float]] = Field(
        {}, description="Least and greatest values of parameters"
    )

    @model_validator(mode="after")
    def _curve(self) -> Self:
        try:
            model = self.curve()
        except InputError as error:
            raise ValueError(str(error)) from None
        if not (self.y or model.y):
            raise ValueError(f"the curve {model.name} suits any column: say which with 'y'")
        return self

    def curve(self) -> FitModel:
        """Return the curve with its parameters as set here."""
        from napari_beadscope.analysis.fits import adjusted, find_model

        return adjusted(find_model(self.model), self.fix, self.free, self.bounds)


class Fit(Service):
    """Writes one row for each cell, bead or particle: values, errors, R², and why not to trust."""

    name = "fit"
    category = "SUMMARY"
    needs = _TABLES
    whole = True
    suffix = ".csv"
    Settings = FitSettings

    def files(self, settings: FitSettings) -> tuple[Path, ...]:
        file, _, name = settings.model.rpartition(":")
        return (Path(file).expanduser(),) if file.endswith(".py") and name else ()

    def process(self, work: Work, settings: FitSettings) -> Facts:
        from napari_beadscope.batch.fitting import (
            Series,
            fit_traces,
            read_traces,
            summary,
            write_fits,
        )
        from napari_beadscope.batch.flags import kind_of
        from napari_beadscope.batch.tables import columns_of

        model = settings.curve()
        x, y = settings.x or model.x, settings.y or model.y
        steps = (settings.table,) if settings.table else _TABLES
        tables = {step: work.inputs[step] for step in steps if work.inputs.get(step)}
        suited = [some for some in tables.values() if {x, y} <= set(columns_of(some[0]))]
        if not suited:
            known = ", ".join(tables) or "none"
            raise BatchError(
                f"no table that the step 'fit' can read has the columns '{x}' and '{y}'",
                f"there is {known}; put 'fit' after a step that writes them, or set x and y",
            )
        series = Series(suited[0][0], x, y, kind_of(columns_of(suited[0][0])))
        traces = list(read_traces(series, suited[0], empty=True))
        fits = fit_traces(traces, model, lambda done: work.checkpoint())
        write_fits(work.output, series, model, traces, fits)
        told = summary(model, fits)
        facts: Facts = {"traces": told["traces"], "trusted": told["trusted"]}
        for name, spread in told["values"].items():
            facts[f"median_{name}"] = float(f"{spread['median']:.6g}")
        return facts
