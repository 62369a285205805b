"""Vertex attributes: numbers from text, normals of any length, colours that repeat an image."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.characters.images import texels_at
from specsia_build.rendering.colour import linear_to_srgb
from specsia_build.rendering.mesh import Material, Mesh, flat_normals

MOST_APART = 0.06
"""Median difference, 0-1, between vertex colours and the texels that they repeat."""

_WHITE, _ALIKE, _LOOKED_AT = 0.95, 0.01, 2000
_MOST_PAST_ONE = 2.0


def numbers(text: bytes, kind: type[Any] = np.float64) -> NDArray[Any]:
    """Parse all words of a text as numbers, (N,); a `ValueError` if one is none."""
    text = text.strip()
    if not text:
        return np.zeros(0, kind)
    with warnings.catch_warnings():
        # An error since NumPy 2.3, a warning before.
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(text, kind, sep=" ")
        except DeprecationWarning as error:
            raise ValueError(str(error)) from error


def full_scale(colours: NDArray[np.floating]) -> float:
    """The value that means 1 in colours of unknown range: 255 if one is above 2, else 1.

    Rounding and blending take colours of 0-1 a little past 1.
    """
    return 255.0 if np.max(colours, initial=0.0, where=np.isfinite(colours)) > _MOST_PAST_ONE else 1.0


def unit_normals(normals: NDArray[np.floating]) -> NDArray[np.float64]:
    """Normalise (N, 3); zero where a normal has no direction."""
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.linalg.norm(normals, axis=1, keepdims=True)
    unit = np.zeros(normals.shape)
    np.divide(normals, length, out=unit, where=np.isfinite(length) & (length > 0))
    return unit


def with_flat_gaps(mesh: Mesh) -> Mesh:
    """Replace normals that are zero by those of the faces."""
    if mesh.normals is None or mesh.normals.any(axis=2).all():
        return mesh
    lost = ~mesh.normals.any(axis=2, keepdims=True)
    return replace(mesh, normals=np.where(lost, flat_normals(mesh), mesh.normals))


def without_repeated_colours(mesh: Mesh, name: str) -> tuple[Mesh, tuple[str, ...]]:
    """Replace vertex colours that repeat the textures, or are one grey beside them, by white, with a warning.

    Scans carry such colours for programs that show no textures; the product of both would be too dark. Opacity stays.

    Args:
        mesh: of a format that does not say how colours and textures go together.
        name: of the file.
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
    colours = linear_to_srgb(np.clip(np.nan_to_num(mesh.colors[picked, :, :3], nan=1.0), 0.0, 1.0))
    grey = np.ptp(colours) < _ALIKE
    apart = np.median(np.abs(colours - texels).mean(axis=-1))
    if np.mean(colours) > _WHITE or not (grey or apart <= MOST_APART):
        return mesh, ()
    memory.ask(mesh.colors.nbytes)
    colors = mesh.colors.copy()
    colors[painted, :, :3] = 1.0
    what = "are one grey beside" if grey else "repeat"
    warning = f"the vertex colours of {name} {what} its texture, which they would darken: the texture alone was drawn"
    return replace(mesh, colors=colors), (warning,)


def without_repeated_light(mesh: Mesh) -> Mesh:
    """Make materials that emit their own base colour image unlit: they would be twice as bright."""
    return replace(mesh, materials=tuple(map(_unlit, mesh.materials)))


def _unlit(material: Material) -> Material:
    if material.emissive_texture is None or material.emissive_texture is not material.texture:
        return material
    red, green, blue = (max(pair) for pair in zip(material.base_color, material.emissive, strict=False))
    color = (red, green, blue, material.base_color[3])
    return replace(material, base_color=color, emissive=(0.0, 0.0, 0.0), emissive_texture=None, unlit=True)
