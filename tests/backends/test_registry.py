"""Backends are found by name through the entry points."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from specsia_build.backends import registry
from specsia_build.backends.base import Backend
from specsia_build.backends.registry import available_backends, load_backend
from specsia_build.backends.relief.backend import Relief
from specsia_build.errors import SpecsiaError, UsageError


def declare(monkeypatch: pytest.MonkeyPatch, **points: str) -> None:
    """Pretend that these and no other backends are installed."""
    declared = EntryPoints(EntryPoint(name, value, registry.GROUP) for name, value in points.items())
    monkeypatch.setattr(registry, "entry_points", lambda **wanted: declared.select(**wanted))


def test_own_backends_are_installed() -> None:
    assert {"relief", "mesh-dir"} <= set(available_backends())
    backend: Backend = load_backend("relief")
    assert isinstance(backend, Relief)


def test_package_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, theirs="no_such_package.backend:create")
    with pytest.raises(SpecsiaError, match=r"'theirs' \(no_such_package\.backend:create\).*ModuleNotFoundError"):
        load_backend("theirs")


def test_two_packages_with_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("theirs", value, registry.GROUP) for value in ("a:create", "b:create")]
    monkeypatch.setattr(registry, "entry_points", lambda **wanted: EntryPoints(points).select(**wanted))
    assert available_backends().count("theirs") == 1
    with pytest.raises(UsageError, match="more than once: a:create, b:create"):
        load_backend("theirs")


@pytest.mark.parametrize(
    ("settings", "backend", "reason"),
    [
        ("relief: {command: a}", "relief", "relief is the name of an installed backend"),
        ("fusion: {slots: 2}", "fusion", "fusion takes no settings here"),
        (
            "mesh-dir: {axes: [-x, +z, +y]}",
            "mesh-dir:.",
            r"takes no settings here: use a manifest\.yaml beside its meshes",
        ),
        ("triposr: {comand: python recon.py}", "triposr", "triposr is no installed backend and has no command"),
        ("command: {axes: [1, 2, 3]}", "command:true {image} {mesh}", "command: "),
    ],
)
def test_settings_that_nobody_would_heed_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str, backend: str, reason: str
) -> None:
    path = tmp_path / "backends.yaml"
    path.write_text(settings)
    monkeypatch.setenv("SPECSIA_BACKENDS", str(path))
    with pytest.raises(UsageError, match=f"backends.yaml: .*{reason}"):
        load_backend(backend)
