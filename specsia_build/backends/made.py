"""Mesh files that something else made of a picture: read, turned into our axes and laid onto the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from specsia_build.backends.base import Context, Reading
from specsia_build.backends.placing import axes_matrix, fitted, into_frame
from specsia_build.backends.user_settings import own_settings, settings_file
from specsia_build.characters.character import OWN, Character, Entry
from specsia_build.characters.colour import colourless
from specsia_build.characters.read import read_character
from specsia_build.config import check_choice, check_number
from specsia_build.errors import CharacterError, UsageError
from specsia_build.frame import axis_names, front_rotation, up_rotation
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.mesh import Mesh

FORMATS: Mapping[str, str] = {".glb": "gltf", ".gltf": "gltf", ".vrm": "vrm", ".obj": "obj", ".ply": "ply"}
"""Format of each file ending that a mesh may have."""

FRAMINGS = ("free", "kept")
"""Whether the mesh is fitted to the picture's silhouette, or in the scale and place of the picture's camera already."""


COLORS = ("own", "srgb")
"""How colours of vertices are encoded: as their format has it, which is linear in glTF, or as pictures are."""


def read_stated(
    entry: Entry, axes: Sequence[str] | None, colors: str, stated_in: str | None
) -> tuple[Character, Reading]:
    """A mesh file that somebody else's program wrote, in our axes, and how it was read.

    Args:
        entry: what its `up` and `front` leave open is as its format has it: what it shows is compared with the picture.
        axes: which signed axes of the file are our x, y, z; None where the entry says it.
        colors: one of `COLORS`.
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
    # What has no colour is told beside the picture, and a mesh has no line of a manifest that would mend anything.
    aside = {found.warning for found in colourless(character.entry, character.files, character.mesh)}
    mendings = [(found.warning, found.mending) for found in character.findings if found.mending is not None]
    aside |= {warning for warning, _ in mendings}
    besides = [f"{mending.why}: take that away where it was made" for _, mending in mendings if mending.key == "drop"]
    warnings = (*(said for said in character.warnings if said not in aside), *besides)
    return replace(character, mesh=mesh), Reading(taken, linear and colors == "own", stated_in, warnings)


def read_placed(
    path: Path, terms: Terms, alpha: NDArray[np.uint8], context: Context, stated_in: str | None = None
) -> Mesh:
    """The mesh of a file in our frame.

    Args:
        path: of the file.
        terms: what holds for it.
        alpha: (H, W) of the square picture.
        context: told how it was read.
        stated_in: see `Reading`.

    Raises:
        CharacterError: if it cannot be read, drawn or fitted.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise CharacterError(f"the mesh made is {path.name}, which is none of {', '.join(FORMATS)}")
    made, reading = read_stated(Entry(id="mesh", format=kind, path=path), terms.axes, terms.colors, stated_in)
    context.note(reading)
    return made.mesh if terms.framing == "kept" else fitted(made.mesh, alpha)


@dataclass(frozen=True)
class Terms:
    """What holds for every mesh that a user's own program or server makes.

    Attributes:
        axes: which signed axes of the file are our x, y, z; None for the convention of its format.
        framing: one of `FRAMINGS`.
        colors: one of `COLORS`.
        seconds: after which one picture is given up.
        slots: pictures that it is given together.
        version: the user's; another one makes all meshes anew.
    """

    axes: tuple[str, ...] | None = None
    framing: str = "free"
    colors: str = "own"
    seconds: float = 600.0
    slots: int = 1
    version: int = 1

    def settings(self) -> dict[str, Any]:
        """What of it decides the mesh."""
        return {
            "axes": self.axes and list(self.axes),
            "framing": self.framing,
            "colors": self.colors,
            "version": self.version,
        }


TERMS = ("axes", "framing", "colors", "seconds", "slots", "version")


def read_terms(name: str, *more: str) -> tuple[Terms, dict[str, Any]]:
    """The terms of a backend in the user's settings, and the other settings that are known of it.

    Raises:
        UsageError: if the settings cannot be used.
    """
    own = own_settings(name, (*TERMS, *more))
    terms = {key: value for key, value in own.items() if key in TERMS}
    try:
        if (axes := terms.get("axes")) is not None:
            axes_matrix(axes)
            terms["axes"] = tuple(axes)
        found = Terms(**terms)
        check_choice("framing", found.framing, FRAMINGS)
        check_choice("colors", found.colors, COLORS)
        check_number("seconds", found.seconds, 1, 10**6)
        check_number("slots", found.slots, 1, 1024)
        check_number("version", found.version, 0, 2**31)
    except (UsageError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{settings_file()}: {name}: {error}") from error
    return found, {key: value for key, value in own.items() if key not in TERMS}
