"""Render the frames to repair: a reconstruction that turns, still or in motion, with its positions at rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.carry import carried
from specsia_build.animation.motion import Motion, Poses, poses
from specsia_build.animation.rig import Rig, posed_through
from specsia_build.characters.motions import BUILT_IN, SUFFIXES, built_in, motion_for, read_motions
from specsia_build.characters.read import AnimatedCharacter
from specsia_build.dataset.images import position_image
from specsia_build.errors import UsageError, brief, meant, some
from specsia_build.films import Pixels
from specsia_build.frame import ORTHO_WIDTH, Camera, view_cameras
from specsia_build.rendering.fast.renderer import FastRenderer, Still
from specsia_build.rendering.layers import Layers
from specsia_build.rendering.mesh import Mesh, extremes
from specsia_build.repairing.drawing import Frontal
from specsia_build.repairing.placing import MARGIN, Placed
from specsia_build.stages.clips.actor import entry_pose

FPS = 12.0  # Frames a second of the film: 36 views turn once in three seconds


Frame = tuple[Pixels, Pixels]
"""Z and Zpos of a reconstruction, (S, S, 4) uint8 with straight alpha each; positions are those at rest."""


def _frame(layers: Layers, mesh: Mesh) -> Frame:
    low, high = (bound.astype(np.float64) for bound in extremes(mesh.vertices))
    return layers.color.copy(), position_image(layers.position, layers.mask, low, high)


def turntable(placed: Placed, views: int, size: int) -> Iterator[Frame]:
    """Render a reconstruction from evenly spaced views, the frontal one first."""
    layers = FastRenderer().render(placed.mesh, view_cameras(views, size))
    return (_frame(view, placed.mesh) for view in layers)


@dataclass(frozen=True, eq=False)
class Moving:
    """A motion of a reconstruction.

    Attributes:
        rig: of the reconstruction's vertices, in the frame.
        motion: motion of its skeleton.
        warnings: sentences.
    """

    rig: Rig
    motion: Motion
    warnings: tuple[str, ...] = ()

    def frames(self, placed: Placed, count: int, size: int) -> Iterator[Frame]:
        """Render a figure that turns once while it repeats its motion in one place."""
        times = self.motion.start + np.arange(count) / FPS % max(self.motion.duration, 1 / FPS)
        track = poses(self.rig.skeleton, self.motion, times)
        shifts, width = self._room(track, size)
        # Rotating normals costs more than all else, and unlit colours need none.
        mesh, camera = replace(placed.mesh, normals=None), Camera(0.0, size, width)
        turns = [view.turn().T.astype(np.float32) for view in view_cameras(count, size)]

        def moved() -> Iterator[Mesh]:
            for k, pose in enumerate(posed_through(mesh, self.rig, track)):
                yield pose.with_vertices((pose.vertices + shifts[k]) @ turns[k])

        still = Still.of(mesh, self.rig.bound, camera.pixels_per_unit)
        return (_frame(layers, placed.mesh) for layers in FastRenderer().animate(still, moved(), [camera]))

    def _room(self, track: Poses, size: int) -> tuple[NDArray[np.float32], float]:
        """Shifts (T, 3) that keep the figure's middle over the origin, and the width that shows all of it."""
        shifts, reach = np.zeros((len(track.worlds), 3), np.float32), 0.0
        for k, vertices in enumerate(self.rig.each_vertices(track)):
            shifts[k, :2] = -vertices[:, :2].mean(axis=0)
            moved = vertices + shifts[k]
            reach = max(reach, float(np.linalg.norm(moved[:, :2], axis=1).max()), float(np.abs(moved[:, 2]).max()))
        return shifts, max(ORTHO_WIDTH, 2 * reach * size / (size - 2 * MARGIN))


def moving(placed: Placed, front: Frontal, name: str) -> Moving:
    """Set a reconstruction in motion by its own rig, or by the character's, whose weights are carried over.

    Args:
        placed: the reconstruction.
        front: the drawing, in the scale of `placed`.
        name: of one of the character's motions, of a built-in one, or a file.

    Raises:
        UsageError: if there is no rig, or no such motion.
        CharacterError: if the motion does not suit the character.
    """
    if placed.own is not None and placed.rig is not None:
        motion, warnings = _motion(placed.own, placed.rig, name)
        return Moving(placed.rig, motion, warnings)
    if front.own is None or front.rig is None or front.mesh is None:
        raise UsageError(
            "--motion needs a rig, and a drawing alone has none: give a rigged character, or its mesh as --mesh"
        )
    motion, warnings = _motion(front.own, front.rig, name)
    rig, notes = carried(front.mesh, front.rig, placed.mesh, entry_pose(front.own, front.own.character.entry.pose))
    return Moving(rig, motion, (*warnings, *notes.warnings))


def _motion(own: AnimatedCharacter, rig: Rig, name: str) -> tuple[Motion, tuple[str, ...]]:
    """Find a motion of the character, a built-in one or that of a file; returns it with warnings."""
    file = own.character.entry.path.name
    if len(rig.nodes) < 2:
        raise UsageError(f"--motion needs a rig, and {file} has none: give it a skeleton with skin weights")
    for motion in own.motions:
        if motion.name == name:
            return motion, ()
    if name in BUILT_IN:
        source = built_in()
        motions = [motion for motion in source.motions if motion.name == name]
    elif Path(name).is_file() and Path(name).suffix.lower() in SUFFIXES:
        source = read_motions(Path(name))
        motions = list(source.motions)
        if not motions:
            raise UsageError(f"--motion: {name} holds no motion that can be played")
    else:
        names = [*(motion.name for motion in own.motions if motion.name), *BUILT_IN]
        raise UsageError(
            f"--motion takes a name or a file ({', '.join(SUFFIXES)}), and {file} has no motion '{brief(name, 80)}': "
            f"it has {some(names, 12)}{meant(name, names)}"
        )
    return motion_for(rig, own.humanoid, source, motions[0])
