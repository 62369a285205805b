"""The reference renderers: Blender's Cycles and Eevee, by way of ``blender_scripts/render_views.py``."""

from __future__ import annotations

import json
import multiprocessing
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from specsia_build import png
from specsia_build.errors import CharacterError, SpecsiaError, UsageError
from specsia_build.frame import Camera
from specsia_build.rendering.blender.process import BlenderProcess, find_command, how_to_get
from specsia_build.rendering.layers import Layers, Look, encoded
from specsia_build.rendering.light import AMBIENT, LIGHTS, lit_normals
from specsia_build.rendering.mesh import Material, Mesh, Texture, material_spec

SCRIPT = "render_views.py"

CYCLES_SAMPLES = 256
"""Samples per pixel of the reference: coverage is then known to about 1/256."""

EEVEE_SAMPLES = 64

CHARACTERS_PER_PROCESS = 50
"""Jobs after which a Blender is replaced: its memory grows with every scene."""

VIEW_SECONDS = 120.0
"""Time that a view may take, all its passes together."""

SHADER_SECONDS = 60.0
"""Time that a material's shaders may take besides: without a graphics card they are compiled for the processor, which
takes about 10 seconds of it, once a machine."""


@dataclass(frozen=True)
class Settings:
    """How Blender renders.

    Attributes:
        engine: ``cycles`` or ``eevee``.
        samples: per pixel.
    """

    engine: str
    samples: int


class CyclesRenderer:
    """Blender's path tracer, used as a sampler of the surface: needs no display and no GL; see `Renderer`."""

    name = "cycles"
    version = 2
    samples = CYCLES_SAMPLES

    def check(self) -> None:
        if find_command(SCRIPT) is None:
            raise UsageError(how_to_get("--renderer cycles"))

    def render(self, mesh: Mesh, cameras: Sequence[Camera], look: Look = "unlit") -> Iterator[Layers]:
        self.check()
        yield from render_views(mesh, cameras, look, Settings(self.name, self.samples))


class EeveeRenderer(CyclesRenderer):
    """Blender's rasteriser; needs OpenGL. Its pixel filter is no box, so edges differ a little."""

    name = "eevee"
    samples = EEVEE_SAMPLES

    def check(self) -> None:
        check_gl()


def render_views(mesh: Mesh, cameras: Sequence[Camera], look: Look, settings: Settings) -> Iterator[Layers]:
    """Each camera's layers, in order, all rendered before the first is given.

    Raises:
        CharacterError: if the mesh cannot be drawn or Blender fails on it.
        UsageError: if there is no Blender.
    """
    drawn = _drawable(mesh)
    if len({(camera.size, camera.width) for camera in cameras}) != 1:
        raise ValueError("the cameras of one mesh must have one size and one width")
    with tempfile.TemporaryDirectory(prefix="specsia-blender-") as scratch:
        folder = Path(scratch)
        job = write_job(folder, drawn, cameras, look, settings)
        _ask(job, VIEW_SECONDS * len(cameras) + SHADER_SECONDS * len(job["materials"]))
        for k in range(len(cameras)):
            arrays = {path.stem.rpartition("_")[0]: np.load(path) for path in folder.glob(f"*_{k:02d}.npy")}
            color = arrays["color"]
            yield encoded(color, arrays.get("coverage", color[..., 3]), arrays.get("position"))


def write_job(folder: Path, mesh: Mesh, cameras: Sequence[Camera], look: Look, settings: Settings) -> dict[str, Any]:
    """Write a mesh and its textures into a folder, with a job file ``job.json`` for `render_views.py`.

    Returns:
        The job.
    """
    there = {name: getattr(mesh, name) for name in ("vertices", "faces", "face_material", "uv", "colors")}
    arrays: dict[str, Any] = {name: array for name, array in there.items() if array is not None}
    arrays["rest"] = mesh.vertices if mesh.rest is None else mesh.rest
    if look == "lit":
        arrays["normals"] = lit_normals(mesh)
    np.savez(folder / "mesh.npz", **arrays)
    textures: list[Texture] = []
    materials = [
        {**material_spec(material, textures), "double_sided": material.double_sided} for material in mesh.materials
    ]
    for k, texture in enumerate(textures):
        (folder / f"texture-{k}.png").write_bytes(png.encode(texture.pixels))
    job = {
        "mesh": str(folder / "mesh.npz"),
        "materials": materials,
        "textures": [
            {"file": str(folder / f"texture-{k}.png"), "wrap": list(t.wrap), "nearest": t.nearest}
            for k, t in enumerate(textures)
        ],
        "cameras": [
            {"position": camera.position().tolist(), "right": right.tolist(), "up": up.tolist()}
            for camera in cameras
            for right, up, _ in [camera.basis()]
        ],
        "size": cameras[0].size,
        "ortho_width": cameras[0].width,
        "engine": settings.engine,
        "samples": settings.samples,
        "light": {"lights": LIGHTS.astype(float).tolist(), "ambient": float(AMBIENT)} if look == "lit" else None,
        "position": True,
        # In a pool of workers each Blender is one worker's.
        "threads": 0 if multiprocessing.parent_process() is None else 1,
        "out": str(folder),
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    return job


def _drawable(mesh: Mesh) -> Mesh:
    """The mesh without faces that Blender's structures cannot hold.

    Raises:
        CharacterError: if no face is left, or one has a vertex that is not finite.
    """
    a, b, c = mesh.faces.T
    sound = (a != b) & (b != c) & (c != a)
    if not sound.any():
        raise CharacterError("the mesh has no faces to draw")
    used = mesh.used
    if not np.isfinite(mesh.vertices[used]).all():
        raise CharacterError("the mesh has vertices that are not finite numbers")
    return replace(mesh.of_faces(sound), vertices=np.where(used[:, None], mesh.vertices, np.float32(0)))


_shared: dict[int, BlenderProcess] = {}


def _ask(job: dict[str, Any], seconds: float) -> None:
    """Have this process's Blender do a job; it is started at need and replaced after many jobs.

    Raises:
        CharacterError: if it fails on the job.
        UsageError: if there is no Blender.
    """
    # By process: a child that was forked off must not talk to its parent's Blender.
    blender = _shared.get(os.getpid())
    if blender is not None and (not blender.alive or blender.answered >= CHARACTERS_PER_PROCESS):
        blender.close()
        blender = None
    if blender is None:
        blender = _shared[os.getpid()] = BlenderProcess(SCRIPT, f"--renderer {job['engine']}")
    try:
        blender.ask(job, seconds)
    except CharacterError:
        raise
    except SpecsiaError as error:
        blender.close()
        raise CharacterError(f"Blender could not render it: {error}") from error


@cache
def check_gl() -> None:
    """Render a dot with Eevee in a Blender that may abort, once per process.

    Raises:
        SpecsiaError: with what to install, if it does abort.
        UsageError: if there is no Blender.
    """
    corners = np.array([[-0.5, 0, -0.5], [0.5, 0, -0.5], [0, 0, 0.5]], np.float32)
    dot = Mesh(corners, np.array([[0, 1, 2]], np.int32), (Material(),), np.zeros(1, np.int32))
    with (
        tempfile.TemporaryDirectory(prefix="specsia-blender-") as scratch,
        BlenderProcess(SCRIPT, "--renderer eevee") as blender,
    ):
        job = write_job(Path(scratch), dot, [Camera(0.0, 8)], "unlit", Settings("eevee", 1))
        try:
            blender.ask(job, VIEW_SECONDS + SHADER_SECONDS)
        except SpecsiaError as error:
            raise SpecsiaError(
                f"Eevee needs OpenGL and Blender cannot open it here ({error}): "
                "apt-get install libegl1 libgl1-mesa-dri, or use --renderer cycles"
            ) from error
