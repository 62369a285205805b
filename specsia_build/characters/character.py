"""A character: where it comes from (`Entry`) and what was read (`Character`)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.doubts.doubt import Doubt, Fix
from specsia_build.characters.doubts.joints import Landmark
from specsia_build.errors import ByShape
from specsia_build.rendering.mesh import Mesh

SPLITS = ("train", "validation", "test")

AUTO = "auto"
"""As `up` or `front`: what the character's joints or shape say, and its format's own where they say nothing sure."""

OWN = "own"
"""As `up` or `front`: the format's own, and nothing is looked for that says otherwise."""

UNSETTLED = frozenset({"fbx", "obj", "ply"})
"""Formats without a convention that exporters keep: `AUTO` where nothing is stated."""

SETTLED = frozenset({"3dbicar"})
"""Formats that are one dataset's, whose axes nobody doubts."""

MOST_ID_BYTES = 100
"""Of an id, so that with a motion's name and the numbers of camera and frame behind it it can still name a file."""

_PLAIN = re.compile(rf"[A-Za-z0-9_-]{{1,{MOST_ID_BYTES}}}")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Sample:
    """What a procedural character is made from besides its id, which is its number.

    Attributes:
        seed: of all that are made together.
        version: of the generator.
    """

    seed: int
    version: int


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One character of a source, not yet read.

    Attributes:
        id: unique in the source; letters, digits, `_` and `-` only, so that it can name files and archive members.
        format: ``3dbicar``, ``gltf``, ``vrm``, ``obj``, ``ply``, ``fbx`` or ``blend``.
        path: the mesh file, or the character's folder for ``3dbicar``.
        texture: base-colour image for materials without one.
        up: the file's up axis where it is not its format's own; ``auto`` where the character is to say it itself,
            ``own`` where it is not to be asked.
        front: the axis it faces after the reader's conversion to Z up, where it is not the reader's own; or ``auto`` or
            ``own``.
        sides: ``both`` or ``front``, from which all faces are to be drawn; None as the file says.
        pose: ``rest``, or the name of an action with an optional ``@frame``.
        drop: names of parts to leave out.
        drawing: the character's own frontal drawing.
        split: ``train``, ``validation`` or ``test`` where the manifest fixes it.
        license: as the manifest or the folder states it; None where nobody does.
        source: whom to credit.
        problem: a sentence that says why it cannot be built at all, or None.
        root: folder of the source, which no file of the character lies outside of, links followed; None where that is
            the character's own folder.
        sample: of a procedural character, whose files are written where it is read and they are not there.
    """

    id: str
    format: str
    path: Path
    texture: Path | None = None
    up: str | None = None
    front: str | None = None
    sides: str | None = None
    pose: str = "rest"
    drop: tuple[str, ...] = ()
    drawing: Path | None = None
    split: str | None = None
    license: str | None = None
    source: str | None = None
    problem: str | None = None
    root: Path | None = None
    sample: Sample | None = None

    @property
    def folder(self) -> Path:
        """The character's own folder, which the names of its files are relative to."""
        return self.path if self.format == "3dbicar" else self.path.parent

    @property
    def within(self) -> Path:
        """The folder that every file of the character lies in."""
        return self.root or self.folder


@dataclass(frozen=True, repr=False)
class Character(ByShape):
    """One character, read.

    Attributes:
        entry: where it comes from.
        mesh: Z up, facing -Y, in its own units, not yet normalised.
        files: every file that was read or looked for in vain.
        warnings: sentences about what was built all the same.
        parts, skinned, animations, part_names, face_part: as in `RawMesh`.
        landmarks: as in `RawMesh`, in the mesh's coordinates.
        up: axis of its file that was taken for up.
        front: axis that was taken for its front once `up` had been turned to Z.
        unsure: a sentence where nobody states that front and nothing of the character says it, else None.
        doubts: what checks of its joints, shape and colours found; their sentences are among the warnings.
    """

    entry: Entry
    mesh: Mesh
    files: tuple[Path, ...]
    warnings: tuple[str, ...]
    parts: tuple[str, ...]
    skinned: bool
    animations: int
    landmarks: tuple[Landmark, ...] = ()
    up: str = "+z"
    front: str = "-y"
    unsure: str | None = None
    doubts: tuple[Doubt, ...] = ()
    part_names: tuple[tuple[str, ...], ...] = ((),)
    face_part: NDArray[np.int32] | None = None

    @property
    def all_warnings(self) -> tuple[str, ...]:
        """`warnings`, and the one about a front that nothing says."""
        return self.warnings if self.unsure in (None, *self.warnings) else (*self.warnings, self.unsure or "")

    @property
    def fixes(self) -> tuple[Fix, ...]:
        """What a manifest line could say of it."""
        return tuple(doubt.fix for doubt in self.doubts if doubt.fix is not None)


def id_order_key(character_id: str) -> tuple[int, int, str]:
    """Sorts ids as splits do: numeric ids first, as integers, then the others as strings."""
    if character_id.isascii() and character_id.isdecimal():
        return 0, int(character_id), character_id
    return 1, 0, character_id


def is_unicode(text: str) -> bool:
    """Whether a text is one that files can hold: JSON and names of files may give lone surrogates, which none can."""
    return text.isascii() or not _SURROGATE.search(text)


def legible(text: str) -> str:
    """A text with what `is_unicode` refuses shown as the replacement character."""
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def safe_id(text: str) -> str:
    """The id that a name gives: all but letters, digits, ``_`` and ``-`` becomes ``_``, `MOST_ID_BYTES` at most."""
    if _PLAIN.fullmatch(text):
        return text
    safe = re.sub(r"[^\w-]", "_", unicodedata.normalize("NFC", text))
    return safe.encode()[:MOST_ID_BYTES].decode(errors="ignore") or "_"


def is_safe_id(text: str) -> bool:
    """Whether a text can be an id as it stands."""
    return bool(text) and safe_id(text) == text
