"""Layouts by name: entry points of the group ``specsia.layouts``."""

from collections.abc import Collection, Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from specsia_build.config import BuildConfig, ClipSettings
from specsia_build.dataset.layers import GT, LAYERS, MASK
from specsia_build.errors import SpecsiaError, UsageError, no_such
from specsia_build.layouts.layout import Layout

GROUP = "specsia.layouts"
_STILL_LAYERS = frozenset({GT, MASK})
"""Layers of clean frames that a build of stills has; other layers are of clips."""


def available_layouts() -> tuple[str, ...]:
    """Names of layouts, sorted; imports none of them."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


@cache
def load_layout(name: str) -> Layout:
    """Load a layout; UsageError if no installed package declares it, or two do."""
    points = {point.value: point for point in entry_points(group=GROUP, name=name)}
    if not points:
        raise UsageError(no_such("layout", name, available_layouts()))
    if len(points) > 1:
        raise UsageError(f"the layout '{name}' is declared more than once: {', '.join(sorted(points))}")
    ((value, point),) = points.items()
    where = f"the layout '{name}' ({value})"
    unusable = f"{where} cannot be used: "
    try:
        layout = point.load()()
    # A third-party module may raise anything.
    except Exception as error:
        raise SpecsiaError(f"{where} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(layout, Layout) or layout.name != name or not hasattr(layout, "loading"):
        kind = "a specsia_build.layouts.layout.Layout of that name that states its `loading`"
        raise SpecsiaError(f"{unusable}it is not {kind}")
    if not set(layout.layers) <= LAYERS.keys() or layout.unit not in ("view", "character", "clip"):
        raise SpecsiaError(f"{unusable}its `layers` or `unit` are none that exist")
    return layout


def load_layouts(names: Sequence[str]) -> list[Layout]:
    """Load the named layouts, in order."""
    return [load_layout(name) for name in names]


def check_layouts(config: BuildConfig) -> None:
    """Raise UsageError if a layout does not exist, needs clips, or its reader cannot take these settings."""
    for layout in load_layouts(config.packed_layouts):
        needs_clips = layout.unit == "clip" or not _STILL_LAYERS.issuperset(layout.layers)
        if config.clips is None and needs_clips:
            name = layout.name
            raise UsageError(f"{name} needs characters in motion: `specsia clips --layout {name}`")
        layout.check(config)


def layers_of(clips: ClipSettings) -> tuple[str, ...]:
    """Layers of clean frames that the layouts of clips need, in the order of `LAYERS`."""
    needed = {layer for layout in load_layouts(clips.layouts) for layer in layout.layers_for(clips)}
    return tuple(name for name in LAYERS if name in needed)


def defaults_of(names: Sequence[str], stated: Collection[str]) -> dict[str, Any]:
    """Default settings of the named layouts that are not `stated`; UsageError if two layouts differ."""
    defaults: dict[str, Any] = {}
    for layout in load_layouts(names):
        for setting, value in layout.defaults.items():
            if setting not in stated and str(defaults.setdefault(setting, value)) != str(value):
                differ = f"{setting} ({layout.name} needs {value}, another {defaults[setting]})"
                cure = f"state --{setting.replace('_', '-')}, or build each into its own --out"
                raise UsageError(f"layouts differ in {differ}: {cure}")
    return defaults
