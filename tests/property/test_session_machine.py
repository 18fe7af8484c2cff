"""The session state machine against workers that live, die, hang and finish as they please.

The fake workers are faithful while they live: they answer orders in the order they came, die with
what they have said still to be heard, and keep claims on the rings until they let go of them or
somebody does it for them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from napari_beadscope.core import session
from napari_beadscope.core.commands import (
    AddMotor,
    ClaimMotor,
    ExecuteXYLock,
    GetCamera,
    GetStatus,
    Goodbye,
    MoveMotor,
    ReleaseMotor,
    RemoveMotor,
    SetBackend,
    SetBeads,
    SetCalibration,
    SetCamera,
    SetXYLock,
    SetZLock,
    Shutdown,
    StartLive,
    StartRecording,
    StopLive,
    StopMotor,
    StopRecording,
)
from napari_beadscope.core.locks import XYLock, XYState, ZLock, ZState
from napari_beadscope.core.messages import (
    AcquisitionChanged,
    LiveChanged,
    Request,
    Stopping,
    Stream,
)
from napari_beadscope.core.orders import (
    Abort,
    Arm,
    Armed,
    Began,
    Begin,
    Crashed,
    Done,
    End,
    Finished,
    FocusMoved,
    Halt,
    ListProperties,
    LocksReport,
    LookOnce,
    Move,
    Ready,
    RecordingFailed,
    RoisMoved,
    RunCamera,
    SetProperty,
    SetTask,
    Stop,
    StreamEnded,
    Untracked,
)
from napari_beadscope.core.session_state import (
    Answer,
    Asked,
    Exit,
    Gone,
    Joined,
    Kill,
    Left,
    Limits,
    MakeStream,
    Phase,
    Publish,
    RecordingPhase,
    ReleaseClaims,
    Said,
    Spawn,
    StreamMade,
    Tell,
    Tick,
    WorkerState,
)
from napari_beadscope.core.types import Bead, Calibration, FrameFormat, Roi

LIMITS = Limits(
    trackers=2,
    stall_s=5.0,
    start_timeout_s=6.0,
    grace_s=1e9,
    max_restarts=2,
    restart_window_s=20.0,
    stop_timeout_s=2.0,
    finish_timeout_s=12.0,
    order_timeout_s=10.0,
)
FORMATS = (FrameFormat(100, 100, "uint8"), FrameFormat(50, 60, "uint16"))
STAGES = ("starting", "up", "arming", "beginning", "running", "finishing")
CORE = ("camera", "recorder", "tracker-")
NAMES = ("camera", "recorder", "tracker-0", "tracker-1", "motor-focus", "control")
COMMANDS = st.one_of(
    st.just(StartLive()),
    st.just(StopLive()),
    st.builds(
        StartRecording,
        st.just("there"),
        st.sampled_from(["track", "track+full", "rois", "full", "nonsense"]),
        st.sampled_from([0, 0, 3, 50]),
        st.sampled_from([0.0, 0.0, 2.0]),
    ),
    st.builds(
        StartRecording, st.just("there"), st.just("track+full"), st.sampled_from([0, 0, 3, 50])
    ),
    st.just(StopRecording()),
    st.just(SetBeads((Bead(0, Roi(10, 10, 20)), Bead(1, Roi(70, 70, 20))))),
    st.just(SetBeads((Bead(0, Roi(0, 0, 16)),))),
    st.just(SetCalibration(Calibration(50.0))),
    st.just(SetCalibration(Calibration(50.0, "bad"))),
    st.just(SetBackend("cpu")),
    st.just(SetCamera("exposure_ms", 2.0)),
    st.just(GetCamera()),
    st.just(GetStatus()),
    st.just(AddMotor("focus", "simulated-focus")),
    st.just(RemoveMotor("focus")),
    st.just(MoveMotor("focus", 1.0)),
    st.just(StopMotor("focus")),
    st.builds(ClaimMotor, st.just("focus"), st.sampled_from([0.0, 99.0]), st.just("a sweep")),
    st.just(ReleaseMotor("focus")),
    st.just(Goodbye()),
    st.sampled_from([SetXYLock(XYLock()), SetXYLock(XYLock(1.0)), SetXYLock(None)]),
    st.sampled_from([SetZLock(ZLock(bead=0)), SetZLock(ZLock(bead=0, gain=9)), SetZLock(None)]),
    st.just(ExecuteXYLock(XYLock())),
)
PROPOSALS = st.sampled_from(["rois", "focus", "held", "stopped"])


@dataclass
class Process:
    """One life of a worker."""

    name: str
    unheard: list = field(default_factory=list)
    dead: bool = False
    mute: bool = False
    immortal: bool = False
    running: bool = False
    armed: int = 0
    begun: bool = False
    stop: int = -1
    tracks: bool = False
    untracked: set[int] = field(default_factory=set)


class World:
    """Carries out effects on fake workers and watches that the rules are kept."""

    def __init__(self) -> None:
        self.now, self.head = 0.0, 0
        self.format = FORMATS[0]
        self.processes: dict[str, Process] = {}
        self.known_ready: set[str] = set()
        self.claims: set[str] = set()
        self.began: dict[str, int] = {}
        self.finished: dict[str, int] = {}
        self.tracked: dict[str, int] = {}
        self.open: set[tuple[int, int]] = set()
        self.number = 0
        self.on = False
        self.stopping = False
        self.exited = False
        self.spawns: dict[str, list[float]] = {}
        self.losses: list[float] = []
        self.state, effects = session.start("fake", LIMITS, 0.0)
        self.before = self.state
        for effect in effects:
            self.carry_out(effect, None)
        self.feed(Joined(1))

    # what happens

    def feed(self, stimulus: object) -> None:
        assert not self.exited or isinstance(stimulus, (Tick, Left, Asked, Joined))
        match stimulus:
            case Said(name, Ready()):
                self.known_ready.add(name)
            case Said(name, Began(number)):
                self.began[name] = number
            case Said(name, Finished(number)):
                self.finished[name] = number
            case Gone(name, _):
                self.known_ready.discard(name)
                self.began.pop(name, None)
        self.before = self.state
        at = session.At(self.now, self.head)
        self.state, effects = session.step(self.state, at, stimulus)
        for effect in effects:
            self.carry_out(effect, stimulus)

    def ask(self, command: object, client: int = 1) -> None:
        self.number += 1
        self.open.add((client, self.number))
        self.feed(Asked(client, Request(self.number, command)))

    def hear(self, name: str) -> bool:
        """Deliver the next thing that a worker has said, at the end that it is gone."""
        process = self.processes.get(name)
        if process is None or self.exited:  # nobody listens any more
            return False
        if process.unheard:
            self.feed(Said(name, process.unheard.pop(0)))
            return True
        if process.dead:
            del self.processes[name]
            self.feed(Gone(name, "killed by SIGKILL"))
            return True
        return False

    def hear_all(self) -> None:
        while any(self.hear(name) for name in NAMES):
            pass

    def tick(self, dt: float, stalled: frozenset[str] = frozenset()) -> None:
        self.now += dt
        self.feed(Tick({name: 99.0 if name in stalled else 0.1 for name in self.state.workers}))

    def settle(self, seconds: int) -> None:
        for _ in range(seconds):
            for process in list(self.processes.values()):
                self.work(process)
            self.hear_all()
            self.tick(1.0)
            self.hear_all()
            if self.exited:
                return

    # what the workers do

    def say(self, process: Process, report: object) -> None:
        process.unheard.append(report)

    def work(self, process: Process) -> None:
        """Finish a recording of which everything is there."""
        if process.dead or process.mute or not process.begun or process.stop < 0:
            return
        if self.head < process.stop:
            return
        if process.name == "recorder":
            if process.tracks and any(
                k not in process.untracked and self.tracked.get(f"tracker-{k}") != process.armed
                for k in range(LIMITS.trackers)
            ):
                return
            self.say(process, Finished(process.armed, process.stop, 7))
        else:
            self.tracked[process.name] = process.armed
            self.say(process, Finished(0))
        self.claims.discard(process.name)
        process.armed, process.begun, process.stop = 0, False, -1

    def obey(self, process: Process, order: object) -> None:
        if process.dead or process.mute:
            return
        match order:
            case RunCamera(on):
                process.running = on
            case (
                SetProperty(number)
                | ListProperties(number)
                | Move(number)
                | Halt(number)
                | LookOnce(number)
            ):
                self.say(process, Done(number))
            case SetTask(number, task):
                assert not process.armed
                bad = task.calibration.zlut == "bad"
                self.say(process, Done(number, *(("InputError", "bad", "") if bad else ())))
            case Arm(number, task, _, resume):
                assert process.armed == 0, "armed twice"
                if not resume:
                    self.tracked.pop(process.name, None)
                process.armed, process.begun, process.stop = number, False, -1
                process.tracks = task.mode.tracks
                process.untracked.clear()
                self.claims.add(process.name)
                self.say(process, Armed(number, self.head))
            case Begin(number, _, stop):
                assert process.armed in (0, number)
                if process.armed:
                    process.begun, process.stop = True, stop
                    self.say(process, Began(number))
            case End(number, stop):
                assert number == process.armed or not process.armed
                if process.armed:
                    process.stop = stop
            case Untracked(tracker):
                process.untracked.add(tracker)
            case Abort():
                self.claims.discard(process.name)
                process.armed, process.begun, process.stop = 0, False, -1
            case Stop():
                process.dead = True
        self.work(process)

    def die(self, name: str) -> None:
        process = self.processes.get(name)
        if process is not None:
            process.dead = True

    # what the machine wants

    def carry_out(self, effect: object, stimulus: object) -> None:
        assert not self.exited or isinstance(effect, Answer), effect
        now = self.now
        match effect:
            case Spawn(name):
                assert name not in self.processes, f"{name} lives"
                assert not self.stopping, f"{name} is started while the engine stops"
                times = self.spawns.setdefault(name, [])
                times.append(self.now)
                recent = [t for t in times if self.now - t < LIMITS.restart_window_s]
                faults = len(recent) - sum(now - t < LIMITS.restart_window_s for t in self.losses)
                assert faults <= LIMITS.max_restarts + 1 or not name.startswith(CORE)
                process = self.processes[name] = Process(name)
                format = self.format if name == "camera" else None
                self.say(process, Ready(format, 100.0, unit="um"))
            case Kill(name):
                assert name in self.processes
                if not self.processes[name].immortal:
                    self.processes[name].dead = True
            case Tell(name, order):
                assert name in self.known_ready, f"{order} for {name}, which is not ready"
                self.obey(self.processes[name], order)
            case Answer(client, reply):
                assert (client, reply.number) in self.open, f"{reply} answers nothing"
                self.open.remove((client, reply.number))
            case ReleaseClaims(name):
                assert not session.session_recording.holds_claim(self.state, name)
                self.claims.discard(name)
            case MakeStream(format):
                assert self.state.recording is None
                self.feed(StreamMade(Stream("ring", format, 8, 100.0, False)))
            case Publish(event):
                self.watch(event, stimulus)
            case Exit():
                self.exited = True

    def watch(self, event: object, stimulus: object) -> None:
        match event:
            case Stopping():
                assert not self.stopping
                self.stopping = True
            case AcquisitionChanged(on=True):
                assert not self.on
                self.on = True
                recording = self.before.recording
                gone = {stimulus.worker} if isinstance(stimulus, (Gone, Said)) else set()
                for name in recording.participants - gone:
                    assert self.began.get(name) == recording.number, f"{name} has not begun"
            case AcquisitionChanged(on=False, error=error):
                assert self.on
                self.on = False
                recording = self.before.recording
                given_up = {name for name, _ in recording.untracked}
                assert error or recording.number in (self.finished.get("recorder"), None)
                if not error:
                    late = recording.participants - recording.finished - given_up
                    named = {stimulus.worker} if hasattr(stimulus, "worker") else late
                    assert late <= named, late
            case LiveChanged(streaming):
                assert streaming != self.before.streaming or self.state.phase is Phase.STOPPING


class SessionMachine(RuleBasedStateMachine):
    @initialize(stage=st.sampled_from(STAGES))
    def begin(self, stage) -> None:
        world = self.world = World()
        if stage == "starting":
            return
        world.settle(1)
        assert world.state.phase is Phase.UP
        world.ask(SetBeads((Bead(0, Roi(10, 10, 20)),)))
        world.ask(StartLive())
        world.hear_all()
        if stage == "up":
            return
        world.ask(StartRecording("there", "track+full"))
        steps = ("arming", "beginning", "running", "finishing").index(stage)
        for _ in range(min(steps, 2)):
            for name in ("recorder", "tracker-0", "tracker-1"):
                world.hear(name)
        if stage == "finishing":
            world.head += 5
            world.ask(StopRecording())
        assert world.state.recording.phase.value == stage.upper()

    @rule(command=COMMANDS, client=st.sampled_from([1, 2]))
    def ask(self, command, client) -> None:
        self.world.ask(command, client)

    @rule()
    def record(self) -> None:
        self.world.ask(StartRecording("there", "track+full"))

    @rule(name=st.sampled_from(NAMES), count=st.integers(1, 4))
    def hear(self, name, count) -> None:
        for _ in range(count):
            self.world.hear(name)

    @rule()
    def hear_all(self) -> None:
        self.world.hear_all()

    @rule()
    def lock(self) -> None:
        """Switch both locks on, as far as that can be."""
        for command in (
            AddMotor("focus", "simulated-focus"),
            SetCalibration(Calibration(50.0, "z.txt")),
            SetXYLock(XYLock()),
        ):
            self.world.ask(command)
            self.world.hear_all()
        self.world.ask(SetZLock(ZLock(bead=0)))

    @rule(kind=PROPOSALS)
    def propose(self, kind) -> None:
        """Let the control process say something, true or out of date."""
        process = self.world.processes.get("control")
        if process is None or process.dead or process.mute:
            return
        steering = self.world.state.steering
        report = {
            "rois": RoisMoved((Bead(0, Roi(12, 9, 20)), Bead(5, Roi(0, 0, 20)))),
            "focus": FocusMoved(steering.z_number, 1.5),
            "held": LocksReport(steering.xy_number, XYState("on", "", (0,)), 0, None),
            "stopped": LocksReport(0, None, steering.z_number, ZState("stopped", "why")),
        }[kind]
        self.world.say(process, report)

    @invariant()
    def locks_are_held_by_somebody(self) -> None:
        state = self.world.state
        if state.is_stopping or (state.locks.xy is None and state.locks.z is None):
            return
        assert state.workers["control"].state is not WorkerState.FAILED
        if state.locks.z is not None:
            assert state.is_ready(f"motor-{state.locks.z.motor}")
            assert 0 in [bead.bead for bead in state.beads]

    @rule()
    def claim(self) -> None:
        """Have the focus motor for oneself, as far as that can be."""
        self.world.ask(AddMotor("focus", "simulated-focus"))
        self.world.hear_all()
        self.world.ask(ClaimMotor("focus", 2.0, "a sweep"))

    @invariant()
    def claimed_motors_are_held_by_one(self) -> None:
        state = self.world.state
        for motor, claim in state.motion.claims.items():
            assert not state.is_stopping
            assert state.workers[f"motor-{motor}"].state is not WorkerState.FAILED
            assert state.recording is None
            assert state.locks.z is None or state.locks.z.motor != motor
            if claim.ends and state.is_ready(f"motor-{motor}"):
                assert claim.order

    @rule(name=st.sampled_from(NAMES))
    def die(self, name) -> None:
        self.world.die(name)

    @rule(name=st.sampled_from(NAMES), fatal=st.booleans())
    def crash(self, name, fatal) -> None:
        process = self.world.processes.get(name)
        if process is not None and not process.dead:
            self.world.say(process, Crashed("broken", "mend it", "Traceback …", fatal))
            process.dead = True

    @rule()
    def unplug(self) -> None:
        """The camera's device does not answer, which may be so for long."""
        camera = self.world.processes.get("camera")
        if camera is not None and not camera.dead:
            self.world.say(camera, Crashed("unplugged", "plug it in", "", True, "DeviceError"))
            self.world.losses.append(self.world.now)
            camera.dead = True

    @rule(name=st.sampled_from(NAMES))
    def fall_silent(self, name) -> None:
        process = self.world.processes.get(name)
        if process is not None:
            process.mute = True

    @rule(dt=st.sampled_from([0.05, 0.5, 3.0, 7.0, 25.0]))
    def tick(self, dt) -> None:
        self.world.tick(dt)

    @rule(name=st.sampled_from(NAMES))
    def stall(self, name) -> None:
        self.world.tick(0.1, frozenset({name}))

    @rule(count=st.sampled_from([1, 10, 100]))
    def frames(self, count) -> None:
        camera = self.world.processes.get("camera")
        if camera is not None and camera.running and not camera.dead:
            self.world.head += count
            for process in list(self.world.processes.values()):
                self.world.work(process)

    @rule()
    def source_ends(self) -> None:
        camera = self.world.processes.get("camera")
        if camera is not None and camera.running and not camera.dead:
            camera.running = False
            self.world.say(camera, StreamEnded(self.world.head))

    @rule()
    def disk_full(self) -> None:
        recorder = self.world.processes.get("recorder")
        if recorder is not None and recorder.armed and not recorder.dead:
            self.world.say(
                recorder, RecordingFailed("disk full", "make room", 3, 4, recorder.armed)
            )
            self.world.claims.discard("recorder")
            recorder.armed, recorder.begun, recorder.stop = 0, False, -1

    @rule(name=st.sampled_from(["tracker-0", "tracker-1"]))
    def cannot_track(self, name) -> None:
        tracker = self.world.processes.get(name)
        if tracker is not None and tracker.armed and not tracker.dead:
            self.world.say(tracker, Finished(tracker.armed, error="no such Z-LUT"))
            tracker.armed, tracker.begun, tracker.stop = 0, False, -1
            self.world.claims.discard(name)

    @rule()
    def format_changes(self) -> None:
        self.world.format = FORMATS[1 - FORMATS.index(self.world.format)]

    @rule()
    def camera_says_ready_again(self) -> None:
        camera = self.world.processes.get("camera")
        if camera is not None and not camera.dead:
            self.world.say(camera, Ready(self.world.format, 50.0))

    @rule(name=st.sampled_from(NAMES), pause=st.sampled_from([0.1, 5.0, 30.0]))
    def die_young(self, name, pause) -> None:
        """Again and again, before a word was said."""
        for _ in range(4):
            process = self.world.processes.get(name)
            if process is not None:
                process.unheard.clear()
                process.dead = True
                self.world.hear(name)
            self.world.tick(pause)

    @rule(client=st.sampled_from([1, 2]), there=st.booleans())
    def come_or_go(self, client, there) -> None:
        self.world.feed(Joined(client) if there else Left(client))

    @rule(immortal=st.sampled_from([None, None, None, *NAMES]))
    @precondition(lambda self: not self.world.stopping)
    def shut_down(self, immortal) -> None:
        if immortal in self.world.processes:
            self.world.processes[immortal].immortal = True
        self.world.ask(Shutdown())

    @rule()
    def settle(self) -> None:
        """With no further fault, everything that was asked is answered before long."""
        world = self.world
        world.settle(100)
        state = world.state
        if world.exited:
            return
        if any(process.immortal for process in world.processes.values()):
            return
        assert state.phase is Phase.UP
        assert not world.open
        assert not any(claim.ends for claim in state.motion.claims.values())
        assert state.recording is None or state.recording.phase is RecordingPhase.RUNNING
        if state.recording is None:
            mute = {name for name, process in world.processes.items() if process.mute}
            assert not world.claims - mute
            assert not world.on
        camera = world.processes.get("camera")
        if camera is not None and not camera.mute:
            assert camera.running == state.streaming

    @invariant()
    def counts_agree(self) -> None:
        state = self.world.state
        assert set(state.workers) >= set(self.world.processes)
        if state.recording is not None:
            assert state.recording.participants <= set(state.workers)
            assert "recorder" in state.recording.participants
            assert not {name for name, _ in state.recording.untracked} & (
                state.recording.participants
            )
            assert state.phase is not Phase.STOPPED
        for bead in state.beads:
            assert bead.roi.inside(state.stream.format.shape)
        assert state.trackers or state.phase is not Phase.STARTING

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.settle()
        self.world.ask(Shutdown())
        self.world.settle(150)
        assert self.world.exited
        assert not self.world.open
        assert not self.world.on
        self.world.ask(Shutdown())
        self.world.ask(StartLive())
        self.world.tick(1.0)
        assert not self.world.open


SessionMachine.TestCase.settings = settings(
    max_examples=300,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestSession = SessionMachine.TestCase
