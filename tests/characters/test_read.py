"""Characters of every format in the frame, with their rigs; what cannot be drawn or is too large."""

import io
import resource
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from PIL import Image

from specsia_build import memory
from specsia_build.characters.character import Entry, RawMesh
from specsia_build.characters.formats import FORMATS
from specsia_build.characters.read import read_animated, read_character
from specsia_build.config import BuildConfig
from specsia_build.errors import CharacterError, UsageError
from specsia_build.pool import Pool
from specsia_build.rendering.mesh import Material, Mesh
from specsia_build.stages.render import FRONT, render
from specsia_build.stages.stage import Job
from tests.animation.people import posed
from tests.characters.bodies import DRAWN, figure, write_drawn
from tests.characters.gltf.writer import GltfWriter
from tests.characters.rich_text import rich_obj, rich_ply, rich_strips
from tests.hostile.bombs import change, textures
from tests.hostile.sound import Files, gltf, write_files

# A red arrow that tells all axes apart: 3 units along the file's x, 2 along y, 1 along z.
ARROW = "v 0 0 0 1 0 0\nv 3 0 0 1 0 0\nv 0 2 0 1 0 0\nv 0 0 1 1 0 0\nf 1 2 3\nf 1 3 4\n"


def entry_of(folder: Path, text: str, **more: Any) -> Entry:
    (folder / "hero.obj").write_text(text)
    more = {"front": "-y", **more}
    return Entry("hero", "obj", folder / "hero.obj", **more)


@pytest.mark.parametrize(
    ("up", "front", "expected"),
    [
        # y of the file is up, and its z, where a glTF-like character looks, is -y.
        (None, "-y", [[3, 0, 0], [0, 0, 2], [0, -1, 0]]),
        ("+z", None, [[3, 0, 0], [0, 2, 0], [0, 0, 1]]),
        (None, "+y", [[-3, 0, 0], [0, 0, 2], [0, 1, 0]]),
        (None, "+x", [[0, -3, 0], [0, 0, 2], [-1, 0, 0]]),
        ("+z", "-x", [[0, 3, 0], [-2, 0, 0], [0, 0, 1]]),
    ],
)
def test_stated_up_and_front(tmp_path: Path, up: str | None, front: str | None, expected: Any) -> None:
    character = read_character(entry_of(tmp_path, ARROW, up=up, front=front))
    assert_allclose(character.mesh.vertices[1:], expected, atol=1e-6)
    assert character.mesh.vertices.dtype == np.float32 and character.files[0] == tmp_path / "hero.obj"


def test_unknown_dropped_part_warns(tmp_path: Path) -> None:
    character = read_character(entry_of(tmp_path, "o body\n" + ARROW, drop=("Hat",)))
    (warning,) = character.warnings
    assert (warning.code, warning.subject) == ("part-unknown", "Hat")


@pytest.mark.parametrize(
    "text", [ARROW.replace("v 3", "v nan"), ARROW.replace("v 3", "v 1e300"), "v 1 1 1\nf 1 1 1\n"]
)
def test_undrawable_shapes(tmp_path: Path, text: str) -> None:
    with pytest.raises(CharacterError, match=r"^hero\.obj has "):
        read_character(entry_of(tmp_path, text))


@pytest.mark.parametrize("corner", [-1, 3])
def test_faces_of_vertices_that_are_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, corner: int
) -> None:
    points, faces = np.eye(3, dtype=np.float32), np.array([[0, 1, 2], [0, 1, corner]], np.int32)
    raw = RawMesh(Mesh(points, faces, (Material(),), np.zeros(2, np.int32)))
    monkeypatch.setattr("specsia_build.characters.read.read_obj", lambda *_, **__: raw)
    with pytest.raises(CharacterError):
        read_character(entry_of(tmp_path, ""))


@pytest.mark.parametrize(("most", "is_read"), [(2, True), (1, False)])
@pytest.mark.parametrize("kind", ["obj", "gltf"])
def test_most_triangles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, most: int, is_read: bool
) -> None:
    """They are counted before a glTF file's are placed, and for all formats once they are read."""
    writer = GltfWriter()
    writer.mesh_node(writer.primitive(np.eye(3).repeat(2, axis=0)[[0, 2, 4, 1, 5, 3]]))
    entry = Entry("hero", "gltf", writer.write_glb(tmp_path / "hero.glb"))
    entry = entry_of(tmp_path, ARROW) if kind == "obj" else entry
    place = "read.MAX_TRIANGLES" if kind == "obj" else "polygons.MAX_TRIANGLES"
    monkeypatch.setattr(f"specsia_build.characters.{place}", most)
    if is_read:
        assert len(read_character(entry).mesh.faces) == 2
    else:
        with pytest.raises(CharacterError, match="triangles"):
            read_character(entry)


def test_colours_and_normals_are_repaired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    colors, normals = np.zeros((1, 3, 4), np.float32), np.zeros((1, 3, 3), np.float32)
    colors[0, 1, 2] = np.inf
    normals[0, 2] = np.nan
    points, faces = np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], np.int32)
    mesh = Mesh(points, faces, (Material(),), np.zeros(1, np.int32), colors=colors, normals=normals)
    monkeypatch.setattr("specsia_build.characters.read.read_obj", lambda *_, **__: RawMesh(mesh, up="+z"))
    character = read_character(entry_of(tmp_path, ""))
    assert character.mesh.colors is not None and character.mesh.normals is not None
    assert character.mesh.colors[0, 1].tolist() == [1, 1, 1, 1]
    assert_allclose(character.mesh.normals[0, 2], 3**-0.5, rtol=1e-6)
    assert len(character.warnings) == 2
    assert not np.isfinite(colors).all()


@pytest.mark.parametrize("error", [ValueError("bad"), KeyError("k"), OSError("disk")])
def test_parser_errors_become_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("specsia_build.characters.read.read_obj", Mock(side_effect=error))
    with pytest.raises(CharacterError, match=r"hero\.obj could not be read"):
        read_character(entry_of(tmp_path, ""))


KNIGHT = ("1H_Sword_Offhand", "Rectangle_Shield", "Round_Shield", "Spike_Shield", "2H_Sword")


@pytest.mark.parametrize(
    ("path", "drop"),
    [
        ("kaykit/Knight.glb", KNIGHT),
        ("animated/cyber_character.glb", ()),
        ("animated/mech_mike.glb", ()),
        ("animated/enemy_frog.glb", ()),
        ("animated/space_astronaut_finnthefrog.glb", ()),
    ],
)
def test_rest_equals_still_character(characters_dir: Path, path: str, drop: tuple[str, ...]) -> None:
    entry = Entry("a", "gltf", characters_dir / path, drop=drop)
    still, moving = read_character(entry), read_animated(entry)
    mesh = moving.character.mesh
    assert np.array_equal(mesh.vertices, still.mesh.vertices)
    assert np.array_equal(mesh.faces, still.mesh.faces)
    assert (len(moving.motions), moving.spoilt, moving.warnings) == (still.animations, (), ())
    height = float(np.ptp(mesh.vertices[:, 2]))
    at_rest = posed(mesh, moving.rig, None, 0.0)
    assert_allclose(at_rest.vertices, mesh.vertices, atol=1e-5 * height)
    assert at_rest.normals is not None and mesh.normals is not None
    assert_allclose(at_rest.normals, mesh.normals, atol=1e-4)
    assert at_rest.rest is mesh.vertices


CONFIG = BuildConfig(size=64, views=4)


def front(name: str, folder: Path) -> NDArray[np.uint8]:
    """The frontal picture (64, 64, 4) of one of the figures."""
    path = folder / f"{name}.glb"
    write_drawn(name, path)
    # The same id for all: it decides the contour, which takes room.
    files = render(Job(Entry("figure", "gltf", path), CONFIG), {})[0].files
    return np.asarray(Image.open(io.BytesIO(files[FRONT])))


def test_mesh_faults_do_not_affect_rig(tmp_path: Path) -> None:
    plain = front("plain", tmp_path)
    assert 0.05 < np.mean(plain[..., 3] == 255) < 0.5
    for name in DRAWN:
        difference = np.abs(front(name, tmp_path).astype(int) - plain).max(axis=-1)
        assert np.mean(difference > 8) < 0.005, name


LITTLE = 2**28


def why_not(path: Path) -> str:
    """Why a character cannot be read; empty if it can."""
    try:
        read_character(Entry("a", FORMATS[path.suffix], path))
    except CharacterError as error:
        return str(error)
    return ""


def written(folder: Path, file: GltfWriter) -> Path:
    return file.write_glb(folder / "a.glb")


def changed(folder: Path, kind: str) -> Path:
    """A sound file that is made to ask for more than it holds."""
    file = gltf()
    change(kind, file.data)
    return written(folder, file)


def shared(folder: Path, instances: int, triangles: int = 12) -> Path:
    """One mesh at very many nodes."""
    points, faces, _, _ = figure()
    file = GltfWriter()
    file.add("meshes", primitives=[file.primitive(points, np.resize(faces, (triangles, 3)))])
    file.data["nodes"] = [{"mesh": 0, "translation": [k % 100, k // 100, 0]} for k in range(instances)]
    file.add("scenes", nodes=list(range(instances)))
    return file.write_glb(folder / "shared.glb")


def empty_lists(folder: Path, size: int = 9_000_000) -> Path:
    """JSON of empty lists, 56 bytes of memory for every three."""
    path = folder / "lists.gltf"
    path.write_text('{"asset":{"version":"2.0"},"extras":[' + "[]," * (size // 3) + "[]]}")
    return path


def obj_line(folder: Path, size: int = 4_000_000) -> Path:
    """An OBJ whose one face has very many corners."""
    path = folder / "line.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf" + " 1 2 3" * (size // 6) + "\n")
    return path


def ply_lists(folder: Path, rows: int = 4_000_000) -> Path:
    """A binary PLY of very many faces without corners, one of them with."""
    path = folder / "lists.ply"
    head = (
        "ply\nformat binary_little_endian 1.0\n"
        "element vertex 3\nproperty uchar x\nproperty uchar y\nproperty uchar z\n"
        f"element face {rows}\nproperty list uchar uchar vertex_indices\nend_header\n"
    )
    points, first = bytes([0, 0, 0, 1, 0, 0, 0, 1, 0]), b"\x03\x00\x01\x02"
    path.write_bytes(head.encode() + points + first + bytes(rows - 1))
    return path


REFUSED: dict[str, Callable[[Path], Path]] = {
    **{kind: partial(changed, kind=kind) for kind in ("positions", "skin", "indices", "sparse")},
    "textures": lambda folder: written(folder, textures(gltf(), 9, 2048)),
    "empty lists": empty_lists,
    "obj line": obj_line,
    "ply lists": ply_lists,
    "shared": lambda folder: shared(folder, 3_000, 600),
}


@pytest.mark.parametrize("name", REFUSED)
def test_memory_is_checked_first(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_allowed", LITTLE)
    assert "--memory" in why_not(REFUSED[name](tmp_path))


@pytest.mark.parametrize(("make", "size"), [(rich_obj, 38951), (rich_ply, 10860), (rich_strips, 16988)])
def test_memory_that_a_file_takes(tmp_path: Path, make: Callable[[str], Files], size: int) -> None:
    write_files(tmp_path, make("a"))
    path = tmp_path / next(iter(make("a")))
    with patch.object(memory, "ask", wraps=memory.ask) as ask:
        read_character(Entry("a", FORMATS[path.suffix], path))
    assert sum(call.args[0] for call in ask.call_args_list) == size


def test_many_instances(tmp_path: Path) -> None:
    assert "50,000 nodes" in why_not(shared(tmp_path, 50_001))
    mesh = read_character(Entry("a", "gltf", shared(tmp_path, 300))).mesh
    assert (len(mesh.faces), len(mesh.materials)) == (300 * 12, 1)
    low, high = mesh.bounds()
    np.testing.assert_allclose((high - low)[[0, 2]], (99.35, 3.0), atol=1.0)


def test_ordinary_characters_are_cheap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_allowed", 2**24)
    write_drawn("plain", tmp_path / "a.glb")
    assert why_not(tmp_path / "a.glb") == ""


@pytest.mark.parametrize(
    ("text", "size"),
    [("2 GB", 2**31), ("1.5G", 3 * 2**29), ("512mb", 2**29), (" 256 MiB ", 2**28), ("1TB", 2**40)]
    + [(text, None) for text in ("", "2", "-2 GB", "100 MB", "1 PB", "99 TB", "two GB")],
)
def test_sizes(text: str, size: int | None) -> None:
    if size is not None:
        assert memory.memory_bytes(text) == size
        return
    with pytest.raises(UsageError):
        memory.memory_bytes(text)


def greedy(size: int) -> str:
    """What became of taking so many bytes; the bytes are given back."""
    try:
        return str(np.ones(size, np.uint8).nbytes)
    except MemoryError as error:
        assert memory.is_exhaustion(error)
        return "exhausted"


def unheld(_: int) -> int:
    """What a process that is started by a worker is held to."""
    with memory.unlimited():
        script = "import resource; print(resource.getrlimit(resource.RLIMIT_DATA)[0])"
        return int(subprocess.check_output([sys.executable, "-c", script]))


@pytest.mark.skipif(sys.platform != "linux", reason="the system holds no process to a limit")
def test_worker_memory_limit() -> None:
    sizes = [2**20, 2**30, 2**20]
    outcomes = dict(Pool(1, 60.0, LITTLE).run(greedy, sizes))
    assert outcomes == {0: str(2**20), 1: "exhausted", 2: str(2**20)}
    assert dict(Pool(1, 60.0, LITTLE).run(unheld, [0])) == {0: resource.RLIM_INFINITY}
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY
