"""The report's words and layout. Must not know files but through what it is given."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from html import escape

from napari_beadscope import __version__
from napari_beadscope.batch.flags import Flag, Thing
from napari_beadscope.batch.outcome import Outcome
from napari_beadscope.batch.report.charts import bar_chart
from napari_beadscope.batch.report.fitted import Fitted
from napari_beadscope.batch.report.pictures import Picture
from napari_beadscope.batch.report.style import STYLE
from napari_beadscope.batch.report.traces import Shown

_MAX_FAILURES, _MAX_ROWS = 200, 500
_WORDS = {
    "complete": ("complete", "Everything is done."),
    "failed": ("failed", "Some of it failed; everything else is done."),
    "incomplete": ("incomplete", "Some of it is still to be done: run the plan again."),
}


def page(
    outcome: Outcome,
    shown: Sequence[Shown],
    pictures: dict[str, list[Picture]],
    fits: Sequence[Fitted],
    flags: dict[Thing, Flag],
    plan: str,
) -> str:
    """Return the whole report as HTML that needs nothing else."""
    sections = [
        ("failures", "Failures", _failures(outcome)),
        ("positions", "Positions", _positions(outcome, shown)),
        ("counts", "Counts", _counts(shown)),
        ("traces", "Traces", _traces(shown)),
        ("pictures", "Pictures", _pictures(pictures)),
        ("fits", "Fits", _fits(fits)),
        ("timings", "Timings", _timings(outcome)),
        ("flags", "Flags", _flags(flags)),
        ("steps", "Steps and plan", _steps(outcome, plan)),
    ]
    there = [(mark, name, text) for mark, name, text in sections if text]
    state, words = _WORDS[outcome.state]
    name = escape(outcome.folder.name)
    links = "".join(f'<a href="#{mark}">{title}</a>' for mark, title, _ in there)
    body = "".join(f'<h2 id="{mark}">{title}</h2>{text}' for mark, title, text in there)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{STYLE}</style></head><body>"
        f'<h1>{name} <span class="badge {state}">{state}</span></h1>'
        f'<p>{words} <span class="soft">{escape(str(outcome.folder))}, napari-beadscope '
        f"{__version__}</span></p>{_tiles(outcome, shown)}<nav>{links}</nav>{body}</body></html>\n"
    )


def _tiles(outcome: Outcome, shown: Sequence[Shown]) -> str:
    rows = [row for part in outcome.parts.values() for row in part.rows]
    done = sum(outcome.position_state(name) == "done" for name in outcome.fields)
    tiles = [
        (f"{done} of {len(outcome.fields)}", "positions done"),
        (f"{sum(row.state == 'done' for row in rows)} of {len(rows)}", "units of work done"),
    ]
    most: dict[str, int] = {}
    for one in shown:
        most[one.kind] = max(most.get(one.kind, 0), sum(one.things.values()))
    tiles += [(f"{count:,}", f"{kind}s") for kind, count in most.items()]
    tiles.append((str(len(outcome.failures)), "failures"))
    tiles.append((_long(sum(row.cpu_seconds or 0 for row in rows)), "of CPU time"))
    inside = "".join(
        f'<div class="tile"><b>{escape(value)}</b><span>{escape(words)}</span></div>'
        for value, words in tiles
    )
    return f'<div class="tiles">{inside}</div>'


def _failures(outcome: Outcome) -> str:
    rows = [
        f"<tr><td>{escape(row.position)}</td><td>{escape(row.step)}</td>"
        f'<td class="n">{row.first}–{row.last - 1}</td><td>{escape(row.error)}'
        + (f'<br><span class="soft">{escape(row.remedy)}</span>' if row.remedy else "")
        + _detail("traceback", row.trace)
        + f'</td><td class="n">{row.attempts}</td></tr>'
        for row in outcome.failures[:_MAX_FAILURES]
    ]
    if not rows:
        return ""
    blocked = sum(row.state == "blocked" for part in outcome.parts.values() for row in part.rows)
    waits = "1 more unit waits" if blocked == 1 else f"{blocked} more units wait"
    also = f"<p>{waits} for these.</p>" if blocked else ""
    more = len(outcome.failures) - len(rows)
    rest = f"<p>{more} more failures are in the journal.</p>" if more > 0 else ""
    return (
        also
        + _table(("position", "step", "frames", "what and remedy", "attempts"), rows, (2, 4))
        + rest
    )


def _positions(outcome: Outcome, shown: Sequence[Shown]) -> str:
    kinds = [one for one in shown if one.things]
    sampled = bool(outcome.samples)
    head = ["position", *(["sample"] if sampled else []), "source", "frames"]
    head += [*outcome.steps, *(f"{one.kind}s ({one.step})" for one in kinds)]
    rows = []
    for name, field in list(outcome.fields.items())[:_MAX_ROWS]:
        cells = [f"<td>{escape(name)}</td>"]
        if sampled:
            cells.append(f"<td>{escape(field.sample or '')}</td>")
        source = escape(field.path.rpartition("/")[2] or field.path)
        cells.append(f'<td title="{escape(field.path, quote=True)}">{source} [{field.index}]</td>')
        cells.append(f'<td class="n">{field.frames[1] - field.frames[0]}</td>')
        for step in outcome.steps:
            part = outcome.parts.get((name, step))
            words = "" if part is None else part.state
            if part is not None and part.state != "done" and not part.whole:
                words += f" {part.done}/{len(part.rows)}"
            cells.append(f'<td class="state {words.split(" ")[0]}">{words}</td>')
        cells += [f'<td class="n">{one.things.get(name, "")}</td>' for one in kinds]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    more = len(outcome.fields) - len(rows)
    rest = f'<p class="soft">and {more} more</p>' if more > 0 else ""
    numbers = [at for at, one in enumerate(head) if one == "frames" or at >= len(head) - len(kinds)]
    return _table(head, rows, numbers) + rest


def _counts(shown: Sequence[Shown]) -> str:
    charts = "".join(one.counts for one in shown if one.counts)
    return f'<div class="charts">{charts}</div>' if charts else ""


def _traces(shown: Sequence[Shown]) -> str:
    parts = []
    for one in shown:
        if one.charts:
            parts.append(f"<h3>{escape(one.step)}: {one.rows:,} rows</h3>")
            if one.left_out:
                parts.append(f'<p class="soft">{escape(one.left_out)}.</p>')
            parts += [f'<div class="charts">{"".join(some)}</div>' for some in one.charts.values()]
    if not parts:
        return ""
    legend = "Thin: one each; black: their median; dashed red: flagged as bad."
    return f'<p class="soft">{legend}</p>' + "".join(parts)


def _pictures(pictures: dict[str, list[Picture]]) -> str:
    parts = []
    alone = [(name, some[0]) for name, some in pictures.items() if len(some) == 1]
    if alone:
        figures = (_figure(one, f"{name}, {one.words}") for name, one in alone)
        parts.append(f'<div class="pictures">{"".join(figures)}</div>')
    for name, some in pictures.items():
        if len(some) > 1:
            figures = (_figure(one, one.words) for one in some)
            parts.append(f'<h3>{escape(name)}</h3><div class="pictures">{"".join(figures)}</div>')
    return "".join(parts)


def _figure(one: Picture, words: str) -> str:
    return (
        f'<figure><img src="{one.data}" alt="{escape(words, quote=True)}">'
        f"<figcaption>{escape(words)}</figcaption></figure>"
    )


def _fits(fits: Sequence[Fitted]) -> str:
    parts = []
    for one in fits:
        rows = [
            f'<tr><td>{escape(name)}</td><td class="n">{middle:.4g}</td>'
            f'<td class="n">{low:.4g} to {high:.4g}</td></tr>'
            for name, (low, middle, high) in one.values.items()
        ]
        parts.append(
            f"<h3>{escape(one.name)}</h3><p>{one.trusted} of {one.traces} fits can be trusted.</p>"
            + _table(("value", "median", "half of them"), rows, (1, 2))
        )
        if one.picture:
            parts.append(f'<img src="{one.picture}" alt="{escape(one.name, quote=True)}">')
    return "".join(parts)


def _timings(outcome: Outcome) -> str:
    bars, rows = [], []
    for step in outcome.steps:
        units = [
            row
            for (_, name), part in outcome.parts.items()
            if name == step
            for row in part.rows
            if row.state == "done"
        ]
        frames = sum(row.last - row.first for row in units)
        if not frames:
            continue
        took, cpu = (
            sum(getattr(row, n) or 0.0 for row in units) for n in ("seconds", "cpu_seconds")
        )
        size, again = sum(row.size or 0 for row in units), sum(row.attempts > 1 for row in units)
        bars.append((step, took, f"{_long(took)}, {1e3 * cpu / frames:.3g} ms of CPU per frame"))
        rows.append(
            f'<tr><td>{escape(step)}</td><td class="n">{len(units)}</td><td class="n">{frames}</td>'
            f'<td class="n">{took:.2f}</td><td class="n">{cpu:.2f}</td>'
            f'<td class="n">{1e3 * cpu / frames:.3g}</td><td class="n">{size / 1e6:.2f}</td>'
            f'<td class="n">{again}</td></tr>'
        )
    head = (
        "step",
        "units",
        "frames",
        "time, s",
        "CPU, s",
        "CPU per frame, ms",
        "output, MB",
        "again",
    )
    return bar_chart("time of workers", bars, "s") + _table(head, rows, range(1, 8)) if rows else ""


def _flags(flags: dict[Thing, Flag]) -> str:
    words = {True: "good", False: "bad", None: ""}
    rows = [
        f"<tr><td>{escape(position)}</td><td>{escape(kind)} {number}</td>"
        f"<td>{words[flag.good]}</td><td>{escape(flag.note)}</td></tr>"
        for (position, kind, number), flag in sorted(flags.items())[:_MAX_ROWS]
    ]
    return _table(("position", "what", "flag", "note"), rows) if rows else ""


def _steps(outcome: Outcome, plan: str) -> str:
    rows = []
    for step in outcome.steps:
        row = next(part.rows[0] for (_, name), part in outcome.parts.items() if name == step)
        settings = ", ".join(f"{k} {_said(v)}" for k, v in json.loads(row.settings or "{}").items())
        version = row.version.partition(":")[0]
        rows.append(
            f"<tr><td>{escape(step)}</td><td>{escape(version)}</td><td>{escape(row.category)}</td>"
            f"<td>{escape(settings) or '<span class=soft>none</span>'}</td></tr>"
        )
    return _table(("step", "version", "category", "settings"), rows) + _detail("plan.yaml", plan)


def _table(head: Sequence[str], rows: Iterable[str], numbers: Collection[int] = ()) -> str:
    cells = "".join(
        f"<th{' class=n' if at in numbers else ''}>{escape(name)}</th>"
        for at, name in enumerate(head)
    )
    return f'<div class="wide"><table><tr>{cells}</tr>{"".join(rows)}</table></div>'


def _detail(name: str, text: str) -> str:
    return (
        f"<details><summary>{escape(name)}</summary><pre>{escape(text)}</pre></details>"
        if text
        else ""
    )


def _long(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def _said(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_said, value)) + "]"
    words = {None: "none", True: "yes", False: "no"}
    return words[value] if value is None or isinstance(value, bool) else str(value)
