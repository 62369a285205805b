"""Place a reconstruction in the drawing's frame, a backend's or a file in any axes and scale, and turn it.

The frames to repair show it turning, still or in motion, with its positions at rest.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.rig import Rig
from specsia_build.arrays import Pixels
from specsia_build.backends.base import SideDrawing
from specsia_build.backends.registry import load_backend
from specsia_build.backends.scoring import Likeness, Turned, in_frames, small
from specsia_build.characters.read import AnimatedCharacter, read_animated
from specsia_build.characters.sources import only_entry
from specsia_build.config import BuildConfig
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.frame import Camera, axis_names, front_rotation, up_rotation, view_cameras
from specsia_build.registration import Similarity, iou
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import Layers
from specsia_build.rendering.mesh import Mesh, compacted, extremes
from specsia_build.rendering.positions import position_image
from specsia_build.repairing.drawing import Frontal
from specsia_build.stages.project import registered
from specsia_build.stages.reconstruct import reconstruct_picture
from specsia_build.warning import Warning

_LEAST_FIT = 0.8
"""IoU of the silhouettes below which a mesh is not the drawing's character: at least 0.88 for 96 sound meshes
by two backends; a fox reaches 0.73 on a knight."""
TRIED = 3  # Axis-aligned frames to register, the best of 48
_TURNED, _MIRRORED = 0.005, 0.02  # Gains in score that justify turning a mesh at all, and mirroring it

ASKEW_IOU, ASKEW_BY = 0.85, 0.03
"""IoU below which turns between the right angles are tried, and the gain in score that justifies one."""

VIEW_MARGIN = 6  # Free pixels at the border of each view, for the contour that the model draws


@dataclass(frozen=True, eq=False)
class Placed:
    """A reconstruction in the frame of the drawing.

    Attributes:
        matrix: (4, 4), from its own coordinates to the frame.
        iou: IoU of its silhouette with the drawing's.
        note: a sentence on how it was placed.
        fit: factor, at most 1, by which it was shrunk so that no view cuts it.
        own: the file's character with its rig; None for a backend's mesh without one.
    """

    mesh: Mesh
    matrix: NDArray[np.float64]
    iou: float
    note: str
    fit: float = 1.0
    own: AnimatedCharacter | None = None
    warnings: tuple[Warning, ...] = ()

    @property
    def rig(self) -> Rig | None:
        """The rig of the file's character in the frame."""
        if self.own is None:
            return None
        return self.own.rig.of_vertices(self.own.character.mesh.used).placed(self.matrix)


def read_single(path: Path) -> AnimatedCharacter:
    """Read the only character of a path or `sample:1`, with its rig; raises `UsageError` for several."""
    with TemporaryDirectory(prefix="specsia-") as scratch:
        return read_animated(only_entry(str(path), Path(scratch)))


def reconstruct(
    front: Frontal, spec: str, views: int, back: Frontal | None = None, side: SideDrawing | None = None
) -> Placed:
    """Reconstruct a drawing, with its drawn back and side if any, by a backend, and place it in the frame.

    Raises `UsageError` if there is no such backend, it takes no back or no side, or it needs the character
    itself and there is none, and `SpecsiaError` if it gives no usable mesh, or one that does not fit the
    drawing.
    """
    backend = load_backend(spec)
    if back is not None and not backend.sees_back:
        raise UsageError(f"the backend {backend.name} uses no drawn back: use relief, or leave out --back")
    if side is not None and not backend.sees_side:
        raise UsageError(f"the backend {backend.name} uses no drawn side: use relief, or leave out --side")
    # Only for a character the frontal view has its true scale.
    context: dict[str, Any] = {"framed": front.mesh is not None}
    context["back"] = None if back is None else back.color
    context["side"] = side
    context["is_profile"] = front.is_profile and backend.sees_profile
    seed = BuildConfig.seed
    mesh, warnings = reconstruct_picture(backend, front.color, front.name, front.mesh, seed=seed, **context)
    if backend.keeps_frame and len(front.masks) == 1:
        similarity = Similarity()
    else:
        similarity = _register(mesh, front, any_yaw=backend.needs_yaw)
    placed = _placed(mesh, similarity, np.eye(3), front, f"reconstructed by {backend.name}", views)
    if placed.iou < _LEAST_FIT:
        raise SpecsiaError(
            f"the mesh by {backend.name} does not fit the drawing: its silhouette has an IoU of "
            f"{placed.iou:.2f}, and {_LEAST_FIT} is needed; if the drawing is of open or thin lines, close "
            "its outline, paint its inside, or give a larger --size, else try another --backend, or give a "
            "mesh by --mesh"
        )
    own = backend.animated(front.name) if backend.generates else None
    return replace(placed, own=own, warnings=warnings)


def place_file(own: AnimatedCharacter, front: Frontal, views: int) -> Placed:
    """Place a mesh by the drawing's silhouette and colours; raises `SpecsiaError` if it does not fit."""
    character = own.character
    mesh, goal = compacted(character.mesh), small(front.color, front.mask)
    likely = sorted(in_frames(mesh, goal, "unlit"), key=_preference, reverse=True)[:TRIED]
    trials = [_try(mesh, turn.matrix, front, goal) for turn in likely]
    best = max(trials, key=lambda trial: _preference(trial[0]))
    if best[0].likeness.iou < ASKEW_IOU:
        askew = _try(mesh, best[0].matrix, front, goal, any_yaw=True)
        best = askew if _preference(askew[0]) > _preference(best[0]) + ASKEW_BY else best
    turn, similarity = best
    x, y, z = axis_names(turn.matrix @ front_rotation(character.front) @ up_rotation(character.up))
    note = f"{z} is up and it faces {'-' if y[0] == '+' else '+'}{y[1]} in its file"
    if np.linalg.det(turn.matrix) < 0:
        note += f", where it is mirrored ({x} is its left)"
    if abs(similarity.yaw_deg) > 1:
        note += f", turned by {similarity.yaw_deg:.0f}°"
    if abs(similarity.pitch_deg) > 3:
        note += f", tilted by {similarity.pitch_deg:.0f}°"
    # The drawing shows which way it faces, whatever the file says.
    of_front = ("front-axis", "front-unsure")
    warnings = tuple(warning for warning in character.warnings if warning.code not in of_front)
    placed = _placed(mesh, similarity, turn.matrix, front, note, views)
    if placed.iou < _LEAST_FIT:
        raise SpecsiaError(
            f"the mesh does not fit the drawing: {note}, its silhouette reaches an IoU of {placed.iou:.2f} "
            f"at best, and {_LEAST_FIT} is needed; is it this character, in this pose?"
        )
    return replace(placed, own=own, warnings=warnings)


def _preference(turned: Turned) -> float:
    """Score to compare frames by, with a bonus for the frame that the file states."""
    return turned.likeness.score - (0.0 if turned.as_is else _MIRRORED if turned.mirrored else _TURNED)


def _try(
    mesh: Mesh, turn: NDArray[np.float64], front: Frontal, goal: NDArray[np.uint8], *, any_yaw: bool = False
) -> tuple[Turned, Similarity]:
    """Register a mesh after right-angled turns; returns its likeness to the drawing, and the similarity."""
    moved = mesh.rotated(turn)
    similarity = _register(moved, front, any_yaw=any_yaw)
    layers = next(FastRenderer().render(similarity.apply_to(moved), [Camera(0.0, len(goal))]))
    return Turned(turn, Likeness.of(layers.color, goal)), similarity


def _register(mesh: Mesh, front: Frontal, *, any_yaw: bool) -> Similarity:
    cameras = view_cameras(len(front.masks), len(front.mask))
    return registered(mesh, front.masks, cameras, front.color, "unlit", any_yaw=any_yaw).similarity


def _placed(
    mesh: Mesh, similarity: Similarity, turn: NDArray[np.float64], front: Frontal, note: str, views: int
) -> Placed:
    """Place a mesh by its turn and similarity, with its middle at depth 0, shrunk so that no view cuts it."""
    matrix = np.eye(4)
    matrix[:3, :3] = similarity.scale * similarity.rotation() @ turn
    matrix[:3, 3] = similarity.translation
    moved = similarity.apply_to(mesh.rotated(turn))
    if len(front.masks) == 1:
        # The front does not show depth, so the figure turns about the middle of its box.
        low, high = moved.bounds()
        depth = np.array([0.0, float(low[1] + high[1]) / 2, 0.0])
        moved = moved.with_vertices(moved.vertices - depth.astype(np.float32))
        matrix[:3, 3] -= depth
    (layers,) = FastRenderer().render(moved, [Camera(0.0, len(front.mask))])
    overlap = iou(layers.mask, front.mask)
    cameras = view_cameras(views, len(front.mask))
    room = cameras[0].width / 2 - VIEW_MARGIN / cameras[0].pixels_per_unit
    axes = (camera.basis()[:2].T.astype(np.float32) for camera in cameras)
    reach = max(float(np.abs(moved.vertices @ both).max()) for both in axes)
    fit = min(1.0, room / reach)
    if fit < 1:
        moved, matrix[:3] = moved.with_vertices(moved.vertices * np.float32(fit)), matrix[:3] * fit
    return Placed(moved, matrix, overlap, f"{note}; IoU {overlap:.2f}", fit)


Frame = tuple[Pixels, Pixels]
"""Z and Zpos of a reconstruction, (S, S, 4) uint8 with straight alpha each; positions are those at rest."""


def turntable(placed: Placed, views: int, size: int) -> Iterator[Frame]:
    """Render a reconstruction from evenly spaced views, the frontal one first."""
    return frames_of(FastRenderer().render(placed.mesh, view_cameras(views, size)), placed.mesh)


def frames_of(views: Iterator[Layers], mesh: Mesh) -> Iterator[Frame]:
    low, high = (bound.astype(np.float64) for bound in extremes(mesh.vertices))
    for layers in views:
        yield layers.color.copy(), position_image(layers.position, layers.mask, low, high)


def with_nearest_texels(mesh: Mesh) -> Mesh:
    """A mesh whose textures show the nearest texel, as pixel art should."""
    materials = []
    for material in mesh.materials:
        texture = None if material.texture is None else replace(material.texture, nearest=True)
        materials.append(replace(material, texture=texture))
    return replace(mesh, materials=tuple(materials))
