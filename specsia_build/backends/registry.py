"""Backends by name: the entry points of the group ``specsia.backends``, and those that the user's settings describe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import Any

from specsia_build.backends import command
from specsia_build.backends.base import Backend
from specsia_build.backends.upstream.pins import NAMES
from specsia_build.backends.user_settings import all_settings, settings_file
from specsia_build.errors import SpecsiaError, UsageError, no_such
from specsia_build.folders import expanded

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
