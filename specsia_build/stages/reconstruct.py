"""Stage 2, reconstruct: a mesh from the frontal picture, by a backend."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.backends.base import Backend, Context
from specsia_build.backends.gate import check_generated, check_mesh
from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character
from specsia_build.config import BuildConfig
from specsia_build.errors import CharacterError
from specsia_build.rendering.mesh import Mesh, compacted
from specsia_build.stages import render
from specsia_build.stages.artefact import Artefact
from specsia_build.stages.mesh_files import mesh_to_files
from specsia_build.stages.stopwatch import Stopwatch

NAME = "reconstruct"
VERSION = 2

INPUTS = (render.FRONT,)
"""Files of the render artefact that this stage reads."""


def backend_seed(seed: int, character_id: str, backend: str) -> int:
    """64-bit seed of one reconstruction, from SHA-256(seed, character_id, backend)."""
    digest = hashlib.sha256(f"{seed}:{character_id}:{backend}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def settings(config: BuildConfig, backend: Backend) -> dict[str, Any]:
    """The part of the configuration that decides this stage's result."""
    return {
        "backend": [backend.name, backend.version],
        "backend_settings": dict(backend.settings()),
        "seed": config.seed,
    }


def accepted(mesh: Mesh, image: NDArray[np.uint8], backend: Backend, character_id: str) -> Mesh:
    """The mesh without vertices that no face uses, if it passes the gate for what the backend makes.

    Raises:
        CharacterError: if it does not, saying why.
    """
    try:
        if len(mesh.faces) > 0:
            mesh = compacted(mesh)
        if getattr(backend, "generates", True):
            check_generated(mesh, image)
        else:
            check_mesh(mesh)
    except CharacterError as error:
        raise CharacterError(f"the backend {backend.name} gave no usable mesh for {character_id}: {error}") from error
    return mesh


def reconstruct(
    rendered: Artefact, entry: Entry, backend: Backend, config: BuildConfig, watch: Stopwatch
) -> tuple[Artefact, tuple[Path, ...]]:
    """Run the backend on the frontal picture.

    Returns:
        An artefact with the mesh in the frame's axes, before registration; and the files that the backend read or
        looked for in vain.

    Raises:
        CharacterError: if the backend gives up or returns no usable mesh.
    """
    image = png.decode(rendered.files[render.FRONT], 4)

    def ground_truth() -> Mesh:
        return render.place(read_character(entry), config)[0]

    files: dict[Path, None] = {}
    context = Context(
        character_id=entry.id,
        seed=backend_seed(config.seed, entry.id, backend.name),
        ground_truth=ground_truth if backend.sees_ground_truth else None,
        read=lambda paths: files.update(dict.fromkeys(paths)),
    )
    with watch.part("reconstruct"):
        mesh = backend.reconstruct(image, context)
    with watch.part("gate"):
        mesh = accepted(mesh, image, backend, entry.id)
    with watch.part("encode"):
        encoded = mesh_to_files(mesh)
    meta = {
        "id": entry.id,
        "backend": backend.name,
        "triangles": len(mesh.faces),
        "needs_yaw": backend.needs_yaw,
        "sees_ground_truth": backend.sees_ground_truth,
    }
    return Artefact(entry.id, encoded, meta), tuple(files)
