"""Mesh files that something else made of a picture: read, turned into our axes and laid onto the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build.backends.placing import axes_matrix, fitted, into_frame
from specsia_build.backends.user_settings import own_settings, settings_file
from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character
from specsia_build.config import check_choice, check_number
from specsia_build.errors import CharacterError, UsageError
from specsia_build.rendering.mesh import Mesh

FORMATS: Mapping[str, str] = {".glb": "gltf", ".gltf": "gltf", ".vrm": "vrm", ".obj": "obj", ".ply": "ply"}
"""Format of each file ending that a mesh may have."""

FRAMINGS = ("free", "kept")
"""Whether the mesh is fitted to the picture's silhouette, or in the scale and place of the picture's camera already."""


def read_placed(path: Path, axes: Sequence[str] | None, framing: str, alpha: NDArray[np.uint8]) -> Mesh:
    """The mesh of a file in our frame.

    Args:
        path: of the file.
        axes: which signed axes of the file are our x, y, z; None for the convention of its format.
        framing: one of `FRAMINGS`.
        alpha: (H, W) of the square picture.

    Raises:
        CharacterError: if it cannot be read, drawn or fitted.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise CharacterError(f"the mesh made is {path.name}, which is none of {', '.join(FORMATS)}")
    # Where the axes are stated, no reader's convention may turn them as well.
    up, front = (None, None) if axes is None else ("+z", "-y")
    mesh = read_character(Entry(id="mesh", format=kind, path=path, up=up, front=front, sides="both")).mesh
    turned = mesh if axes is None else into_frame(mesh, axes)
    return turned if framing == "kept" else fitted(turned, alpha)


@dataclass(frozen=True)
class Terms:
    """What holds for every mesh that a user's own program or server makes.

    Attributes:
        axes: which signed axes of the file are our x, y, z; None for the convention of its format.
        framing: one of `FRAMINGS`.
        seconds: after which one picture is given up.
        slots: pictures that it is given together.
        version: the user's; another one makes all meshes anew.
    """

    axes: tuple[str, ...] | None = None
    framing: str = "free"
    seconds: float = 600.0
    slots: int = 1
    version: int = 1

    def settings(self) -> dict[str, Any]:
        """What of it decides the mesh."""
        return {"axes": self.axes and list(self.axes), "framing": self.framing, "version": self.version}


TERMS = ("axes", "framing", "seconds", "slots", "version")


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
        check_number("seconds", found.seconds, 1, 10**6)
        check_number("slots", found.slots, 1, 1024)
        check_number("version", found.version, 0, 2**31)
    except (UsageError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{settings_file()}: {name}: {error}") from error
    return found, {key: value for key, value in own.items() if key not in TERMS}
