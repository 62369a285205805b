"""Whether a backend returns its meshes in the frame that it declares, told by a figure that no turn or mirror maps onto
itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specsia_build.backends.asking import asked
from specsia_build.backends.base import Backend, Context, Reading
from specsia_build.backends.gate import check_mesh, closed_volume, fitted
from specsia_build.backends.likeness import LEAST_IOU, LYING, MIRROR, UPRIGHT, Likeness, stated_axes
from specsia_build.backends.placing import reversed_faces
from specsia_build.errors import plural
from specsia_build.frame import Camera, normalise, up_rotation, view_cameras
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rendering.mesh import Material, Mesh, compacted, concatenate
from specsia_build.rendering.topology import topology

CHARACTER_ID = "selftest"
"""Id that the backend is given; `mesh-dir` looks for a mesh of that name."""

SIZE = 512
"""Pixels of the picture that the backend sees."""

LOOK_SIZE = 256
"""Pixels of the pictures that are compared."""

TURNS = (0.0, 90.0, 180.0, 270.0)

SEED = 20_240_229
"""Of the backend's chance, so that two runs agree."""

Triple = tuple[float, float, float]

SKIN, HAIR, SHIRT, CREST = (0.93, 0.76, 0.60), (0.30, 0.18, 0.10), (0.80, 0.15, 0.15), (0.95, 0.85, 0.20)
BLUE, GREEN, GREY, OCHRE, INK = (0.15, 0.25, 0.80), (0.15, 0.65, 0.25), (0.35, 0.35, 0.38), (0.75, 0.55, 0.2), (0, 0, 0)

PARTS: tuple[tuple[Triple, Triple, Triple, Triple], ...] = (
    ((0.0, 0.0, 0.30), (0.15, 0.14, 0.17), SKIN, HAIR),
    ((0.10, 0.0, 0.47), (0.05, 0.05, 0.08), HAIR, HAIR),
    ((0.0, 0.0, -0.02), (0.15, 0.11, 0.19), SHIRT, BLUE),
    ((0.06, -0.10, 0.03), (0.05, 0.03, 0.05), CREST, CREST),
    ((0.27, 0.0, 0.14), (0.20, 0.05, 0.05), BLUE, BLUE),
    ((-0.20, 0.0, 0.02), (0.14, 0.06, 0.06), GREEN, GREEN),
    ((0.08, 0.0, -0.33), (0.06, 0.06, 0.18), GREY, GREY),
    ((-0.08, 0.0, -0.30), (0.06, 0.06, 0.15), OCHRE, OCHRE),
    ((0.06, -0.125, 0.33), (0.025, 0.03, 0.035), INK, INK),
    ((-0.06, -0.125, 0.33), (0.025, 0.03, 0.035), INK, INK),
)
"""Ellipsoids of the figure: centre, half axes, sRGB colour of the front and of the rest. Its left arm is long, high and
blue, its right arm short, low and green, and its chest wears a crest on its left."""

MOST_SHOWN = 8
"""Candidates that are told, besides the mesh as it is."""

FRONT_UP_TO = -0.3
"""A point of an ellipsoid is its front up to this share of its half depth, so that a picture's rim shows the rest."""


@dataclass(frozen=True)
class Candidate:
    """One of the 48 frames that a mesh may have come in.

    Attributes:
        up: which signed axis of the mesh is our z, once it is mirrored.
        yaw_deg: turn about Z that brings it into ours, after that.
        mirrored: whether x is negated first.
        iou: of the frontal silhouette, 0-1.
        colour: agreement of the colours where both cover, 0-1: 1 less the mean difference of encoded levels.
    """

    up: str
    yaw_deg: float
    mirrored: bool
    iou: float
    colour: float

    @property
    def score(self) -> float:
        return self.iou * self.colour

    @property
    def declared(self) -> bool:
        """Whether it is the frame that every backend must return."""
        return self.up == "+z" and self.yaw_deg == 0 and not self.mirrored

    @property
    def turn(self) -> NDArray[np.float64]:
        """The rotation (3, 3) after the mirror."""
        c, s = (round(float(wave(np.deg2rad(self.yaw_deg)))) for wave in (np.cos, np.sin))
        return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]) @ up_rotation(self.up)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """All of it, (3, 3)."""
        return self.turn @ MIRROR if self.mirrored else self.turn


@dataclass(frozen=True)
class SelfTest:
    """What a backend made of the built-in figure.

    Attributes:
        backend: its name.
        candidates: all of them, the best first.
        volume: signed volume of the mesh's closed parts in cubic units as returned, or None without such parts.
        faces: of the mesh.
        seconds: that the reconstruction took.
        reading: how the mesh was read, where that was from a file.
    """

    backend: str
    candidates: tuple[Candidate, ...]
    volume: float | None
    faces: int
    seconds: float
    reading: Reading | None = None

    @property
    def margin(self) -> float:
        """Score of the declared frame less that of the best other one."""
        return self.declared.score - max(c.score for c in self.candidates if not c.declared)

    @property
    def declared(self) -> Candidate:
        """The mesh as it is."""
        return next(c for c in self.candidates if c.declared)

    @property
    def inside_out(self) -> bool:
        """Whether closed parts face inwards."""
        return self.volume is not None and self.volume <= 0

    @property
    def ok(self) -> bool:
        """Whether the declared frame wins and shows the figure, and closed parts face outwards."""
        return self.margin > 0 and self.declared.iou >= LEAST_IOU and not self.inside_out


def ellipsoid(centre: Triple, half: Triple, front: Triple, rest: Triple, rows: int = 24, columns: int = 40) -> Mesh:
    """A closed ellipsoid with two colours."""
    polar = np.pi * np.arange(1, rows) / rows
    around = 2 * np.pi * np.arange(columns) / columns
    ring = np.stack(
        [
            np.outer(np.sin(polar), np.cos(around)),
            np.outer(np.sin(polar), np.sin(around)),
            np.outer(np.cos(polar), np.ones(columns)),
        ],
        axis=-1,
    ).reshape(-1, 3)
    unit = np.concatenate([[[0.0, 0.0, 1.0]], ring, [[0.0, 0.0, -1.0]]])
    here = 1 + np.arange((rows - 2) * columns)
    right = np.where((here - 1) % columns == columns - 1, here + 1 - columns, here + 1)
    first, last = 1 + np.arange(columns), 1 + (rows - 2) * columns + np.arange(columns)
    top = np.stack([np.zeros(columns, int), first, np.roll(first, -1)], axis=1)
    bottom = np.stack([np.full(columns, len(unit) - 1), np.roll(last, -1), last], axis=1)
    sides = np.concatenate(
        [np.stack([here, here + columns, right], axis=1), np.stack([right, here + columns, right + columns], axis=1)]
    )
    faces = np.concatenate([top, sides, bottom]).astype(np.int32)
    colours = np.ones((len(unit), 4), np.float32)
    colours[:, :3] = srgb_to_linear(np.where((unit[:, 1] <= FRONT_UP_TO)[:, None], front, rest))
    return Mesh(
        (unit * half + centre).astype(np.float32),
        faces,
        (Material(),),
        np.zeros(len(faces), np.int32),
        colors=colours[faces],
    )


def figure() -> Mesh:
    """The built-in figure, normalised in the frame."""
    mesh = concatenate([ellipsoid(*part) for part in PARTS])
    return mesh.with_vertices(normalise(mesh.vertices, view_cameras(4, SIZE), 4).apply(mesh.vertices))


def selftest(backend: Backend) -> SelfTest:
    """Run a backend on the built-in figure and see which frame its mesh is in.

    Raises:
        CharacterError: if the backend gives up or its mesh is empty, not finite or has no size.
    """
    truth = figure()
    image = next(FastRenderer().render(truth, [Camera(0.0, SIZE)])).color
    readings: list[Reading] = []
    sight = (lambda: truth) if backend.sees_ground_truth else None
    context = Context(CHARACTER_ID, SEED, sight, note=readings.append)
    start = time.perf_counter()
    mesh = asked(backend, image, context)
    seconds = time.perf_counter() - start
    if len(mesh.faces) > 0:
        mesh = compacted(mesh)
    check_mesh(mesh)
    goal = next(FastRenderer().render(truth, [Camera(0.0, LOOK_SIZE)])).color
    volume, reading = closed_volume(topology(mesh)), readings[-1] if readings else None
    return SelfTest(backend.name, ranked(mesh, goal), volume, len(mesh.faces), seconds, reading)


def ranked(mesh: Mesh, goal: NDArray[np.uint8]) -> tuple[Candidate, ...]:
    """All candidates of a mesh, the best first.

    Args:
        mesh: as a backend returned it.
        goal: (S, S, 4) uint8, the picture that its front should show.
    """
    both = {False: mesh, True: mirrored_mesh(mesh)}
    found = [
        _seen(Candidate(up, yaw, mirrored, 0.0, 0.0), one, goal)
        for up in (*UPRIGHT, *LYING)
        for yaw in TURNS
        for mirrored, one in both.items()
    ]
    return tuple(sorted(found, key=lambda candidate: -candidate.score))


def mirrored_mesh(mesh: Mesh) -> Mesh:
    """The mesh with x negated and its faces still outwards; normals are dropped."""
    flipped = mesh.with_vertices(mesh.vertices * np.array([-1, 1, 1], np.float32))
    return replace(reversed_faces(flipped), normals=None, rest=None)


def _seen(frame: Candidate, mesh: Mesh, goal: NDArray[np.uint8]) -> Candidate:
    """How much a mesh, mirrored already, looks like the picture in a frame."""
    target = goal[..., 3] >= HALF_COVERED
    seen = next(FastRenderer().render(fitted(mesh.rotated(frame.turn), target), [Camera(0.0, len(goal))])).color
    likeness = Likeness.of(seen, goal)
    return replace(frame, iou=likeness.iou, colour=1 - likeness.plain)


def report(found: SelfTest) -> Sequence[str]:
    """Lines that say what was found."""
    lines = ["up  yaw  mirror  silhouette  colour  score"]
    lines += [
        f"{c.up}  {c.yaw_deg:3.0f}  {'yes' if c.mirrored else 'no ':6}  {c.iou:10.3f}  {c.colour:6.3f}  {c.score:5.3f}"
        + ("  the frame of the project" if c.declared else "")
        for i, c in enumerate(found.candidates)
        if i < MOST_SHOWN or c.declared
    ]
    volume = "no closed part" if found.volume is None else f"signed volume {found.volume:.4f}"
    lines.append(f"{plural(found.faces, 'face')}, {volume}, {found.seconds:.1f} s")
    return [*lines, f"{found.backend} {_verdict(found)}"]


def _verdict(found: SelfTest) -> str:
    """The end of a sentence that says what it came to."""
    best, margin = found.candidates[0], found.margin
    if best.iou < LEAST_IOU:
        return f"shows the figure in no frame: its silhouette has an IoU of {best.iou:.2f} at most"
    if margin < 0:
        mirror = "mirrored in x, then " if best.mirrored else ""
        lying = "" if best.up in UPRIGHT else f"stood up with its {best.up} as z, then "
        read = () if found.reading is None else (found.reading.axes, found.reading.stated_in)
        return (
            f"uses another frame: {mirror}{lying}turned by {best.yaw_deg:.0f} degrees about Z, its meshes would fit "
            f"better, by {-margin:.3f}: {stated_axes(best.matrix, *read)}"
        )
    if found.inside_out:
        return "returns its meshes inside out: reverse the order of each face's corners"
    if margin == 0:
        return "shows the figure as well in another frame, so that nothing is told: its mesh needs its own colours"
    return f"returns its meshes in the frame of the project, by a margin of {margin:.3f}"
