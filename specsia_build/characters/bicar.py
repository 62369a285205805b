"""Characters in the layout of 3DBiCar: ``{uid}/tpose`` holds the meshes, ``{uid}/image`` the drawing.

Procedural samples have a rig, ``tpose/rig.json``. One JSON object: `joints`, a row of name, parent (-1 for none) and
place for each; `skins`, whose `m` has a row for each vertex of ``m.obj``, of joints and their shares in ten thousandths
by turns.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.rig import Rig
from specsia_build.animation.skeleton import Skeleton
from specsia_build.characters.character import Entry, RawMesh, RawMoving, Skin
from specsia_build.characters.images import IMAGE_SUFFIXES
from specsia_build.characters.motions import built_in, motion_for
from specsia_build.characters.obj import read_obj
from specsia_build.characters.side_files import SideFiles
from specsia_build.errors import CharacterError
from specsia_build.files.sources import is_file, read_source
from specsia_build.frame import up_rotation
from specsia_build.rendering.mesh import concatenate

_PARTS = {"m": ("m",), "e": ("e", "eyes")}
"""The meshes of a character, each with the names that `drop` may call the whole of it by."""

DRAWING = "image/image_reshape512.jpeg"
"""A character's own drawing, below its folder."""

RIG = "tpose/rig.json"

_NO_BONES = frozenset(("leftEar", "rightEar", "tail1", "tail2", "tail3"))
"""Joints of samples that are not bones of a humanoid."""

_SUFFIXES = (".bmp", *(s for s in IMAGE_SUFFIXES if s != ".bmp"))


def is_bicar(folder: Path) -> bool:
    """Whether a folder is one character: it holds ``tpose/m.obj``."""
    return is_file(folder / "tpose" / "m.obj")


def bicar_entry(folder: Path, character_id: str, root: Path | None = None) -> Entry:
    """The character in a folder, with its drawing; without ``tpose/m.obj`` its problem says so."""
    drawing = folder / DRAWING
    return Entry(
        id=character_id,
        format="3dbicar",
        path=folder,
        drawing=drawing if is_file(drawing) else None,
        source="3DBiCar",
        problem=None if is_bicar(folder) else f"{folder.name} has no tpose/m.obj",
        root=root,
    )


def read_bicar(entry: Entry, *, moving: bool = False) -> RawMesh:
    """Read a character's body (``m.obj``) and, where there is one, its eyes and accessory (``e.obj``).

    Each mesh takes the image with its own name, whatever its material library says. Parts to drop are ``m``, ``e`` or
    ``eyes``, and objects and groups in them. The rig is ``tpose/rig.json``.

    Raises:
        CharacterError: if the body is missing, or a mesh, an image or the rig cannot be read, or no part is left.
    """
    folder, root = entry.path, entry.within
    if not is_bicar(folder):
        raise CharacterError(f"{folder.name} has no tpose/m.obj")
    raws: dict[str, RawMesh] = {}
    whole: list[str] = []
    files: list[Path] = []
    warnings: list[str] = []
    for name in _PARTS:
        path = folder / "tpose" / f"{name}.obj"
        files.append(path)
        if not is_file(path):
            continue
        whole += _PARTS[name]
        if set(_PARTS[name]) & set(entry.drop):
            continue
        side = SideFiles(path, root)
        image = side.find_own(_SUFFIXES)
        files.extend(side.tried)
        warnings.extend(side.warnings)
        if image is None and entry.texture is None:
            warnings.append(f"tpose/{name}.obj has no image {name}.bmp beside it: it is built white")
        own = msgspec.structs.replace(entry, path=path, texture=image or entry.texture, root=root)
        raws[name] = read_obj(own, plain=True)
        files.extend(raws[name].files)
    if not raws:
        raise CharacterError(f"every part of {folder.name} is dropped: no face is left")
    mesh = concatenate([raw.mesh for raw in raws.values()])
    if moving:
        files.append(folder / RIG)
    stored = read_rig(folder, root) if moving else None
    return RawMesh(
        mesh=mesh,
        moving=None if stored is None else _moving(stored, mesh.vertices, folder.name),
        parts=tuple(dict.fromkeys((*whole, *(part for raw in raws.values() for part in raw.parts)))),
        part_names=tuple(_PARTS[name] for name in raws),
        face_part=np.repeat(np.arange(len(raws), dtype=np.int32), [len(raw.mesh.faces) for raw in raws.values()]),
        files=tuple(dict.fromkeys(files)),
        warnings=tuple(warnings),
    )


def _moving(stored: StoredRig, points: NDArray[np.float32], name: str) -> RawMoving:
    """The rig of a character's vertices, and the built-in motions on its skeleton."""
    bones = {bone: node for node, bone in enumerate(stored.names) if bone not in _NO_BONES}
    try:
        moving = RawMoving(stored.rig(points), humanoid=bones)
    except ValueError as error:
        raise CharacterError(f"{name}: {error}") from error
    placed, file = moving.turned(up_rotation("+y")).rig, built_in()
    try:
        return replace(moving, motions=tuple(motion_for(placed, bones, file, motion)[0] for motion in file.motions))
    except CharacterError as error:
        return replace(moving, warnings=(f"{name} has a rig and no motions: {error}",))


_WHOLE = 10_000
_MOST_BYTES = 64 * 2**20
_MOST_JOINTS, _MOST_SHARES = 1_000, 16


class _RigFile(msgspec.Struct):
    """The content of `RIG`: name, parent and place of each joint, and rows of joints and shares by mesh."""

    joints: Annotated[list[tuple[str, int, float, float, float]], msgspec.Meta(max_length=_MOST_JOINTS)]
    skins: dict[str, list[list[int]]]


@dataclass(frozen=True)
class StoredRig:
    """A rig as it is stored, in the OBJs' coordinates.

    Attributes:
        names: of the joints, VRM's where it has one.
        parents: (J,) int32, every parent before its children, -1 for roots.
        places: (J, 3) float64 at rest, where no joint is turned.
        skin: of the vertices of ``m.obj``.
    """

    names: tuple[str, ...]
    parents: NDArray[np.int32]
    places: NDArray[np.float64]
    skin: Skin

    def rig(self, points: NDArray[np.float32]) -> Rig:
        """The rig of vertices (V, 3), placed in the OBJ's coordinates; a ValueError if it is of another number."""
        if (count := len(self.skin.joints)) != len(points):
            raise ValueError(f"{RIG} is of {count} vertices, its meshes {len(points)}: write or delete it")
        joints = len(self.names)
        from_parent = self.places - np.where((self.parents >= 0)[:, None], self.places[self.parents], 0.0)
        unturned = np.tile([0.0, 0.0, 0.0, 1.0], (joints, 1))
        binds = np.tile(np.eye(4), (joints, 1, 1))
        binds[:, :3, 3] = -self.places
        return Rig(
            skeleton=Skeleton(self.names, self.parents, from_parent, unturned, np.ones((joints, 3))),
            points=points,
            slots=self.skin.joints,
            weights=self.skin.weights.astype(np.float32),
            nodes=np.arange(joints, dtype=np.int32),
            inverse_binds=binds,
            placement=np.eye(4),
        )


def rig_text(rig: StoredRig) -> str:
    """The content of the file: the same text for the same rig."""
    joints = [
        [name, int(parent), *(round(float(x), 6) for x in place)]
        for name, parent, place in zip(rig.names, rig.parents, rig.places, strict=True)
    ]
    # Largest first; the largest has what rounding leaves.
    order = np.argsort(-rig.skin.weights, axis=1, kind="stable")
    weights = np.take_along_axis(rig.skin.weights, order, axis=1)
    shares = np.rint(weights / weights.sum(axis=1, keepdims=True) * _WHOLE).astype(np.int64)
    shares[:, 0] += _WHOLE - shares.sum(axis=1)
    pairs = np.stack([np.take_along_axis(rig.skin.joints, order, axis=1), shares], axis=2)
    rows = [row[row[:, 1] > 0].reshape(-1).tolist() for row in pairs]
    return json.dumps({"joints": joints, "skins": {"m": rows}}, separators=(",", ":")) + "\n"


def read_rig(folder: Path, root: Path | None = None) -> StoredRig | None:
    """The rig beside a character's meshes, None where there is none; a `CharacterError` if it is damaged."""
    path = folder / RIG
    if not is_file(path):
        return None
    try:
        stored = msgspec.json.decode(read_source(path, root or folder, _MOST_BYTES), type=_RigFile)
        parents = np.array([joint[1] for joint in stored.joints], np.int32)
        places = np.array([joint[2:] for joint in stored.joints], np.float64).reshape(-1, 3)
        if not len(parents) or not ((parents >= -1) & (parents < np.arange(len(parents)))).all():
            raise ValueError("it has no joints, or one comes before its parent")
        skin = _skin(stored.skins["m"], len(parents))
    except (CharacterError, LookupError, ValueError, OverflowError) as error:
        raise CharacterError(f"{folder.name}: {RIG} is damaged ({error}): write or delete it") from error
    return StoredRig(tuple(joint[0] for joint in stored.joints), parents, places, skin)


def _skin(rows: list[list[int]], joint_count: int) -> Skin:
    lengths = np.array([len(row) for row in rows], np.int64)
    if not ((lengths % 2 == 0) & (lengths > 0) & (lengths <= 2 * _MOST_SHARES)).all():
        raise ValueError(f"a vertex has no pairs of joint and share, or more than {_MOST_SHARES}")
    filled = np.arange(int(lengths.max(initial=2))) < lengths[:, None]
    numbers = np.zeros(filled.shape, np.int64)
    numbers[filled] = np.fromiter(chain.from_iterable(rows), np.int64, int(lengths.sum()))
    joints, shares = numbers[:, ::2], numbers[:, 1::2]
    if not ((joints >= 0) & (joints < joint_count) & (shares >= 0)).all() or (shares.sum(axis=1) != _WHOLE).any():
        raise ValueError(f"a vertex names a joint that is not there, or its shares do not sum to {_WHOLE}")
    return Skin(joints.astype(np.int32), shares / _WHOLE)
