"""Settings in the session machine: checked once, then told to every process and front end."""

from __future__ import annotations

import pytest

from napari_beadscope.core.commands import SetSettings, StartRecording
from napari_beadscope.core.messages import Reply, SettingsChanged
from napari_beadscope.core.orders import SetTask, UseSettings
from napari_beadscope.core.session_state import Answer, Publish, Tell
from napari_beadscope.core.settings import Settings


def changed(**names):
    return Settings().replace({name.replace("__", "."): value for name, value in names.items()})


def replies(engine) -> list[Reply]:
    return [one.reply for one in engine.effects if isinstance(one, Answer)]


def test_every_process_and_every_front_end_is_told(engine) -> None:
    wanted = changed(engine__stall_s=9.0, engine__grace_s=77.0, recording__min_free_gb=3.0)
    engine.ask(SetSettings(wanted.to_dict()))
    told = {one.worker for one in engine.effects if isinstance(one, Tell)}
    assert told == set(engine.state.workers)
    assert Publish(SettingsChanged(wanted.to_dict())) in engine.effects
    assert replies(engine)[-1].error == ""
    assert (engine.state.limits.stall_s, engine.state.limits.grace_s) == (9.0, 77.0)
    assert engine.state.limits.trackers == 2  # from the next engine on


def test_a_process_that_is_started_again_is_told(engine) -> None:
    wanted = changed(recording__profiles=True).to_dict()
    engine.gone("recorder")
    engine.ask(SetSettings(wanted))
    assert not [one for one in engine.effects if one == Tell("recorder", UseSettings(wanted))]
    engine.ready("recorder")
    assert Tell("recorder", UseSettings(wanted)) in engine.effects


def test_trackers_carry_profiles_as_soon_as_they_are_wanted(engine) -> None:
    engine.ask(SetSettings(changed(tracking__profiles=False).to_dict()))
    tasks = [
        o.order for o in engine.effects if isinstance(o, Tell) and isinstance(o.order, SetTask)
    ]
    assert [task.task.profiles for task in tasks] == [False, False]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"engine": {"ring_mb": 3}}, "'engine.ring_mb' cannot be 3"),
        ({"engine": {"ring_mb": 3}, "x": {}}, "2 mistakes"),
        ({"camera": 5}, "'camera' must be a section"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_changes(engine, settings, words) -> None:
    before = engine.state
    engine.ask(SetSettings(settings))
    (reply,) = replies(engine)
    assert reply.error == "SettingsError"
    assert words in reply.what
    assert engine.state == before


def test_not_while_recording(engine) -> None:
    engine.ask(StartRecording("/somewhere", "track"))
    engine.ask(SetSettings(Settings().to_dict()))
    (reply,) = replies(engine)
    assert (reply.error, reply.what) == (
        "StateError",
        "cannot change the settings while recording",
    )
