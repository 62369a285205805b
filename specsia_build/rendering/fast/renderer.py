"""The default renderer: in process, no display, no GPU, deterministic.

One look at every pixel's centre finds the visible surface; only pixels that an outline, a border, a jump of
colour or another part crosses are sampled closely, and each face in them is shaded once. Coverage, colour and
position come from the same visibility.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specsia_build.errors import CharacterError
from specsia_build.frame import Camera
from specsia_build.jit import ready
from specsia_build.rendering.fast import blend, raster, resolve
from specsia_build.rendering.fast.buffers import Canvas, Scratch, number_marked
from specsia_build.rendering.fast.fragments import SAMPLE_X, SAMPLE_Y, touching_faces, visible_fragments
from specsia_build.rendering.fast.lookups import LOOKS
from specsia_build.rendering.fast.prepare import (
    ALPHA_BLEND,
    ALPHA_MASK,
    Prepared,
    alpha_classes,
    laid_out,
    prepare,
)
from specsia_build.rendering.fast.rows import padded
from specsia_build.rendering.fast.shading import Shading, Shown, load_faces, number_faces
from specsia_build.rendering.fast.splitting import by_camera
from specsia_build.rendering.fast.stacks import Behind
from specsia_build.rendering.fast.textures import MOST_LOOKS
from specsia_build.rendering.layers import Layers, Look, Seen
from specsia_build.rendering.mesh import Material, Mesh

_OFFSETS = np.stack([SAMPLE_X, SAMPLE_Y], axis=1)


@dataclass(frozen=True)
class Still:
    """A mesh at rest that is to move, prepared once for all poses."""

    mesh: Mesh
    bound: NDArray[np.int32]  # (V,), numbers of what moves each of its vertices, see `topology.topology`
    finest: float  # Pixels per unit of the sharpest camera
    look: Look
    prepared: Prepared

    @classmethod
    def of(cls, mesh: Mesh, bound: NDArray[np.int32], finest: float, look: Look = "unlit") -> Still:
        """Prepare a mesh; raises a CharacterError if it has no faces."""
        if len(mesh.faces) == 0:
            raise CharacterError("the mesh has no faces to draw")
        return cls(mesh, bound, finest, look, prepare(mesh, finest, look == "lit", bound))


class FastRenderer:
    """Draws on the CPU; see `Renderer`."""

    name = "fast"
    version = 7

    def check(self) -> None: ...

    def render(
        self, mesh: Mesh, cameras: Sequence[Camera], look: Look = "unlit", *, seen: bool = False
    ) -> Iterator[Layers]:
        """See `Renderer`; with `seen` also which points each view shows."""
        mesh = drawable(mesh)
        for drawn, run in by_camera(mesh, cameras):
            yield from draw_views(drawn, run, look, seen=seen)

    def animate(
        self, still: Still, moved: Iterable[Mesh], cameras: Sequence[Camera], *, seen: bool = False
    ) -> Iterator[Layers]:
        """Draw a moving mesh: every camera's layers of each pose in turn, with `seen` also visible points.

        The layers of a camera's next pose are drawn over those of the last, with `seen` over those of the
        last but one. `moved` is the mesh in each pose, with its rest positions; faces wound otherwise cost
        more. No camera is finer than `still` is prepared for, and all are orthographic. Raises CharacterError
        if it cannot be drawn.
        """
        prepared, lit = still.prepared, still.look == "lit"
        scratch = _scratch(prepared, cameras)
        lasting = 2 if seen else 1
        canvases = [Canvas(_side(camera), seen) for camera in cameras for _ in range(lasting)]
        for k, mesh in enumerate(moved):
            if not np.isfinite(mesh.vertices).all():
                raise CharacterError("the mesh has vertices that are not finite numbers")
            same = mesh.faces is still.mesh.faces
            now = prepared.moved(mesh, lit) if same else prepare(mesh, still.finest, lit, still.bound)
            for camera, canvas in zip(cameras, canvases[k % lasting :: lasting], strict=True):
                layers = draw(now, camera, scratch[_side(camera)], canvas)
                yield layers.cropped(camera.height, camera.size)


def draw_views(mesh: Mesh, cameras: Sequence[Camera], look: Look, *, seen: bool) -> Iterator[Layers]:
    """Draw a finite mesh as it is ready for cameras, see `by_camera`."""
    prepared = prepare(mesh, max(camera.pixels_per_unit for camera in cameras), look == "lit")
    scratch = _scratch(prepared, cameras)
    for camera in cameras:
        side = _side(camera)
        layers = draw(prepared, camera, scratch[side], Canvas(side, seen))
        yield layers.cropped(camera.height, camera.size)


def drawable(mesh: Mesh) -> Mesh:
    """Move unused vertices that are not finite to the origin; a CharacterError for others, or no faces."""
    if len(mesh.faces) == 0:
        raise CharacterError("the mesh has no faces to draw")
    if np.isfinite(mesh.vertices).all():
        return mesh
    used = mesh.used
    if not np.isfinite(mesh.vertices[used]).all():
        raise CharacterError("the mesh has vertices that are not finite numbers")
    return mesh.with_vertices(np.where(used[:, None], mesh.vertices, 0))


def draw(prepared: Prepared, camera: Camera, scratch: Scratch, canvas: Canvas) -> Layers:
    """Draw a view of a prepared mesh on `canvas`; the contents of it and of `scratch` are overwritten."""
    size = len(scratch.ids)
    surface = prepared.surface
    sx, sy, depth, extent = _projected(prepared.vertices, camera)
    classes, kinds = prepared.alpha_class, prepared.kinds
    facing, drawn = raster.set_up(sx, sy, depth, surface.faces, prepared.one_sided, classes)

    box = *_touched(*extent[2:], size), *_touched(*extent[:2], size)
    scratch.clear(box)
    nearest = scratch.nearest
    ids = scratch.ids
    marked = scratch.marked
    loaded = scratch.loaded
    shown = Shown(sx, sy, surface, prepared.textures)
    raster.draw_centres(drawn, shown, classes, False, nearest, ids)
    see_through = ALPHA_MASK in kinds or ALPHA_BLEND in kinds
    if see_through:
        raster.draw_centres(drawn, shown, classes, True, nearest, ids)
    raster.mark_edges(shown, depth, prepared.edges, facing, nearest, marked)
    if see_through:
        raster.mark_faces(drawn, classes, nearest, marked)

    out = canvas.begin(box)
    filled = 0

    def load(faces: NDArray[np.int32]) -> None:
        nonlocal filled
        start, filled = filled, number_faces(faces, loaded.row, loaded.faces, filled)
        load_faces(start, filled, shown, loaded)

    shading = Shading(*loaded, prepared.textures.texels)
    runs = raster.find_runs(ids, box)
    load(ready(runs[None, :, 3]))
    resolve.resolve_centres(runs, shading, np.empty((MOST_LOOKS * MOST_LOOKS, 4 * LOOKS), np.float32), out)
    resolve.mark_contrast(ids, shown, prepared.part, out.color, box, marked)
    # What is nearest at centres is known and shaded: its memory, still in the cache, serves the samples.
    slots, far = ids, nearest
    close = number_marked(marked, box, slots, far)
    fragments = visible_fragments(drawn, shown, classes, kinds, close, far)
    load(fragments.face[None, : fragments.used[0]])
    resolve.resolve_fragments(close.pixels, fragments, shading, out)
    if ALPHA_BLEND in kinds:
        touching = touching_faces(drawn, classes, ALPHA_BLEND, close.rows, size)
        load(touching.face[None])
        behind = Behind(close, far, fragments, loaded.row)
        blend.compose(touching, behind, shading, out)
    layers = Layers(out.color, out.coverage, out.position)
    if not canvas.seen:
        return layers
    screen, edges = np.stack([sx, sy], axis=1), prepared.edges
    of_mesh = (surface.faces, edges.ends, edges.sides, prepared.part)
    return replace(layers, seen=Seen(*of_mesh, facing, screen, depth, box, out.face, out.sample, _OFFSETS))


def _projected(
    vertices: NDArray[np.float32], camera: Camera
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32], tuple[int, int, int, int]]:
    """Screen positions of vertices, see `raster.project`, and the smallest and largest x and y."""
    x, y = camera.principal_point
    if camera.fov_deg is None:
        basis, scale = camera.basis(), camera.pixels_per_unit
        right, down, _ = basis @ np.array(camera.target) * np.array([scale, -scale, 1.0])
        sx, sy, depth = raster.project(vertices, basis, scale, (x - right, y - down))
    else:
        lens = camera.focal_length, camera.radius, (x, y)
        sx, sy, depth = raster.project_perspective(vertices, camera.w2c(), *lens)
    extent = int(sx.min()), int(sx.max()), int(sy.min()), int(sy.max())
    if max(map(abs, extent)) > raster.MAX_COORDINATE:
        raise CharacterError("the mesh reaches absurdly far out of the picture")
    return sx, sy, depth, extent


def _touched(least: int, most: int, size: int) -> tuple[int, int]:
    """First and end row, or column, of the pixels that the mesh or its neighbours may touch."""
    return min(max((least >> raster.SUBPIXEL_BITS) - 2, 0), size), max(
        min((most >> raster.SUBPIXEL_BITS) + 3, size), 0
    )


def silhouettes(mesh: Mesh, cameras: Sequence[Camera]) -> NDArray[np.uint8]:
    """Coverage of the mesh in each view, whatever its colours, (V, H, W) uint8."""
    return np.stack([layers.coverage for layers in FastRenderer().render(mesh, cameras)])


def glance(mesh: Mesh, cameras: Sequence[Camera]) -> NDArray[np.float32]:
    """Depth at each pixel's centre in each view, (V, H, W) float32, infinite without a surface.

    Quick, as no colour is needed. Surfaces that are less than half opaque do not count. The mesh is finite
    and has a face; cameras have one size. Raises a CharacterError for a mesh absurdly far out of the frame.
    """
    mesh = replace(mesh, materials=tuple(map(_solid, mesh.materials)))
    surface, textures = laid_out(mesh, max(c.pixels_per_unit for c in cameras), lit=False)
    vertices, classes = ready(mesh.vertices, np.float32), alpha_classes(mesh, surface, textures)
    single_sided, depths = mesh.single_sided(), []
    for camera in cameras:
        shape = (camera.size, camera.size)
        nearest, ids = padded(shape, np.float32), padded(shape, np.int32)
        nearest[:] = np.inf
        sx, sy, depth, _ = _projected(vertices, camera)
        _, drawn = raster.set_up(sx, sy, depth, surface.faces, single_sided, classes)
        shown = Shown(sx, sy, surface, textures)
        for tested in (False, True):
            raster.draw_centres(drawn, shown, classes, tested, nearest, ids)
        depths.append(nearest)
    return np.stack(depths)


def _solid(material: Material) -> Material:
    """A material reduced to being opaque or absent, as colours cost time and do not matter."""
    if material.alpha_mode == "opaque":
        return Material(double_sided=material.double_sided)
    return (
        replace(material, alpha_mode="mask", alpha_cutoff=0.5) if material.alpha_mode == "blend" else material
    )


def _scratch(prepared: Prepared, cameras: Sequence[Camera]) -> dict[int, Scratch]:
    """Buffers for each side of the cameras' canvases."""
    return {side: Scratch.of(prepared, side) for side in set(map(_side, cameras))}


def _side(camera: Camera) -> int:
    """Side in pixels of the square that holds a camera's picture in its upper left corner."""
    return max(camera.size, camera.height)
