"""Set up a clone and run the demo or the tests: ``python3 tools/run.py demo`` or ``... test``.

Needs nothing but Python 3.11 or newer. Makes a virtual environment in ``.venv``, installs what the
run needs and keeps it for the next time. What a bare Linux server lacks is installed (Debian and
its relatives, as root) or named. Arguments after ``demo`` go to ``beadscope demo``, those after
``test`` to pytest.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
VENV = REPO / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
STAMP = VENV / "beadscope-installed"
OLDEST = (3, 11)

#: What Qt 6, vispy and software OpenGL need on Debian and its relatives.
GUI_PACKAGES = [
    "libdbus-1-3", "libegl1", "libfontconfig1", "libgl1", "libgl1-mesa-dri", "libglib2.0-0",
    "libxcb-cursor0", "libxcb-icccm4", "libxcb-image0", "libxcb-keysyms1", "libxcb-randr0",
    "libxcb-render-util0", "libxcb-shape0", "libxcb-xinerama0", "libxcb-xkb1",
    "libxkbcommon-x11-0",
]  # fmt: skip
SCREEN_PACKAGES = ["xvfb", "xauth"]
#: The Aravis library, and its fake camera for the tests.
CAMERA_PACKAGES = ["aravis-tools"]
SCREEN = ["xvfb-run", "-a", "-s", "-screen 0 1920x1200x24"]

#: Where pytest notes what failed, and how many failures are no accident of a busy machine.
FAILED = REPO / ".pytest_cache" / "v" / "cache" / "lastfailed"
MOST_AGAIN = 5

#: What runs with the second binding, too.
QT_TESTS = ["tests/ui", "src/napari_beadscope/ui"]

CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("lint-imports",),
    ("typos",),
    ("npe2", "validate", "napari_beadscope"),
)


def main(arguments: list[str]) -> int:
    """Run what `arguments` name; the exit status."""
    if sys.version_info < OLDEST:
        print("Python 3.11 or newer is needed, this is", sys.version.split()[0], file=sys.stderr)
        return 2
    if arguments[:1] not in (["demo"], ["test"]):
        print(__doc__)
        return 2
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # would double napari's start
    task, extra = arguments[0], arguments[1:]
    try:
        return demo(extra) if task == "demo" else test(extra)
    except subprocess.CalledProcessError as error:
        print("Failed:", " ".join(map(str, error.cmd)), file=sys.stderr)
        return error.returncode or 1
    except KeyboardInterrupt:
        return 130


def demo(extra: list[str]) -> int:
    """The simulated microscope: in napari where there is a display, else headless."""
    if sys.platform == "linux" and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        system_packages(GUI_PACKAGES, "a bare Linux desktop lacks libraries that Qt needs")
    install("all")
    return hand_over([BIN / "beadscope", "demo", *extra])


def test(extra: list[str]) -> int:
    """Linters, types, layers, spelling, manifest, then pytest on a screen of its own.

    Everything runs with PyQt6, and what has to do with Qt once more with PySide6.
    """
    if sys.platform == "linux":
        system_packages(
            [*SCREEN_PACKAGES, *GUI_PACKAGES, *CAMERA_PACKAGES],
            "a bare Linux server lacks a virtual screen, a library for cameras and what Qt needs",
        )
    install("all,pyside6,test")
    os.chdir(REPO)
    for check in CHECKS:
        say(" ".join(check))
        subprocess.run([BIN / check[0], *check[1:]], check=True)
    screen = SCREEN if shutil.which(SCREEN[0]) else []
    pytest = [*screen, BIN / "python", "-m", "pytest"]
    if extra:
        os.environ["QT_API"] = "pyqt6"
        return hand_over([*pytest, *extra])
    passed_late: list[str] = []
    codes = [
        twice_at_most("pyqt6", pytest, passed_late),
        twice_at_most("pyside6", [*pytest, *QT_TESTS], passed_late),
    ]
    for name in passed_late:
        say(f"PASSED ONLY WHEN RUN AGAIN, BY ITSELF; find out why: {name}")
    return max(codes)


def twice_at_most(binding: str, pytest: list[str | Path], passed_late: list[str]) -> int:
    """Run all tests, then those that failed once more if they are few; the exit status.

    The tests drive dozens of real processes in real time, which a machine with other tenants may
    hold up for seconds. What then passes is told by name.
    """
    os.environ["QT_API"] = binding
    say(f"pytest ({binding})")
    code = hand_over([*pytest, "--cache-clear"])
    failed = list(json.loads(FAILED.read_text(encoding="utf-8"))) if FAILED.is_file() else []
    if code != 1 or not 0 < len(failed) <= MOST_AGAIN:
        return code
    say(f"pytest ({binding}): what failed, once more")
    code = hand_over([*pytest, "--last-failed"])
    if code == 0:
        passed_late += [f"{name} ({binding})" for name in failed]
    return code


def system_packages(names: list[str], why: str) -> None:
    """Install the Debian packages that are missing, or name them and stop."""
    if not shutil.which("dpkg-query") or not (missing := missing_packages(names)):
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    say(f"{why}: {' '.join(missing)}")
    if os.geteuid() != 0:
        sys.exit(f"Install them first: sudo apt-get update && sudo {' '.join(command)}")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def missing_packages(names: list[str]) -> list[str]:
    """Those of `names` that are installed neither by that name nor under a successor's."""
    query = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *names]
    told = subprocess.run(query, capture_output=True, text=True, check=False).stdout.splitlines()
    present = {line.split()[0] for line in told if line.endswith(" installed")}
    missing = [name for name in names if name not in present]
    if not missing:
        return []
    plan = ["apt-get", "--simulate", "--no-upgrade", "--no-install-recommends", "install", *missing]
    planned = subprocess.run(plan, capture_output=True, text=True, check=False)
    satisfied = planned.returncode == 0 and "\nInst " not in planned.stdout
    return [] if satisfied else missing


def install(extras: str) -> None:
    """Make the virtual environment and install the package with `extras`, unless that is done.

    A new one when the project asks for something else, so that nothing works by leftovers.
    """
    mark = fingerprint()
    done = STAMP.read_text(encoding="utf-8") if STAMP.is_file() else ""
    if done.startswith(f"{mark} {extras}"):
        return
    say(f"installing napari-beadscope[{extras}] into {VENV}, a few minutes the first time")
    if not done.startswith(mark):
        make_venv()
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([BIN / "python", *pip, "--editable", f"{REPO}[{extras}]"], check=True)
    STAMP.write_text(f"{mark} {extras}\n", encoding="utf-8")


def make_venv() -> None:
    """Make the virtual environment anew."""
    if importlib.util.find_spec("ensurepip") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        system_packages([f"python{version}-venv"], "this Python cannot make environments")
    subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)


def fingerprint() -> str:
    """Changes with the clone's place, the interpreter and what the project asks for."""
    parts = [str(REPO), sys.version, (REPO / "pyproject.toml").read_text(encoding="utf-8")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def hand_over(command: list[str | Path]) -> int:
    """Run `command` to its end; Ctrl-C is its own to answer."""
    signal.signal(signal.SIGINT, lambda *_: None)
    return subprocess.call(command)


def say(text: str) -> None:
    """One line of progress, in order with what the steps print."""
    print(f"== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
