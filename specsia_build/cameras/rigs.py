"""Named rigs of cameras, and the options that change them: ``ring:16@elevation=20,fov=40``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from specsia_build.cameras.records import MOST_CAMERAS, inside_figure, read_cameras
from specsia_build.errors import UsageError, brief, meant, no_such
from specsia_build.frame import CAMERA_DISTANCE, EXTENT, ORTHO_WIDTH, Camera, view_yaws

GOLDEN_ANGLE = 180 * (3 - 5**0.5)  # Degrees between neighbours on an evenly covered sphere
FOV = 40.0  # Field of view in degrees of rigs that are perspective unless they say otherwise
_OUTSIDE = EXTENT * 3**0.5 / 2  # Distance from which on a camera is outside the figure's box anywhere

Interval = tuple[float, float]


class Lens(NamedTuple):
    """What a rig's options say of its cameras; ranges have equal ends where the option is one number."""

    elevation: Interval | None = None  # In degrees
    roll: Interval = (0.0, 0.0)  # In degrees
    fov: Interval | None = None  # Horizontal, in degrees; None for orthographic cameras
    radius: Interval | None = None  # In units; None for the distance that `_distance` gives
    width: float = ORTHO_WIDTH  # Units that an orthographic picture spans
    rows: int | None = None  # Height of the picture in pixels
    centre: tuple[float, float] | None = None  # Principal point, column and row in pixels
    seed: int | None = None  # Of random cameras; None for that of the build

    def camera(self, yaw: float, elevation: float, shares: tuple[float, float, float] = (0, 0, 0)) -> Camera:
        """A camera of one pixel; `shares`, 0 to 1, are its places in the ranges of roll, fov and radius."""
        roll, fov_share, radius_share = shares
        fov = None if self.fov is None else _between(self.fov, fov_share)
        radius = _distance(fov) if self.radius is None else _between(self.radius, radius_share)
        # Rounded, so that `Camera.at` gives the same camera by its matrix.
        return Camera(
            yaw,
            1,
            width=self.width,
            elevation_deg=round(elevation, 10),
            roll_deg=round(_between(self.roll, roll), 10),
            fov_deg=fov,
            radius=round(radius, 12),
            rows=self.rows,
            centre=self.centre,
        )


@dataclass(frozen=True)
class CameraRig:
    """The cameras of `--cameras`: the same for every character, or random ones for each."""

    name: str  # As it was asked for
    names: tuple[str, ...]  # Of the views, in order: parts of file names
    fixed: tuple[Camera, ...]  # Empty for random cameras
    lens: Lens = Lens()  # noqa: RUF009  a tuple of plain values
    sized: bool = False  # Whether the cameras have sizes of their own, as those of a file do

    def cameras(self, size: int, character_id: str = "", seed: int = 0) -> tuple[Camera, ...]:
        """Cameras of pictures `size` pixels wide; random ones depend on the character and the seed."""
        if self.sized:
            return self.fixed
        if self.fixed:
            return tuple(replace(camera, size=size) for camera in self.fixed)
        seed = seed if self.lens.seed is None else self.lens.seed
        cameras = (_random(self.lens, f"{seed}:{character_id}:{k}") for k in range(len(self.names)))
        return tuple(replace(camera, size=size) for camera in cameras)

    @property
    def perspective(self) -> bool:
        """Whether all of its cameras are perspective."""
        if not self.fixed:
            return self.lens.fov is not None
        return all(camera.fov_deg is not None for camera in self.fixed)


def _between(ends: Interval, share: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * share


def _distance(fov: float | None) -> float:
    """Radius from which a camera sees the ball that just fits the dataset's orthographic picture."""
    return CAMERA_DISTANCE if fov is None else ORTHO_WIDTH / 2 / float(np.sin(np.deg2rad(fov) / 2))


def _random(lens: Lens, key: str) -> Camera:
    """A camera evenly drawn from the sphere, as far as elevations allow, and from the other ranges."""
    digest = hashlib.sha256(f"{key}:camera".encode()).digest()
    shares = [int.from_bytes(digest[k : k + 6], "big") / 2**48 for k in range(0, 30, 6)]
    yaw, height, roll, fov, radius = shares
    return lens.camera(round(360 * yaw, 10), _at_height(lens, height), (roll, fov, radius))


def _at_height(lens: Lens, share: float) -> float:
    """Elevation in degrees so that equal shares are equal areas of the sphere."""
    low, high = np.sin(np.deg2rad((-90, 90) if lens.elevation is None else lens.elevation))
    return float(np.rad2deg(np.arcsin(low + (high - low) * share)))


_WONDER3D = {"front": 0, "front_right": 45, "right": 90, "back": 180, "left": 270, "front_left": 315}
_ZERO123PLUS = ((0, 0), (30, 20), (90, -10), (150, 20), (210, -10), (270, 20), (330, -10))
_MV_ADAPTER = (*((yaw, 0) for yaw in (0, 90, 180, 270, 45, 315, 135, 225)), (180, 90), (180, -90))


def _ring(lens: Lens, count: int) -> tuple[Camera, ...]:
    elevation = 0.0 if lens.elevation is None else lens.elevation[0]
    return tuple(lens.camera(yaw, elevation) for yaw in view_yaws(count))


def _sphere(lens: Lens, count: int) -> tuple[Camera, ...]:
    heights = (_at_height(lens, 1 - (k + 0.5) / count) for k in range(count))
    return tuple(lens.camera(round(k * GOLDEN_ANGLE % 360, 10), height) for k, height in enumerate(heights))


class _Kind(NamedTuple):
    """A rig by name."""

    place: Callable[[Lens, int], tuple[Camera, ...]]
    lens: Lens = Lens()
    options: frozenset[str] = frozenset()  # Besides `_COMMON`
    names: tuple[str, ...] = ()  # Of its views where their number is not asked for


def _listed(directions: Sequence[tuple[int, int]], lens: Lens, names: tuple[str, ...]) -> _Kind:
    """A rig of these yaws and elevations in degrees."""
    return _Kind(
        lambda lens, _: tuple(lens.camera(float(yaw), float(elevation)) for yaw, elevation in directions),
        lens,
        names=names,
    )


def _numbered(count: int, digits: int = 3) -> tuple[str, ...]:
    return tuple(f"{k:0{digits}d}" for k in range(count))


_COMMON = frozenset({"fov", "radius", "width", "rows", "centre"})
_TURNED = frozenset({"elevation", "roll"})
_ALL = Lens(fov=(FOV, FOV))

_KINDS = {
    "ring": _Kind(_ring, options=_TURNED),
    "orbit": _Kind(_ring, _ALL, _TURNED),
    "sphere": _Kind(_sphere, _ALL, frozenset({"elevation"})),
    "random": _Kind(lambda _lens, _count: (), _ALL, _TURNED | {"seed"}),
    "wonder3d": _listed([(yaw, 0) for yaw in _WONDER3D.values()], Lens(), tuple(_WONDER3D)),
    "zero123plus": _listed(_ZERO123PLUS, Lens(fov=(30.0, 30.0)), _numbered(7)),
    "mv-adapter": _listed(_MV_ADAPTER, Lens(width=1.1, radius=(1.8, 1.8)), _numbered(10, 4)),
}

RIGS = ("ring:N", "orbit:N", "sphere:N", "random:N", "wonder3d", "zero123plus", "mv-adapter", "FILE.json")
"""What `--cameras` takes, for help texts."""

_LIMITS: dict[str, Interval] = {
    "elevation": (-90, 90),
    "roll": (-360, 360),
    "fov": (1, 175),
    "radius": (0.01, 1000),
    "width": (0.01, 100),
    "rows": (32, 2048),
    "centre": (-10_000, 10_000),
    "seed": (0, 2**53),
}
"""Smallest and largest value of each option."""


def parse_rig(text: str) -> CameraRig:
    """Parse a rig such as ``ring:10`` or ``random:32@fov=30..50,radius=2.2``, or the path of a cameras.json.

    Raises UsageError if there is no such rig or file, or it cannot be.
    """
    if text.lower().endswith(".json"):
        views = read_cameras(Path(text))
        return CameraRig(text, tuple(views), tuple(views.values()), sized=True)
    spec, _, options = text.partition("@")
    name, colon, number = spec.partition(":")
    if (kind := _KINDS.get(name)) is None:
        known = f"--cameras takes {', '.join(RIGS)}.{meant(name, _KINDS)}"
        raise UsageError(f"there is no rig '{brief(name, 80)}'; {known}")
    if kind.names and colon:
        raise UsageError(f"{name} has {len(kind.names)} views: write it without '{brief(':' + number, 80)}'")
    count = len(kind.names) or _count(name, number)
    lens = _with_options(name, kind, options)
    rig = CameraRig(text, kind.names or _numbered(count), kind.place(lens, count), lens)
    _check_outside(rig)
    return rig


def _count(name: str, number: str) -> int:
    count = int(number) if number.isascii() and number.isdigit() and len(number) < 9 else 0
    if not 1 <= count <= MOST_CAMERAS:
        wanted = f"1 to {MOST_CAMERAS:,} views, such as {name}:10"
        raise UsageError(f"'{brief(f'{name}:{number}', 80)}' names no number of views: a rig has {wanted}")
    return count


def _with_options(name: str, kind: _Kind, text: str) -> Lens:
    """A rig's lens, changed by ``key=value`` pairs."""
    lens, allowed = kind.lens, sorted(_COMMON | kind.options)
    given: dict[str, str] = {}
    for pair in filter(None, text.split(",")):
        key, equals, value = pair.partition("=")
        if key not in allowed:
            raise UsageError(no_such(f"option of {name}", key, allowed))
        if not equals or key in given:
            raise UsageError(f"'{brief(pair, 80)}' is no option of {name}: write {key}=NUMBER, once")
        given[key] = value
    if "fov" in given and "width" in given:
        raise UsageError("fov makes perspective cameras and width orthographic ones: name one of them")
    if "width" in given:
        lens = lens._replace(fov=None)
    for key, value in given.items():
        ranged = key == "elevation" if name == "sphere" else name == "random"
        lens = lens._replace(**{key: _value(key, value, ranged)})  # type: ignore[arg-type]
    return lens


def _value(key: str, text: str, ranged: bool) -> Interval | float | int:
    """The value of an option: a pair for those with ranges and for the centre, which is ``COLUMN:ROW``."""
    low, high = _LIMITS[key]
    if key == "centre":
        parts = text.split(":")
    else:
        parts = text.split("..") if ranged and key in ("elevation", "roll", "fov", "radius") else [text]
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    whole = key in ("rows", "seed")
    fits = all(low <= number <= high and (not whole or number == int(number)) for number in numbers)
    if not fits or not 1 <= len(numbers) <= 2 or (key == "centre" and len(numbers) != 2):
        wanted = "a number or LOW..HIGH" if ranged else "a number"
        if key == "centre":
            wanted = "two numbers, COLUMN:ROW, each"
        elif whole:
            wanted = "a whole number"
        raise UsageError(f"{key}={brief(text, 80)}: {key} is {wanted} from {low:g} to {high:g}")
    if key in ("rows", "seed", "width"):
        return int(numbers[0]) if whole else numbers[0]
    return (numbers[0], numbers[1]) if key == "centre" else (min(numbers), max(numbers))


def _check_outside(rig: CameraRig) -> None:
    """Refuse perspective cameras within the box of side 1 that holds the figure."""
    lens = rig.lens
    inside = any(map(inside_figure, rig.fixed))
    if not rig.fixed and lens.fov is not None:
        nearest = _distance(lens.fov[1]) if lens.radius is None else lens.radius[0]
        inside = nearest <= _OUTSIDE
    if inside:
        where = f"the cameras of '{brief(rig.name, 80)}' may stand inside the figure"
        raise UsageError(f"{where}: give them a radius of more than {_OUTSIDE:.2f}")
