"""A user's own program or meshes as a backend: requests, formats and failures."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from specsia_build.backends.base import Context, Reading
from specsia_build.backends.command import CommandBackend
from specsia_build.backends.mesh_dir import create
from specsia_build.backends.placing import into_frame, read_foreign
from specsia_build.backends.registry import absolute_spec, available_backends, load_backend, portable_spec
from specsia_build.characters.character import Entry
from specsia_build.errors import CharacterError, UsageError
from specsia_build.frame import axis_vector
from specsia_build.rendering.colour import linear_to_srgb
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.topology import topology
from tests.backends.drawings import picture
from tests.backends.upstream.standins import SLAB, TETRAHEDRON, eventually, processes_naming
from tests.characters.bodies import FIGURE, write_obj
from tests.characters.bodies import box as figure_box
from tests.commands import specsia
from tests.rendering.scenes import box
from tests.shapes import write_folder

RECON = f"{SLAB}\nimport sys\nopen(sys.argv[2][:-3] + 'obj', 'w').write(slab(sys.argv[1]))\n"


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "backends.yaml"
    monkeypatch.setenv("SPECSIA_BACKENDS", str(path))
    return path


def script(folder: Path, text: str) -> str:
    (folder / "my recon.py").write_text(text)
    return f"command:'{sys.executable}' '{folder / 'my recon.py'}' {{image}} {{mesh}}"


def test_edited_script_is_noticed(tmp_path: Path) -> None:
    spec = script(tmp_path, RECON)
    write_folder(tmp_path / "figures", 2)
    arguments = ("build", tmp_path / "figures", "--out", tmp_path / "run", "--size", "64", "--views", "2")
    for text in (RECON, f"{RECON}\n# edited"):
        (tmp_path / "my recon.py").write_text(text)
        ran = specsia(*arguments, "--backend", spec, "--workers", "1", "--json")
        assert json.loads(ran.stdout)["stages"][1]["built"] == 2
    build = (tmp_path / "run" / "dataset" / "build.json").read_text()
    assert '"command"' in build
    assert str(tmp_path) not in build


def test_files_of_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is a script, and files in options; an interpreter counts by its name alone."""
    monkeypatch.chdir(tmp_path)
    for name in ("recon", "own.yaml", "recon.py"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    binary = Path(sys.executable).resolve()
    for program, own in (("./recon", ["recon"]), (str(binary), [])):
        spec = absolute_spec(f"command:{program} recon.py --config=own.yaml {{image}} {{mesh}}")
        backend = load_backend(spec)
        names = [*own, "recon.py", "own.yaml"]
        assert backend.inputs("a") == tuple(tmp_path / name for name in names)
        assert backend.settings()["command"][1:3] == ["recon.py", "--config=own.yaml"]
        assert str(tmp_path) not in portable_spec(spec)


def test_placeholders_and_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    text = f"import sys; open(sys.argv[2], 'w').write({TETRAHEDRON!r}); print(*sys.argv[3:])"
    (tmp_path / "recon.py").write_text(text)
    words = f"'{sys.executable}' ~/recon.py {{image}} {{folder}}/sub.obj {{seed}} --id={{id}}"
    backend = load_backend(f"command:{words}")
    assert isinstance(backend, CommandBackend)
    backend.logs_to(tmp_path / "logs")
    low, high = backend.reconstruct(picture(), Context("knight", 7)).bounds()
    (log,) = (tmp_path / "logs").iterdir()
    assert log.read_text() == "7 --id=knight\n"
    # The picture's silhouette spans 48 of 64 pixels of 1.35 units in height.
    assert high[2] - low[2] == pytest.approx(48 / 64 * 1.35, abs=1e-5)


def test_command_settings(tmp_path: Path, own_settings: Path) -> None:
    obj = "v 0 0 0\\nv 1 0 0\\nv 0 2 0\\nv 0 0 3\\nf 1 3 2\\nf 1 2 4\\nf 1 4 3\\nf 2 3 4\\n"
    code = f"import sys; open(sys.argv[2][:-3] + 'obj', 'w').write('{obj}')"
    words = script(tmp_path, code).removeprefix("command:")
    own = {"mine": {"command": words, "axes": ["+z", "+x", "+y"], "framing": "kept", "version": 3}}
    own_settings.write_text(json.dumps(own))
    assert "mine" in available_backends()
    backend = load_backend("mine")
    assert backend.reconstruct(picture(), Context("a", 1)).bounds()[1].tolist() == [3.0, 1.0, 2.0]
    assert (backend.settings()["axes"], backend.settings()["version"]) == (["+z", "+x", "+y"], 3)


def test_spec_paths_in_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("here/glb", "here/meshes", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    script(tmp_path / "here", RECON)
    monkeypatch.chdir(tmp_path / "here")
    spec = absolute_spec(f"command:'{sys.executable}' 'my recon.py' {{image}} {{mesh}} glb ./meshes")
    assert absolute_spec("mesh-dir:meshes") == f"mesh-dir:{tmp_path}/here/meshes"
    assert [absolute_spec(name) for name in ("relief", "fusion:0.5")] == ["relief", "fusion:0.5"]
    monkeypatch.chdir(tmp_path / "elsewhere")
    backend = load_backend(spec)
    assert isinstance(backend, CommandBackend)
    assert backend.inputs("a") == (tmp_path / "here" / "my recon.py",)
    assert backend.words[-2:] == ("glb", str(tmp_path / "here" / "meshes"))
    assert backend.settings()["command"][:2] == [sys.executable, "my recon.py"]
    assert absolute_spec(spec) == spec
    moved, other = spec.replace(str(tmp_path), "/another"), spec.replace("glb", "obj")
    assert portable_spec(spec) == portable_spec(moved) != portable_spec(other)
    assert portable_spec("mesh-dir:/here") == portable_spec("mesh-dir:/there")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "import sys; print('no weights'); sys.exit(3)",
            "ended with exit code 3; the last it printed: no weights",
        ),
        ("import os; os.kill(os.getpid(), 9)", "was killed by SIGKILL (out of memory?)"),
        ("pass", "left no mesh"),
        ("print('no GPU, nothing done')", "no GPU, nothing done"),
        ("import sys; [open(sys.argv[2] + e, 'w') for e in ('.obj', '.ply')]", "left 2 meshes"),
        ("import os, sys; os.symlink('/etc/passwd', sys.argv[2] + '.obj')", "is a link that leads out"),
        ("import os, sys; os.mkfifo(sys.argv[2])", "left no mesh"),
        ("import sys; open(sys.argv[2], 'w').write('glTF')", "mesh"),
        (
            "import subprocess, sys, time\n"
            "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', sys.argv[1]],"
            " start_new_session=True)\ntime.sleep(600)",
            "did not end within 1 seconds",
        ),
    ],
)
def test_failures_leave_no_process(tmp_path: Path, own_settings: Path, text: str, reason: str) -> None:
    if "sleep" in text:
        own_settings.write_text("command: {seconds: 1}")
    with pytest.raises(CharacterError) as caught:
        load_backend(script(tmp_path, text)).reconstruct(picture(), Context("a", 1))
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert eventually(lambda: processes_naming(str(tmp_path)) == [])


@pytest.mark.parametrize(
    "spec",
    [
        "command",
        "command:python x.py {mesh}",
        "command:python x.py {image}",
        "command:no-such-program {image} {mesh}",
        "command:python 'x.py {image} {mesh}",
    ],
)
def test_broken_command_is_refused(spec: str) -> None:
    with pytest.raises(UsageError):
        load_backend(spec)


NO_IMAGE = np.zeros((64, 64, 4), np.uint8)

OURS = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.2, 0], [0, 0, 0.4]])
"""A tetrahedron in the project's axes: 0.1 to the figure's left, 0.2 behind it, 0.4 up."""

FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])


def write(path: Path, points: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = OURS) -> None:
    """Write the tetrahedron in the axes of the file's format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    turned = points if path.suffix == ".ply" else points[:, [0, 2, 1]] * (1, 1, -1)
    trimesh.Trimesh(turned, FACES, process=False).export(path)


def read(folder: Path, character_id: str) -> Mesh:
    return create(str(folder)).reconstruct(NO_IMAGE, Context(character_id, 0))


def assert_ours(mesh: Mesh) -> None:
    low, high = mesh.bounds()
    np.testing.assert_allclose(low, [0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(high, [0.1, 0.2, 0.4], atol=1e-6)
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(np.float64) for k in range(3))
    assert np.einsum("ij,ij->", a, np.cross(b, c)) > 0
    assert all(material.double_sided for material in mesh.materials)


@pytest.mark.parametrize("suffix", [".glb", ".obj", ".ply"])
def test_formats_in_our_axes(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / f"7{suffix}")
    assert_ours(read(tmp_path, "7"))
    assert create(str(tmp_path)).inputs("7") == (tmp_path / f"7{suffix}",)


def test_manifest_up_and_front(tmp_path: Path) -> None:
    write(tmp_path / "7.ply", OURS @ np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]))
    (tmp_path / "manifest.json").write_text(json.dumps({"up": "+z", "front": "+x"}))
    assert_ours(read(tmp_path, "7"))
    backend = create(str(tmp_path))
    assert backend.settings() == {"up": "+z", "front": "+x", "axes": None, "colors": "own"}
    assert tmp_path / "manifest.json" in backend.inputs("7")


@pytest.mark.parametrize("axes", [["+y", "-x", "+z"], ["-y", "-x", "+z"]])
def test_manifest_axes_may_mirror(tmp_path: Path, axes: list[str]) -> None:
    rows = np.array([axis_vector(axis) for axis in axes])
    faces = FACES if np.linalg.det(rows) > 0 else FACES[:, ::-1]
    trimesh.Trimesh(OURS @ rows, faces, process=False).export(tmp_path / "7.obj")
    (tmp_path / "manifest.yaml").write_text(json.dumps({"axes": axes}))
    readings: list[Reading] = []
    assert_ours(create(str(tmp_path)).reconstruct(NO_IMAGE, Context("7", 0, note=readings.append)))
    assert [reading.axes for reading in readings] == [tuple(axes)]


def test_mirrored_axes_keep_attributes() -> None:
    mesh = box((0.1, 0.2, 0.3), (0.2, 0.3, 0.4))
    turned = into_frame(replace(mesh, uv=mesh.vertices[mesh.faces][..., :2].copy()), ["-x", "+y", "+z"])
    assert turned.uv is not None and topology(turned).closed.all()
    np.testing.assert_allclose(turned.uv, turned.vertices[turned.faces][..., :2] * (-1, 1))


def test_manifest_colour_encoding(tmp_path: Path) -> None:
    turned = OURS[:, [0, 2, 1]] * (1, 1, -1)
    painted = trimesh.Trimesh(turned, FACES, vertex_colors=[[128, 64, 200, 255]] * 4, process=False)
    painted.export(tmp_path / "7.glb")
    readings: list[Reading] = []
    context = Context("7", 0, note=readings.append)
    own = create(str(tmp_path)).reconstruct(NO_IMAGE, context).colors
    (tmp_path / "manifest.yaml").write_text("colors: srgb")
    decoded = create(str(tmp_path)).reconstruct(NO_IMAGE, context).colors
    assert own is not None and decoded is not None
    np.testing.assert_allclose(own[0, 0], np.array([128, 64, 200, 255]) / 255, atol=1e-6)
    np.testing.assert_allclose(linear_to_srgb(decoded[0, 0, :3]) * 255, [128, 64, 200], atol=0.01)
    assert [reading.linear for reading in readings] == [True, False]


def test_manifest_file_names(tmp_path: Path) -> None:
    write(tmp_path / "out" / "mage.ply")
    write(tmp_path / "out" / "knight" / "it3000.ply")
    (tmp_path / "manifest.json").write_text(json.dumps({"meshes": {"7": "out/mage.ply", "8": "out/knight"}}))
    assert_ours(read(tmp_path, "7"))
    assert_ours(read(tmp_path, "8"))


@pytest.mark.parametrize(
    "content",
    ["[]", '{"upp": "+z"}', '{"up": "north"}', '{"front": "+z"}', '{"meshes": {"7": "../a.ply"}}', "{"],
)
def test_bad_manifest(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(UsageError, match=r"manifest\.json"):
        create(str(tmp_path))


def test_no_mesh_or_two_meshes(tmp_path: Path) -> None:
    write(tmp_path / "70.ply")
    with pytest.raises(CharacterError, match="no mesh for '7'"):
        read(tmp_path, "7")
    assert create(str(tmp_path)).inputs("7") == ()
    for suffix in ("ply", "obj"):
        write(tmp_path / f"7.{suffix}")
    with pytest.raises(CharacterError, match="2 meshes for '7'"):
        read(tmp_path, "7")


def test_files_named_by_a_mesh(tmp_path: Path) -> None:
    folder = tmp_path / "meshes"
    folder.mkdir()
    points = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nvt 0 0\n"
    mesh = f"mtllib 7.mtl\n{points}usemtl skin\nf 1/1 3/1 2/1\nf 1/1 2/1 4/1\n"
    (folder / "7.obj").write_text(mesh)
    (folder / "7.mtl").write_text("newmtl skin\nmap_Kd skin.png\n")
    (tmp_path / "secret.png").write_bytes(b"")
    (folder / "skin.png").symlink_to(tmp_path / "secret.png")
    files: set[Path] = set()
    mesh_read = create(str(folder)).reconstruct(NO_IMAGE, Context("7", 0, read=files.update))
    assert {folder / "7.obj", folder / "7.mtl", folder / "skin.png"} <= files
    assert mesh_read.materials[0].texture is None


def test_reconstructions_are_not_told_of_manifests(tmp_path: Path) -> None:
    hair = figure_box((0, -0.1, 1.95), (0.4, 0.4, 0.2))
    again = [solid * (1.01, 1.01, 1.001) for solid in hair]
    path = write_obj(tmp_path / "a.obj", FIGURE | {"Hair": hair, "Hair_Alt": again})
    _, reading = read_foreign(Entry("a", "obj", path), ("+x", "+y", "+z"), "own", None)
    assert "alternatives" in [warning.code for warning in reading.warnings]
    assert not any("manifest" in warning.sentence for warning in reading.warnings)
