"""Asking a backend, whoever wrote it: what it gives is looked at before it is used, and its faults are its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build.backends.base import Backend, Context
from specsia_build.errors import MOST_SHOWN, CharacterError, OthersError, SpecsiaError, brief
from specsia_build.files.trouble import write_trouble
from specsia_build.memory import is_exhaustion
from specsia_build.rendering.form import kind_of, misshapen
from specsia_build.rendering.mesh import Mesh

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

    def plain(name: str) -> NDArray[np.float32] | None:
        array = getattr(mesh, name)
        return None if array is None else np.ascontiguousarray(array, np.float32)

    return replace(
        mesh,
        vertices=np.ascontiguousarray(mesh.vertices, np.float32),
        faces=np.ascontiguousarray(mesh.faces, np.int32),
        face_material=np.ascontiguousarray(mesh.face_material, np.int32),
        uv=plain("uv"),
        colors=plain("colors"),
        normals=plain("normals"),
        rest=plain("rest"),
    )


def _made(backend: Backend, image: NDArray[np.uint8], context: Context) -> Mesh:
    if _is_ours(backend):
        return backend.reconstruct(image, context)
    try:
        return backend.reconstruct(image, context)
    except Exception as error:
        # A full disk and too little memory are the machine's, whoever meets them.
        if isinstance(error, SpecsiaError) or write_trouble(error) is not None or is_exhaustion(error):
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
