"""Fixtures of the UI tests: a shown viewer, sessions on fake engines, a drawing workaround."""

from __future__ import annotations

import gc
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import vispy.gloo.glir

from napari_beadscope.ui.host import SessionHost, host_of
from napari_beadscope.ui.jobs import launch_inline
from napari_beadscope.ui.model import Message
from napari_beadscope.ui.session import Session


def _load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


_load("batches")
_load("fake_motors")
fake_scope = _load("fake_scope")


@pytest.fixture(scope="session", autouse=True)
def _keep_gl_programs() -> Iterator[None]:
    """Mesa 22.3 crashes when a program is deleted and the canvas draws again."""
    delete = vispy.gloo.glir.GlirProgram.delete
    vispy.gloo.glir.GlirProgram.delete = lambda self: None
    yield
    vispy.gloo.glir.GlirProgram.delete = delete


@pytest.fixture(scope="session", autouse=True)
def _little_to_collect() -> Iterator[None]:
    """Spare the collector what is there already: napari calls it with every viewer that closes."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test keeps, such as motors and the last recording, is not another's."""
    monkeypatch.setenv("BEADSCOPE_CONFIG_DIR", str(tmp_path / "config"))


@pytest.fixture
def qtbot(qtbot: Any) -> Any:
    """pytest-qt's, more patient: tests may share their cores with much else."""
    wait_until, least_ms = qtbot.waitUntil, 25_000

    def patient(condition: Callable[[], Any], *, timeout: int = least_ms) -> None:
        wait_until(condition, timeout=max(timeout, least_ms))

    qtbot.waitUntil = patient
    return qtbot


@pytest.fixture
def scopes() -> Any:
    """A source of fake scopes."""
    return fake_scope.FakeScopes()


@pytest.fixture
def said() -> list[Message]:
    """What a session reported."""
    return []


@pytest.fixture
def session(scopes: Any, said: list[Message]) -> Iterator[Session]:
    """A session without Qt whose jobs run at once."""
    made = Session(scopes, launch_inline, said.append)
    yield made
    made.close()


@pytest.fixture
def host(make_napari_viewer: Callable[..., Any], scopes: Any) -> Iterator[SessionHost]:
    """The host of a viewer that is not shown, on fake engines, with jobs that run at once."""
    made = host_of(make_napari_viewer(), scopes, launch_inline)
    yield made
    made.close()


@pytest.fixture
def shown_host(make_napari_viewer: Callable[..., Any], scopes: Any) -> Iterator[SessionHost]:
    """The host of a viewer on the screen, on fake engines, with jobs in threads."""
    made = host_of(make_napari_viewer(show=True), scopes)
    yield made
    made.close()


@pytest.fixture
def hand_over() -> Any:
    """What gives mouse and keys over the image of a host's viewer."""
    return _load("hand").Hand


@pytest.fixture
def open_dock() -> Callable[[SessionHost, str], Any]:
    """Return a function that opens a dock of the plugin by its name."""

    def dock(host: SessionHost, name: str) -> Any:
        return host.viewer.window.add_plugin_dock_widget("napari-beadscope", name)[1]

    return dock


@pytest.fixture
def live(shown_host: SessionHost, qtbot: Any) -> SessionHost:
    """A shown host that shows live frames."""
    shown_host.session.start_live()
    qtbot.waitUntil(lambda: shown_host.session.model.screen.shown > 1, timeout=20_000)
    return shown_host
