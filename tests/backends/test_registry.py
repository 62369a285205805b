"""Find backends by name; report those that are invalid or return no mesh."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from specsia_build.backends import registry
from specsia_build.backends.base import Backend, Context
from specsia_build.backends.registry import available_backends, call_backend, load_backend
from specsia_build.backends.relief.backend import Relief
from specsia_build.errors import CharacterError, SpecsiaError, UsageError
from specsia_build.rendering.mesh import Material, Mesh, Texture
from tests.backends.drawings import picture
from tests.backends.upstream.upstreams import write_files
from tests.commands import COMMAND

ROOT = Path(__file__).parents[2]


def card(image: np.ndarray) -> Mesh:
    """The picture on a flat card."""
    h = 1.35 / 2
    corners = np.array([[-h, 0, h], [h, 0, h], [h, 0, -h], [-h, 0, -h]], np.float32)
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    faces = np.array([[0, 3, 2], [0, 2, 1]], np.int32)
    material = Material(texture=Texture(image), alpha_mode="mask")
    return Mesh(corners, faces, (material,), np.zeros(2, np.int32), uv=uv[faces])


class Theirs(Backend):
    """A backend of another package."""

    name = "theirs"

    def __init__(self, make: Callable[[np.ndarray], Any] = card, **members: Any) -> None:
        self._make = make
        vars(self).update(members)

    def reconstruct(self, image: np.ndarray, context: Context) -> Mesh:
        mesh: Mesh = self._make(image)
        return mesh


def subclass(base: Any = Theirs, **members: Any) -> Any:
    """A class of theirs that has more members."""
    return type("More", (base,), members)


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
        call_backend(Theirs(make), picture(), Context("a", 1))


def test_other_integer_widths() -> None:
    def wide(image: np.ndarray) -> Mesh:
        mesh, wider = card(image), {"vertices": np.float64, "faces": np.int64}
        return replace(mesh, **{name: getattr(mesh, name).astype(dtype) for name, dtype in wider.items()})

    mesh = call_backend(Theirs(wide), picture(), Context("a", 1))
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
        (lambda _: None, "is a NoneType, no subclass of"),
        (lambda _: SimpleNamespace(**vars(Theirs)), "is a SimpleNamespace, no subclass of"),
        (lambda _: subclass(Backend, name="theirs")(), "TypeError: .*abstract"),
        (lambda _: subclass(sees_groundtruth=True)(), "'sees_groundtruth' .*'sees_ground_truth'"),
        (lambda _: subclass(setings=dict)(), "'setings' .*'settings'"),
        (lambda _: subclass(__annotations__={"need_yaw": bool})(), "'need_yaw' .*'needs_yaw'"),
        (lambda _: Theirs(needs_yaw="no"), "a needs_yaw that is no bool but 'no'"),
        (lambda _: Theirs(slots="two"), "a slots that is no .* but 'two'"),
        (lambda _: Theirs(name="../mine"), r"'theirs' where it is installed and '\.\./mine' by itself"),
        (lambda _: Theirs(settings=lambda: {"model": object()}), "settings that are not JSON"),
        (lambda _: Theirs(settings=lambda: {"far": float("inf")}), "settings that are not JSON"),
        (lambda _: Theirs(version="1.0"), "a version that is no int but '1.0'"),
    ],
)
def test_objects_that_are_not_backends(monkeypatch: pytest.MonkeyPatch, create: object, reason: str) -> None:
    monkeypatch.setattr(sys.modules[__name__], "created", create, raising=False)
    declare(monkeypatch, f"{__name__}:created")
    with pytest.raises(SpecsiaError, match=rf"the backend 'theirs' \({__name__}:created\) .*{reason}"):
        load_backend("theirs")


def test_members_with_an_underscore_and_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    helping = subclass(_steps=5, _helper=lambda self: None)
    monkeypatch.setattr(sys.modules[__name__], "created", lambda _: helping(patience=30), raising=False)
    declare(monkeypatch, f"{__name__}:created")
    backend = load_backend("theirs")
    assert (backend.settings(), backend.inputs("a"), backend.slots) == ({}, (), None)
    assert (backend.generates, backend.sees_back, backend.animated("a")) == (True, False, None)


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
def test_unused_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str, backend: str) -> None:
    path = tmp_path / "backends.yaml"
    path.write_text(settings)
    monkeypatch.setenv("SPECSIA_BACKENDS", str(path))
    with pytest.raises(UsageError, match=f"backends.yaml: {backend.partition(':')[0]}"):
        load_backend(backend)


def test_documented_example_builds(tmp_path: Path) -> None:
    """The example packs a character under the usual settings; where it raises, only that character fails."""
    page = (ROOT / "docs/backends.md").read_text()
    code, declared = (page.partition(f"```{kind}\n")[2].partition("```")[0] for kind in ("python", "toml"))
    (point,) = tomllib.loads(declared)["project"]["entry-points"]["specsia.backends"].items()
    raising = "cell = context.character_id == '0' or [][1]\n        cell = max("
    package = {
        "my_package/__init__.py": "",
        "my_package/backend.py": code.replace("cell = max(", raising),
        "mine-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n",
        "mine-1.0.dist-info/entry_points.txt": f"[specsia.backends]\n{' = '.join(point)}\n",
    }
    write_files(tmp_path / "site", package)
    out = tmp_path / "run"
    settings = [f"--backend={point[0]}", "--size=64", "--views=4", "--workers=1", f"--out={out}"]
    command = [*COMMAND, "build", "sample:2", *settings, "--max-failures=1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(ROOT)])}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    shards = (out / "dataset/data").rglob("*.parquet")
    assert sum(pq.ParquetFile(path).metadata.num_rows for path in shards) == 4
    (line,) = (out / "failures.jsonl").read_text().splitlines()
    assert "cushion failed on 1 (IndexError" in json.loads(line)["reason"]
    assert "[][1]" in (out / "logs/reconstruct/cushion/1.txt").read_text()


def test_imports_wait_until_they_are_needed() -> None:
    """Readers wait for a mesh, and what compiles, draws or asks the Hub for a build that has work to do."""
    code = (
        "from specsia_build.backends.registry import load_backend; load_backend('relief').settings()\n"
        "import sys; print(*(name for name in sys.modules if name.startswith('specsia_build.characters.')))\n"
        "import specsia_build.pipeline.build; print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    readers, modules = ran.stdout.splitlines()
    assert readers == "specsia_build.characters.character"
    heavy = {"numba", "huggingface_hub", "datasets", "torch", "scipy.ndimage", "skimage.segmentation"}
    assert not heavy & set(modules.split())
