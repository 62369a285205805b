"""What says again what a texture says: colours of vertices, as scans have them for programs that show no textures, and
light, as models have it that are to look alike whatever the light."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from specsia_build import memory
from specsia_build.characters.images import texels_at
from specsia_build.rendering.colour import linear_to_srgb
from specsia_build.rendering.mesh import Material, Mesh

MOST_APART = 0.06
"""Display level, of 0-1, by which half of the vertices differ from their texels at most where the two are the same."""

_WHITE, _ALIKE = 0.95, 0.01
_LOOKED_AT = 2000


def without_repeated_colours(mesh: Mesh, name: str) -> tuple[Mesh, tuple[str, ...]]:
    """A mesh with white for the colours of vertices that repeat its textures, or are one grey, and the sentence on it.

    Surfaces have the product of both, which would be far too dark; opacity, and colours beside textures, stay.

    Args:
        mesh: of a format that does not say what colours are beside a texture.
        name: the file's name.
    """
    if mesh.colors is None or mesh.uv is None:
        return mesh, ()
    textured = np.array([material.texture is not None for material in mesh.materials])
    painted = np.flatnonzero(textured[mesh.face_material])
    picked = painted[:: 1 + len(painted) // _LOOKED_AT]
    if len(picked) == 0:
        return mesh, ()
    texels = np.empty((len(picked), 3, 3))
    material_of = mesh.face_material[picked]
    for k in np.unique(material_of):
        texture = mesh.materials[k].texture
        assert texture is not None
        texels[material_of == k] = texels_at(texture.pixels, mesh.uv[picked[material_of == k]])[..., :3] / 255
    shown = linear_to_srgb(np.clip(np.nan_to_num(mesh.colors[picked, :, :3], nan=1.0), 0.0, 1.0))
    grey = np.ptp(shown) < _ALIKE
    if np.mean(shown) > _WHITE or not (grey or np.median(np.abs(shown - texels).mean(axis=-1)) <= MOST_APART):
        return mesh, ()
    memory.ask(mesh.colors.nbytes)
    colors = mesh.colors.copy()
    colors[painted, :, :3] = 1.0
    what = "are one grey beside" if grey else "repeat"
    said = f"the vertex colours of {name} {what} its texture, which they would darken: the texture alone was drawn"
    return replace(mesh, colors=colors), (said,)


def without_repeated_light(mesh: Mesh) -> Mesh:
    """A mesh whose materials that give off their own image as light show it once, whatever the light.

    The sum of both would be twice as bright as the image.
    """
    if not any(map(_repeats_light, mesh.materials)):
        return mesh
    return replace(mesh, materials=tuple(_shown_once(m) if _repeats_light(m) else m for m in mesh.materials))


def _repeats_light(material: Material) -> bool:
    return material.emissive_texture is not None and material.emissive_texture is material.texture


def _shown_once(material: Material) -> Material:
    red, green, blue = (max(pair) for pair in zip(material.base_color, material.emissive, strict=False))
    color = (red, green, blue, material.base_color[3])
    return replace(material, base_color=color, emissive=(0.0, 0.0, 0.0), emissive_texture=None, unlit=True)
