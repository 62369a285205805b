"""Calls of backends that others wrote: their meshes are checked before use, and their faults are reported as theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from specsia_build.backends.base import Backend, Context
from specsia_build.errors import MOST_SHOWN, CharacterError, OthersError, SpecsiaError, brief
from specsia_build.files.writing import write_trouble
from specsia_build.memory import is_exhaustion
from specsia_build.rendering.form import kind_of, misshapen
from specsia_build.rendering.mesh import Mesh

_ARRAYS = {
    **dict.fromkeys(("faces", "face_material"), np.int32),
    **dict.fromkeys(("vertices", "uv", "colors", "normals", "rest"), np.float32),
}
"""Types that `Mesh` states of its arrays."""

_Answer = TypeVar("_Answer")


def asked(backend: Backend, image: NDArray[np.uint8], context: Context) -> Mesh:
    """The mesh that a backend makes of a picture, with arrays of the types that `Mesh` states.

    Args:
        backend: it gets a copy of the picture.
        image: (H, W, 4) uint8, straight alpha.
        context: see `Context`.

    Raises:
        CharacterError: if it gives up, or returns no mesh; an `OthersError` if code that is not ours fails.
    """
    doing = f"failed on {context.character_id}"
    mesh = _called(backend, doing, OthersError, lambda: backend.reconstruct(image.copy(), context))
    wrong = misshapen(mesh) if isinstance(mesh, Mesh) else f"it is a {kind_of(mesh)}, and no Mesh of specsia"
    if wrong is not None:
        raise CharacterError(f"the backend {backend.name} gave no usable mesh for {context.character_id}: {wrong}")
    there = {name: getattr(mesh, name) for name in _ARRAYS}
    plain: dict[str, Any] = {k: np.ascontiguousarray(v, _ARRAYS[k]) for k, v in there.items() if v is not None}
    return replace(mesh, **plain)


def stated_inputs(backend: Backend, character_id: str) -> tuple[Path, ...]:
    """The files that a backend states as its inputs for a character.

    Raises:
        SpecsiaError: if code that is not ours fails, or states something else than paths.
    """
    doing = f"does not state its inputs for {character_id}"
    return _called(backend, doing, SpecsiaError, lambda: tuple(Path(path) for path in backend.inputs(character_id)))


def _called(backend: Backend, doing: str, kind: type[SpecsiaError], call: Callable[[], _Answer]) -> _Answer:
    try:
        return call()
    except Exception as error:
        # A full disk and too little memory are the machine's fault, whoever meets them.
        ours = type(backend).__module__.partition(".")[0] == __name__.partition(".")[0]
        if ours or isinstance(error, SpecsiaError) or write_trouble(error) is not None or is_exhaustion(error):
            raise
        what = brief(f"{type(error).__name__}: {error}".rstrip(": "), MOST_SHOWN // 2)
        raise kind(f"the backend {backend.name} {doing} ({what})") from error
