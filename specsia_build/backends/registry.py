"""Backends by name: the entry points of the group ``specsia.backends``, those that the user's settings
describe, and calls of them: meshes are checked, and faults of other packages reported as theirs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from specsia_build.backends import command
from specsia_build.backends.base import Backend, Context
from specsia_build.backends.upstream.pins import NAMES
from specsia_build.backends.user_settings import all_settings, settings_file
from specsia_build.errors import MOST_SHOWN, CharacterError, OthersError, SpecsiaError, UsageError, brief, no_such
from specsia_build.files.writing import write_trouble
from specsia_build.folders import expanded
from specsia_build.memory import is_exhaustion
from specsia_build.rendering.form import kind_of, misshapen
from specsia_build.rendering.mesh import Mesh

GROUP = "specsia.backends"
"""Entry-point group; each point is a factory ``create(argument: str | None) -> Backend``."""

_OWN = EntryPoints(
    EntryPoint(name, f"specsia_build.backends.{target}", GROUP)
    for name, target in {
        "command": "command:create",
        "fusion": "fusion.backend:create",
        "inflate": "inflate.backend:create",
        "mesh-dir": "mesh_dir:create",
        "relief": "relief.backend:create",
        **{name: f"upstream.bridged:{name}" for name in NAMES},
    }.items()
)
"""Backends of this package, which are there however it was installed."""

_WITH_SETTINGS = frozenset({"command", *NAMES})
"""Backends of this package that read the user's settings."""

_OF_FOLDERS = frozenset({"mesh-dir", *NAMES})
"""Backends whose argument is a folder."""


def available_backends() -> tuple[str, ...]:
    """Names that `load_backend` knows, sorted, each once. Nothing is imported.

    Raises:
        UsageError: if the user's settings cannot be read.
    """
    described = {name for name, own in all_settings().items() if "command" in own}
    return tuple(sorted({point.name for point in (*_OWN, *entry_points(group=GROUP))} | described))


def load_backend(spec: str) -> Backend:
    """The backend that ``NAME`` or ``NAME:ARGUMENT`` names.

    Args:
        spec: the name up to the first colon, then the argument as the backend reads it (it may hold colons itself).

    Raises:
        UsageError: if no installed package declares the name, two packages declare it, or the backend refuses the
            argument.
        SpecsiaError: if the package that declares it cannot be imported or does not give a backend.
    """
    name, colon, argument = spec.partition(":")
    points, own = (*_OWN.select(name=name), *entry_points(group=GROUP, name=name)), all_settings().get(name, {})
    if not points and "command" in own:
        if colon:
            raise UsageError(f"{name} takes no argument: {settings_file()} says what it is")
        return command.make(name, own["command"])
    if not points:
        if own:
            raise UsageError(f"{settings_file()}: {name} is no installed backend and has no command")
        raise UsageError(no_such("backend", name, available_backends()))
    _refuse_unused(points[0], own)
    targets = sorted({point.value for point in points})
    if len(targets) > 1:
        raise UsageError(f"the backend '{name}' is declared more than once: {', '.join(targets)}")
    return _created(points[0], argument if colon else None)


def standing(spec: str) -> str:
    """``NAME:ARGUMENT`` with paths from the root where the argument names places here, so that a run goes on anywhere.

    What an argument means is known of our own backends alone; those of other packages stay as they are.
    """
    name, _, argument = spec.partition(":")
    if not argument:
        return spec
    if name == "command":
        return f"{name}:{command.standing(argument)}"
    return f"{name}:{expanded(argument).absolute()}" if name in _OF_FOLDERS else spec


def placeless(spec: str) -> str:
    """A spec without the folders of this machine, to be compared with one that was given on another."""
    name, _, argument = spec.partition(":")
    if name == "command":
        return f"{name}:{command.placeless(argument)}"
    return name if name in _OF_FOLDERS else spec


def _refuse_unused(point: EntryPoint, own: Mapping[str, Any]) -> None:
    """Refuse settings of an installed backend that nobody reads.

    Raises:
        UsageError: if there are any.
    """
    if "command" in own:
        raise UsageError(f"{settings_file()}: {point.name} is the name of an installed backend: use another")
    if own and point.name not in _WITH_SETTINGS and point.module.partition(".")[0] == __name__.partition(".")[0]:
        where = "use a manifest.yaml beside its meshes" if point.name == "mesh-dir" else "remove them"
        raise UsageError(f"{settings_file()}: {point.name} takes no settings here: {where}")


def _created(point: EntryPoint, argument: str | None) -> Backend:
    package = f" of the package {point.dist.name}" if point.dist is not None else ""
    whose = f"the backend '{point.name}' ({point.value}{package})"
    # A third-party module may raise anything, and the reader needs to know whose fault it is.
    try:
        factory = point.load()
        if not callable(factory):
            raise TypeError("it is not a factory: it cannot be called")
        backend: Backend = factory(argument)
        wrong = _lack(backend, point.name)
    except SpecsiaError:
        raise
    except Exception as error:
        raise SpecsiaError(f"{whose} cannot be loaded: {type(error).__name__}: {error}") from error
    if wrong is not None:
        raise SpecsiaError(f"{whose} {wrong}")
    return backend


_MEMBERS = {"name": str, "version": int, "sees_ground_truth": bool, "needs_yaw": bool}
_METHODS = ("settings", "inputs", "reconstruct")


def _lack(made: Any, name: str) -> str | None:
    """What an object lacks of a backend of that name, the end of a sentence; None if it is one."""
    missing = [member for member in (*_MEMBERS, *_METHODS) if not hasattr(made, member)]
    if missing:
        return f"is a {type(made).__name__} without {' and '.join(missing)}: see docs/backends.md"
    for member, kind in _MEMBERS.items():
        if not isinstance(value := getattr(made, member), kind):
            return f"has a {member} that is no {kind.__name__} but {value!r}"
    if made.name != name:
        return f"is called '{name}' where it is installed and '{made.name}' by itself: its name must be the same"
    try:
        json.dumps(dict(made.settings()), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        return f"has settings that are no JSON: {error}"
    return None


_ARRAYS = {
    **dict.fromkeys(("faces", "face_material"), np.int32),
    **dict.fromkeys(("vertices", "uv", "colors", "normals", "rest"), np.float32),
}
"""Types of the arrays of a `Mesh`."""

_Answer = TypeVar("_Answer")


def asked(backend: Backend, image: NDArray[np.uint8], context: Context) -> Mesh:
    """Reconstruct a picture by a backend and check what it returns.

    Args:
        backend: it gets a copy of the picture.
        image: (H, W, 4) uint8, straight alpha.
        context: see `Context`.

    Raises:
        CharacterError: if it gives up, or returns no mesh; an `OthersError` if code that is not ours fails.
    """
    mesh = _called(
        backend, f"failed on {context.character_id}", OthersError, lambda: backend.reconstruct(image.copy(), context)
    )
    wrong = misshapen(mesh) if isinstance(mesh, Mesh) else f"it is a {kind_of(mesh)}, and no Mesh of specsia"
    if wrong is not None:
        raise CharacterError(f"the backend {backend.name} gave no usable mesh for {context.character_id}: {wrong}")
    there = {name: getattr(mesh, name) for name in _ARRAYS}
    plain: dict[str, Any] = {k: np.ascontiguousarray(v, _ARRAYS[k]) for k, v in there.items() if v is not None}
    return replace(mesh, **plain)


def stated_inputs(backend: Backend, character_id: str) -> tuple[Path, ...]:
    """The files that a backend names as its inputs for a character.

    Raises:
        SpecsiaError: if code that is not ours fails, or states something else than paths.
    """
    doing = f"does not state its inputs for {character_id}"
    return _called(backend, doing, SpecsiaError, lambda: tuple(map(Path, backend.inputs(character_id))))


def _called(backend: Backend, doing: str, kind: type[SpecsiaError], call: Callable[[], _Answer]) -> _Answer:
    try:
        return call()
    except Exception as error:
        # A full disk and too little memory are the machine's fault, not the backend's.
        ours = type(backend).__module__.partition(".")[0] == __name__.partition(".")[0]
        if ours or isinstance(error, SpecsiaError) or write_trouble(error) is not None or is_exhaustion(error):
            raise
        what = brief(f"{type(error).__name__}: {error}".rstrip(": "), MOST_SHOWN // 2)
        raise kind(f"the backend {backend.name} {doing} ({what})") from error
