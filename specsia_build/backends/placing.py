"""Read mesh files of other programs, turn them into the axes of the frame, and fit them to the picture."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from specsia_build import png
from specsia_build.arrays import Doubles, Mask, Pixels
from specsia_build.backends.base import Context, Reading
from specsia_build.backends.settings import Terms
from specsia_build.characters.character import OWN_AXIS, Advice, Character, Entry
from specsia_build.errors import CharacterError, some
from specsia_build.frame import ORTHO_WIDTH, axis_names, axis_vector, front_rotation, up_rotation
from specsia_build.pictures.masks import box_around
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rendering.mesh import Mesh
from specsia_build.warning import Warning

MESH_FORMATS = {".glb": "gltf", ".gltf": "gltf", ".vrm": "vrm", ".obj": "obj", ".ply": "ply"}  # By suffix


def axes_matrix(axes: Sequence[str]) -> Doubles:
    """Matrix (3, 3) whose rows are the named signed axes, with determinant 1 or -1; else a ValueError."""
    matrix = np.array([axis_vector(str(axis)) for axis in axes], np.float64)
    if matrix.shape != (3, 3) or abs(round(float(np.linalg.det(matrix)))) != 1:
        raise ValueError(f"{', '.join(map(str, axes))} are not three different axes")
    return matrix


def into_frame(mesh: Mesh, axes: Sequence[str]) -> Mesh:
    """Turn a mesh so that the named signed axes become x, y and z."""
    return mesh.rotated(axes_matrix(axes))


def silhouette_box(covered: Mask) -> tuple[float, float, float, float]:
    """Smallest and largest x and z of a frontal silhouette (S, S), not empty, in units of the frame."""
    rows, columns = box_around(covered)
    unit, half = ORTHO_WIDTH / covered.shape[1], ORTHO_WIDTH / 2
    left, right = columns.start * unit - half, columns.stop * unit - half
    return left, half - rows.stop * unit, right, half - rows.start * unit


def _filling(mesh: Mesh, covered: Mask) -> Mesh:
    """Move and scale a mesh so that its front fills a frontal silhouette's box, with its depth centred."""
    low, high = (bound.astype(np.float64) for bound in mesh.bounds())
    extent = max(high[0] - low[0], high[2] - low[2])
    if not covered.any():
        raise CharacterError("the frontal picture is empty")
    if not np.isfinite(extent) or extent <= 0:
        raise CharacterError("the mesh has no extent seen from the front")
    left, bottom, right, top = silhouette_box(covered)
    target = np.array([(left + right) / 2, 0.0, (top + bottom) / 2])
    scale = max(right - left, top - bottom) / extent
    return mesh.with_vertices((mesh.vertices.astype(np.float64) - (low + high) / 2) * scale + target)


def picture_file(folder: str | Path, image: Pixels, context: Context) -> Path:
    """Write the picture (H, W, 4) of a character for another program, and return its path."""
    path = Path(folder) / f"{context.character_id}.png"
    path.write_bytes(png.encode(image))
    return path


def only_mesh(paths: Sequence[Path], folder: Path, owner: str, purpose: str = "") -> Path:
    """The only one of some mesh files; else a CharacterError, `owner` and `purpose` around "no mesh"."""
    if len(paths) == 1:
        return paths[0]
    if not paths:
        raise CharacterError(f"{owner} no mesh{purpose} ({', '.join(MESH_FORMATS)})")
    names = some([path.relative_to(folder).as_posix() for path in paths])
    raise CharacterError(f"{owner} {len(paths)} meshes{purpose} instead of one: {names}")


def read_foreign(
    entry: Entry, axes: Sequence[str] | None, colors: str, stated_in: str | None
) -> tuple[Character, Reading]:
    """Read a mesh file of another program in the axes of the frame; see `Terms` and `Reading`.

    Without `axes`, the entry's apply, by default its format's convention. Raises CharacterError if it cannot
    be read or drawn.
    """
    # Most commands read no mesh, and start faster without all readers.
    from specsia_build.characters.read import read_character

    # With stated axes, the format's convention must not turn the mesh, too.
    up, front = (entry.up or OWN_AXIS, entry.front or OWN_AXIS) if axes is None else ("+z", "-y")
    character = read_character(msgspec.structs.replace(entry, up=up, front=front, sides="both"))
    mesh = character.mesh if axes is None else into_frame(character.mesh, axes)
    linear = entry.format in ("gltf", "vrm") and mesh.colors is not None
    if linear and colors == "srgb" and mesh.colors is not None:
        decoded = np.dstack([srgb_to_linear(mesh.colors[..., :3]), mesh.colors[..., 3:]])
        mesh = replace(mesh, colors=decoded.astype(np.float32))
    own_axes = axis_names(front_rotation(character.front) @ up_rotation(character.up))
    axes_read = own_axes if axes is None else tuple(axes)
    # A reconstruction has no manifest line that a warning could name.
    warnings = tuple(w for w in character.warnings if not isinstance(w, Advice))
    for fix in character.fixes:
        if fix.key == "drop":
            sentence = f"{fix.why}: remove it from the mesh"
            warnings += (Warning("alternatives", sentence, entry.path.name),)
    return replace(character, mesh=mesh), Reading(axes_read, linear and colors == "own", stated_in, warnings)


def read_placed(
    path: Path, terms: Terms, alpha: Pixels, context: Context, stated_in: str | None = None
) -> Mesh:
    """Read a mesh file, fitted to alpha (S, S) unless `framing` is `kept`; a CharacterError if that fails."""
    kind = MESH_FORMATS.get(path.suffix.lower())
    if kind is None:
        raise CharacterError(f"the mesh {path.name} is not one of {', '.join(MESH_FORMATS)}")
    entry = Entry(id="mesh", format=kind, path=path)
    character, reading = read_foreign(entry, terms.axes, terms.colors, stated_in)
    context.note(reading)
    return character.mesh if terms.framing == "kept" else _filling(character.mesh, alpha >= HALF_COVERED)
