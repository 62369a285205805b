"""Asking a backend, whoever wrote it: what it gives is looked at before it is used, and its faults are its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build.backends.base import Backend, Context
from specsia_build.errors import MOST_SHOWN, CharacterError, OthersError, SpecsiaError, brief
from specsia_build.files.trouble import write_trouble
from specsia_build.memory import is_exhaustion
from specsia_build.rendering.form import kind_of, misshapen
from specsia_build.rendering.mesh import Mesh

_ARRAYS = {
    **dict.fromkeys(("faces", "face_material"), np.int32),
    **dict.fromkeys(("vertices", "uv", "colors", "normals", "rest"), np.float32),
}
"""Types that `Mesh` states of its arrays."""

_OURS = __name__.partition(".")[0]


def asked(backend: Backend, image: NDArray[np.uint8], context: Context) -> Mesh:
    """The mesh that a backend makes of a picture, its arrays of the types that `Mesh` states.

    Args:
        backend: who is asked. It gets a picture of its own, to do with as it likes.
        image: (H, W, 4) uint8, straight alpha.
        context: see `Context`.

    Raises:
        CharacterError: if it gives up, or what it gives is no mesh; an `OthersError` if code that is not ours fails.
    """
    mesh = _made(backend, image.copy(), context)
    wrong = misshapen(mesh) if isinstance(mesh, Mesh) else f"it is a {kind_of(mesh)}, and no Mesh of specsia"
    if wrong is not None:
        whose = f"the backend {backend.name} gave no usable mesh for {context.character_id}"
        raise CharacterError(f"{whose}: {wrong}")
    there = {name: getattr(mesh, name) for name in _ARRAYS}
    plain: dict[str, Any] = {k: np.ascontiguousarray(v, _ARRAYS[k]) for k, v in there.items() if v is not None}
    return replace(mesh, **plain)


def _made(backend: Backend, image: NDArray[np.uint8], context: Context) -> Mesh:
    try:
        return backend.reconstruct(image, context)
    except Exception as error:
        # A full disk and too little memory are the machine's, whoever meets them.
        machines = write_trouble(error) is not None or is_exhaustion(error)
        if _is_ours(backend) or isinstance(error, SpecsiaError) or machines:
            raise
        raise OthersError(f"the backend {backend.name} failed on {context.character_id} ({_what(error)})") from error


def stated_inputs(backend: Backend, character_id: str) -> tuple[Path, ...]:
    """The files that a backend states as its inputs for a character.

    Raises:
        SpecsiaError: if code that is not ours fails, or states what are no paths.
    """
    if _is_ours(backend):
        return tuple(backend.inputs(character_id))
    whose = f"the backend {backend.name} does not state its inputs for {character_id}"
    try:
        found = tuple(backend.inputs(character_id))
    except Exception as error:
        raise SpecsiaError(f"{whose} ({_what(error)})") from error
    odd = next((one for one in found if not isinstance(one, Path)), None)
    if odd is not None:
        raise SpecsiaError(f"{whose}: among them is {brief(repr(odd), MOST_SHOWN // 4)}, which is no Path")
    return found


def _is_ours(backend: Backend) -> bool:
    return type(backend).__module__.partition(".")[0] == _OURS


def _what(error: Exception) -> str:
    return brief(f"{type(error).__name__}: {error}".rstrip(": "), MOST_SHOWN // 2)
