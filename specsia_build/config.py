"""Settings of a build with their defaults, and the YAML files that hold them."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from specsia_build.cameras.rigs import parse_rig
from specsia_build.errors import UsageError, no_such
from specsia_build.files.writing import write_bytes
from specsia_build.frame import Camera, view_cameras
from specsia_build.memory import MEMORY, memory_bytes

Look = Literal["unlit", "lit"]
FrontalPicture = Literal["render", "outlined", "drawing"]
PosFrame = Literal["character", "view"]
LowIou = Literal["quarantine", "keep"]
ExecutorName = Literal["local", "ray"]
Keep = Literal["all", "none"]
LayerName = Literal["depth", "normal", "position", "part", "material", "albedo", "lit"]
RendererName = Literal["cycles", "fast", "pyrender"]
LineStyle = Literal["thin", "pencil", "marker"]
LineColour = Literal["black", "coloured"]
ReferencePose = Literal["first", "other"]
UdpScale = Literal["box", "height"]
"""Values of settings; `Keep`: which artefacts stay after packing."""

NONE: Keep = "none"
RANDOM = "random"
DARK = "dark"
COLOURED = "coloured"
OUTLINES = (RANDOM, DARK, COLOURED)
"""Rules of the contour's colour, which may also be a grey or `#rrggbb`: any grey, one of the darkest quarter,
or a darker shade of the figure's colour beside it."""

DEFAULT_SOURCE = "sample:24"
DEFAULT_OUT = "specsia-out"
DEFAULT_CLIPS_OUT = "specsia-clips"
FRAMES, PAIRS = "frames", "pairs"  # Default layouts of clips and of stills; entry points add others
_FORMER = {"dravie": PAIRS}  # Former names of layouts
MAX_FAILURES = "1%"  # Failed characters that a build tolerates by default
OWN = "own"  # Name for the motions of the character's own file
_Views = Annotated[int, msgspec.Meta(ge=1, le=360)]
Count = Annotated[int, msgspec.Meta(ge=1, le=10**9)]


@cache
def types_of(kind: type) -> dict[str, Any]:
    """Types of a dataclass by field, with their limits."""
    return get_type_hints(kind, include_extras=True)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def checked(name: str, value: object, kind: Any, *, strict: bool = True) -> Any:
    """A setting's value as a type with its limits, or UsageError; unless `strict`, text may stand for it."""
    try:
        return msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        literals = [part for part in (kind, *get_args(kind)) if get_origin(part) is Literal]
        choices = ", ".join(choice for part in literals for choice in get_args(part))
        reason = f"it is one of {choices}" if choices else error
        raise UsageError(f"{name} cannot be {value!r}: {reason}") from error


def check_types(settings: Any) -> None:
    """Check the types of all settings; whole numbers become floats where those are meant."""
    for name, kind in types_of(settings.__class__).items():
        object.__setattr__(settings, name, checked(name, getattr(settings, name), kind))


@dataclass(frozen=True)
class ClipSettings:
    """Settings of `specsia clips`."""

    layouts: tuple[str, ...] = (FRAMES,)  # Names of layouts to write them in
    # `OWN`, names of built-in motions, or files of motions of other characters
    motions: tuple[str, ...] = (OWN,)
    patterns: tuple[str, ...] = ()  # Shell patterns that names of motions must match; none takes all
    fps: Annotated[float, msgspec.Meta(ge=0.1, le=240)] = 12.0
    frames: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None = None  # Most frames of a clip, or None
    views: _Views = 4  # Evenly spaced cameras of each motion
    in_place: bool = False  # Remove the figure's horizontal movement
    turntable: bool = False  # Add a clip of the still figure seen by a camera that moves around it
    reconstructed: bool = False  # Also animate reconstructions if no layout needs them
    preview: bool = False  # Write a film of each clip
    line_px: Annotated[float, msgspec.Meta(ge=1, le=4)] = 2.0  # Width of lines
    # Of `anidoc` and `flipsketch`; `coloured` is a dark hue by chance
    line_style: LineStyle = "thin"
    line_colour: LineColour = "black"
    svg: bool = False  # Also write the lines of `flipsketch` as SVG
    # Frame of `anidoc`'s reference: the first, or the one whose pose differs most, on another ground
    reference: ReferencePose = "first"
    figures: Annotated[int, msgspec.Meta(ge=1, le=2)] = 1  # In a frame of `anidoc`
    sheet_views: Annotated[int, msgspec.Meta(ge=1, le=100)] = 4  # Pictures of a sheet of `conr`
    # Unit of its Ultra-Dense Pose: the box's side along each axis, or the height at rest (or a longer side)
    udp_scale: UdpScale = "box"

    def __post_init__(self) -> None:
        check_types(self)
        if not self.layouts or not (self.motions or self.turntable):
            raise UsageError("clips need at least one layout, and a motion or a turntable")

    @property
    def pairs(self) -> bool:
        return self.reconstructed or PAIRS in self.layouts


@dataclass(frozen=True)
class BuildConfig:
    """Settings of `specsia build`; `docs/settings.md` describes them."""

    source: str = DEFAULT_SOURCE
    # A packed dataset (folder, URL or Hub id) whose characters and splits are taken, or None
    like: str | None = None
    backends: tuple[str, ...] = ("relief",)  # `NAME[:ARG]` each, with distinct names
    renderer: RendererName = "fast"
    views: _Views = 10
    # A rig or a file of cameras, see `cameras.rigs`, which decides `views`; None for a ring of as many
    cameras: str | None = None
    layers: tuple[LayerName, ...] = ()  # Columns of Y*'s surface, see `dataset.truth`
    size: Annotated[int, msgspec.Meta(ge=32, le=2048)] = 512
    look: Look = "unlit"
    outline: str = RANDOM  # Colour of the contour: one of `OUTLINES`, a grey 0-255 as text, or `#rrggbb`
    # Of contours and backends; splits do not depend on it
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 42
    # What the backend sees: the frontal `render` without its contour; the same `outlined`, and registered to
    # silhouettes with the contour, as in the published set; or the character's `drawing`
    frontal: FrontalPicture = "render"
    # Frame of position colours, the `character`'s or each `view`'s (as in the published script)
    pos_frame: PosFrame = "character"
    # Mean IoU after registration below which `low_iou` applies
    min_iou: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    low_iou: LowIou = "quarantine"
    shard: str | None = None  # `I/N`, build only the I-th of N shares of the source; see `in_shard`
    workers: Annotated[int, msgspec.Meta(ge=0, le=1024)] = 0  # Processes; 0 is one for each core
    executor: ExecutorName = "local"
    limit: Count | None = None  # Build only the first so many characters of that
    exclude: str | None = None  # A file of ids to leave out, one a line
    # Failed characters, not quarantined ones, that a build tolerates: a count or a share such as `1%`, past
    # which it ends; None is `MAX_FAILURES`, judged at the end
    max_failures: str | None = None
    # Seconds after which one character's stage is given up
    timeout: Annotated[float, msgspec.Meta(ge=1, le=10**9)] = 600.0
    memory: str = MEMORY
    # `none` removes the artefacts after packing, once the dataset passed verification
    keep: Keep | None = None
    layouts: tuple[str, ...] = (PAIRS,)  # Names of layouts to write a build of stills in
    clips: ClipSettings | None = None  # None for a build of stills

    def __post_init__(self) -> None:
        check_types(self)
        memory_bytes(self.memory)
        check_failures(self.max_failures)
        in_shard("", self.shard or "1/1")
        if self.outline not in OUTLINES:
            colour_of(self.outline)
        if self.cameras is not None:
            cameras = self._rigged()
            object.__setattr__(self, "views", len(cameras))
            if cameras == view_cameras(self.views, self.size):
                object.__setattr__(self, "cameras", None)
        if self.layers and (self.renderer != "fast" or self.clips is not None):
            other = f"renderer {self.renderer}" if self.clips is None else "clips"
            raise UsageError(f"layers cannot be combined with {other}: leave out one of the two")
        names = [backend_name(spec) for spec in self.backends]
        if not names or len(set(names)) < len(names):
            given = ", ".join(names) or "empty"
            raise UsageError(f"backends cannot be {given}: name at least one, and each only once")

    def _rigged(self) -> tuple[Camera, ...]:
        """Cameras of `cameras`; UsageError if pairs cannot be built with them."""
        assert self.cameras is not None
        cameras = parse_rig(self.cameras).cameras(self.size, "", self.seed)
        if not all(camera.is_plain and camera.size == self.size for camera in cameras):
            lack = "do not all look at the origin in the middle of a square picture"
            problem = f"cameras {self.cameras} {lack}"
            cure = "which pairs need: `specsia export` draws views by such cameras"
            raise UsageError(f"{problem} of {self.size} pixels, {cure}")
        if self.clips is not None or self.frontal == "outlined":
            other = "frontal outlined" if self.clips is None else "clips"
            raise UsageError(f"{other} cannot be combined with cameras: it needs a ring of --views")
        return cameras

    def allowed_failures(self, characters: int) -> int:
        """Number of failed characters that a build tolerates; a share allows at least one."""
        limit = self.max_failures or MAX_FAILURES
        return max(1, int(characters * Fraction(limit[:-1]) / 100)) if limit.endswith("%") else int(limit)

    @property
    def command(self) -> str:
        """The command that makes a run with these settings."""
        return "specsia build" if self.clips is None else "specsia clips"

    @property
    def packed_layouts(self) -> tuple[str, ...]:
        """Names of the layouts to write."""
        return self.layouts if self.clips is None else self.clips.layouts

    def worker_count(self) -> int:
        return self.workers or cores()


def colour_of(outline: str) -> tuple[int, int, int]:
    """Parse a grey 0-255 or `#rrggbb`; raises `UsageError` if it is neither."""
    if re.fullmatch("#[0-9a-fA-F]{6}", outline):
        red, green, blue = bytes.fromhex(outline[1:])
        return red, green, blue
    if re.fullmatch("[0-9]{1,9}", outline) and int(outline) <= 255:
        return (int(outline),) * 3
    choices = f"{', '.join(OUTLINES)}, a grey from 0 to 255, or a colour such as #204080"
    raise UsageError(f"outline cannot be '{outline}': it is {choices}")


def check_failures(max_failures: str | None) -> None:
    """Raise a `UsageError` unless `max_failures` is a count or a share of at most 100 %."""
    if max_failures is not None and not re.fullmatch(r"\d+|(\d{1,2}(\.\d+)?|100)%", max_failures, re.ASCII):
        raise UsageError(f"max_failures cannot be '{max_failures}': give a count (3) or a share of all (1%)")


RUN_SETTINGS = frozenset(
    {"workers", "executor", "limit", "exclude", "max_failures", "timeout", "memory", "keep"}
)
"""Settings that the next command does not inherit from the run."""


def backend_name(spec: str) -> str:
    """`NAME` of `NAME[:ARG]`, the name of the dataset's configuration."""
    return spec.partition(":")[0]


def in_shard(character_id: str, shard: str) -> bool:
    """Whether a character is in the shard `I/N`: the SHA-256 of its id, modulo N, is I - 1."""
    share, _, shares = shard.partition("/")
    if not (re.fullmatch(r"[0-9]{1,5}/[0-9]{1,5}", shard) and 1 <= int(share) <= int(shares)):
        raise UsageError(f"shard cannot be '{shard}': it is I/N, the I-th of N shares, such as 1/16")
    digest = hashlib.sha256(character_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") % int(shares) == int(share) - 1


def result_settings(config: BuildConfig) -> dict[str, Any]:
    """Return the settings that decide the result, without `RUN_SETTINGS`, as plain values in order."""
    plain = json.loads(json.dumps(asdict(config)))
    settings = {name: value for name, value in plain.items() if name not in RUN_SETTINGS}
    # Left out while they are unset, so that datasets of versions without them keep their fingerprints.
    unset_values = {"clips": None, "shard": None, "outline": RANDOM, "layouts": [PAIRS]}
    unset_values |= {"cameras": None, "layers": []}
    for name, unset in unset_values.items():
        if settings[name] == unset:
            del settings[name]
    return settings


def with_settings(config: BuildConfig, settings: Mapping[str, Any], where: str) -> BuildConfig:
    """Replace some settings by name; see `_PLURALS`; `-` is the same as `_`.

    Raises UsageError, which names `where` they are from, if one is unknown or its value cannot be used.
    """
    try:
        changes = _normalised(BuildConfig, settings)
        if "views" in changes and "cameras" not in changes:
            changes["cameras"] = None
        if isinstance(clips := changes.get("clips"), Mapping):
            changes["clips"] = replace(config.clips or ClipSettings(), **_normalised(ClipSettings, clips))
        result = replace(config, **changes)
        views = changes.get("views", result.views)
        if changes.get("cameras") is not None and views != result.views:
            problem = f"cameras {changes['cameras']} has {result.views} views, not {views}"
            raise UsageError(f"{problem}: name one of the two")
        return result
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error


_PLURALS = {"backend": "backends", "layout": "layouts", "recipe": "layouts", "recipes": "layouts"}
"""Names of settings as people and former versions write them."""


def _normalised(kind: type, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Spell names as the fields of a dataclass, and make tuples of lists and single values."""
    known, normalised = types_of(kind), {}
    for key, value in settings.items():
        name = _PLURALS.get(str(key), str(key).replace("-", "_"))
        if name not in known:
            raise UsageError(no_such("setting", str(key), sorted(known)))
        if name in ("max_failures", "memory") and value is not None:
            # YAML reads "3" as a number.
            value = str(value)
        if get_origin(known[name]) is tuple and isinstance(value, str | list | tuple):
            items = [value] if isinstance(value, str) else value
            # A backend that is named twice is refused, other repetitions are dropped.
            if name == "layouts":
                items = [_FORMER.get(item, item) for item in items]
            value = tuple(item for k, item in enumerate(items) if name == "backends" or item not in items[:k])
        normalised[name] = value
    return normalised


def read_settings(path: Path) -> dict[str, Any]:
    """Settings of a YAML file, unchecked, maybe with `out`; UsageError if it is no mapping of unique keys."""
    import yaml

    from specsia_build.files.records import PlainLoader

    try:
        settings = yaml.load(path.read_text(encoding="utf-8"), PlainLoader)  # noqa: S506  plain values only
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UsageError(f"the config file {path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(settings, dict | None):
        raise UsageError(f"the config file {path} must hold settings as `name: value`")
    return settings or {}


def write_settings(config: BuildConfig, path: Path) -> None:
    """Write the settings that the next command inherits, see `result_settings`, as YAML."""
    import yaml

    text = yaml.safe_dump(result_settings(config), sort_keys=False, allow_unicode=True)
    write_bytes(path, text.encode(), lasting=True)
