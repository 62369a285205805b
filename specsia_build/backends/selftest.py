"""Self-test of a backend: find the frame of its meshes with a figure without symmetry."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from specsia_build.backends.base import Backend, Context, Reading
from specsia_build.backends.registry import call_backend
from specsia_build.backends.scoring import (
    LEAST_IOU,
    Turned,
    check_mesh,
    closed_volume,
    in_frames,
    stated_axes,
)
from specsia_build.errors import plural
from specsia_build.frame import Camera, axis_names, normalise, view_cameras
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Material, Mesh, compacted, concatenate
from specsia_build.rendering.topology import topology

CHARACTER_ID = "selftest"  # Id that the backend is given; `mesh-dir` looks for a mesh of that name
_SIZE, LOOK_SIZE = 512, 256  # Pixels of the backend's picture, and of the pictures to compare
_SEED = 20_240_229  # Seed of the backend, so that two runs agree
_MOST_LISTED = 8  # Candidates in the report, besides the mesh in its own frame
FRONT_UP_TO = -0.3  # Share of an ellipsoid's half depth up to which it has its front's colour
Triple = tuple[float, float, float]
SKIN = (0.93, 0.76, 0.60)
HAIR = (0.30, 0.18, 0.10)
SHIRT = (0.80, 0.15, 0.15)
CREST = (0.95, 0.85, 0.20)
_BLUE = (0.15, 0.25, 0.80)
_GREEN = (0.15, 0.65, 0.25)
GREY = (0.35, 0.35, 0.38)
OCHRE = (0.75, 0.55, 0.2)
_INK = (0, 0, 0)

PARTS: tuple[tuple[Triple, Triple, Triple, Triple], ...] = (
    ((0.0, 0.0, 0.30), (0.15, 0.14, 0.17), SKIN, HAIR),
    ((0.10, 0.0, 0.47), (0.05, 0.05, 0.08), HAIR, HAIR),
    ((0.0, 0.0, -0.02), (0.15, 0.11, 0.19), SHIRT, _BLUE),
    ((0.06, -0.10, 0.03), (0.05, 0.03, 0.05), CREST, CREST),
    ((0.27, 0.0, 0.14), (0.20, 0.05, 0.05), _BLUE, _BLUE),
    ((-0.20, 0.0, 0.02), (0.14, 0.06, 0.06), _GREEN, _GREEN),
    ((0.08, 0.0, -0.33), (0.06, 0.06, 0.18), GREY, GREY),
    ((-0.08, 0.0, -0.30), (0.06, 0.06, 0.15), OCHRE, OCHRE),
    ((0.06, -0.125, 0.33), (0.025, 0.03, 0.035), _INK, _INK),
    ((-0.06, -0.125, 0.33), (0.025, 0.03, 0.035), _INK, _INK),
)
"""Ellipsoids of the figure: centre, half axes, sRGB colour of the front and of the rest. Its left arm is
long, high and blue, its right arm short, low and green, and its chest wears a crest on its left."""


@dataclass(frozen=True)
class SelfTest:
    """Result of a backend on the built-in figure: its mesh in the 48 frames, the best first, and facts.

    `volume` is that of closed parts in cubic units, None without any; `reading` is None except for files.
    """

    backend: str
    candidates: tuple[Turned, ...]
    volume: float | None
    faces: int
    seconds: float
    reading: Reading | None = None

    @property
    def declared(self) -> Turned:
        """The mesh as it is."""
        return next(candidate for candidate in self.candidates if candidate.as_is)

    @property
    def margin(self) -> float:
        """Score of the mesh as it is less that of the best other candidate."""
        others = (candidate.likeness.score for candidate in self.candidates if not candidate.as_is)
        return self.declared.likeness.score - max(others)

    @property
    def inside_out(self) -> bool:
        return self.volume is not None and self.volume <= 0

    @property
    def ok(self) -> bool:
        """Whether the mesh as it is wins and shows the figure, and closed parts face outwards."""
        return self.margin > 0 and self.declared.likeness.iou >= LEAST_IOU and not self.inside_out

    def document(self) -> dict[str, Any]:
        """The result for ``--json``."""
        candidates = [
            {
                "axes": axis_names(c.matrix),
                "mirrored": c.mirrored,
                "iou": c.likeness.iou,
                "score": c.likeness.score,
            }
            for c in self.candidates
        ]
        names = ("backend", "volume", "faces", "seconds", "margin", "ok")
        return {**{name: getattr(self, name) for name in names}, "candidates": candidates}


def ellipsoid(centre: Triple, half: Triple, front: Triple, rest: Triple) -> Mesh:
    """A closed ellipsoid of 24 by 40 facets with two colours."""
    rows, columns = 24, 40
    angles = np.linspace(0, np.pi, rows + 1), 2 * np.pi * np.arange(columns) / columns
    polar, around = np.meshgrid(*angles, indexing="ij")
    grid = np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], axis=-1)
    # All vertices of a pole have exactly the same position, so that they count as one.
    grid[[0, -1], :, :2] = 0
    unit, here = grid.reshape(-1, 3), np.arange(rows * columns).reshape(rows, columns)
    right, below = np.roll(here, -1, axis=1), columns
    lower = np.stack([here, here + below, right], axis=-1)[1:]
    upper = np.stack([right, here + below, right + below], axis=-1)[:-1]
    faces = np.concatenate([lower.reshape(-1, 3), upper.reshape(-1, 3)]).astype(np.int32)
    colours = np.ones((len(unit), 4), np.float32)
    colours[:, :3] = srgb_to_linear(np.where((unit[:, 1] <= FRONT_UP_TO)[:, None], front, rest))
    vertices = (unit * half + centre).astype(np.float32)
    return Mesh(vertices, faces, (Material(),), np.zeros(len(faces), np.int32), colors=colours[faces])


def figure() -> Mesh:
    """The built-in figure, normalised in the frame."""
    mesh = concatenate([ellipsoid(*part) for part in PARTS])
    return mesh.with_vertices(normalise(mesh.vertices, view_cameras(4, _SIZE), 4).apply(mesh.vertices))


def selftest(backend: Backend) -> SelfTest:
    """Run a backend on the built-in figure and find its mesh's frame; a CharacterError if it makes none."""
    truth = figure()
    image, goal = (next(FastRenderer().render(truth, [Camera(0.0, s)])).color for s in (_SIZE, LOOK_SIZE))
    readings: list[Reading] = []
    ground_truth = (lambda: truth) if backend.sees_ground_truth else None
    start = time.perf_counter()
    mesh = call_backend(backend, image, Context(CHARACTER_ID, _SEED, ground_truth, note=readings.append))
    seconds = time.perf_counter() - start
    if len(mesh.faces) > 0:
        mesh = compacted(mesh)
    check_mesh(mesh)
    candidates = sorted(in_frames(mesh, goal, "unlit"), key=lambda c: c.likeness, reverse=True)
    volume, reading = closed_volume(topology(mesh)), readings[-1] if readings else None
    return SelfTest(backend.name, tuple(candidates), volume, len(mesh.faces), seconds, reading)


def report(result: SelfTest) -> Sequence[str]:
    """Lines of text for the terminal."""
    lines = ["axes        silhouette  colour  score"]
    for i, candidate in enumerate(result.candidates):
        if i < _MOST_LISTED or candidate.as_is:
            likeness, axes = candidate.likeness, " ".join(axis_names(candidate.matrix))
            numbers = f"{likeness.iou:10.3f}  {1 - likeness.colour_difference:6.3f}  {likeness.score:5.3f}"
            lines.append(f"{axes:10}  {numbers}{'  the frame of the project' if candidate.as_is else ''}")
    volume = "no closed part" if result.volume is None else f"signed volume {result.volume:.4f}"
    lines.append(f"{plural(result.faces, 'face')}, {volume}, {result.seconds:.1f} s")
    best, margin = result.candidates[0], result.margin
    reached = best.likeness.iou
    if reached < LEAST_IOU:
        verdict = f"shows the figure in no frame: its silhouette has an IoU of {reached:.2f} at most"
    elif margin < 0:
        read = () if result.reading is None else (result.reading.axes, result.reading.stated_in)
        axes_line = stated_axes(best.matrix, *read)
        verdict = f"uses another frame; its meshes fit better, by {-margin:.3f}, with {axes_line}"
    elif result.inside_out:
        verdict = "returns its meshes inside out: reverse the order of each face's corners"
    elif margin == 0:
        unknown = "shows the figure as well in another frame, so the frame is unknown"
        verdict = f"{unknown}: its mesh needs its own colours"
    else:
        verdict = f"returns its meshes in the frame of the project, by a margin of {margin:.3f}"
    return [*lines, f"{result.backend} {verdict}"]
