"""Reading one character with what moves it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.rig import Rig
from specsia_build.animation.skeleton import Skeleton
from specsia_build.characters.character import Character, Entry
from specsia_build.characters.raw import RawMoving
from specsia_build.characters.read import read_with_rig


@dataclass(frozen=True)
class AnimatedCharacter(RawMoving):
    """A character with the rig of its mesh, at rest whatever the pose of the entry, and its file's own motions.

    Attributes:
        character: exactly what `read_character` gives.
    """

    character: Character


def read_animated(entry: Entry) -> AnimatedCharacter:
    """Read a character with its rig and its motions.

    Args:
        entry: from a source.

    Returns:
        The character as `read_character` gives it, and what moves it. A format without rigs gives a skeleton of one
        node that everything hangs on.

    Raises:
        CharacterError: with a sentence, as `read_character`; also if it would cost more memory with its rig.
    """
    character, moving = read_with_rig(entry)
    return AnimatedCharacter(character=character, **vars(moving or RawMoving(_still(character.mesh.vertices))))


def _still(points: NDArray[np.float32]) -> Rig:
    """The rig of points (V, 3) that hang on one node."""
    skeleton = Skeleton(
        names=("",),
        parents=np.array([-1], np.int32),
        translations=np.zeros((1, 3)),
        rotations=np.array([[0.0, 0.0, 0.0, 1.0]]),
        scales=np.ones((1, 3)),
    )
    return Rig(
        skeleton=skeleton,
        points=points,
        slots=np.zeros((len(points), 1), np.int32),
        weights=np.ones((len(points), 1), np.float32),
        nodes=np.zeros(1, np.int32),
        inverse_binds=np.eye(4)[None],
        placement=np.eye(4),
    )
