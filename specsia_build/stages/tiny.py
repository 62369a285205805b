"""Something tiny to draw and to move, for code to be compiled by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.animation.rig import Rig
from specsia_build.animation.skeleton import Skeleton
from specsia_build.frame import view_cameras
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import Layers, Look
from specsia_build.rendering.mesh import Material, Mesh, Texture

CAMERAS = view_cameras(2, 96)


def textured_box(texels: int = 16) -> Mesh:
    """A box of eight corners with a chequered texture, in the frame."""
    corners = np.array([[x, y, z] for x in (-0.2, 0.2) for y in (-0.1, 0.1) for z in (-0.4, 0.4)], np.float32)
    quads = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], np.int32)
    pixels: NDArray[np.uint8] = (np.indices((texels, texels)).sum(axis=0) % 2 * 255).astype(np.uint8)
    texture = Texture(np.dstack([pixels, pixels, pixels, np.full_like(pixels, 255)]))
    uv = np.ascontiguousarray(corners[faces][..., :2] + 0.5)
    return Mesh(corners, faces, (Material(texture=texture),), np.zeros(len(faces), np.int32), uv=uv)


def box_layers(look: Look = "unlit") -> Layers:
    """The box as a view shows it, each of whose pictures is a file's that was read again."""
    # So many texels are more than the view shows, and so of each kind of texture there is one.
    box = textured_box(128)
    # A character that is read is checked for faces.
    _ = box.doubled_areas
    layers = list(FastRenderer().render(box, CAMERAS, look))[-1]
    color = png.decode(png.encode(layers.color), 4)
    return replace(layers, color=color, coverage=png.decode(png.encode(layers.coverage), 1))


def box_rig() -> Rig:
    """A rig of the box on one joint."""
    still, unit = np.zeros((1, 3)), np.ones((1, 3))
    skeleton = Skeleton(("root",), np.array([-1], np.int32), still, np.array([[0.0, 0.0, 0.0, 1.0]]), unit)
    points = textured_box().vertices
    count = len(points)
    return Rig(
        skeleton,
        points,
        np.zeros((count, 1), np.int32),
        np.ones((count, 1), np.float32),
        np.zeros(1, np.int32),
        np.eye(4)[None],
        np.eye(4),
    )
