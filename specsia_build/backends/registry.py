"""Backends by name: the entry points of the group ``specsia.backends``."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

from specsia_build.backends.base import Backend
from specsia_build.errors import SpecsiaError, UsageError

GROUP = "specsia.backends"
"""Entry-point group; each point is a factory ``create(argument: str | None) -> Backend``."""


def available_backends() -> tuple[str, ...]:
    """Names that `load_backend` knows, sorted, each once. Nothing is imported."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


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
    found = tuple(entry_points(group=GROUP, name=name))
    if not found:
        known = ", ".join(available_backends()) or "none, because specsia is not installed as a package"
        raise UsageError(f"there is no backend '{name}'; the known ones are {known}")
    targets = sorted({point.value for point in found})
    if len(targets) > 1:
        raise UsageError(f"the backend '{name}' is declared more than once: {', '.join(targets)}")
    return _factory(found[0])(argument if colon else None)


def _factory(point: EntryPoint) -> Callable[[str | None], Backend]:
    try:
        factory = point.load()
    # A third-party module may raise anything at import, and the reader needs to know whose fault it is.
    except Exception as error:
        package = f" of the package {point.dist.name}" if point.dist is not None else ""
        reason = f"{type(error).__name__}: {error}"
        raise SpecsiaError(f"the backend '{point.name}' ({point.value}{package}) cannot be loaded: {reason}") from error
    if not callable(factory):
        raise SpecsiaError(f"the backend '{point.name}' ({point.value}) is not a factory: it cannot be called")
    make: Callable[[str | None], Backend] = factory
    return make
