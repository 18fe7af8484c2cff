"""The session's rules for the locks: what comes of what control proposes, and who ends a lock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from napari_beadscope.core import session
from napari_beadscope.core.commands import (
    Annotate,
    ExecuteXYLock,
    MoveMotor,
    SetBeads,
    SetXYLock,
    SetZLock,
    StartRecording,
    StopMotor,
)
from napari_beadscope.core.locks import HeldBead, XYLock, XYState, ZLock, ZState
from napari_beadscope.core.messages import BeadsChanged, LocksChanged, Request, Stream
from napari_beadscope.core.orders import (
    Arm,
    Armed,
    Began,
    Done,
    FocusMoved,
    LocksReport,
    LookOnce,
    Move,
    MoveRois,
    Ready,
    Remark,
    RoisMoved,
    SetLocks,
)
from napari_beadscope.core.session_state import (
    Answer,
    Asked,
    Gone,
    Limits,
    MotorInfo,
    Phase,
    Publish,
    Said,
    Spawn,
    State,
    Tell,
    Worker,
    WorkerState,
)
from napari_beadscope.core.types import Annotation, Bead, Calibration, FrameFormat, Roi

BEADS = (Bead(0, Roi(10, 10, 20)), Bead(1, Roi(60, 60, 20)))
STREAM = Stream("r1", FrameFormat(100, 100, "uint8"), 8, 100.0, False)
XY, Z = XYLock(1.0), ZLock(bead=1)


class Story:
    """A session that is up, with beads, a Z-LUT and a focus motor; it remembers effects."""

    def __init__(self, **changes: Any) -> None:
        state, _ = session.start("simulated", Limits(trackers=2, max_restarts=1), 0.0)
        names = ["camera", "recorder", "tracker-0", "tracker-1", "motor-focus"]
        workers = {n: Worker(n, WorkerState.READY, was_ready=True) for n in names}
        self.state: State = replace(
            state,
            phase=Phase.UP,
            workers=workers,
            stream=STREAM,
            beads=BEADS,
            calibration=Calibration(100.0, "z.txt"),
            motors={"focus": ("simulated-focus", {})},
            motor_rows={"focus": 0},
            reaches={"focus": ("um", -50.0, 50.0)},
            **changes,
        )
        self.now_s = 1.0
        self.effects: list[Any] = []
        self.number = 0

    def step(self, stimulus: Any) -> list[Any]:
        self.now_s += 0.1
        self.state, self.effects = session.step(self.state, session.At(self.now_s), stimulus)
        return self.effects

    def ask(self, command: Any) -> str:
        """Return the error's sentence, '' for done, 'later' for no answer yet."""
        self.number += 1
        self.step(Asked(1, Request(self.number, command)))
        replies = [e.reply for e in self.effects if isinstance(e, Answer)]
        return replies[0].what if replies else "later"

    def told(self, kind: type) -> list[tuple[str, Any]]:
        return [
            (e.worker, e.order)
            for e in self.effects
            if isinstance(e, Tell) and isinstance(e.order, kind)
        ]

    def published(self, kind: type) -> list[Any]:
        found = [e.event for e in self.effects if isinstance(e, Publish)]
        return [event for event in found if isinstance(event, kind)]

    def locked(self) -> Story:
        """Both locks on, and the control process up."""
        assert self.ask(SetXYLock(XY)) == ""
        assert Spawn("control") in self.effects
        assert self.ask(SetZLock(Z)) == ""
        assert Spawn("control") not in self.effects  # there is one
        self.step(Said("control", Ready()))
        return self

    def z_number(self) -> int:
        return self.state.steering.z_number


def test_control_is_told_what_it_must_know_when_it_is_ready_and_when_that_changes() -> None:
    story = Story().locked()
    ((who, order),) = story.told(SetLocks)
    task = order.task
    assert who == "control"
    assert (task.xy, task.z, task.beads, task.shape, task.held) == (XY, Z, BEADS, (100, 100), (1,))
    assert (task.motor_row, task.unit, task.low, task.high) == (0, "um", -50.0, 50.0)
    assert task.z_state == ZState("starting")
    assert story.ask(SetXYLock(XYLock(2.0))) == ""
    assert story.told(SetLocks)[0][1].task.xy == XYLock(2.0)
    assert story.published(LocksChanged)[-1].locks.xy == XYLock(2.0)
    story.step(Said("control", LocksReport(0, None, story.z_number(), ZState("waiting"))))
    assert story.told(SetLocks) == []  # its own words come as no news


def test_rois_move_in_every_tracker_and_front_end_with_the_same_ids() -> None:
    story = Story().locked()
    moved = Bead(1, Roi(64, 58, 20))
    story.step(Said("control", RoisMoved((moved,))))
    assert [who for who, _ in story.told(MoveRois)] == ["tracker-0", "tracker-1"]
    assert story.state.beads == (BEADS[0], moved)
    assert story.published(BeadsChanged)[0].beads == story.state.beads
    assert story.told(SetLocks)[0][1].task.beads == story.state.beads


@pytest.mark.parametrize(
    "proposal",
    [
        Bead(7, Roi(1, 1, 20)),
        Bead(1, Roi(90, 60, 20)),
        Bead(1, Roi(-1, 60, 20)),
        Bead(1, Roi(1, 1, 24)),
    ],
)
def test_a_proposal_that_does_not_fit_any_more_is_not_heard(proposal: Bead) -> None:
    story = Story().locked()
    story.step(Said("control", RoisMoved((proposal,))))
    assert story.state.beads == BEADS
    assert story.published(BeadsChanged) == []


def test_the_users_change_of_beads_goes_first() -> None:
    story = Story().locked()
    assert story.ask(SetBeads(BEADS[:1])) == "later"  # until every tracker has it
    story.step(Said("control", RoisMoved((Bead(0, Roi(12, 12, 20)),))))
    assert story.state.beads == BEADS[:1]


def test_the_focus_is_sent_by_the_lock_of_today_only() -> None:
    story = Story().locked()
    number = story.z_number()
    story.step(Said("control", FocusMoved(number, 1.5)))
    ((who, order),) = story.told(Move)
    assert (who, order.target) == ("motor-focus", 1.5)
    assert story.ask(SetZLock(ZLock(bead=0))) == ""
    story.step(Said("control", FocusMoved(number, 9.0)))  # the former lock's
    assert story.told(Move) == []
    assert story.ask(SetZLock(None)) == ""
    story.step(Said("control", FocusMoved(story.z_number(), 9.0)))
    assert story.told(Move) == []


def test_reports_make_the_state_and_a_stop_switches_the_lock_off() -> None:
    story = Story().locked()
    steering = story.state.steering
    xy = XYState("on", "", (0,), (HeldBead(1, "it is lost"),), 1, 2.0, 3)
    z = ZState("locked", "", 1500.0, 1502.0, 2.0, 1.0, 4, ((1, 0.0),))
    story.step(Said("control", LocksReport(steering.xy_number, xy, steering.z_number, z)))
    assert story.state.locks.xy_state == xy
    assert story.state.locks.locked == {0}
    stopped = replace(z, phase="stopped", why="it oscillates")
    story.step(Said("control", LocksReport(0, None, steering.z_number, stopped)))
    assert story.state.locks.z is None
    assert story.state.locks.z_state.why == "it oscillates"
    assert story.state.locks.xy is not None


def test_a_successor_goes_on_with_the_target_that_was_found() -> None:
    story = Story().locked()
    z = ZState("locked", "", 1500.0, 1502.0, 2.0, 1.0, 4, ((1, 0.0),))
    story.step(Said("control", LocksReport(0, None, story.z_number(), z)))
    story.step(Gone("control", "killed by SIGKILL"))
    assert Spawn("control") in story.effects
    story.step(Said("control", Ready()))
    task = story.told(SetLocks)[0][1].task
    assert task.z_state == z
    assert (task.xy, task.z) == (XY, Z)
    story.step(Gone("control", "killed by SIGKILL"))  # once too often
    assert story.state.locks.xy is story.state.locks.z is None
    assert "failed for good" in story.state.locks.z_state.why
    assert story.state.locks.xy_state.phase == "stopped"
    assert story.ask(SetXYLock(XY)) == ""
    assert Spawn("control") in story.effects


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (lambda s: s.ask(StopMotor("focus")), "the focus motor was told to stop"),
        (lambda s: s.step(Gone("motor-focus", "died")), "the focus motor's process ended"),
        (lambda s: s.ask(SetBeads(BEADS[:1])), "bead 1 is gone"),
    ],
)
def test_what_ends_the_z_lock(event: Callable[[Story], Any], why: str) -> None:
    story = Story().locked()
    event(story)
    assert story.state.locks.z is None
    assert (story.state.locks.z_state.phase, story.state.locks.z_state.why) == ("stopped", why)
    assert story.state.locks.xy is not None


def test_the_last_reference_ends_it_too() -> None:
    story = Story(annotations={0: Annotation(reference=True)})
    assert story.ask(SetZLock(ZLock())) == ""
    story.step(Said("control", Ready()))
    assert story.told(SetLocks)[0][1].task.held == (0,)
    assert story.ask(Annotate({1: Annotation(reference=True)})) == ""
    assert story.told(SetLocks)[0][1].task.held == (0, 1)
    story.ask(Annotate({0: Annotation(), 1: Annotation()}))
    assert story.state.locks.z_state.why == "there is no reference bead any more"


def test_a_move_that_the_motor_refuses_ends_it_with_its_words() -> None:
    story = Story().locked()
    story.step(Said("control", FocusMoved(story.z_number(), 60.0)))
    number = story.told(Move)[0][1].number
    story.step(Said("motor-focus", Done(number, "DeviceError", "it cannot go to 60 um", "less")))
    assert story.state.locks.z is None
    assert story.state.locks.z_state.why == "it cannot go to 60 um"


def test_a_motor_has_one_master() -> None:
    story = Story().locked()
    assert story.ask(MoveMotor("focus", 1.0)) == "the Z-lock holds the focus motor"
    assert story.ask(SetZLock(None)) == ""
    assert story.ask(MoveMotor("focus", 1.0)) == "later"


def test_a_look_on_demand_waits_for_control_and_is_answered() -> None:
    story = Story()
    assert story.ask(ExecuteXYLock(XY)) == "later"
    assert Spawn("control") in story.effects
    story.step(Said("control", Ready()))
    ((_, look),) = story.told(LookOnce)
    assert look.lock == XY
    story.step(Said("control", Done(look.number, value={"phase": "on"})))
    assert [e.reply.value for e in story.effects if isinstance(e, Answer)] == [{"phase": "on"}]
    assert story.ask(ExecuteXYLock(XY)) == "later"
    assert len(story.told(LookOnce)) == 1
    story.step(Gone("control", "killed"))
    replies = [e.reply for e in story.effects if isinstance(e, Answer)]
    assert replies[0].error  # nobody waits for ever


@pytest.mark.parametrize(
    ("changes", "command", "what"),
    [
        ({"beads": ()}, SetXYLock(XY), "the XY-lock needs beads, and there are none"),
        ({"beads": ()}, ExecuteXYLock(XY), "the XY-lock needs beads, and there are none"),
        ({}, SetXYLock(XYLock(window=0)), "window of the XY-lock is 0"),
        ({}, SetZLock(ZLock()), "no bead is marked as reference"),
        ({}, SetZLock(ZLock(bead=5)), "there is no bead 5"),
        ({}, SetZLock(ZLock(bead=0, motor="z")), "there is no motor 'z' to focus with"),
        ({"calibration": Calibration()}, SetZLock(Z), "heights, and there is no Z-LUT"),
        ({"reaches": {"focus": ("deg", 0.0, 360.0)}}, SetZLock(Z), "which is no length"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_starts_nothing(
    changes: dict, command: Any, what: str
) -> None:
    story = Story()
    story.state = replace(story.state, **changes)
    assert what in story.ask(command)
    assert "control" not in story.state.workers
    assert story.state.locks.xy is story.state.locks.z is None


def test_a_manifest_says_once_that_rois_moved() -> None:
    story = Story().locked()
    story.ask(StartRecording("there", "track"))
    number = story.state.recording.number
    for message in (Armed(number, 5), Began(number)):
        for worker in ("recorder", "tracker-0", "tracker-1"):
            story.step(Said(worker, message))
    story.step(Said("control", RoisMoved((Bead(1, Roi(64, 58, 20)),))))
    ((who, remark),) = story.told(Remark)
    assert who == "recorder"
    assert "XY-lock moves ROIs" in remark.text
    story.step(Said("control", RoisMoved((Bead(1, Roi(66, 58, 20)),))))
    assert story.told(Remark) == []
    assert story.state.recording.task.beads == BEADS  # movies keep those
    story.step(Gone("tracker-0", "killed"))
    story.step(Said("tracker-0", Ready()))
    ((_, arm),) = story.told(Arm)
    assert arm.task.beads[1] == Bead(1, Roi(66, 58, 20))  # where the ROIs are now


def test_motors_are_known_by_unit() -> None:
    assert Story().state.motor_infos == (MotorInfo("focus", "simulated-focus", "um", -50.0, 50.0),)
