"""Meshes that `inflate` makes of drawings."""

from __future__ import annotations

import trimesh

from specsia_build.backends.base import Context
from specsia_build.backends.inflate.backend import create
from specsia_build.rendering.mesh import Mesh
from tests.backends.drawings import Image


def inflated(image: Image) -> Mesh:
    return create(None).reconstruct(image, Context("7", 1))


def solid(mesh: Mesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
