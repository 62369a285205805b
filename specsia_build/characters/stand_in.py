"""A picture that is taken for a texture by its name alone, and may be a picture of the character instead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.images import texels_at
from specsia_build.rendering.mesh import Mesh, Texture, doubled_areas

LEAST_BESIDE = 0.1
"""Share of the surface on the plain ground of a picture from which that is doubtful: what is painted for a surface has
hardly any of it there."""

_ALIKE = 8
"""Largest difference of a channel within one colour."""


def ground_of(pixels: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """Which pixels (H, W) are of the one white, black or transparent colour of all the border; None without such.

    Args:
        pixels: (H, W, 4) uint8, straight alpha.
    """
    colours = np.where(pixels[..., 3:] == 0, 0, pixels).astype(np.int16)
    border = np.concatenate([colours[0], colours[-1], colours[:, 0], colours[:, -1]])
    first = border[0]
    if first[3] not in (0, 255) or np.ptp(first[:3]) > _ALIKE or _ALIKE < first[:3].max() < 255 - _ALIKE:
        return None
    if (np.abs(border - first) > _ALIKE).any():
        return None
    ground: NDArray[np.bool_] = (np.abs(colours - first) <= _ALIKE).all(axis=-1)
    return None if ground.all() else ground


def doubts(mesh: Mesh, name: str, texture: Texture) -> tuple[str, ...]:
    """A sentence where much of what a texture colours falls on the plain ground around a picture.

    Args:
        mesh: with its UV.
        name: of the picture's file.
        texture: of some of the mesh's materials.
    """
    ground = ground_of(texture.pixels)
    chosen = np.array([material.texture is texture for material in mesh.materials])[mesh.face_material]
    if ground is None or mesh.uv is None or not chosen.any():
        return ()
    areas = doubled_areas(mesh.vertices[mesh.faces[chosen]].astype(np.float64))
    beside = texels_at(ground, mesh.uv[chosen].mean(axis=1, dtype=np.float64))
    share = float(areas[beside].sum()) / max(float(areas.sum()), 1e-300)
    if not share >= LEAST_BESIDE:
        return ()
    return (
        f"{name} is taken for the texture by its name, but {share:.0%} of the surface falls on the plain ground around "
        "what it shows, as if it were a picture of the character: state a `texture`, or rename it",
    )
