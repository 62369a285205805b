"""Mesh files that another program wrote: read, turned into the axes of the frame and fitted to the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from specsia_build.backends.base import Context, Reading
from specsia_build.backends.user_settings import all_settings, settings_file
from specsia_build.characters.character import OWN, Character, Entry
from specsia_build.characters.read import read_character
from specsia_build.errors import CharacterError, UsageError
from specsia_build.frame import ORTHO_WIDTH, axis_names, axis_vector, front_rotation, up_rotation
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rendering.mesh import Mesh

FORMATS: Mapping[str, str] = {".glb": "gltf", ".gltf": "gltf", ".vrm": "vrm", ".obj": "obj", ".ply": "ply"}
"""Format of each file ending that a mesh may have."""


def axes_matrix(axes: Sequence[str]) -> NDArray[np.float64]:
    """The (3, 3) matrix whose rows are the named signed axes; its determinant is -1 where it undoes a mirror.

    Raises:
        ValueError: if they are not three different axes.
    """
    matrix = np.array([axis_vector(str(axis)) for axis in axes], np.float64)
    if matrix.shape != (3, 3) or abs(round(float(np.linalg.det(matrix)))) != 1:
        raise ValueError(f"{', '.join(map(str, axes))} are not three different axes")
    return matrix


def into_frame(mesh: Mesh, axes: Sequence[str]) -> Mesh:
    """The mesh with the named signed axes as its x, y and z; faces keep looking outward where that mirrors."""
    matrix = axes_matrix(axes)
    turned = mesh.rotated(matrix)
    return turned if np.linalg.det(matrix) > 0 else reversed_faces(turned)


def reversed_faces(mesh: Mesh) -> Mesh:
    """Every face with its corners in the other order."""
    corners = mesh.cornerwise(lambda attribute: np.ascontiguousarray(attribute[:, ::-1]))
    return replace(mesh, faces=np.ascontiguousarray(mesh.faces[:, ::-1]), **corners)


def fitted(mesh: Mesh, alpha: NDArray[np.uint8]) -> Mesh:
    """The mesh moved and scaled so that its front fills the box of the picture's silhouette; its depth is centred.

    Args:
        mesh: in our axes, in any units.
        alpha: (H, W) of the square picture.

    Raises:
        CharacterError: if the picture is empty or the mesh has no extent from the front.
    """
    rows, columns = (np.flatnonzero((alpha >= HALF_COVERED).any(axis=axis)) for axis in (1, 0))
    low, high = (bound.astype(np.float64) for bound in mesh.bounds())
    extent = max(high[0] - low[0], high[2] - low[2])
    if len(rows) == 0:
        raise CharacterError("the frontal picture is empty")
    if not np.isfinite(extent) or extent <= 0:
        raise CharacterError("the mesh has no extent seen from the front")
    unit, half = ORTHO_WIDTH / alpha.shape[1], ORTHO_WIDTH / 2
    left, right = columns[0] * unit - half, (columns[-1] + 1) * unit - half
    top, bottom = half - rows[0] * unit, half - (rows[-1] + 1) * unit
    target = np.array([(left + right) / 2, 0.0, (top + bottom) / 2])
    scale = max(right - left, top - bottom) / extent
    return mesh.with_vertices((mesh.vertices.astype(np.float64) - (low + high) / 2) * scale + target)


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of a user's own program.

    Attributes:
        axes: which signed axes of the file are x, y, z of the frame; None for the convention of its format.
        framing: `free` to fit the mesh to the picture's silhouette, `kept` where it has the picture's scale and place.
        colors: encoding of vertex colours: `own` of the format, which is linear in glTF, or `srgb`.
        seconds: limit for one picture.
        slots: pictures at a time.
        version: the user's; another one makes all meshes anew.
    """

    axes: tuple[str, str, str] | None = None
    framing: Literal["free", "kept"] = "free"
    colors: Literal["own", "srgb"] = "own"
    seconds: Annotated[float, msgspec.Meta(ge=1, le=1e6)] = 600.0
    slots: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 1
    version: Annotated[int, msgspec.Meta(ge=0, le=2**31)] = 1

    def settings(self) -> dict[str, Any]:
        """Those that decide the mesh."""
        axes = self.axes and list(self.axes)
        return {"axes": axes, "framing": self.framing, "colors": self.colors, "version": self.version}


def read_terms(name: str) -> Terms:
    """The terms of a backend in the user's settings.

    Raises:
        UsageError: if the settings cannot be used.
    """
    own = {key: value for key, value in all_settings().get(name, {}).items() if key != "command"}
    try:
        terms = msgspec.convert(own, Terms)
        axes_matrix(terms.axes or ("+x", "+y", "+z"))
    except ValueError as error:
        raise UsageError(f"{settings_file()}: {name}: {error}") from error
    return terms


def read_stated(
    entry: Entry, axes: Sequence[str] | None, colors: str, stated_in: str | None
) -> tuple[Character, Reading]:
    """Read a mesh file of another program in the axes of the frame.

    Args:
        entry: what its `up` and `front` leave open is as its format has it: what it shows is compared with the picture.
        axes: which signed axes of the file are our x, y, z; None where the entry says it.
        colors: `own` or `srgb`, see `Terms`.
        stated_in: see `Reading`.

    Raises:
        CharacterError: if it cannot be read or drawn.
    """
    # Where the axes are stated, no reader's convention may turn them as well.
    up, front = (entry.up or OWN, entry.front or OWN) if axes is None else ("+z", "-y")
    character = read_character(msgspec.structs.replace(entry, up=up, front=front, sides="both"))
    mesh = character.mesh if axes is None else into_frame(character.mesh, axes)
    linear = entry.format in ("gltf", "vrm") and mesh.colors is not None
    if linear and colors == "srgb" and mesh.colors is not None:
        mesh = replace(
            mesh, colors=np.dstack([srgb_to_linear(mesh.colors[..., :3]), mesh.colors[..., 3:]]).astype(np.float32)
        )
    taken = tuple(axes) if axes is not None else axis_names(front_rotation(character.front) @ up_rotation(character.up))
    # A reconstruction has no manifest line that a warning could name.
    aside = {doubt.sentence for doubt in character.doubts if doubt.fix is not None}
    besides = [f"{fix.why}: remove it from the mesh" for fix in character.fixes if fix.key == "drop"]
    warnings = (*(w for w in character.warnings if w not in aside), *besides)
    return replace(character, mesh=mesh), Reading(taken, linear and colors == "own", stated_in, warnings)


def read_placed(
    path: Path, terms: Terms, alpha: NDArray[np.uint8], context: Context, stated_in: str | None = None
) -> Mesh:
    """Read the mesh of a file in the frame.

    Args:
        path: of the file.
        terms: its settings.
        alpha: (H, W) of the square picture.
        context: told how it was read.
        stated_in: see `Reading`.

    Raises:
        CharacterError: if it cannot be read, drawn or fitted.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise CharacterError(f"the mesh {path.name} is none of {', '.join(FORMATS)}")
    character, reading = read_stated(Entry(id="mesh", format=kind, path=path), terms.axes, terms.colors, stated_in)
    context.note(reading)
    return character.mesh if terms.framing == "kept" else fitted(character.mesh, alpha)
