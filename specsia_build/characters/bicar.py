"""Characters in the layout of 3DBiCar: ``{uid}/tpose`` holds the meshes, ``{uid}/image`` the drawing.

Procedural samples have a rig, which is made again from the seed that their ``metadata.json`` states.
"""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from specsia_build.arrays import Floats
from specsia_build.characters.character import Entry, RawMesh, RawMoving
from specsia_build.characters.images import IMAGE_SUFFIXES
from specsia_build.characters.motions import built_in, motion_for
from specsia_build.characters.obj import read_obj
from specsia_build.characters.samples import METADATA, SAMPLES_VERSION, stated_by
from specsia_build.characters.side_files import SideFiles
from specsia_build.errors import CharacterError
from specsia_build.files.sources import is_file
from specsia_build.frame import up_rotation
from specsia_build.rendering.mesh import concatenate
from specsia_build.warning import Warning

_PARTS = {"m": ("m",), "e": ("e", "eyes")}
"""The meshes of a character, each with the names that `drop` may call the whole of it by."""

BICAR_DRAWING = "image/image_reshape512.jpeg"  # A character's own drawing, below its folder
_SUFFIXES = (".bmp", *(s for s in IMAGE_SUFFIXES if s != ".bmp"))


def is_bicar(folder: Path) -> bool:
    """Whether a folder is one character: it holds ``tpose/m.obj``."""
    return is_file(folder / "tpose" / "m.obj")


def bicar_entry(folder: Path, character_id: str, root: Path | None = None) -> Entry:
    """The character in a folder, with its drawing; without ``tpose/m.obj`` its problem says so."""
    drawing = folder / BICAR_DRAWING
    return Entry(
        id=character_id,
        format="3dbicar",
        path=folder,
        drawing=drawing if is_file(drawing) else None,
        source="3DBiCar",
        problem=None if is_bicar(folder) else f"{folder.name} has no tpose/m.obj",
        root=root,
    )


def read_bicar(entry: Entry, *, moving: bool) -> RawMesh:
    """Read a character's body (``m.obj``) and, where there is one, its eyes and accessory (``e.obj``).

    Each mesh takes the image with its own name, whatever its material library says. Parts to drop are ``m``,
    ``e`` or ``eyes``, and objects and groups in them. Raises CharacterError if the body is missing, a mesh,
    an image or a rig cannot be read, or no part is left.
    """
    folder, root = entry.path, entry.within
    if not is_bicar(folder):
        raise CharacterError(f"{folder.name} has no tpose/m.obj")
    raws: dict[str, RawMesh] = {}
    whole: list[str] = []
    files: list[Path] = []
    warnings: list[Warning] = []
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
            sentence = f"tpose/{name}.obj has no image {name}.bmp beside it: it is built white"
            warnings.append(Warning("file-missing", sentence, f"{name}.bmp"))
        own = msgspec.structs.replace(entry, path=path, texture=image or entry.texture, root=root)
        raws[name] = read_obj(own, plain=True)
        files.extend(raws[name].files)
    if not raws:
        raise CharacterError(f"every part of {folder.name} is dropped: no face is left")
    mesh = concatenate([raw.mesh for raw in raws.values()])
    if moving:
        files.append(folder / METADATA)
    sizes = [len(raw.mesh.faces) for raw in raws.values()]
    return RawMesh(
        mesh=mesh,
        moving=_moving(folder, root, mesh.vertices) if moving else None,
        parts=tuple(dict.fromkeys((*whole, *(part for raw in raws.values() for part in raw.parts)))),
        part_names=tuple(_PARTS[name] for name in raws),
        face_part=np.repeat(np.arange(len(raws), dtype=np.int32), sizes),
        files=tuple(dict.fromkeys(files)),
        warnings=tuple(warnings),
    )


def _moving(folder: Path, root: Path, points: Floats) -> RawMoving | None:
    """The rig of a procedural sample's vertices, with the built-in motions; None for other characters."""
    stated = stated_by(folder, root)
    if stated is None:
        return None
    from specsia_build.characters.samples.make import make_rig

    rig = make_rig(stated.seed, stated.id) if stated.version == SAMPLES_VERSION else None
    if rig is None or rig.points.shape != points.shape or not np.allclose(rig.points, points, atol=1e-3):
        why = "it was changed, or another version of specsia wrote it: write it again"
        raise CharacterError(f"the procedural sample {folder.name} has no rig, as {why}")
    bones = {name: node for node, name in enumerate(rig.skeleton.names)}
    moving, file = RawMoving(rig=replace(rig, points=points), humanoid=bones), built_in()
    placed = moving.turned(up_rotation("+y")).rig
    motions = tuple(motion_for(placed, bones, file, motion)[0] for motion in file.motions)
    return replace(moving, motions=motions)
