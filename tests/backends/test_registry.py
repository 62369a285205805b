"""Find backends by name; report those that are invalid or return no mesh."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from specsia_build.backends import registry
from specsia_build.backends.base import Context
from specsia_build.backends.registry import available_backends, call_backend, load_backend
from specsia_build.backends.relief.backend import Relief
from specsia_build.errors import CharacterError, SpecsiaError, UsageError
from specsia_build.rendering.mesh import Material, Mesh, Texture
from tests.backends.drawings import picture
from tests.backends.upstream.upstreams import write_files
from tests.commands import COMMAND
from tests.shapes import write_folder

ROOT = Path(__file__).parents[2]


def card(image: np.ndarray) -> Mesh:
    """The billboard of docs/backends.md."""
    h = 1.35 / 2
    corners = np.array([[-h, 0, h], [h, 0, h], [h, 0, -h], [-h, 0, -h]], np.float32)
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    faces = np.array([[0, 3, 2], [0, 2, 1]], np.int32)
    material = Material(texture=Texture(image), alpha_mode="mask")
    return Mesh(corners, faces, (material,), np.zeros(2, np.int32), uv=uv[faces])


def theirs(make: Callable[[np.ndarray], Any] = card, **members: Any) -> SimpleNamespace:
    """A backend of somebody who has not read `Backend`."""
    usual = {"name": "theirs", "version": 1, "sees_ground_truth": False, "needs_yaw": False, "settings": dict}
    calls = {"inputs": lambda _: (), "reconstruct": lambda image, _: make(image)}
    return SimpleNamespace(**usual | calls | members)


@pytest.mark.parametrize(
    "make",
    [
        lambda _: None,
        lambda i: replace(card(i), faces=np.array([[0, -1, 2]] * 2, np.int32)),
        lambda i: replace(card(i), faces=np.array([[0, 4, 2]] * 2, np.int32)),
        lambda i: replace(card(i), face_material=np.ones(2, np.int32)),
        lambda i: replace(card(i), vertices=np.zeros((4, 2), np.float32)),
        lambda i: replace(card(i), uv=np.zeros((4, 2), np.float32)),
        lambda i: card(i[..., :3]),
    ],
)
def test_answers_that_are_not_meshes(make: Callable[[np.ndarray], Any]) -> None:
    with pytest.raises(CharacterError, match="theirs gave no usable mesh"):
        call_backend(theirs(make), picture(), Context("a", 1))


def test_other_integer_widths() -> None:
    def wide(image: np.ndarray) -> Mesh:
        mesh, wider = card(image), {"vertices": np.float64, "faces": np.int64}
        return replace(mesh, **{name: getattr(mesh, name).astype(dtype) for name, dtype in wider.items()})

    mesh = call_backend(theirs(wide), picture(), Context("a", 1))
    assert [str(array.dtype) for array in (mesh.vertices, mesh.faces)] == ["float32", "int32"]


def declare(monkeypatch: pytest.MonkeyPatch, *values: str) -> None:
    """Pretend that `theirs` is installed, with these factories, and nothing else."""
    points = EntryPoints(EntryPoint("theirs", value, registry.BACKEND_GROUP) for value in values)
    monkeypatch.setattr(registry, "entry_points", lambda **wanted: points.select(**wanted))


@pytest.mark.parametrize(
    ("create", "reason"),
    [
        (lambda _: [][0], "IndexError: list index"),
        (5, "TypeError"),
        (lambda _: None, "is a NoneType without name and version"),
        (lambda _: theirs(name="../mine"), r"'theirs' where it is installed and '\.\./mine' by itself"),
        (lambda _: theirs(settings=lambda: {"model": object()}), "settings that are no JSON"),
        (lambda _: theirs(settings=lambda: {"far": float("inf")}), "settings that are no JSON"),
        (lambda _: theirs(version="1.0"), "a version that is no int but '1.0'"),
    ],
)
def test_objects_that_are_not_backends(monkeypatch: pytest.MonkeyPatch, create: object, reason: str) -> None:
    monkeypatch.setattr(sys.modules[__name__], "created", create, raising=False)
    declare(monkeypatch, f"{__name__}:created")
    with pytest.raises(SpecsiaError, match=rf"the backend 'theirs' \({__name__}:created\) .*{reason}"):
        load_backend("theirs")


def test_names_of_installed_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"relief", "mesh-dir"} <= set(available_backends())
    assert isinstance(load_backend("relief"), Relief)
    declare(monkeypatch, "no_such_package.backend:create")
    with pytest.raises(SpecsiaError, match=r"no_such_package.*ModuleNotFoundError"):
        load_backend("theirs")
    declare(monkeypatch, "a:create", "b:create")
    assert available_backends().count("theirs") == 1
    with pytest.raises(UsageError, match="a:create, b:create"):
        load_backend("theirs")


def test_only_fusion_sees_gt() -> None:
    backends = [load_backend(spec) for spec in ("fusion", "relief", "command:cp {image} {mesh}")]
    assert [backend.sees_ground_truth for backend in backends] == [True, False, False]


@pytest.mark.parametrize(
    ("settings", "backend"),
    [
        ("relief: {command: a}", "relief"),
        ("fusion: {slots: 2}", "fusion"),
        ("mesh-dir: {axes: [-x, +z, +y]}", "mesh-dir:."),
        ("triposr: {comand: python recon.py}", "triposr"),
        ("command: {axes: [1, 2, 3]}", "command:true {image} {mesh}"),
    ],
)
def test_unused_settings_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str, backend: str
) -> None:
    path = tmp_path / "backends.yaml"
    path.write_text(settings)
    monkeypatch.setenv("SPECSIA_BACKENDS", str(path))
    with pytest.raises(UsageError, match=f"backends.yaml: {backend.partition(':')[0]}"):
        load_backend(backend)


def test_documented_example_builds(tmp_path: Path) -> None:
    """The card has no height in other frames, which must not cost it its pairs."""
    code = (ROOT / "docs/backends.md").read_text().partition("```python\n")[2].partition("```")[0]
    package = {
        "my_backend.py": code.replace(
            "h = 1.35 / 2", "h = 1.35 / 2 if context.character_id == '0' else [][1]"
        ),
        "mine-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n",
        "mine-1.0.dist-info/entry_points.txt": "[specsia.backends]\nbillboard = my_backend:create\n",
    }
    write_files(tmp_path / "site", package)
    source, out = write_folder(tmp_path / "characters", 2), tmp_path / "run"
    command = [*COMMAND, "build", str(source)]
    settings = ["--backend=billboard", "--size=64", "--views=4", "--workers=1", "--min-iou=0", f"--out={out}"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(ROOT)])}
    ran = subprocess.run([*command, *settings], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    (line,) = (out / "failures.jsonl").read_text().splitlines()
    assert "billboard failed on 1 (IndexError" in json.loads(line)["reason"]
    assert "[][1]" in (out / "logs/reconstruct/billboard/1.txt").read_text()
