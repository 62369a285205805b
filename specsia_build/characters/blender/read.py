"""The character of an FBX or .blend file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from specsia_build.characters.blender.export import exported_document
from specsia_build.characters.doubts.joints import turned
from specsia_build.characters.gltf.read import read_document
from specsia_build.characters.raw import RawMesh
from specsia_build.characters.side_files import SideFiles
from specsia_build.frame import up_rotation


def read_with_blender(
    path: Path,
    *,
    texture: Path | None = None,
    drop: Sequence[str] = (),
    pose: str = "rest",
    root: Path | None = None,
    moving: bool = False,
) -> RawMesh:
    """The character of an FBX or .blend file: what a render would show, by way of the GLB that Blender exports of it.

    Args:
        path: the file.
        texture: base-colour image for materials without a texture; it replaces their colour.
        drop: names of parts to leave out, as `read_gltf` takes them.
        pose: ``rest``, or the name of an action with an optional ``@frame`` of the file's own.
        root: folder that no file may lie outside of, links followed; None is the file's own.
        moving: read what moves it too.

    Returns:
        The mesh in Blender's axes, Z up, facing -Y.

    Raises:
        CharacterError: if the file cannot be read, there is no Blender, or nothing is left of it.
        WriteError: if the export cannot be kept.
    """
    document = exported_document(path, SideFiles(path, root))
    raw = read_document(document, texture=texture, drop=drop, pose=pose, moving=moving)
    turn = up_rotation("+y")
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    return replace(
        raw,
        mesh=raw.mesh.rotated(turn),
        up="+z",
        front="-y",
        landmarks=turned(raw.landmarks, turn),
        rest_landmarks=turned(raw.rest_landmarks, turn),
        moving=None if raw.moving is None else replace(raw.moving, rig=raw.moving.rig.placed(matrix)),
    )
