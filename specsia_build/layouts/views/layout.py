"""The base class of layouts of views: a character is drawn by a rig, and its files written view by view."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from specsia_build import png
from specsia_build.arrays import Doubles, Floats
from specsia_build.cameras.records import CAMERAS_FILE, cameras_json, cameras_of
from specsia_build.cameras.rigs import CameraRig, parse_rig
from specsia_build.config import BuildConfig
from specsia_build.dataset.schema import SPLITS
from specsia_build.errors import CharacterError, UsageError, plural
from specsia_build.files.records import read_json
from specsia_build.files.writing import write_bytes
from specsia_build.frame import Camera, normalise, room_for
from specsia_build.layouts.checks import MOST_PICTURES, check_names
from specsia_build.layouts.layout import Layout, Shows, json_text
from specsia_build.layouts.media import npy
from specsia_build.layouts.part import Facts, Part, Parts, Pictures, Written
from specsia_build.layouts.views.checks import (
    CheckedView,
    check_facing,
    check_geometry,
    check_normals,
    scaled,
)
from specsia_build.layouts.views.encoding import LAYER_SUFFIXES, encode_layer, picture, problem_of
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.surface import SurfaceView, surface_views

_MARGIN_PX = 1  # Pixels that stay free at the border of every picture

Moved = Callable[[int], Iterator[Mesh]]
"""Yields a character's mesh in so many poses, spread evenly over one cycle of a motion."""


@dataclass(frozen=True)
class Drawable(Pictures):
    """A character to be drawn; its `meta` also has `seed`, `warnings`, and `sources`, its files' digests."""

    mesh: Mesh = field(kw_only=True)  # About the origin; its longest side is 1
    rig: CameraRig = field(kw_only=True)
    moved: Moved | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class DrawnCharacter:
    """A character as a layout draws it: the mesh, and its cameras in units of the frame."""

    id: str
    split: str
    mesh: Mesh
    cameras: Sequence[Camera]
    meta: Mapping[str, Any]  # Of the character, see `Pictures`
    layers: Sequence[str]  # Names of `LAYER_SUFFIXES` that were asked for
    poses: Callable[[], Iterator[Mesh]] | None = None  # The mesh in each view, if it moves

    def times(self) -> Sequence[dict[str, float]]:
        """What a record of each view says of its time, a share of the motion; nothing if it rests."""
        count = len(self.cameras)
        return [{} if self.poses is None else {"time": k / count} for k in range(count)]

    def views(self) -> Iterator[SurfaceView]:
        """Draw the views in order; raises CharacterError if one shows nothing."""
        scenes: Iterable[tuple[Mesh, Sequence[Camera]]] = [(self.mesh, self.cameras)]
        if self.poses is not None:
            scenes = zip(self.poses(), ((camera,) for camera in self.cameras), strict=True)
        for number, view in enumerate(view for scene in scenes for view in surface_views(*scene)):
            if not view.layers.mask.any():
                raise CharacterError(f"view {number} of {self.id} shows nothing: it is flat, or transparent")
            yield view

    def layer_files(self, view: SurfaceView, scale: float) -> dict[str, bytes]:
        """The layers of a view that were asked for, by name and suffix, in a layout's `scale`."""
        seed = self.meta["seed"]
        return {name + LAYER_SUFFIXES[name]: encode_layer(name, view, scale, seed) for name in self.layers}

    def by(self, rig: str) -> DrawnCharacter:
        """The same character before another rig's cameras."""
        size, seed = self.cameras[0].size, self.meta["seed"]
        return replace(self, cameras=parse_rig(rig).cameras(size, self.id, seed))


class ViewLayout(Layout):
    """A layout whose views are drawn from characters, and in no run or dataset.

    Cameras are in units of the frame, in which a character's longest side is 1; `scale` is the number of the
    files' units in one of those.
    """

    unit = "character"
    layers = ()
    shows: ClassVar[Shows] = "views"
    defaults: ClassVar[Mapping[str, Any]] = {"size": 512}
    rig: ClassVar[str]  # Default value of `--cameras`
    fixed: ClassVar[bool] = False  # Whether its reader takes the views of no other rig
    views: ClassVar[int | None] = None  # Number of views that the reader needs; None for any
    fov: ClassVar[float | None] = None  # Field of view that the reader assumes; None for any
    perspective: ClassVar[bool] = False  # Whether its files have no place for orthographic cameras
    square: ClassVar[bool] = True  # Whether they have none for other shapes and principal points
    scale: ClassVar[float] = 1.0  # See above
    moving: ClassVar[bool] = False  # Whether its reader takes figures in motion
    more_layers: ClassVar[bool] = False  # Whether it has a place for the layers of `--layers`
    # See `view_files`; `{}` is the view's name
    per_view: ClassVar[Sequence[str]] = ("{}.png",)
    per_character: ClassVar[Sequence[str]] = ()  # Names of its other files there
    place: ClassVar[str] = "{split}/{id}"  # Folder of a character's own files
    list_file: ClassVar[str | None] = None  # Name of a split's list of characters
    list_key: ClassVar[str | None] = None  # Key of the ids there, if it is no plain list
    coarse: ClassVar[bool] = False  # Whether depth has too few levels for normals to be compared with it
    least = 1
    bound: CameraRig | None = None  # The rig of an export

    def with_rig(self, rig: CameraRig) -> ViewLayout:
        """A copy that writes a rig's cameras; raises UsageError if the reader cannot take them."""
        name, cameras = self.name, rig.cameras(self.defaults["size"])
        if self.fixed and rig.name != self.rig:
            raise UsageError(f"{name} has views of its own: leave out --cameras {rig.name}")
        if self.perspective and not rig.perspective:
            advice = f"leave out --cameras {rig.name}, or give it a fov"
            raise UsageError(f"{name} cannot hold orthographic cameras: {advice}")
        if self.views not in (None, len(cameras)):
            views = plural(len(cameras), "view")
            raise UsageError(f"{name}'s reader takes {self.views} views, and {rig.name} has {views}")
        if self.fov is not None and any(abs((c.fov_deg or 0) - self.fov) > 0.01 for c in cameras):
            raise UsageError(f"{name}'s reader takes a fov of {self.fov:.4g} degrees: {rig.name} has another")
        shapes = {(c.size, c.height, c.principal_point) for c in cameras}
        if self.square and shapes != {(c := cameras[0].size, c, (c / 2, c / 2))}:
            raise UsageError(f"{name}'s reader takes squares of one size about the axis, unlike {rig.name}")
        bound = copy.copy(self)
        bound.bound = rig
        return bound

    def check(self, config: BuildConfig) -> None:
        problem = f"{self.name} is drawn anew from characters: `specsia export SOURCE --layout {self.name}`"
        raise UsageError(problem)

    def longest(self, mesh: Mesh) -> float:
        """The longest side in units of the frame that the character should have where no view cuts it."""
        return 1.0

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        (character,) = part
        assert isinstance(character, Drawable)
        meta, rig = character.meta, character.rig
        cameras = rig.cameras(meta["size"], part.key, meta["seed"])
        fit = min(normalise(character.mesh.vertices, cameras, _MARGIN_PX).fit, self.longest(character.mesh))
        mesh = _scaled(character.mesh, fit)
        poses = None
        if (moved := character.moved) is not None:
            each = zip(moved(len(cameras)), cameras, strict=True)
            fit = min(fit, *(room_for(pose.vertices, camera, _MARGIN_PX) for pose, camera in each))
            poses = partial(_scaled_poses, moved, len(cameras), fit)
        drawn = DrawnCharacter(part.key, part.split, mesh, cameras, meta, part.options["layers"], poses)
        facts = {**(self.write_views(drawn, out) or {})}
        if poses is not None:
            facts["moving"] = True
        if "changed" in part.options:
            facts["changed"] = part.options["changed"]
        if meta["warnings"]:
            facts["warnings"] = meta["warnings"]
        if not rig.fixed:
            write_bytes(out / self.home(part.split, part.key) / CAMERAS_FILE, self._record(cameras))
        return {"frames": len(cameras), "fit": fit, "sources": meta["sources"], **facts}

    def write_views(self, drawn: DrawnCharacter, out: Path) -> Mapping[str, Any] | None:
        """Write the files of a character's views into an empty folder; may return more facts."""
        home = out / self.home(drawn.split, drawn.id)
        for name, view in zip(self.view_names(len(drawn.cameras)), drawn.views(), strict=True):
            for file, data in zip(self.view_files(name), self.encode(view), strict=False):
                write_bytes(home / file, data)
        for file, array in self.arrays([scaled(camera, self.scale) for camera in drawn.cameras]).items():
            write_bytes(home / file, npy(array))
        return None

    def encode(self, view: SurfaceView) -> Sequence[bytes]:
        """The pictures of a view, in the order of `view_files`."""
        return [png.encode(view.layers.color)]

    def arrays(self, cameras: Sequence[Camera]) -> Mapping[str, Doubles]:
        """Arrays about a character's cameras in units of the files, by the names of their files."""
        return {}

    def home(self, split: str, character: str) -> str:
        """Folder of a character's own files."""
        return self.place.format(split=split, id=character)

    def whole(self, parts: Iterable[Written]) -> Iterator[tuple[str, bytes]]:
        if self.list_file is not None:
            for split, keys in by_split(parts).items():
                listed = keys if self.list_key is None else {self.list_key: keys}
                yield f"{split}/{self.list_file}", json_text(listed)

    def expected(self, part: Written) -> Mapping[str, int]:
        names = [*self.per_character]
        for view in self.view_names(part.facts["frames"]):
            names += self.view_files(view)
        home = self.home(part.split, part.key)
        return dict.fromkeys((f"{home}/{name}" for name in names), 0)

    def view_files(self, view: str) -> list[str]:
        """Names of a view's files below its character's folder, the RGBA picture first."""
        return [name.format(view) for name in self.per_view]

    def _record(self, cameras: Sequence[Camera]) -> bytes:
        return cameras_json(cameras, self.view_names(len(cameras)), scale=self.scale)

    def view_names(self, count: int) -> Sequence[str]:
        """Names of the views, which are parts of their files' names."""
        return [f"{k:03d}" for k in range(count)]

    def finish(self, folder: Path, parts: Parts, facts: Facts) -> Iterator[tuple[str, bytes]]:
        yield from super().finish(folder, parts, facts)
        if self.bound is not None and self.bound.fixed:
            size = facts.build["config"]["size"]
            yield CAMERAS_FILE, self._record(self.bound.cameras(size))

    def check_part(self, folder: Path, part: Written) -> Iterator[str]:
        frames = part.facts["frames"]
        if frames > MOST_PICTURES:
            yield f"{part.key} has more than {MOST_PICTURES} views"
            return
        files = self.files(part)
        yield from (problems := [*check_names(part, files)])
        if not problems:
            own = f"{self.home(part.split, part.key)}/{CAMERAS_FILE}"
            name = own if own in files else CAMERAS_FILE
            stored = cameras_of(read_json(folder / name, name), name)
            cameras = [scaled(camera, self.scale) for camera in stored.values()]
            if len(cameras) != frames:
                yield f"{part.key} has {frames} views of {plural(len(cameras), 'camera')}"
                return
            yield from self.check_views(folder, part, cameras)
            for name in sorted(files.difference(self.expected(part) or ())):
                if problem := problem_of(name, (folder / name).read_bytes()):
                    yield f"{name} {problem}"

    def files(self, part: Written) -> set[str]:
        """Names of all files that a part should have."""
        expected = {*(self.expected(part) or ())}
        own = f"{self.home(part.split, part.key)}/{CAMERAS_FILE}"
        return expected | {own} if own in part.files else expected

    def check_views(self, folder: Path, part: Written, cameras: Sequence[Camera]) -> Iterator[str]:
        """Check a part that has all its files; the cameras are in units of the files."""
        home, names = folder / self.home(part.split, part.key), self.view_names(len(cameras))
        for name, given, wanted in self.matrices(home, cameras):
            if not np.allclose(given, wanted, atol=1e-6):
                yield f"{part.key}/{name} has other cameras than it should"
        views = []
        for name, camera in zip(names, cameras, strict=True):
            alpha = picture(home / self.view_files(name)[0], "RGBA")[..., 3]
            views.append(CheckedView.of(f"{part.key}/{name}", camera, alpha, self.depth(home, name)))
        yield from check_geometry(views, self.scale, bool(part.facts.get("moving")))
        for name, view in zip(names, views, strict=True):
            normals = self.normals(home, name, view.camera)
            if normals is not None:
                yield from check_facing(view, normals)
                if view.depth is not None and not self.coarse:
                    yield from check_normals(view, normals)

    def matrices(self, home: Path, cameras: Sequence[Camera]) -> Iterator[tuple[str, Any, Any]]:
        """Yield each file of a character that states cameras, the numbers in it, and the right ones."""
        for name, wanted in self.arrays(cameras).items():
            yield name, np.load(home / name, allow_pickle=False), wanted

    def depth(self, home: Path, view: str) -> Floats | Doubles | None:
        """Depth of a view in units of the files, 0 where nothing is; None if the layout has none."""
        return None

    def normals(self, home: Path, view: str, camera: Camera) -> Doubles | None:
        """Normals of a view in the frame; None if the layout has none."""
        return None


def _scaled_poses(moved: Moved, count: int, fit: float) -> Iterator[Mesh]:
    return (_scaled(pose, fit) for pose in moved(count))


def _scaled(mesh: Mesh, fit: float) -> Mesh:
    return mesh.with_vertices((mesh.vertices * fit).astype(np.float32))


def by_split(parts: Any) -> dict[str, list[str]]:
    """Keys of the parts of each split, for splits that have any."""
    lists: dict[str, list[str]] = {}
    for part in parts:
        lists.setdefault(part.split, []).append(part.key)
    return {split: lists[split] for split in SPLITS if split in lists}
