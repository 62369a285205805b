"""A character: where it is from (`Entry`), its file (`RawMesh`), and what is built from (`Character`)."""

from __future__ import annotations

import math
import re
import struct
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from specsia_build.arrays import Doubles
from specsia_build.errors import ByShape
from specsia_build.rendering.mesh import Mesh
from specsia_build.warning import Warning

if TYPE_CHECKING:
    from specsia_build.animation.motion import Motion
    from specsia_build.animation.rig import Rig
    from specsia_build.animation.skeleton import Skeleton

Landmark = tuple[str, tuple[float, float, float]]  # Name and origin of a joint or node
MANIFEST_SPLITS = ("train", "validation", "test")
AUTO = "auto"  # Value of `up` or `front`: found by the character's joints and shape, else its format's
OWN_AXIS = "own"  # Value of `up` or `front`: the format's, without a check
UNSETTLED = frozenset({"fbx", "dae", "obj", "ply"})  # Formats without a convention: `AUTO` by default
SETTLED = frozenset({"3dbicar"})  # Formats of a single dataset, whose axes are not checked
MOST_ID_BYTES = 100  # Bytes; a motion's name and numbers of camera and frame fit behind it in a file name

PARSER_ERRORS = (OSError, ValueError, LookupError, ArithmeticError, EOFError, RecursionError, struct.error)
"""Errors that parsers raise for damaged or forged files; any other is a bug of this program, not caught."""

_PLAIN = re.compile(rf"[A-Za-z0-9_-]{{1,{MOST_ID_BYTES}}}")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Sample:
    """Seed and generator version of a procedural character, whose id is its number."""

    seed: int
    version: int


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One character of a source, not yet read."""

    id: str  # Unique in the source; letters, digits, `_` and `-` only, so that it can name files
    format: str  # ``3dbicar``, ``gltf``, ``vrm``, ``obj``, ``ply``, ``fbx`` or ``blend``
    path: Path  # Mesh file, or the character's folder for ``3dbicar``
    texture: Path | None = None  # Base-colour image for materials without one
    up: str | None = None  # The file's up axis, `AUTO`, `OWN_AXIS`, or None for the format's
    front: str | None = None  # The axis that it faces once `up` is turned to Z, or as `up`
    sides: str | None = None  # ``both`` or ``front``, from which all faces are drawn; None as in the file
    pose: str = "rest"  # ``rest``, or the name of an action with an optional ``@frame``
    drop: tuple[str, ...] = ()
    drawing: Path | None = None
    split: str | None = None  # One of `MANIFEST_SPLITS` if the manifest states it
    license: str | None = None
    source: str | None = None  # Whom to credit
    problem: str | None = None  # Why it cannot be built, or None
    # Folder of the source, which holds all files of the character, links followed; None: its own
    root: Path | None = None
    sample: Sample | None = None  # Of a procedural character, whose files are written when it is read

    @property
    def folder(self) -> Path:
        """The character's own folder."""
        return self.path if self.format == "3dbicar" else self.path.parent

    @property
    def within(self) -> Path:
        """The folder in which all its files lie."""
        return self.root or self.folder


@dataclass(frozen=True)
class Fix:
    """A key of a manifest line, a value for it, and the evidence."""

    key: str
    value: str | tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Advice(Warning):
    """A warning whose cause a manifest line removes."""

    fix: Fix


@dataclass(frozen=True)
class Skin:
    """Skin of V vertices: joints (V, K) int32, and weights (V, K) float64 that sum to 1 for each vertex."""

    joints: NDArray[np.int32]
    weights: Doubles


@dataclass(frozen=True, kw_only=True)
class Motions:
    """Motions in a file."""

    motions: tuple[Motion, ...] = ()  # Those that can be played, in file order
    spoilt: tuple[tuple[str, str], ...] = ()  # Name of each other one, and why it cannot be played
    # Node of each humanoid bone, by VRM's names, where the file states them
    humanoid: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[Warning, ...] = ()  # About the motions and the humanoid


@dataclass(frozen=True)
class MotionFile(Motions):
    """A file of motions; one without a name is called as the file.

    The skeleton is in the file's own coordinates; at rest it faces `front` once `up` is turned to Z.
    """

    name: str
    skeleton: Skeleton
    up: str = "+y"
    front: str = "-y"


@dataclass(frozen=True)
class RawMoving(Motions):
    """The rig of a mesh's vertices at rest, placed in the mesh's coordinates, and its motions."""

    rig: Rig

    def turned(self, rotation: Doubles) -> RawMoving:
        """The same for the mesh under a rotation (3, 3)."""
        matrix = np.eye(4)
        matrix[:3, :3] = rotation
        return replace(self, rig=self.rig.placed(matrix))


@dataclass(frozen=True, repr=False)
class RawMesh(ByShape):
    """A mesh in its file's own axes and units."""

    mesh: Mesh  # At rest or in a pose, parts in place, in the file's coordinates
    # Signed axis of the file that points up by its format's convention (``+y`` for glTF and OBJ)
    up: str = "+y"
    # Axis the character faces once `up` has been turned to Z (``-y``, or ``+y`` for VRM 0.x)
    front: str = "-y"
    # Names to show of what a manifest's `drop` may name, in file order; dropped ones included
    parts: tuple[str, ...] = ()
    # Every file read, and every file that was looked for but is missing, for staleness checks
    files: tuple[Path, ...] = ()
    warnings: tuple[Warning, ...] = ()  # About what was left out or repaired
    skinned: bool = False  # Whether a skin posed the vertices
    animations: int = 0
    # Names and places of joints and nodes, as the mesh is drawn, in the mesh's coordinates
    landmarks: tuple[Landmark, ...] = ()
    # Further names that `drop` may give: of nodes above a part, of meshes
    names: frozenset[str] = frozenset()
    # Names of each part, its own first, then those of the nodes above, nearest first
    part_names: tuple[tuple[str, ...], ...] = ((),)
    face_part: NDArray[np.int32] | None = None  # (F,) int32 into `part_names`; None where there is one part
    moving: RawMoving | None = None  # None where it was not asked for, or its format has no rigs


@dataclass(frozen=True, repr=False, kw_only=True)
class Character(RawMesh):
    """One character: its mesh Z up, facing -Y, in its units, not normalised; `up`, `front` as in its file."""

    entry: Entry
    unsure: bool  # Whether the front is neither stated nor found

    @property
    def fixes(self) -> tuple[Fix, ...]:
        """Fixes for its manifest line."""
        return tuple(warning.fix for warning in self.warnings if isinstance(warning, Advice))


def id_order_key(character_id: str) -> tuple[float, str]:
    """Sort key of ids: numeric ids first, as integers, then the others as strings."""
    is_number = character_id.isascii() and character_id.isdecimal()
    return int(character_id) if is_number else math.inf, character_id


def is_unicode(text: str) -> bool:
    """Whether a text can be encoded: JSON and file names may have lone surrogates."""
    return text.isascii() or not _SURROGATE.search(text)


def legible(text: str) -> str:
    """Replace lone surrogates by the replacement character."""
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def safe_id(text: str) -> str:
    """Make an id of a name: all but letters, digits, ``_``, ``-`` becomes ``_``; at most `MOST_ID_BYTES`."""
    if _PLAIN.fullmatch(text):
        return text
    safe = re.sub(r"[^\w-]", "_", unicodedata.normalize("NFC", text))
    return safe.encode()[:MOST_ID_BYTES].decode(errors="ignore") or "_"


def unused_id(wanted: str, taken: set[str]) -> str:
    """Make an id unique by a number behind it if needed; add it to `taken`, a set of casefolded ids."""
    number, unique = 2, wanted
    while unique.casefold() in taken:
        unique, number = f"{wanted}_{number}", number + 1
    taken.add(unique.casefold())
    return unique
