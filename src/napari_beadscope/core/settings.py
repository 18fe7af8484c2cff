"""All settings of the product, and one clear sentence for each mistake in them.

Owns how sections make up the whole. Knows nothing of files: `storage.settings_file` reads and
writes them. Fields, units and ranges are those of `core.settings_fields`.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from napari_beadscope.core.errors import SettingsError
from napari_beadscope.core.settings_fields import (
    CameraSettings,
    EngineSettings,
    HardwareSettings,
    MotorSettings,
    RecordingSettings,
    Section,
    TrackingSettings,
    XYLockSettings,
    ZLockSettings,
    expanded,
)
from napari_beadscope.core.types import AcquisitionMode

Where = Callable[[tuple[int | str, ...]], str]


class Settings(Section):
    """All settings of the product, immutable.

    Use `Settings.from_dict` and `Settings.replace` for values that come from people: they raise
    `SettingsError` with one clear sentence.

    Examples
    --------
    >>> Settings().tracking.roi_size_px
    64
    >>> Settings().replace({"tracking.roi_size_px": 48}).tracking.roi_size_px
    48
    """

    camera: CameraSettings = CameraSettings()
    tracking: TrackingSettings = TrackingSettings()
    recording: RecordingSettings = RecordingSettings()
    hardware: HardwareSettings = HardwareSettings()
    xy_lock: XYLockSettings = XYLockSettings()
    z_lock: ZLockSettings = ZLockSettings()
    engine: EngineSettings = EngineSettings()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Settings:
        """Return settings from nested sections, defaults where nothing is given.

        Raises
        ------
        SettingsError
            Names the field, the value and what is allowed.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise all_mistakes("the settings", settings_mistakes(error)) from None

    def replace(self, changes: Mapping[str, Any]) -> Settings:
        """Return a copy with dotted `changes` such as ``{"engine.ring_mb": 1024}``.

        Raises
        ------
        SettingsError
            Names the field, the value and what is allowed.
        """
        data = self.to_dict()
        unknown = []
        for name, value in changes.items():
            section, _, field = name.partition(".")
            if not field or section not in data:
                unknown.append(SettingsError(f"there is no setting '{name}'", suggestion(name)))
            else:
                data[section][field] = value
        try:
            new = type(self).model_validate(data)
        except ValidationError as error:
            raise all_mistakes("the settings", [*unknown, *settings_mistakes(error)]) from None
        if unknown:
            raise all_mistakes("the settings", unknown)
        return new

    def get(self, name: str) -> Any:
        """Return the plain value of a dotted name; SettingsError if there is none."""
        section, _, field = name.partition(".")
        found = self.to_dict().get(section, {})
        if field not in found:
            raise SettingsError(f"there is no setting '{name}'", suggestion(name))
        return found[field]

    def differences(self, other: Settings) -> dict[str, Any]:
        """Return by dotted names what `other` has otherwise, with its values.

        Examples
        --------
        >>> Settings().differences(Settings().replace({"tracking.roi_size_px": 48}))
        {'tracking.roi_size_px': 48}
        """
        mine = self.to_dict()
        return {
            f"{section}.{field}": value
            for section, fields in other.to_dict().items()
            for field, value in fields.items()
            if value != mine[section][field]
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain nested values, ready for YAML or JSON."""
        return self.model_dump(mode="json")


@dataclass(frozen=True, slots=True)
class SettingInfo:
    """One row of the settings reference: dotted name, unit, allowed values, default, meaning.

    ``own`` is whether each microscope has its own.
    """

    name: str
    unit: str
    range: str
    default: Any
    description: str
    own: bool = False


def describe(model: type[BaseModel] = Settings, prefix: str = "") -> tuple[SettingInfo, ...]:
    """List every setting of `model` with unit, range, default and meaning.

    Examples
    --------
    >>> [row.range for row in describe(Settings) if row.name == "tracking.roi_size_px"]
    ['8 to 256']
    """
    rows: list[SettingInfo] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            rows.extend(describe(kind, f"{prefix}{name}."))
            continue
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        default = field.get_default(call_default_factory=True)
        rows.append(
            SettingInfo(
                name=f"{prefix}{name}",
                unit=str(extra.get("unit", "")),
                range=_allowed(field, str(extra.get("allowed", ""))),
                default=default.value if isinstance(default, AcquisitionMode) else default,
                description=field.description or "",
                own=bool(extra.get("microscope", False)),
            )
        )
    return tuple(rows)


def _allowed(field: Any, allowed: str) -> str:
    low = next((m.ge for m in field.metadata if hasattr(m, "ge")), None)
    high = next((m.le for m in field.metadata if hasattr(m, "le")), None)
    if low is not None and high is not None:
        return f"{low:.10g} to {high:.10g}" + (", or none" if field.default is None else "")
    if allowed:
        return allowed
    if field.annotation is bool:
        return "true or false"
    if field.annotation is AcquisitionMode:
        return ", ".join(mode.value for mode in AcquisitionMode)
    return "text"


def suggestion(name: str) -> str:
    """Return 'did you mean …' for a mistyped dotted setting name, or where to find the list."""
    known = [row.name for row in describe(Settings)] + list(Settings.model_fields)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else "see `beadscope settings show` for all names"


def settings_mistakes(error: ValidationError, where: Where | None = None) -> list[SettingsError]:
    """Return every problem in `error` as one sentence with field, value and what is allowed.

    Parameters
    ----------
    error : pydantic.ValidationError
        Raised by validating `Settings`.
    where : callable, optional
        Returns what to put in front of the problem at a place, such as a line; '' for nothing.
    """
    found: dict[str, SettingsError] = {}
    for one in error.errors():
        place = tuple(part for part in one["loc"] if part not in _BRANCHES)
        name = ".".join(str(part) for part in place[:4])
        lead = where(place) if where is not None else ""
        found.setdefault(name, _mistake(one, place, f"{lead}: " if lead else ""))
    return list(found.values())


def all_mistakes(about: str, mistakes: Sequence[SettingsError]) -> SettingsError:
    """Return one error that tells all mistakes; ``mistakes`` of it has each by itself.

    Examples
    --------
    >>> two = [SettingsError("there is no setting 'a'"), SettingsError("there is no setting 'b'")]
    >>> str(all_mistakes("x.yaml", two))
    "x.yaml: 2 mistakes: (1) there is no setting 'a'; (2) there is no setting 'b'"
    """
    if len(mistakes) == 1:
        return mistakes[0]
    told = "; ".join(f"({at}) {one}" for at, one in enumerate(mistakes, 1))
    return SettingsError(
        f"{about}: {len(mistakes)} mistakes: {told}", mistakes=tuple(map(str, mistakes))
    )


_BRANCHES = ("float", "str", "int", "bool")  # pydantic names what a value could have been, too


def _mistake(one: Any, place: tuple[int | str, ...], lead: str) -> SettingsError:
    name = ".".join(str(part) for part in place[:2])
    full = ".".join(str(part) for part in place)
    if one["type"] == "extra_forbidden":
        if len(place) > 2:
            known = ", ".join(MotorSettings.model_fields)
            return SettingsError(f"{lead}there is no setting '{full}'", f"a motor has {known}")
        return SettingsError(f"{lead}there is no setting '{name}'", suggestion(name))
    if one["type"] == "missing":
        return SettingsError(f"{lead}'{full}' is missing", "say which, see `beadscope cameras`")
    value = one["input"]
    row = next((row for row in describe(Settings) if row.name == name), None)
    if row is None:
        return SettingsError(
            f"{lead}'{name}' must be a section of settings, not {_shown(value)}",
            "give its settings as indented 'name: value' lines",
        )
    unit = f" in {row.unit}" if row.unit else ""
    but = ", but not 0" if one["type"] == "value_error" else ""
    default = "none" if row.default in (None, {}) else row.default
    return SettingsError(
        f"{lead}'{full}' cannot be {_shown(value)}",
        f"allowed is {row.range}{unit}{but} (default {default})",
    )


def _shown(value: Any) -> str:
    """Return a value for a sentence: cut short, as files hold anything."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = 80
    short.maxlevel, short.maxlist, short.maxdict = 2, 4, 4
    return short.repr(value)


__all__ = [
    "CameraSettings",
    "EngineSettings",
    "HardwareSettings",
    "MotorSettings",
    "RecordingSettings",
    "SettingInfo",
    "Settings",
    "TrackingSettings",
    "XYLockSettings",
    "ZLockSettings",
    "all_mistakes",
    "describe",
    "expanded",
    "settings_mistakes",
    "suggestion",
]
