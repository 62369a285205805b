"""What points of a surface have of their images, and how opaque they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.images import texels_at
from specsia_build.rendering.mesh import Mesh

_FULL = 255


def opacities(mesh: Mesh, faces: NDArray[np.intp]) -> NDArray[np.float64]:
    """The opacity (N,), 0-1, of faces (N,) of a mesh at a point of each, that of their image included."""
    slots = mesh.face_material[faces]
    found = np.array([material.base_color[3] for material in mesh.materials], np.float64)[slots]
    if mesh.colors is not None:
        found *= mesh.colors[faces, :, 3].mean(axis=1)
    found *= texels(mesh, faces)[:, 3] / _FULL
    for slot in np.unique(slots).tolist():
        here, material = slots == slot, mesh.materials[slot]
        if material.alpha_mode == "mask":
            found[here] = found[here] >= material.alpha_cutoff
        elif material.alpha_mode == "opaque":
            found[here] = 1.0
    return found


def texels(mesh: Mesh, faces: NDArray[np.intp]) -> NDArray[np.uint8]:
    """What the images of faces (N,) of a mesh have at a point of each, (N, 4); white where there is none."""
    slots, weights = mesh.face_material[faces], np.random.default_rng(0).dirichlet((1.0, 1.0, 1.0), len(faces))
    found = np.full((len(faces), 4), _FULL, np.uint8)
    if mesh.uv is None:
        return found
    for slot in np.unique(slots).tolist():
        here, texture = slots == slot, mesh.materials[slot].texture
        if texture is not None:
            found[here] = texels_at(texture.pixels, np.einsum("fk,fki->fi", weights[here], mesh.uv[faces[here]]))
    return found
