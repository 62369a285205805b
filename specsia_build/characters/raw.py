"""Result of a file reader, before it is turned into the project's frame."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.motion import Motion
from specsia_build.animation.rig import Rig
from specsia_build.characters.doubts.joints import Landmark
from specsia_build.rendering.mesh import Mesh

PARSER_ERRORS = (OSError, ValueError, LookupError, ArithmeticError, EOFError, RecursionError, struct.error)
"""Errors that parsers raise for damaged or forged files; any other error is a bug of this program and stays visible."""


@dataclass(frozen=True, kw_only=True)
class Motions:
    """Motions in a file.

    Attributes:
        motions: those that can be played, in file order.
        spoilt: name of each other one, and a sentence that says why it cannot be played.
        humanoid: node of each humanoid bone where the file says so, called as in VRM; else empty.
        warnings: sentences about what was left out of the motions, or of the humanoid.
    """

    motions: tuple[Motion, ...] = ()
    spoilt: tuple[tuple[str, str], ...] = ()
    humanoid: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class RawMoving(Motions):
    """Skeleton, weights and morph targets that move a mesh.

    Attributes:
        rig: of the mesh's vertices, placed in its coordinates; its skeleton stands as the file has it at rest.
    """

    rig: Rig


@dataclass(frozen=True)
class RawMesh:
    """A mesh in its file's own axes and units.

    Attributes:
        mesh: at rest or in a pose, parts in place, in the file's coordinates.
        up: signed axis of the file that points up by its format's convention (``+y`` for glTF and OBJ).
        front: axis the character faces once `up` has been turned to Z (``-y``, or ``+y`` for VRM 0.x).
        parts: names to show of what a manifest's `drop` may name, in file order; dropped ones included.
        names: further names that `drop` may give: of nodes above a part, of meshes.
        part_names: what each part is called, its own names first, then those of what it hangs below, nearest first.
        face_part: (F,) int32 into `part_names`; None where there is one part.
        files: every file read, and every file that was looked for in vain, for staleness checks.
        warnings: sentences about what was built all the same.
        skinned: whether a skin posed the vertices.
        animations: how many clips the file carries.
        landmarks: named joints and nodes with their places, as the mesh is drawn, in the file's coordinates.
        rest_landmarks: the same at rest, where a pose took them elsewhere; else empty.
        moving: what moves it; None where it was not asked for, or where its format has nothing of the kind.
    """

    mesh: Mesh
    up: str = "+y"
    front: str = "-y"
    parts: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    warnings: tuple[str, ...] = ()
    skinned: bool = False
    animations: int = 0
    landmarks: tuple[Landmark, ...] = ()
    rest_landmarks: tuple[Landmark, ...] = ()
    names: frozenset[str] = frozenset()
    part_names: tuple[tuple[str, ...], ...] = ((),)
    face_part: NDArray[np.int32] | None = None
    moving: RawMoving | None = None
