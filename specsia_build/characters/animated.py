"""Reading one character with what moves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.motion import Motion
from specsia_build.animation.rig import Rig
from specsia_build.animation.skeleton import Skeleton
from specsia_build.characters.character import Character, Entry
from specsia_build.characters.read import read_with_rig


@dataclass(frozen=True)
class AnimatedCharacter:
    """A character, its rig and its file's own motions.

    Attributes:
        character: exactly what `read_character` gives.
        rig: of `character.mesh.vertices`, one row each, placed in that mesh's coordinates; its skeleton stands as the
            file has it at rest, whatever the pose of the entry.
        motions: those of the file that can be played, in file order.
        spoilt: name of each other one, and a sentence that says why it cannot be played.
        humanoid: VRM's humanoid bones as the file states them, by their names there the node of the skeleton; else
            empty.
        warnings: sentences about what was left out of the motions, or of the humanoid.
    """

    character: Character
    rig: Rig
    motions: tuple[Motion, ...] = ()
    spoilt: tuple[tuple[str, str], ...] = ()
    humanoid: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


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
    if moving is None:
        return AnimatedCharacter(character, _still(character.mesh.vertices))
    return AnimatedCharacter(character, moving.rig, moving.motions, moving.spoilt, moving.humanoid, moving.warnings)


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
