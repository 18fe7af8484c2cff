"""Users' own plots and panels: how they get into the docks, and that they break nothing."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

import numpy as np
import pytest
from magicgui.widgets import LineEdit
from qtpy.QtWidgets import QLabel, QPushButton, QWidget

from napari_beadscope.core.errors import InputError
from napari_beadscope.ui import add_control, add_timeplot, scope_of
from napari_beadscope.ui.host import SessionHost
from napari_beadscope.ui.plots.samples import Quantity, Sampler, Samples


def docks(host: SessionHost) -> dict[str, Any]:
    return dict(host.viewer.window.dock_widgets)


def row(dock: Any, label: str) -> Any:
    figure = dock.canvas.figure
    panels = [] if figure is None else figure.panels
    return next((panel for panel in panels if panel.up == label), None)


def test_a_quantity_added_in_the_console_is_plotted_at_once(
    live: SessionHost, open_dock: Any, qtbot: Any
) -> None:
    dock = open_dock(live, "Plots")
    add_timeplot(live.viewer, "room", lambda: 21.5, unit="°C")

    def there() -> bool:
        panel = row(dock, "room (°C)")
        return panel is not None and len(panel.curves[0].y) > 2

    qtbot.waitUntil(there, timeout=10_000)
    assert set(row(dock, "room (°C)").curves[0].y) == {21.5}


def test_what_is_added_to_the_scope_is_found(live: SessionHost, qtbot: Any, scopes: Any) -> None:
    scope = scope_of(live.viewer)
    assert scope is scopes.last
    scope.timeplots.append(("force", lambda: 3.0, "pN"))
    scope.controls.append(("Mine", lambda: QLabel("hello")))
    qtbot.waitUntil(lambda: "Mine" in docks(live), timeout=10_000)
    assert docks(live)["Mine"].text() == "hello"
    qtbot.waitUntil(lambda: len(live.own.samples.read("force")[1]) > 0)
    assert live.own.samples.quantities == (Quantity("force", "pN", own=True),)
    scope.controls.append(("Other", lambda: QLabel("again")))
    qtbot.waitUntil(lambda: "Other" in docks(live))


def test_panels_of_all_kinds(host: SessionHost) -> None:
    def with_scope(scope: Any) -> QWidget:
        return QLabel(f"scope: {scope}")

    add_control(host.viewer, "widget", QPushButton("a"))
    add_control(host.viewer, "class", QPushButton)
    add_control(host.viewer, "magic", LineEdit(value="b"))
    add_control(host.viewer, "maker", with_scope)
    assert {"widget", "class", "magic", "maker"} <= set(docks(host))
    assert docks(host)["maker"].text() == "scope: None"
    add_control(host.viewer, "widget", QPushButton("new"))
    assert docks(host)["widget"].text() == "new"


def test_a_panel_that_raises_is_told_and_nothing_breaks(host: SessionHost) -> None:
    def broken() -> QWidget:
        raise RuntimeError("no power supply")

    add_control(host.viewer, "broken", broken)
    message = host.session.model.messages[-1]
    assert message.severity == "error"
    assert message.text == "Making the panel 'broken': unexpected RuntimeError: no power supply"
    assert "in broken" in message.traceback
    add_control(host.viewer, "text", "not a widget")
    assert "the panel 'text' is a str" in host.session.model.messages[-1].text.lower()
    assert not {"broken", "text"} & set(docks(host))


def test_a_source_that_raises_is_told_once_and_asked_again(
    live: SessionHost, open_dock: Any, qtbot: Any
) -> None:
    calls: list[float] = []

    def sometimes() -> float:
        calls.append(time.monotonic())
        if len(calls) < 5:
            raise OSError("the port is closed")
        return 7.0

    dock = open_dock(live, "Plots")
    add_timeplot(live.viewer, "laser", sometimes)
    qtbot.waitUntil(lambda: len(calls) > 8, timeout=10_000)
    qtbot.waitUntil(lambda: row(dock, "laser") is not None, timeout=10_000)
    told = [one for one in live.session.model.messages if "laser" in one.text]
    assert [one.text for one in told] == ["Reading 'laser': unexpected OSError: the port is closed"]
    assert told[0].severity == "warning"
    values = live.own.samples.read("laser")[1]
    assert np.isnan(values[:4]).all()
    assert (values[4:] == 7.0).all()
    with pytest.raises(InputError, match="give a function"):
        live.own.add_timeplot("constant", 3.0)  # type: ignore[arg-type]


def test_a_slow_source_holds_nobody_up() -> None:
    samples, go = Samples(), threading.Event()
    sampler = Sampler(samples)
    sampler.add("slow", lambda: float(go.wait(10)))
    start_s = time.monotonic()
    time.sleep(0.2)
    assert not len(samples.read("slow")[0])
    go.set()
    sampler.close()
    assert time.monotonic() - start_s < 5


def test_a_source_that_blocks_or_exits_stops_no_other(qtbot: Any) -> None:
    samples, go = Samples(), threading.Event()
    sampler = Sampler(samples)
    sampler.add("fine", lambda: 1.0)
    sampler.add("blocked", lambda: float(go.wait(60)))
    sampler.add("exits", lambda: sys.exit(1))
    qtbot.waitUntil(lambda: len(samples.read("exits")[1]) > 3)
    seen = len(samples.read("fine")[1])
    qtbot.waitUntil(lambda: len(samples.read("fine")[1]) > seen + 3)
    assert [one.name for one in sampler.take_failures()] == ["exits"]
    sampler.add("blocked", lambda: 2.0)  # takes the place of the one that hangs
    qtbot.waitUntil(lambda: len(samples.read("blocked")[1]) > 3)
    go.set()
    sampler.add("hangs", lambda: float(threading.Event().wait(60)))
    time.sleep(0.3)
    start_s = time.monotonic()
    sampler.close()
    assert time.monotonic() - start_s < 1.0
    assert set(samples.read("blocked")[1]) == {2.0}


def test_errors_that_change_are_told_once_until_the_source_works_again(qtbot: Any) -> None:
    calls: list[int] = []

    def changing() -> float:
        calls.append(1)
        if len(calls) in range(8, 22):
            return 1.0
        raise ValueError(f"call {len(calls)}")

    sampler = Sampler(Samples())
    sampler.add("changing", changing)
    qtbot.waitUntil(lambda: len(calls) > 6, timeout=10_000)
    told = sampler.take_failures()
    assert [str(one.error) for one in told] == ["call 1"]
    qtbot.waitUntil(lambda: len(calls) > 24, timeout=10_000)
    assert [str(one.error) for one in sampler.take_failures()] == ["call 22"]
    sampler.close()


def test_samples_keep_the_newest_in_order() -> None:
    samples = Samples(kept=10)
    for number in range(25):
        samples.add(Quantity("a"), number, float(number))
    times, values = samples.read("a")
    assert times.tolist() == list(range(15, 25))
    assert values.tolist() == times.tolist()
    assert samples.read("b")[0].size == 0
