"""Characters in the layout of 3DBiCar: ``{uid}/tpose`` holds the meshes, ``{uid}/image`` the drawing."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.bicar_rig import RIG, StoredRig, read_rig
from specsia_build.characters.character import Entry, RawMesh, RawMoving, is_unicode
from specsia_build.characters.images import IMAGE_SUFFIXES
from specsia_build.characters.motions import built_in, motion_for
from specsia_build.characters.obj import read_obj
from specsia_build.characters.side_files import SideFiles
from specsia_build.errors import CharacterError, SpecsiaError
from specsia_build.files.records import parse_json
from specsia_build.files.sources import is_file, read_source
from specsia_build.frame import up_rotation
from specsia_build.rendering.mesh import concatenate

_PARTS = {"m": ("m",), "e": ("e", "eyes")}
"""The meshes of a character, each with the names that `drop` may call the whole of it by."""

DRAWING = "image/image_reshape512.jpeg"
"""A character's own drawing, below its folder."""

_NO_BONES = frozenset(("leftEar", "rightEar", "tail1", "tail2", "tail3"))
"""Joints of samples that are no bones of a humanoid."""

_MOST_METADATA_BYTES = 2**20
_SUFFIXES = (".bmp", *(s for s in IMAGE_SUFFIXES if s != ".bmp"))


def is_bicar(folder: Path) -> bool:
    """Whether a folder is one character: it holds ``tpose/m.obj``."""
    return is_file(folder / "tpose" / "m.obj")


def bicar_entry(folder: Path, character_id: str, root: Path | None = None) -> Entry:
    """The character in a folder, with its drawing, and licence and source where ``metadata.json`` states them.

    A folder without ``tpose/m.obj`` gives an entry that says so as its problem.
    """
    drawing = folder / DRAWING
    stated = _metadata(folder / "metadata.json", root or folder)
    return Entry(
        id=character_id,
        format="3dbicar",
        path=folder,
        drawing=drawing if is_file(drawing) else None,
        license=stated.get("license"),
        source=stated.get("source", "3DBiCar"),
        problem=None if is_bicar(folder) else f"{folder.name} has no tpose/m.obj",
        root=root,
    )


def read_bicar(
    folder: Path,
    *,
    texture: Path | None = None,
    drop: Collection[str] = (),
    root: Path | None = None,
    moving: bool = False,
) -> RawMesh:
    """Read a character's body (``m.obj``) and, where there is one, its eyes and accessory (``e.obj``).

    Each mesh takes the image with its own name, whatever its material library says. Parts to `drop` are ``m``, ``e`` or
    ``eyes``, and objects and groups in them; other arguments are those of `read_gltf`. The rig is ``tpose/rig.json``.

    Raises:
        CharacterError: if the body is missing, or a mesh, an image or the rig cannot be read, or no part is left.
    """
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
        if set(_PARTS[name]) & set(drop):
            continue
        side = SideFiles(path, root or folder)
        image = side.find_own(_SUFFIXES)
        files.extend(side.tried)
        warnings.extend(side.warnings())
        if image is None and texture is None:
            warnings.append(f"tpose/{name}.obj has no image {name}.bmp beside it: it is built white")
        raws[name] = read_obj(path, texture=image or texture, drop=drop, root=root or folder, plain=True)
        files.extend(raws[name].files)
    if not raws:
        raise CharacterError(f"every part of {folder.name} is dropped: no face is left")
    mesh = concatenate([raw.mesh for raw in raws.values()])
    if moving:
        files.append(folder / RIG)
    stored = read_rig(folder, root) if moving else None
    return RawMesh(
        mesh=mesh,
        moving=None if stored is None else _moving(stored, mesh.vertices, tuple(raws), folder.name),
        parts=tuple(dict.fromkeys((*whole, *(part for raw in raws.values() for part in raw.parts)))),
        part_names=tuple(_PARTS[name] for name in raws),
        face_part=np.repeat(np.arange(len(raws), dtype=np.int32), [len(raw.mesh.faces) for raw in raws.values()]),
        files=tuple(dict.fromkeys(files)),
        warnings=tuple(warnings),
    )


def _moving(stored: StoredRig, points: NDArray[np.float32], meshes: tuple[str, ...], name: str) -> RawMoving:
    """The rig of some meshes' vertices, and the built-in motions on its skeleton."""
    try:
        rig = stored.rig(points, meshes)
    except ValueError as error:
        raise CharacterError(f"{name}: {error}") from error
    bones = {bone: node for node, bone in enumerate(stored.names) if bone not in _NO_BONES}
    upright = np.eye(4)
    upright[:3, :3] = up_rotation("+y")
    placed, file = rig.placed(upright), built_in()
    try:
        motions = tuple(motion_for(placed, bones, file, motion)[0] for motion in file.motions)
        return RawMoving(rig, motions=motions, humanoid=bones)
    except CharacterError as error:
        return RawMoving(rig, humanoid=bones, warnings=(f"{name} has a rig and no motions: {error}",))


def _metadata(path: Path, root: Path) -> dict[str, str]:
    """The texts of a JSON object; nothing where the file is missing or damaged, as nothing in it is needed."""
    try:
        values = parse_json(read_source(path, root, _MOST_METADATA_BYTES).removeprefix(b"\xef\xbb\xbf"), path.name)
    except SpecsiaError:
        values = {}
    pairs = values.items() if isinstance(values, dict) else ()
    return {key: value for key, value in pairs if isinstance(value, str) and value and is_unicode(value)}
