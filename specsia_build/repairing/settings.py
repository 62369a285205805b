"""Settings of a repair: those of the command line and of `specsia.repair`, checked before any work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from specsia_build.config import BuildConfig, checked
from specsia_build.dravie.config import need_torch
from specsia_build.dravie.runs import NAME, checkpoints, find_run
from specsia_build.errors import UsageError, no_such
from specsia_build.files.digests import file_digest
from specsia_build.pictures.sheets import Ground, parse_ground
from specsia_build.repairing.drawing import KEEP, NO_OUTLINE, DrawingSettings, parse_outline
from specsia_build.repairing.sheet import DrawnSide, parse_order, parse_side
from specsia_build.writers.baking import TEXELS
from specsia_build.writers.exported import METRES_TALL

_MOST_VIEWS = 360  # Most frames of one turn

Facing = Literal["front", "left", "right", "back"]
Size = Annotated[int, msgspec.Meta(ge=64, le=2048)]
Seconds = Annotated[float, msgspec.Meta(ge=0.1, le=3600)]
Rate = Annotated[float, msgspec.Meta(ge=0.1, le=60)]
Texels = Annotated[int, msgspec.Meta(ge=64, le=8192)]
Metres = Annotated[float, msgspec.Meta(ge=0.001, le=1000)]
_Number = Annotated[int, msgspec.Meta(ge=1, le=999)]
_Views = Annotated[int, msgspec.Meta(ge=1, le=_MOST_VIEWS)]

_KINDS: Mapping[str, Any] = {
    "size": Size,
    "outline": str,
    "mask": str,
    "figure": _Number,
    "facing": Facing,
    "pixel": bool,
    "backend": str,
    "model": str,
    "mesh": str,
    "back": str,
    "side": str,
    "sheet": str,
    "order": str,
    "motion": tuple[str, ...],
    "joints": str,
    "adapt": bool,
    "views": _Views,
    "seconds": Seconds,
    "fps": Rate,
    "ground": str,
    "texture": Texels,
    "height": Metres,
    "lit": bool,
}
"""Type of each option."""

_FILES = ("mask", "mesh", "back", "sheet", "joints")  # Options that name a file, or may do so
_UNNAMED = ("side", "sheet", "order", "joints")  # Options that the record leaves out if they are not given


@dataclass(frozen=True)
class RepairSettings:
    """Settings of a repair.

    Attributes:
        reading: how the drawing is read.
        backend: `NAME[:ARG]` of the backend to use if no mesh is given.
        model: a run, or `pretrained`.
        mesh: file of a reconstruction by any tool, in place of a backend's.
        back: file of the character drawn from behind, for the model and for backends that take one.
        side: the character's side for backends that take one.
        sheet: file of a model sheet in place of a drawing.
        order: roles of its figures, see `ROLES`; found by default.
        motion: names of motions or files of some, which the figure plays in turn.
        joints: file of the drawing's joints; found by default.
        adapt: whether the model is fitted to the drawing first.
        views, seconds: frames of one turn, and its time in the films.
        ground: colour behind the figure in the films; None for transparency, and white in MP4.
        texture: texels on a side of the texture of `character.glb`.
        height: metres that the figure is tall there.
        lit: whether other programs shade it.
    """

    reading: DrawingSettings = field(default_factory=DrawingSettings)
    backend: str = field(default_factory=lambda: BuildConfig().backends[0])
    model: str = NAME
    mesh: Path | None = None
    back: Path | None = None
    side: DrawnSide | None = None
    sheet: Path | None = None
    order: tuple[str, ...] | None = None
    motion: tuple[str, ...] = ()
    joints: Path | None = None
    adapt: bool = False
    views: int = 36
    seconds: float = 3.0
    ground: Ground = None
    texture: int = TEXELS
    height: float = METRES_TALL
    lit: bool = False

    def __post_init__(self) -> None:
        if self.reading.outline not in (KEEP, NO_OUTLINE):
            parse_outline(self.reading.outline)
        if self.reading.pixel and self.adapt:
            raise UsageError("--pixel leaves out the model, so there is none to --adapt")
        self._check_sheet()

    def _check_sheet(self) -> None:
        """Raise `UsageError` if options of a side or a sheet contradict others."""
        more = "--side" if self.side is not None else "--sheet"
        if self.side is None and self.sheet is None:
            if self.order is not None:
                raise UsageError("--order names the figures of a --sheet, and none is given")
            return
        if self.reading.pixel:
            raise UsageError(
                f"--pixel keeps the drawing's pixels, which {more} does not match: leave one out"
            )
        if self.mesh is not None:
            raise UsageError(f"{more} has no effect on a --mesh: leave one out")
        if self.sheet is None:
            return
        if self.side is not None or self.back is not None:
            raise UsageError("--sheet holds the side and the back: leave out --side and --back")
        if self.reading.figure is not None or self.reading.facing is not None:
            raise UsageError("--sheet takes no --figure and no --facing: --order says what its figures show")

    @property
    def fps(self) -> Fraction:
        """Frames a second of the films."""
        return Fraction(self.views) / Fraction(self.seconds).limit_denominator(1000)

    @staticmethod
    def of(options: Mapping[str, Any]) -> RepairSettings:
        """Make settings of options by name, where None stands for the default.

        Raises `UsageError` for unknown names, wrong values, contradictory numbers of frames and seconds, and
        `adapt` without torch.
        """
        given = {name: value for name, value in options.items() if value is not None}
        if isinstance(given.get("motion"), str | Path):
            given["motion"] = (str(given["motion"]),)
        for name, value in given.items():
            if name not in _KINDS:
                raise UsageError(no_such("option of a repair", name, list(_KINDS)))
            given[name] = checked(name, str(value) if isinstance(value, Path) else value, _KINDS[name])
        given |= {name: Path(given[name]) for name in _FILES if name in given}
        if "side" in given:
            given["side"] = parse_side(given["side"])
        if "order" in given:
            given["order"] = parse_order(given["order"])
        timing = (given.pop(name, None) for name in ("views", "seconds", "fps"))
        if "ground" in given:
            given["ground"] = parse_ground(given["ground"])
        read = {entry.name: given.pop(entry.name) for entry in fields(DrawingSettings) if entry.name in given}
        if given.get("adapt"):
            need_torch()
        views, seconds = frames_and_seconds(*timing)
        return RepairSettings(DrawingSettings(**read), views=views, seconds=seconds, **given)

    def record(self) -> dict[str, Any]:
        """The settings for `repair.json`; files by their names, without folders."""
        values = asdict(replace(self, reading=DrawingSettings(), side=None))
        values = {**asdict(self.reading), **values}
        del values["reading"]
        if self.side is not None:
            values["side"] = self.side.spelled
        for name in _UNNAMED:
            if values[name] is None:
                del values[name]
        named = {k: Path(value).name for k, value in values.items() if k in _FILES and value is not None}
        values["motion"] = [Path(name).name for name in self.motion]
        return values | named | {"model": self.model if self.model == NAME else Path(self.model).name}

    def digests(self) -> dict[str, str]:
        """SHA-256 of the files that the options name, the model's weights included."""
        paths = {name: getattr(self, name, None) or getattr(self.reading, name, None) for name in _FILES}
        paths |= {f"motion/{Path(name).name}": name for name in self.motion}
        if self.side is not None and isinstance(self.side.picture, Path):
            paths["side"] = self.side.picture
        digests = {name: file_digest(Path(path)) for name, path in paths.items() if path is not None}
        if (stored := checkpoints(find_run(self.model))) != []:
            digests["model"] = file_digest(stored[-1] / "model.safetensors")
        return {name: digest for name, digest in digests.items() if digest is not None}


def frames_and_seconds(views: int | None, seconds: float | None, fps: float | None) -> tuple[int, float]:
    """Return the frames of one turn and its seconds, where at least one of the three is not given.

    A turn takes as long as `seconds` says, or 3 s; it has `fps` frames a second, or 12. Frames that are given
    take the same time, unless `fps` is given too. All three may be given if they agree.
    """
    usual = RepairSettings()
    if views is not None and seconds is not None and fps is not None and views != round(seconds * fps):
        raise UsageError(
            f"--views {views}, --seconds {seconds:g} and --fps {fps:g} contradict each other: leave one of "
            "them out"
        )
    if views is not None:
        return views, seconds or (usual.seconds if fps is None else views / fps)
    length = usual.seconds if seconds is None else seconds
    count = round(length * (usual.views / usual.seconds if fps is None else fps))
    if not 1 <= count <= _MOST_VIEWS:
        raise UsageError(f"a turn has 1 to {_MOST_VIEWS} frames, not {count}: name other --seconds or --fps")
    return count, length
