"""Settings that MagScope 1.0.0 has written, as settings of ours.

Owns what corresponds to what, and what to say about the rest. Both of its YAML files are read:
its settings (a flat list of names) and its preferences (``version: 1`` with those settings under
``magscope``, options of tracking and the layout of its windows).

Source of names, types, limits and defaults: ``magscope.settings`` of MagScope 1.0.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_beadscope.core.errors import SettingsError
from napari_beadscope.core.settings import Settings, all_mistakes
from napari_beadscope.storage.yaml_file import YamlFile, read_yaml

_VERSION = 1
_PARTS = ("version", "magscope", "tracking", "appearance_layout")


@dataclass(frozen=True, slots=True)
class _Spec:
    """A setting of MagScope: kind, limits, default, and the name of ours or why it has none."""

    kind: str
    default: Any
    low: float | None = None
    high: float | None = None
    ours: str = ""
    why_not: str = ""


_LOOK = "napari has themes and windows of its own"
_SPECS = {
    "ROI": _Spec("int", 50, 8, 256, "tracking.roi_size_px"),
    "magnification": _Spec("number", 1, 1),
    "tracks max datapoints": _Spec(
        "int", 1_000_000, 1, why_not="the history that plots show has a length of its own"
    ),
    "save tracking ROI positions": _Spec(
        "bool", False, why_not="positions in px of the whole frame are always saved"
    ),
    "tracking data file rotation enabled": _Spec(
        "bool", True, why_not="a recording has one table of tracks, which is safe while it grows"
    ),
    "tracking data file rotation interval minutes": _Spec(
        "int", 60, 1, why_not="a recording has one table of tracks, which is safe while it grows"
    ),
    "video buffer n images": _Spec(
        "int", 40, 1, why_not="memory for frames is set by size: engine.ring_mb"
    ),
    "video buffer n stacks": _Spec(
        "int", 5, 1, why_not="memory for frames is set by size: engine.ring_mb"
    ),
    "video processors n": _Spec(
        "int", 3, 1, why_not="trackers are as many as suit the cores; set engine.trackers if not"
    ),
    "xy-lock default interval": _Spec("number", 10, 0, ours="xy_lock.interval_s"),
    "xy-lock default max": _Spec("number", 10, 0, ours="xy_lock.max_step_px"),
    "xy-lock default window": _Spec("int", 10, 1, ours="xy_lock.window"),
    "z-lock default interval": _Spec("number", 10, 0, ours="z_lock.interval_s"),
    "z-lock default max": _Spec("number", 1000, 0, ours="z_lock.max_step_nm"),
    "z-lock default window": _Spec("int", 10, 1, ours="z_lock.window"),
    "gui accent color": _Spec("text", "#78c7ff", why_not=_LOOK),
    "gui live plot progress bar": _Spec("bool", True, why_not=_LOOK),
}
_TRACKING = {
    "center_of_mass": {"background": "median"},
    "n auto_conv_multiline_sub_pixel": 5,
    "auto_conv_multiline_sub_pixel": {"line_ratio": 0.1, "n_local": 5},
    "use fft_profile": False,
    "fft_profile": {"oversample": 4, "rmin": 0.0, "rmax": 0.5, "gaus_factor": 6.0},
    "radial_profile": {"oversample": 1},
    "lookup_z": {"n_local": 7},
}


@dataclass(frozen=True, slots=True)
class MagScopeSettings:
    """What a file of MagScope's means here.

    ``changes`` are settings of ours by dotted names; ``taken`` and ``left`` say in one sentence
    each what was taken over and what was not, and why.
    """

    changes: dict[str, Any]
    taken: tuple[str, ...]
    left: tuple[str, ...]


def is_magscope_settings(data: Mapping[str, Any]) -> bool:
    """Return whether a mapping is one of MagScope's files, as far as its keys tell.

    Examples
    --------
    >>> is_magscope_settings({"ROI": 50, "magnification": 1}), is_magscope_settings({"camera": {}})
    (True, False)
    """
    return "magscope" in data or bool(_SPECS.keys() & data.keys())


def read_magscope_settings(
    path: str | Path, *, camera_nm_per_px: float | None = None
) -> MagScopeSettings:
    """Read what MagScope's *Export settings* or *Export preferences* has written.

    Parameters
    ----------
    path : path
        The YAML file.
    camera_nm_per_px : float, optional
        Size of a pixel of the camera's chip in nm, ``nm_per_px`` of MagScope's camera class. With
        it the magnification becomes the size of a pixel in the sample.

    Raises
    ------
    SettingsError
        It is no such file, or MagScope would not accept it; every mistake with its line.
    """
    return magscope_settings(read_yaml(Path(path).expanduser(), "settings"), camera_nm_per_px)


def magscope_settings(file: YamlFile, camera_nm_per_px: float | None = None) -> MagScopeSettings:
    """Return what a YAML file of MagScope's means here; see `read_magscope_settings`."""
    values, at, mistakes = _flat(file)
    mistakes += file.twice
    if not is_magscope_settings(file.data):
        raise SettingsError(
            f"{file.path} does not hold MagScope's settings", "export them from MagScope 1.0"
        )
    taken: list[str] = []
    left: list[str] = []
    changes: dict[str, Any] = {}
    for name, given in values.items():
        spec = _SPECS.get(str(name))
        value = _read(given, spec)
        lead = f"line {file.line_of((*at, name))}: "
        wrong = _wrong(str(name), value, spec)
        if wrong:
            mistakes.append(SettingsError(f"{lead}{wrong[0]}", wrong[1]))
        elif name == "magnification":
            _magnification(float(value), camera_nm_per_px, changes, taken, left)
        elif spec is not None and spec.ours:
            _take(str(name), value, spec.ours, changes, taken, left)
        elif spec is not None:
            left.append(f"'{name}' {_text(value)}: {spec.why_not}")
    if len(mistakes) == 1:
        raise SettingsError(f"{file.path} {mistakes[0].what}", mistakes[0].remedy)
    if mistakes:
        raise all_mistakes(str(file.path), mistakes)
    left += _other_parts(file)
    return MagScopeSettings(changes, tuple(taken), tuple(left))


def _flat(file: YamlFile) -> tuple[dict[str, Any], tuple[str, ...], list[SettingsError]]:
    """Return MagScope's settings, where in the file they are, and what is wrong around them."""
    data = file.data
    if "magscope" not in data:
        return data, (), []
    mistakes = []
    if data.get("version") != _VERSION:
        what = f"line {file.line_of(('version',))}: these are preferences of version "
        mistakes.append(
            SettingsError(f"{what}{data.get('version')!r}, not {_VERSION}", "use MagScope 1.0")
        )
    for part in ("magscope", "tracking", "appearance_layout"):
        if not isinstance(data.get(part, {}), Mapping):
            what = f"line {file.line_of((part,))}: '{part}' is not a list of names and values"
            mistakes.append(SettingsError(what, "export the preferences again"))
    for part in data.keys() - set(_PARTS):
        what = f"line {file.line_of((part,))}: MagScope's preferences have no '{part}'"
        mistakes.append(SettingsError(what, "remove it"))
    found = data["magscope"]
    return (dict(found) if isinstance(found, Mapping) else {}), ("magscope",), mistakes


def _wrong(name: str, value: Any, spec: _Spec | None) -> tuple[str, str] | None:
    """Return what MagScope would have against a value, and the remedy."""
    if spec is None:
        return f"MagScope 1.0.0 has no setting '{name}'", "correct or remove it"
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    fits = {
        "int": number and isinstance(value, int),
        "number": number and abs(value) < float("inf"),
        "bool": isinstance(value, bool),
        "text": isinstance(value, str),
    }[spec.kind]
    if fits and number:
        fits = (spec.low is None or value >= spec.low) and (spec.high is None or value <= spec.high)
    if fits:
        return None
    kinds = {"int": "a whole number", "number": "a number", "bool": "true or false", "text": "text"}
    span = "" if spec.low is None else f" from {spec.low:g}"
    span += "" if spec.high is None else f" to {spec.high:g}"
    return f"'{name}' cannot be {str(value)[:60]!r}", f"MagScope takes {kinds[spec.kind]}{span}"


def _read(value: Any, spec: _Spec | None) -> Any:
    """Return text that MagScope reads as a number, or as true or false, as that."""
    if not isinstance(value, str) or spec is None or spec.kind == "text":
        return value
    word = value.strip().lower()
    if spec.kind == "bool":
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(
            word, value
        )
    try:
        return int(word) if spec.kind == "int" else float(word)
    except ValueError:
        return value


def _take(
    name: str, value: Any, ours: str, changes: dict[str, Any], taken: list[str], left: list[str]
) -> None:
    try:
        new = Settings().replace({ours: value}).get(ours)
    except SettingsError as error:
        left.append(f"'{name}' {_text(value)}: {ours} is otherwise limited ({error.remedy})")
        return
    changes[ours] = new
    taken.append(f"'{name}' {_text(value)} is {ours}")


def _magnification(
    value: float,
    camera_nm_per_px: float | None,
    changes: dict[str, Any],
    taken: list[str],
    left: list[str],
) -> None:
    if camera_nm_per_px is None:
        left.append(
            f"'magnification' {value:g}: the size of a pixel in the sample is that of the camera's "
            f"chip / {value:g}; the first is in MagScope's camera class, not in this file"
        )
        return
    ours = "tracking.nm_per_px"
    size = camera_nm_per_px / value
    try:
        changes[ours] = Settings().replace({ours: size}).get(ours)
    except SettingsError as error:
        left.append(f"'magnification' {value:g}: {error}")
        return
    taken.append(f"'magnification' {value:g} with a chip of {camera_nm_per_px:g} nm/px is {ours}")


def _other_parts(file: YamlFile) -> list[str]:
    left = []
    tracking = file.data.get("tracking")
    if tracking:
        other = [name for name, value in tracking.items() if _TRACKING.get(name) != value]
        how = "tracking.method: magtrack-compatible tracks with MagScope's defaults"
        if other:
            how += f"; yours differ in {', '.join(map(str, other))}, for which there is no setting"
        left.append(f"'tracking': {how}")
    if file.data.get("appearance_layout"):
        left.append(f"'appearance_layout': {_LOOK}")
    return left


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value}"
