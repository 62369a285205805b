"""Files of motions, whoever they were made for, and one of their motions on a character's own skeleton."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from specsia_build import memory
from specsia_build.animation.figure import Figure
from specsia_build.animation.motion import Motion
from specsia_build.animation.retarget import retargeted
from specsia_build.animation.rig import Rig
from specsia_build.animation.skeleton import Skeleton
from specsia_build.characters.bvh import read_bvh
from specsia_build.errors import CharacterError, CostError
from specsia_build.frame import front_rotation, up_rotation

SUFFIXES = (".bvh",)
"""Of files that motions are read from."""

_PARSER_ERRORS = (OSError, ValueError, LookupError, ArithmeticError, EOFError, RecursionError, struct.error)


@dataclass(frozen=True)
class MotionFile:
    """A file of motions.

    Attributes:
        name: of the file.
        skeleton: what the motions move, in the file's own coordinates.
        motions: those that can be played, in file order.
        spoilt: name of each other one, and a sentence that says why it cannot be played.
        humanoid: node of each humanoid bone where the file says so, called as in VRM; else empty.
        up: signed axis of the file that points up.
        front: axis that the skeleton faces at rest once `up` is turned to Z.
        warnings: sentences about what was left out.
    """

    name: str
    skeleton: Skeleton
    motions: tuple[Motion, ...]
    spoilt: tuple[tuple[str, str], ...] = ()
    humanoid: Mapping[str, int] = field(default_factory=dict)
    up: str = "+y"
    front: str = "-y"
    warnings: tuple[str, ...] = ()


def read_motions(path: Path, root: Path | None = None) -> MotionFile:
    """Read a file of motions.

    Args:
        path: the file; what it is shows in its suffix, one of `SUFFIXES`.
        root: folder that no file may lie outside of, links followed; None is its own.

    Raises:
        CharacterError: with a sentence, if it cannot be read, or would cost more memory than a worker may use.
    """
    try:
        with memory.reckoned(path.name):
            return _read(path, root or path.parent)
    except CostError as error:
        raise CharacterError(str(error)) from error
    except MemoryError as error:
        raise CharacterError(memory.exhausted(path.name)) from error
    except _PARSER_ERRORS as error:
        raise CharacterError(f"{path.name} could not be read: {error or type(error).__name__}") from error


def _read(path: Path, root: Path) -> MotionFile:
    suffix = path.suffix.lower()
    if suffix == ".bvh":
        bvh = read_bvh(path, root)
        return MotionFile(path.name, bvh.skeleton, (bvh.motion,), up=bvh.up, front=bvh.front)
    raise CharacterError(f"{path.name} is no file that motions are read from: give one of {', '.join(SUFFIXES)}")


def motion_for(
    rig: Rig, humanoid: Mapping[str, int], file: MotionFile, motion: Motion
) -> tuple[Motion, tuple[str, ...]]:
    """A motion of a file on a character's skeleton.

    Joints follow those of the same names where the two share them, and else as one humanoid follows another.

    Args:
        rig: the character's, placed Z up and facing -Y.
        humanoid: node of each humanoid bone as the character's file says; else empty.
        file: where the motion is from.
        motion: one of the file's.

    Returns:
        The motion of the rig's skeleton, and sentences on what a user should know of it.

    Raises:
        CharacterError: with a sentence, if the two have too little in common, or it would cost too much memory.
    """
    u, _, vt = np.linalg.svd(rig.placement[:3, :3])
    source = Figure(file.skeleton, front_rotation(file.front) @ up_rotation(file.up), file.humanoid)
    try:
        found = retargeted(motion, source, Figure(rig.skeleton, u @ vt, humanoid))
    except (CharacterError, CostError) as error:
        raise CharacterError(f"'{motion.name}' of {file.name} cannot be played: {error}") from error
    notes = (f"'{motion.name}' of {file.name}: {note}" for note in found.notes)
    return found.motion, (*file.warnings, *notes)
