"""One texture for a mesh, baked from views of it: each texel from the views that show it best."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.arrays import Doubles, Floats, Mask, Pixels
from specsia_build.frame import Camera, decode_position
from specsia_build.pictures.masks import continued, distance_to
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import Layers, Seen
from specsia_build.rendering.light import vertex_normals
from specsia_build.rendering.mesh import AlphaMode, Material, Mesh, Texture, extremes
from specsia_build.rendering.topology import weld

TEXELS = 1024  # Texels on a side, unless others are asked for

_LARGEST_CHART = 1 / 30  # Share of the surface; the time that xatlas takes grows fast with that of a chart
_APART = 4  # Texels between charts, in a texture of `TEXELS`

_LEAST_FACING = 0.2  # Cosine between normal and way to the camera from which a texel is seen
_SHARPNESS = 6  # Power of that cosine: how much the views that see a texel best count more than others
_CLEAR = (1.5, 4.0)  # Pixels from an edge at which a view begins to count, and at which it counts fully
_STEP = 0.03  # Units between neighbouring pixels' depths that make an edge, and between a texel and its pixel
_ENOUGH = 0.02  # Sum of weights from which a texel shows what was seen, and not what is around it


def unwrapped(mesh: Mesh, size: int = TEXELS) -> Floats:
    """UVs (F, 3, 2) float32 in 0-1 that give each face a place of its own in a texture of `size` texels."""
    import xatlas

    atlas = xatlas.Atlas()
    atlas.add_mesh(mesh.vertices, mesh.faces.astype(np.uint32))
    charts, packing = xatlas.ChartOptions(), xatlas.PackOptions()
    charts.max_chart_area = float(mesh.doubled_areas.sum() / 2 * _LARGEST_CHART)
    packing.resolution = size
    packing.padding = max(1, round(_APART * size / TEXELS))
    packing.bilinear = packing.blockAlign = True
    atlas.generate(charts, packing)
    _, corners, uv = atlas[0]
    return np.ascontiguousarray(uv[corners], np.float32)


def _laid_out(mesh: Mesh, uv: Floats, size: int) -> Layers:
    """A mesh laid out flat by UVs (F, 3, 2) in 0-1 and drawn: its colours, and the face of each texel."""
    flat = np.zeros((3 * len(uv), 3), np.float32)
    flat[:, 0] = uv[..., 0].reshape(-1) - 0.5
    flat[:, 2] = 0.5 - uv[..., 1].reshape(-1)
    faces = np.arange(len(flat), dtype=np.int32).reshape(-1, 3)
    sheet = replace(mesh, vertices=flat, faces=faces, normals=None, rest=None).with_sides(double=True)
    return next(FastRenderer().render(sheet, [Camera(0.0, size, width=1.0)], seen=True))


def repainted(mesh: Mesh, size: int = TEXELS) -> Mesh:
    """A mesh with one material, whose texture of `size` texels has the colours of all materials."""
    uv = unwrapped(mesh, size)
    layers = _laid_out(mesh, uv, size)
    shown = layers.coverage > 0
    pixels = continued(layers.color, shown)
    used = [mesh.materials[k] for k in np.unique(mesh.face_material)]
    modes = {material.alpha_mode for material in used}
    mode: AlphaMode = "opaque" if modes == {"opaque"} else "mask" if "blend" not in modes else "blend"
    # Texels at the edge of a chart are covered in part only.
    pixels[..., 3] = continued(layers.color[..., 3], layers.coverage == 255) if mode != "opaque" else 255
    return _with_texture(replace(mesh, uv=uv), pixels, mode)


def _with_texture(mesh: Mesh, pixels: Pixels, mode: AlphaMode = "opaque") -> Mesh:
    """A mesh with a texture (N, N, 4) in place of its materials and colours."""
    double_sided = any(material.double_sided for material in mesh.materials)
    texture = Texture(pixels, ("clamp", "clamp"))
    material = Material("baked", texture=texture, alpha_mode=mode, unlit=True, double_sided=double_sided)
    return replace(mesh, materials=(material,), face_material=np.zeros_like(mesh.face_material), colors=None)


@dataclass(frozen=True, eq=False)
class Bake:
    """A texture under construction, of an opaque mesh in the frame."""

    mesh: Mesh  # With UVs in which faces do not overlap
    size: int  # Texels on a side
    _sums: dict[str, Doubles] = field(default_factory=dict)

    @classmethod
    def of(cls, mesh: Mesh, size: int = TEXELS) -> Bake:
        """Unwrap a mesh for a texture."""
        return cls(replace(mesh, uv=unwrapped(mesh, size)), size)

    @cached_property
    def _texels(self) -> Seen:
        """The faces that texels show."""
        assert self.mesh.uv is not None
        seen = _laid_out(self.mesh, self.mesh.uv, self.size).seen
        assert seen is not None
        return seen

    @cached_property
    def _places(self) -> Mask:
        """(size, size) whether each texel shows a face."""
        return self._texels.face >= 0

    def _at_texels(self, of_vertices: Floats) -> Floats:
        """An attribute of vertices (V, K) at the T texels that show a face, (T, K)."""
        values = self._texels.values(of_vertices[self.mesh.faces].reshape(-1, of_vertices.shape[1]))
        return values[self._places]

    @cached_property
    def _same(self) -> NDArray[np.int32]:
        """The first vertex (V,) at the place of each."""
        return weld(self.mesh.vertices)

    @cached_property
    def _surface(self) -> tuple[Floats, Floats]:
        """Points and unit normals (T, 3) of the texels."""
        same = self._same
        smooth = vertex_normals(self.mesh.vertices.astype(np.float64), same[self.mesh.faces])
        normals = self._at_texels(smooth[same])
        length = np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
        return self._at_texels(self.mesh.vertices), normals / length

    def add(self, camera: Camera, picture: Pixels, positions: Pixels, weight: float = 1.0) -> None:
        """Add a view: its picture (S, S, 4) uint8 without a contour, and its positions as `position_image`.

        Pixels count where both are opaque, away from edges; the more, the more the surface faces the camera,
        and by `weight`.
        """
        points, normals = self._surface
        forward = camera.basis()[2]
        facing = normals @ -forward.astype(np.float32)
        own = np.flatnonzero(facing > _LEAST_FACING)
        low, high = (bound.astype(np.float64) for bound in extremes(self.mesh.vertices))
        depth = decode_position(positions[..., :3], list(low), list(high)) @ forward
        clear = _clear((picture[..., 3] == 255) & (positions[..., 3] == 255), depth)
        seen = camera.project(points[own])
        places = seen[:, 1::-1].T - 0.5
        known = _sampled(clear, places) * (np.abs(_sampled(depth, places) - seen[:, 2]) < _STEP)
        chosen = known > 0
        own, known = own[chosen], known[chosen]
        places = places[:, chosen]
        weights = weight * known * facing[own].astype(np.float64) ** _SHARPNESS
        if not self._sums:
            self._sums.update(weights=np.zeros(len(points)), colours=np.zeros((len(points), 3)))
        self._sums["weights"][own] += weights
        for channel in range(3):
            self._sums["colours"][own, channel] += weights * _sampled(picture[..., channel], places)

    def finished(self) -> Mesh:
        """The mesh with the texture: what views saw, and else what lies around it on the surface."""
        weights = self._sums["weights"]
        seen = self._sums["colours"] / np.maximum(weights, 1e-9)[:, None]
        share = np.clip(weights / _ENOUGH, 0, 1)[:, None]
        around = self._at_texels(self._filled(seen, weights >= _ENOUGH))
        colours = np.zeros((self.size, self.size, 3))
        colours[self._places] = share * seen + (1 - share) * around
        pixels = np.full((self.size, self.size, 4), 255, np.uint8)
        pixels[..., :3] = np.rint(continued(colours, self._places))
        return _with_texture(self.mesh, pixels)

    def _filled(self, seen: Doubles, known: Mask) -> Floats:
        """A colour (V, 3) for each vertex: the mean of what was seen there, and smooth between those.

        Unknown vertices are each the mean of their neighbours on the surface; parts of which nothing was seen
        have the colour of what is nearest in space.
        """
        mesh = self.mesh
        assert mesh.uv is not None
        same = self._same
        picture = np.zeros((self.size, self.size, 4))
        picture[self._places, :3] = seen * known[:, None]
        picture[self._places, 3] = known
        # A point inside of the face, near its corner.
        inner = 0.7 * mesh.uv + 0.3 * mesh.uv.mean(axis=1, keepdims=True)
        column, row = (np.clip((inner * self.size).astype(np.int64), 0, self.size - 1)).reshape(-1, 2).T
        corner = same[mesh.faces].reshape(-1)
        sums = np.stack([np.bincount(corner, values, len(same)) for values in picture[row, column].T], axis=1)
        is_known = sums[:, 3] > 0
        colours = np.full((len(same), 3), 127.0)
        colours[is_known] = sums[is_known, :3] / sums[is_known, 3:]
        if is_known.any():
            _spread(colours, is_known, same[mesh.faces])
            lost = np.flatnonzero(~is_known & (same == np.arange(len(same))))
            tree = scipy.spatial.cKDTree(mesh.vertices[is_known])
            colours[lost] = colours[is_known][tree.query(mesh.vertices[lost])[1]]
        return colours[same].astype(np.float32)


def _spread(colours: Doubles, known: Mask, faces: NDArray[np.int32]) -> None:
    """Give unknown vertices that edges connect to known ones the mean of their neighbours; both change."""
    count = len(colours)
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    ends = np.concatenate([ends, ends[:, ::-1]])
    links = scipy.sparse.csr_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), (count, count))
    links.data[:] = 1
    part = scipy.sparse.csgraph.connected_components(links, directed=False)[1]
    reached = np.zeros(part.max() + 1, np.bool_)
    reached[part[known]] = True
    open_ones = np.flatnonzero(~known & reached[part])
    if not len(open_ones):
        return
    laplacian: Any = scipy.sparse.diags_array(links.sum(axis=1)) - links
    rows = laplacian.tocsr()[open_ones]
    fixed = np.flatnonzero(known)
    right = -(rows[:, fixed] @ colours[fixed])
    colours[open_ones] = scipy.sparse.linalg.spsolve(rows[:, open_ones].tocsc(), right)
    known[open_ones] = True


def _clear(shown: Mask, depth: Doubles) -> Doubles:
    """How much each pixel (S, S) counts, 0-1: less near the border of what is shown and where depth jumps."""
    inside = shown.copy()
    for axis in (0, 1):
        jumps = np.abs(np.diff(depth, axis=axis)) > _STEP
        first, second = (np.s_[:-1], np.s_[1:]) if axis == 0 else (np.s_[:, :-1], np.s_[:, 1:])
        inside[first] &= ~jumps
        inside[second] &= ~jumps
    begin, end = _CLEAR
    return np.clip((distance_to(~inside) - begin) / (end - begin), 0, 1)


def _sampled(image: Pixels | Doubles, places: Doubles) -> Doubles:
    """Values (N,) of an image (S, S), interpolated at places (2, N), rows and columns of pixels' centres."""
    values = scipy.ndimage.map_coordinates(image, places, np.float64, order=1, mode="nearest")
    return np.asarray(values)
