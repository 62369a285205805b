"""Stage 2, reconstruct: make a mesh from the frontal picture with a backend."""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from isal import igzip
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.backends.base import Backend, Context, Reading
from specsia_build.backends.registry import backend_inputs, call_backend
from specsia_build.backends.scoring import better_frame, check_generated, check_mesh, fitted, small
from specsia_build.dataset.layers import view_file
from specsia_build.dataset.schema import COLOR, GT, GT_MASK, MASK
from specsia_build.errors import CharacterError, LowQualityError, UsageError
from specsia_build.files.records import parse_json
from specsia_build.frame import Camera
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import HALF_COVERED, Look
from specsia_build.rendering.mesh import MESH_ARRAYS, Material, Mesh, Texture, compacted, material_spec
from specsia_build.stages import render
from specsia_build.stages.stage import (
    Artefact,
    CharacterStage,
    DigestOf,
    Digests,
    Earlier,
    EarlierMeta,
    Job,
    Meta,
    Sources,
)
from specsia_build.stages.warnings import misplaced
from specsia_build.warning import Warning, coded

READ = "read/"  # Prefix of the names of the inputs that a backend read
_TRUTH = "ground truth"  # Name of the input of a backend that sees the ground truth

MESH, OVERLAY = "mesh.json", "overlay"

_ARRAYS = tuple(name for name in MESH_ARRAYS if name != "rest")  # Those of a mesh that are stored

_OVERLAY = np.array([(255, 255, 255), (37, 99, 199), (226, 110, 30), (176, 182, 190)], np.uint8)
"""Colours of the overlay where no silhouette covers a pixel, that of Y* only, that of Z only, both."""


def _backend(job: Job) -> Backend:
    assert job.backend is not None
    return job.backend


def _settings(job: Job) -> dict[str, Any]:
    backend = _backend(job)
    own = {"backend": [backend.name, backend.version], "backend_settings": dict(backend.settings())}
    return {**own, "seed": job.config.seed}


def _inputs(job: Job, earlier: EarlierMeta, digest_of: DigestOf) -> Digests:
    """The frontal picture, the backend's stated files, and all of the render if it sees the ground truth."""
    backend, rendered = _backend(job), earlier[render.RENDER]
    inputs = {render.FRONT: rendered["files"][render.FRONT]["sha256"]}
    for i, path in enumerate(backend_inputs(backend, job.entry.id)):
        inputs[f"backend/{i}/{path.name}"] = digest_of(path, path.parent)
    if backend.sees_ground_truth:
        inputs[_TRUTH] = rendered["fingerprint"]
    return inputs


def _sources(job: Job) -> Sources | None:
    folder = None if job.backend is None else job.backend.folder
    return None if folder is None else Sources(folder, folder, READ)


def accepted(mesh: Mesh, image: NDArray[np.uint8], backend: Backend, character_id: str) -> Mesh:
    """Check a backend's mesh, and return it without unused vertices and with double-sided faces.

    Double-sided, as reconstruction methods ignore the winding of faces. Raises CharacterError if the mesh
    cannot be used, and LowQualityError without pictures if it does not look like the picture.
    """
    try:
        if len(mesh.faces) > 0:
            mesh = compacted(mesh)
        mesh = mesh.with_sides(double=True)
        if backend.generates:
            check_generated(mesh, image, any_yaw=backend.needs_yaw)
        else:
            check_mesh(mesh)
    except CharacterError as error:
        sentence = f"the backend {backend.name} gave no usable mesh for {character_id}: {error}"
        if isinstance(error, LowQualityError):
            raise LowQualityError(sentence, {}, error.code) from error
        raise CharacterError(sentence, error.code) from error
    return mesh


def reconstruct_picture(
    backend: Backend, picture: NDArray[np.uint8], name: str, truth: Mesh | None, *, seed: int, **context: Any
) -> tuple[Mesh, tuple[Warning, ...]]:
    """Reconstruct a frontal picture (H, W, 4) without a contour; returns an accepted mesh and warnings.

    `truth` is the character's own mesh or None, and `context` has more fields of `Context`. Raises UsageError
    if the backend needs `truth` and it is None, and CharacterError as `accepted`.
    """
    if backend.sees_ground_truth and truth is None:
        problem = f"the backend {backend.name} damages a character's own mesh, and none is given"
        raise UsageError(f"{problem}: name another backend, or in Python give ground_truth=views.mesh")
    own = None if truth is None else lambda: truth
    mesh, warnings, _ = _run(backend, picture, name, seed, own, **context)
    return accepted(mesh, picture, backend, name), tuple(warnings)


def _run(
    backend: Backend,
    picture: NDArray[np.uint8],
    name: str,
    seed: int,
    truth: Callable[[], Mesh] | None,
    **context: Any,
) -> tuple[Mesh, list[Warning], dict[str, Any] | None]:
    """Run a backend; returns its mesh, warnings, and how the mesh was read from a file, None if not."""
    readings, sentences = list[Reading](), list[str]()
    digest = hashlib.sha256(f"{seed}:{name}:{backend.name}".encode()).digest()
    known = Context(
        character_id=name,
        seed=int.from_bytes(digest[:8], "big"),
        ground_truth=truth if backend.sees_ground_truth else None,
        note=readings.append,
        warn=sentences.append,
        **context,
    )
    mesh = call_backend(backend, picture, known)
    reading = None
    if readings:
        last = readings[-1]
        reading = {"axes": list(last.axes), "linear": last.linear, "stated_in": last.stated_in}
    warnings = [warning for each in readings for warning in each.warnings]
    warnings += [Warning("backend", sentence, backend.name) for sentence in sentences]
    return mesh, warnings, reading


def _refused(
    error: LowQualityError, mesh: Mesh, rendered: Artefact, reading: Meta | None, look: Look
) -> Exception:
    """The same error with frontal pictures of the mesh, fitted to the figure, and axes that fit it better."""
    image = png.decode(rendered.files[render.FRONT], 4)
    mask = png.decode(rendered.files[render.front_mask(rendered.files)], 1)
    try:
        mesh = compacted(mesh).with_sides(double=True)
        placed = fitted(mesh, mask >= HALF_COVERED)
        layers = next(FastRenderer().render(placed, [Camera(0.0, len(mask))], look))
        front = small(layers.color, layers.mask)
        as_is, turned = better_frame(mesh, placed, front, None, small(image, mask), look)
    except CharacterError:
        # The mesh is too deep to be rendered, so there are no pictures.
        return LowQualityError(str(error), {}, error.code)
    pictures = {view_file(COLOR, 0): png.encode(layers.color), view_file(MASK, 0): png.encode(layers.mask)}
    advice = "" if turned is None else f"; it {misplaced(as_is, turned, reading)}"
    return LowQualityError(f"{error}{advice}", beside_truth(pictures, 0, rendered.files), error.code)


def reconstruct(job: Job, earlier: Earlier) -> tuple[Artefact, tuple[Path, ...]]:
    """Run the backend on the frontal picture.

    Returns an artefact with the mesh in the frame's axes, before registration; and the files that the backend
    read or looked for in vain. Raises LowQualityError with the frontal pictures if the mesh does not look
    like the picture.
    """
    entry, config = job.entry, job.config
    backend = _backend(job)
    front = earlier[render.RENDER].files[render.FRONT]
    image = png.decode(front, 4)

    def ground_truth() -> Mesh:
        return render.mesh_of(entry, config, front)

    files: list[Path] = []
    mesh, warnings, reading = _run(
        backend, image, entry.id, config.seed, ground_truth, read=files.extend, framed=True
    )
    try:
        mesh = accepted(mesh, image, backend, entry.id)
    except LowQualityError as error:
        raise _refused(error, mesh, earlier[render.RENDER], reading, config.look) from error
    meta = {
        "id": entry.id,
        "backend": backend.name,
        "triangles": len(mesh.faces),
        "needs_yaw": backend.needs_yaw,
        "sees_ground_truth": backend.sees_ground_truth,
        "warnings": coded(warnings),
        "reading": reading,
    }
    return Artefact(entry.id, mesh_to_files(mesh), meta), tuple(dict.fromkeys(files))


def array_file(name: str) -> str:
    return f"mesh_{name}.npy.gz"


def dump_array(array: NDArray[Any]) -> bytes:
    """Encode an array for `load_array`; equal arrays give equal bytes."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return png.deflate(stream.getvalue(), png.GZIP)


def load_array(data: bytes) -> NDArray[Any]:
    """Load an array that `dump_array` wrote, without pickle."""
    loaded: NDArray[Any] = np.lib.format.read_array(io.BytesIO(igzip.decompress(data)), allow_pickle=False)
    return loaded


def mesh_to_files(mesh: Mesh) -> dict[str, bytes]:
    """Encode a mesh for `mesh_from_files`; rest positions are dropped."""
    arrays = {name: getattr(mesh, name) for name in _ARRAYS}
    files = {array_file(name): dump_array(array) for name, array in arrays.items() if array is not None}
    textures: list[Texture] = []
    materials = [material_spec(material, textures) for material in mesh.materials]
    files |= {f"mesh_texture_{k}.png": png.encode(texture.pixels) for k, texture in enumerate(textures)}
    samplers = [{"wrap": list(t.wrap), "nearest": t.nearest} for t in textures]
    files[MESH] = json.dumps({"materials": materials, "textures": samplers}, sort_keys=True).encode()
    return files


def mesh_from_files(files: Mapping[str, bytes]) -> Mesh:
    """Load the mesh that `mesh_to_files` wrote."""
    described = parse_json(files[MESH], MESH)
    arrays = {name: load_array(files[array_file(name)]) for name in _ARRAYS if array_file(name) in files}
    textures = [
        Texture(png.decode(files[f"mesh_texture_{i}.png"], 4), tuple(t["wrap"]), t["nearest"])
        for i, t in enumerate(described["textures"])
    ]
    materials = []
    for spec in described["materials"]:
        colours = {name: tuple(spec[name]) for name in ("base_color", "emissive")}
        places = {name: spec[name] for name in ("texture", "emissive_texture")}
        images = {name: None if place is None else textures[place] for name, place in places.items()}
        materials.append(Material(**{**spec, **colours, **images}))
    return Mesh(materials=tuple(materials), **arrays)


def beside_truth(files: Mapping[str, bytes], view: int, rendered: Mapping[str, bytes]) -> dict[str, bytes]:
    """PNGs of a view by name: Z and its mask from `files`, Y* from `rendered`, and overlaid silhouettes."""
    color, mask, gt = (view_file(name, view) for name in (COLOR, MASK, GT))
    ours, theirs = png.decode(files[mask], 1), png.decode(rendered[view_file(GT_MASK, view)], 1)
    overlay = png.encode(_OVERLAY[2 * (ours >= HALF_COVERED).astype(np.uint8) + (theirs >= HALF_COVERED)])
    return {color: files[color], mask: files[mask], gt: rendered[gt], view_file(OVERLAY, view): overlay}


RECONSTRUCT = CharacterStage(
    name="reconstruct",
    version=3,
    earlier=(render.RENDER,),
    make=reconstruct,
    settings=_settings,
    inputs=_inputs,
    sources=_sources,
    per_backend=True,
    calls_backend=True,
)
