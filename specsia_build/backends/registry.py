"""Backends by name: entry points of the group ``specsia.backends``, and commands in the user's settings.

Meshes are checked, and errors of other packages are reported as theirs.
"""

import difflib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from specsia_build.backends import command
from specsia_build.backends.base import Backend, Context
from specsia_build.backends.settings import all_settings, settings_file
from specsia_build.backends.upstream.pins import NAMES
from specsia_build.errors import (
    MOST_SHOWN,
    CharacterError,
    OthersError,
    SpecsiaError,
    UsageError,
    brief,
    no_such,
)
from specsia_build.files.writing import write_trouble
from specsia_build.folders import expanded
from specsia_build.memory import is_exhaustion
from specsia_build.rendering.form import kind_of, misshapen
from specsia_build.rendering.mesh import MESH_ARRAYS, Mesh

# Entry-point group; each point is a factory ``create(argument: str | None) -> Backend``
BACKEND_GROUP = "specsia.backends"

_TARGETS = {
    "command": "command:create",
    "fusion": "fusion.backend:create",
    "mesh-dir": "mesh_dir:create",
    "model-sheet": "model_sheet:create",
    "relief": "relief.backend:create",
    **{name: f"upstream.bridged:{name}" for name in NAMES},
}
_OWN = EntryPoints(
    EntryPoint(name, f"specsia_build.backends.{target}", BACKEND_GROUP) for name, target in _TARGETS.items()
)
"""Backends of this package, available even without installed entry points."""

_WITH_SETTINGS = frozenset({"command", *NAMES})  # Backends of this package that read the user's settings
_OF_FOLDERS = frozenset({"mesh-dir", *NAMES})  # Backends whose argument is a folder


def available_backends() -> tuple[str, ...]:
    """Names that `load_backend` knows, sorted, without imports; a UsageError for unreadable settings."""
    described = {name for name, settings in all_settings().items() if "command" in settings}
    return tuple(sorted({point.name for point in (*_OWN, *entry_points(group=BACKEND_GROUP))} | described))


def load_backend(spec: str) -> Backend:
    """Load the backend of ``NAME`` or ``NAME:ARGUMENT``; the argument may contain colons.

    Raises UsageError if no installed package declares the name, two packages declare it, or the backend
    refuses the argument or has settings that it does not read, and SpecsiaError if the package that declares
    it cannot be imported or returns no backend.
    """
    name, colon, argument = spec.partition(":")
    points = (*_OWN.select(name=name), *entry_points(group=BACKEND_GROUP, name=name))
    settings = all_settings().get(name, {})
    where = f"{settings_file()}: {name}"
    if not points:
        if "command" in settings and colon:
            raise UsageError(f"{name} takes no argument: {settings_file()} says what it is")
        if "command" in settings:
            return command.make(name, settings["command"])
        lacks = no_such("backend", name, available_backends())
        raise UsageError(f"{where} has no command" if settings else lacks)
    if "command" in settings:
        raise UsageError(f"{where} is the name of an installed backend: give your command another one")
    if settings and name not in _WITH_SETTINGS and _is_own(points[0].module):
        raise UsageError(f"{where} takes no settings here")
    targets = sorted({point.value for point in points})
    if len(targets) > 1:
        raise UsageError(f"the backend '{name}' is declared more than once: {', '.join(targets)}")
    package = f" of the package {points[0].dist.name}" if points[0].dist is not None else ""
    backend_of = f"the backend '{name}' ({points[0].value}{package})"
    # A third-party module may raise anything, and the message must name it.
    try:
        backend: Backend = points[0].load()(argument if colon else None)
        fault = _fault(backend, name)
    except SpecsiaError:
        raise
    except Exception as error:
        raise SpecsiaError(f"{backend_of} cannot be loaded: {type(error).__name__}: {error}") from error
    if fault is not None:
        raise SpecsiaError(f"{backend_of} {fault}")
    return backend


def absolute_spec(spec: str) -> str:
    """``NAME:ARGUMENT`` of our own backends with absolute paths, so that a run continues from any folder."""
    name, _, argument = spec.partition(":")
    if argument and name == "command":
        return f"{name}:{command.absolute(argument)}"
    return f"{name}:{expanded(argument).absolute()}" if argument and name in _OF_FOLDERS else spec


def portable_spec(spec: str) -> str:
    """A spec without folders of this machine, to compare with one from another machine."""
    name, _, argument = spec.partition(":")
    if name == "command":
        return f"{name}:{command.portable(argument)}"
    return name if name in _OF_FOLDERS else spec


def _is_own(module: str) -> bool:
    return module.partition(".")[0] == __name__.partition(".")[0]


_MEMBERS = get_type_hints(Backend)
_KNOWN = sorted(name for name in {*_MEMBERS, *vars(Backend)} if not name.startswith("_"))


def _fault(backend: Any, name: str) -> str | None:
    """End of a sentence on why an object is not a backend of that name; None if it is one."""
    kind = type(backend).__name__
    if not isinstance(backend, Backend):
        return f"is a {kind}, no subclass of specsia_build.backends.base.Backend: see docs/backends.md"
    for member in _unknown_members(type(backend)):
        near = difflib.get_close_matches(member, _KNOWN, 1, 0.0)[0]
        return (
            f"has a public member '{member}' that `Backend` does not know, nearest to its '{near}': correct "
            "it, or begin its name with an underscore"
        )
    for member, expected in _MEMBERS.items():
        value = getattr(backend, member, None)
        if not isinstance(value, expected | int if expected is float else expected):
            return f"has a {member} that is no {getattr(expected, '__name__', expected)} but {value!r}"
    if backend.name != name:
        problem = f"is called '{name}' where it is installed and '{backend.name}' by itself"
        return f"{problem}: its name must be the same"
    try:
        json.dumps(dict(backend.settings()), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        return f"has settings that are not JSON: {error}"
    return None


def _unknown_members(kind: type[Backend]) -> list[str]:
    """Public members that a third party's classes add to `Backend`."""
    theirs = (c for c in kind.__mro__ if issubclass(c, Backend) and not _is_own(c.__module__))
    members = (name for c in theirs for name in (*vars(c), *vars(c).get("__annotations__", ())))
    return [name for name in dict.fromkeys(members) if not name.startswith("_") and name not in _KNOWN]


def call_backend(backend: Backend, image: NDArray[np.uint8], context: Context) -> Mesh:
    """Reconstruct a copy of a picture (H, W, 4) uint8, and check the mesh.

    Raises CharacterError if it fails, or returns no mesh; an `OthersError` if a third party's code fails.
    """
    with _reported(backend, f"failed on {context.character_id}", OthersError):
        mesh = backend.reconstruct(image.copy(), context)
    fault = misshapen(mesh) if isinstance(mesh, Mesh) else f"it is a {kind_of(mesh)}, and no Mesh of specsia"
    if fault is not None:
        problem = f"the backend {backend.name} gave no usable mesh for {context.character_id}: {fault}"
        raise CharacterError(problem)
    plain: dict[str, Any] = {}
    for name, form in MESH_ARRAYS.items():
        if (values := getattr(mesh, name)) is not None:
            plain[name] = np.ascontiguousarray(values, form.dtype)
    return replace(mesh, **plain)


def backend_inputs(backend: Backend, character_id: str) -> tuple[Path, ...]:
    """Input files of a backend for a character; a SpecsiaError if a third party's code fails."""
    with _reported(backend, f"does not state its inputs for {character_id}", SpecsiaError):
        return tuple(map(Path, backend.inputs(character_id)))


@contextmanager
def _reported(backend: Backend, doing: str, kind: type[SpecsiaError]) -> Iterator[None]:
    """Report exceptions of third-party code as the backend's, except for a full disk or memory."""
    try:
        yield
    except Exception as error:
        expected = isinstance(error, SpecsiaError) or write_trouble(error) is not None or is_exhaustion(error)
        if _is_own(type(backend).__module__) or expected:
            raise
        reason = brief(f"{type(error).__name__}: {error}".rstrip(": "), MOST_SHOWN // 2)
        raise kind(f"the backend {backend.name} {doing} ({reason})") from error
