"""The reference renderer: Blender's Cycles, run by ``blender_scripts/render_views.py``."""

import multiprocessing
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from specsia_build import png
from specsia_build.errors import CharacterError, SpecsiaError, UsageError
from specsia_build.frame import Camera
from specsia_build.rendering.blender.process import BlenderProcess, find_command, how_to_get
from specsia_build.rendering.fast.renderer import drawable
from specsia_build.rendering.layers import Layers, Look, encoded
from specsia_build.rendering.light import AMBIENT, LIGHTS, lit_normals
from specsia_build.rendering.mesh import MESH_ARRAYS, Mesh, Texture, material_spec

_SCRIPT = "render_views.py"

_SAMPLES = 256  # Samples per pixel: coverage is then known to about 1/256
CHARACTERS_PER_PROCESS = 50  # Jobs after which a Blender is replaced: its memory grows with every scene
VIEW_SECONDS = 120.0  # Time limit of a view, all its passes together
# Additional time for a material's shaders, compiled for the processor without a graphics card
SHADER_SECONDS = 60.0


class CyclesRenderer:
    """Blender's path tracer, used as a sampler of the surface: needs no display and no GL; see `Renderer`."""

    name = "cycles"
    version = 2

    def check(self) -> None:
        if find_command(_SCRIPT) is None:
            raise UsageError(how_to_get("--renderer cycles"))

    def render(self, mesh: Mesh, cameras: Sequence[Camera], look: Look = "unlit") -> Iterator[Layers]:
        self.check()
        yield from render_views(mesh, cameras, look)


def render_views(
    mesh: Mesh, cameras: Sequence[Camera], look: Look, samples: int = _SAMPLES
) -> Iterator[Layers]:
    """Each camera's layers; a CharacterError if Blender fails on the mesh, a UsageError without Blender."""
    drawn = _drawable(mesh)
    if len({(camera.size, camera.height) for camera in cameras}) != 1:
        raise ValueError("the cameras of one mesh must have one size")
    with tempfile.TemporaryDirectory(prefix="specsia-blender-") as scratch:
        folder = Path(scratch)
        job = _write_job(folder, drawn, cameras, look, samples)
        _ask(job, VIEW_SECONDS * len(cameras) + SHADER_SECONDS * len(job["materials"]))
        for k in range(len(cameras)):
            arrays = {path.stem.rpartition("_")[0]: np.load(path) for path in folder.glob(f"*_{k:02d}.npy")}
            color = arrays["color"]
            yield encoded(color, arrays.get("coverage", color[..., 3]), arrays["position"])


def _write_job(
    folder: Path, mesh: Mesh, cameras: Sequence[Camera], look: Look, samples: int
) -> dict[str, Any]:
    """Write a mesh and its textures into a folder; returns the job for `render_views.py`."""
    known = {name: getattr(mesh, name) for name in MESH_ARRAYS if name != "normals"}
    arrays: dict[str, Any] = {name: values for name, values in known.items() if values is not None}
    arrays["rest"] = mesh.vertices if mesh.rest is None else mesh.rest
    if look == "lit":
        arrays["normals"] = lit_normals(mesh)
    np.savez(folder / "mesh.npz", **arrays)
    textures: list[Texture] = []
    materials = [{**material_spec(m, textures), "double_sided": m.double_sided} for m in mesh.materials]
    files = [folder / f"texture-{k}.png" for k in range(len(textures))]
    for file, texture in zip(files, textures, strict=True):
        file.write_bytes(png.encode(texture.pixels))
    light = {"lights": LIGHTS.astype(float).tolist(), "ambient": float(AMBIENT)}
    return {
        "mesh": str(folder / "mesh.npz"),
        "materials": materials,
        "textures": [
            {"file": str(file), "wrap": list(texture.wrap), "nearest": texture.nearest}
            for file, texture in zip(files, textures, strict=True)
        ],
        "cameras": [_lens(camera) for camera in cameras],
        "size": [cameras[0].size, cameras[0].height],
        "samples": samples,
        "light": light if look == "lit" else None,
        # Each worker of a pool has a Blender of its own.
        "threads": 0 if multiprocessing.parent_process() is None else 1,
        "out": str(folder),
    }


def _lens(camera: Camera) -> dict[str, Any]:
    """A camera as `render_views.py` takes it."""
    x, y = camera.principal_point
    longest = max(camera.size, camera.height)
    # Blender fits the longer side of a picture, and shifts in shares of it.
    angle = None if camera.fov_deg is None else 2 * float(np.arctan(longest / 2 / camera.focal_length))
    return {
        "c2w": camera.c2w().tolist(),
        "ortho_width": camera.span * longest / camera.size,
        "angle": angle,
        "shift": [(camera.size / 2 - x) / longest, (y - camera.height / 2) / longest],
    }


def _drawable(mesh: Mesh) -> Mesh:
    """The mesh without faces that Blender cannot represent."""
    a, b, c = mesh.faces.T
    return drawable(mesh.of_faces((a != b) & (b != c) & (c != a)))


_shared: dict[int, BlenderProcess] = {}


def _ask(job: dict[str, Any], seconds: float) -> None:
    """Send a job to this process's Blender, which is started when needed and replaced after many jobs."""
    # Keyed by process, as a forked child must not use its parent's Blender.
    blender = _shared.get(os.getpid())
    if blender is not None and (not blender.alive or blender.answered >= CHARACTERS_PER_PROCESS):
        blender.close()
        blender = None
    if blender is None:
        blender = _shared[os.getpid()] = BlenderProcess(_SCRIPT, "--renderer cycles")
    try:
        blender.ask(job, seconds)
    except CharacterError:
        raise
    except SpecsiaError as error:
        blender.close()
        raise CharacterError(f"Blender could not render it: {error}") from error
