"""The lights of `--look lit` and the shading normals, common to all renderers."""

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import compiled, ready
from specsia_build.rendering.mesh import Mesh, finite, flat_normals
from specsia_build.rendering.topology import weld
from specsia_build.rendering.vectors import cross, minus, put, triple

LIGHTS = np.array(
    [[-0.40, -0.75, 0.53, 0.55], [0.75, -0.50, 0.43, 0.25], [0.10, 0.95, 0.30, 0.30]], np.float32
)
"""The light set of `--look lit`, fixed to the character whatever the view: rows of direction towards the
light (x, y, z in the frame) and linear intensity. A key from the front and its right, a fill from its left, a
rim from behind."""

LIGHTS[:, :3] /= np.linalg.norm(LIGHTS[:, :3], axis=1, keepdims=True)

AMBIENT = np.float32(0.45)  # Linear light from everywhere; with the key head on, surfaces show full colour


@compiled
def vertex_normals(points, faces):  # type: ignore[no-untyped-def]
    """Area-weighted unit normals (V, 3) float32 of points (V, 3), faces (F, 3); zero if there is no area."""
    out = np.zeros((len(points), 3), np.float64)
    for f in range(len(faces)):
        a, b, c = triple(faces, f)
        origin = triple(points, a)
        nx, ny, nz = cross(minus(triple(points, b), origin), minus(triple(points, c), origin))
        for v in (a, b, c):
            x, y, z = triple(out, v)
            put(out, v, (x + nx, y + ny, z + nz))
    for v in range(len(points)):
        length = np.sqrt(out[v, 0] ** 2 + out[v, 1] ** 2 + out[v, 2] ** 2)
        if length > 0:
            for k in range(3):
                out[v, k] /= length
    return out.astype(np.float32)


def lit_normals(mesh: Mesh) -> NDArray[np.float32]:
    """Finite normals for shading (F, 3, 3) float32: the mesh's, turned to the face's outside, else smooth."""
    if mesh.normals is None:
        welded = weld(mesh.vertices)[mesh.faces]
        smooth: NDArray[np.float32] = vertex_normals(mesh.vertices.astype(np.float64), ready(welded))
        return finite(smooth[welded])
    inward = np.einsum("fi,fi->f", flat_normals(mesh)[:, 0], mesh.normals.sum(axis=1)) < 0
    return finite(np.where(inward[:, None, None], -mesh.normals, mesh.normals))
