"""Files of motions made for any character, and one of their motions on a character's own skeleton."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from specsia_build import memory
from specsia_build.animation.figure import figure_moved, figure_of
from specsia_build.animation.motion import Motion
from specsia_build.animation.retarget import retargeted
from specsia_build.animation.rig import Rig
from specsia_build.characters.bvh import read_bvh
from specsia_build.characters.character import PARSER_ERRORS, MotionFile
from specsia_build.characters.checks.joints import front_axis, landmarks_of
from specsia_build.characters.side_files import SideFiles
from specsia_build.errors import CharacterError, CostError
from specsia_build.frame import front_rotation, up_rotation
from specsia_build.warning import Warning

if TYPE_CHECKING:
    from specsia_build.characters.gltf.document import Document

# Suffixes of files that motions are read from
SUFFIXES = (".glb", ".gltf", ".vrm", ".vrma", ".fbx", ".blend", ".bvh")

BUILT_IN = ("idle", "walk", "run", "jump", "wave", "turn")
"""Names of the motions that come with the package, for any humanoid; all can be looped."""


@lru_cache(maxsize=1)
def built_in() -> MotionFile:
    """Read the motions that come with the package, on a plain human skeleton."""
    path = Path(__file__).parents[1] / "animation" / "motions.glb"
    return replace(read_motions(path), name="the built-in motions")


def read_motions(path: Path, root: Path | None = None) -> MotionFile:
    """Read a file of motions, one of `SUFFIXES`, no file outside `root`; a CharacterError if it cannot be."""
    try:
        with memory.counting(path.name):
            return _read(path, root or path.parent)
    except CostError as error:
        raise CharacterError(str(error)) from error
    except MemoryError as error:
        raise CharacterError(memory.exhausted(path.name)) from error
    except PARSER_ERRORS as error:
        raise CharacterError(f"{path.name} could not be read: {error or type(error).__name__}") from error


def _read(path: Path, root: Path) -> MotionFile:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        problem = f"{path.name} is not a file that motions are read from: give one of {', '.join(SUFFIXES)}"
        raise CharacterError(problem)
    if suffix == ".bvh":
        return read_bvh(path, root)
    from specsia_build.characters.blender import exported_document
    from specsia_build.characters.gltf.converted import converted
    from specsia_build.characters.gltf.document import load_document

    if suffix == ".fbx":
        return _of_document(converted(path, SideFiles(path, root), "fbx"))
    if suffix == ".blend":
        return _of_document(exported_document(path, SideFiles(path, root)))
    return _of_document(load_document(path, root))


def _of_document(document: Document) -> MotionFile:
    """The motions of a glTF file; its meshes are not read."""
    from specsia_build.characters.gltf import nodes

    path = document.path
    with np.errstate(all="ignore"):
        hierarchy = nodes.read_hierarchy(document)
        hierarchy.check(document, range(len(hierarchy.nodes)))
        motions = nodes.read_motions(document, hierarchy.number)
        skeleton = nodes.with_binds(hierarchy.skeleton, document, hierarchy.number)
        places = skeleton.rest_worlds[:, :3, 3] @ up_rotation("+y").T
        front = None if motions.humanoid else front_axis(landmarks_of(skeleton.names, places))
    return MotionFile(
        path.name,
        skeleton,
        front=front or ("+y" if nodes.is_vrm0(document) else "-y"),
        motions=tuple(m if m.name else replace(m, name=path.stem) for m in motions.motions),
        spoilt=motions.spoilt,
        humanoid=motions.humanoid,
        warnings=tuple(document.warnings),
    )


def motion_for(
    rig: Rig, humanoid: Mapping[str, int], file: MotionFile, motion: Motion
) -> tuple[Motion, tuple[Warning, ...]]:
    """Retarget a file's motion to a character's skeleton: joints of the same names follow, or humanoid bones.

    The rig is placed Z up and facing -Y. Returned are the motion of its skeleton, and warnings. Raises
    CharacterError if the two have too little in common, or it would cost too much memory.
    """
    turn = front_rotation(file.front) @ up_rotation(file.up)
    source = figure_moved(file.skeleton, turn, file.humanoid, motion)
    try:
        with np.errstate(all="ignore"):
            played = retargeted(motion, source, figure_of(rig, humanoid))
    except (CharacterError, CostError) as error:
        sentence = f"'{motion.name}' of {file.name} cannot be played: {error}"
        raise CharacterError(sentence, "motion-unplayable") from error
    changes = [f"'{motion.name}' of {file.name}: {change}" for change in played.changes]
    warnings = [Warning("motion-changed", sentence, motion.name) for sentence in changes]
    return played.motion, (*file.warnings, *warnings)
