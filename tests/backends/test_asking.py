"""A backend of somebody else's that fails or gives what is no mesh: the sentence says whose fault it is, and what."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specsia_build.backends import registry
from specsia_build.backends.base import Context
from specsia_build.backends.registry import asked, load_backend
from specsia_build.errors import CharacterError, SpecsiaError
from specsia_build.rendering.mesh import Material, Mesh, Texture
from tests.backends.upstream.upstreams import write_files
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


class Theirs:
    name = "theirs"
    version = 1
    sees_ground_truth = False
    needs_yaw = False

    def __init__(self, make: Callable[[np.ndarray], Any] = card) -> None:
        self.make = make

    def settings(self) -> Mapping[str, Any]:
        return {}

    def inputs(self, character_id: str) -> Sequence[Path]:
        return ()

    def reconstruct(self, image: np.ndarray, context: Context) -> Mesh:
        made: Mesh = self.make(image)
        return made


def picture() -> np.ndarray:
    image = np.zeros((64, 64, 4), np.uint8)
    image[8:56, 16:48] = (200, 30, 30, 255)
    return image


GIVEN: dict[str, tuple[Callable[[np.ndarray], Any], str]] = {
    "nothing": (lambda _: None, "it is a NoneType, and no Mesh"),
    "negative": (lambda i: replace(card(i), faces=np.array([[0, -1, 2]] * 2, np.int32)), "faces that name others"),
    "beyond": (lambda i: replace(card(i), faces=np.array([[0, 4, 2]] * 2, np.int32)), "faces that name others"),
    "materials": (lambda i: replace(card(i), face_material=np.ones(2, np.int32)), "1 materials, and faces that name"),
    "flat": (lambda i: replace(card(i), vertices=np.zeros((4, 2), np.float32)), r"vertices .* numpy.ndarray \(4, 2\)"),
    "uv": (
        lambda i: replace(card(i), uv=np.zeros((4, 2), np.float32)),
        r"uv .* \(2, 3, 2\) .* numpy.ndarray \(4, 2\)",
    ),
    "RGB": (lambda i: card(i[..., :3]), r"\(H, W, 4\) of uint8, not uint8 numpy.ndarray \(64, 64, 3\)"),
}


@pytest.mark.parametrize("given", GIVEN)
def test_what_is_no_mesh_is_told(given: str) -> None:
    make, reason = GIVEN[given]
    with pytest.raises(CharacterError, match=f"the backend theirs gave no usable mesh for a: .*{reason}"):
        asked(Theirs(make), picture(), Context("a", 1))


def test_numbers_of_another_width_are_taken() -> None:
    def wide(image: np.ndarray) -> Mesh:
        mesh, wider = card(image), {"vertices": np.float64, "faces": np.int64}
        return replace(mesh, **{name: getattr(mesh, name).astype(of) for name, of in wider.items()})

    mesh = asked(Theirs(wide), picture(), Context("a", 1))
    assert [str(array.dtype) for array in (mesh.vertices, mesh.faces)] == ["float32", "int32"]


def changed_backend(**members: Any) -> Callable[[str | None], Theirs]:
    def create(argument: str | None) -> Theirs:
        made = Theirs()
        for name, value in members.items():
            setattr(made, name, value)
        return made

    return create


def no_gpu(argument: str | None) -> Theirs:
    raise RuntimeError("no GPU")


@pytest.mark.parametrize(
    ("create", "reason"),
    [
        (no_gpu, "RuntimeError: no GPU"),
        (lambda argument: None, "is a NoneType without name and version"),
        (changed_backend(name="../mine"), r"'theirs' where it is installed and '\.\./mine' by itself"),
        (changed_backend(settings=lambda: {"model": object()}), "settings that are no JSON"),
        (changed_backend(settings=lambda: {"far": float("inf")}), "settings that are no JSON"),
        (changed_backend(settings=lambda: {1: "a", "b": 2}), "settings that are no JSON"),
        (changed_backend(version="1.0"), "a version that is no int but '1.0'"),
    ],
)
def test_what_is_no_backend_is_told(monkeypatch: pytest.MonkeyPatch, create: object, reason: str) -> None:
    monkeypatch.setattr(sys.modules[__name__], "created", create, raising=False)
    declared = EntryPoints([EntryPoint("theirs", f"{__name__}:created", registry.GROUP)])
    monkeypatch.setattr(registry, "entry_points", lambda **wanted: declared.select(**wanted))
    with pytest.raises(SpecsiaError, match=rf"the backend 'theirs' \({__name__}:created\) .*{reason}"):
        load_backend("theirs")


def test_the_documented_example_builds_and_its_fault_is_its_own(tmp_path: Path) -> None:
    """The card has no height in other frames, which must not cost it its pairs."""
    code = (ROOT / "docs/backends.md").read_text().partition("```python\n")[2].partition("```")[0]
    write_files(
        tmp_path / "site",
        {
            "my_backend.py": code.replace("h = 1.35 / 2", "h = 1.35 / 2 if context.character_id == '0' else [][1]"),
            "mine-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n",
            "mine-1.0.dist-info/entry_points.txt": "[specsia.backends]\nbillboard = my_backend:create\n",
        },
    )
    source, out = write_folder(tmp_path / "characters", 2), tmp_path / "run"
    command = [sys.executable, "-c", "from specsia_build.cli import main; main()", "build"]
    settings = [
        str(source),
        "--out",
        str(out),
        "--backend",
        "billboard",
        "--size",
        "64",
        "--views",
        "4",
        "--workers",
        "1",
        "--min-iou",
        "0",
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(ROOT)])}
    ran = subprocess.run([*command, *settings], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    (line,) = (out / "failures.jsonl").read_text().splitlines()
    said = (
        "the backend billboard failed on 1 (IndexError: list index out of range): see logs/reconstruct/billboard/1.txt"
    )
    assert json.loads(line)["reason"] == said
    assert "[][1]" in (out / "logs/reconstruct/billboard/1.txt").read_text()
