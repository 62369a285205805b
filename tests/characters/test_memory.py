"""What a character costs is counted before it is spent: small files that would cost much are one sentence."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from specsia_build import memory
from specsia_build.characters.character import Entry
from specsia_build.characters.formats import FORMATS
from specsia_build.characters.read import read_character
from specsia_build.errors import CharacterError, UsageError
from specsia_build.pool import Pool
from tests.characters.bodies import figure, write_drawn
from tests.characters.gltf.writer import GltfWriter
from tests.hostile.bombs import change, textures
from tests.hostile.sound import gltf

LITTLE = 2**28


def read(path: Path) -> str:
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


def shared(folder: Path, instances: int = 100_000, triangles: int = 12) -> Path:
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
    path.write_bytes(head.encode() + bytes([0, 0, 0, 1, 0, 0, 0, 1, 0]) + b"\x03\x00\x01\x02" + bytes(rows - 1))
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
def test_what_would_cost_too_much_is_refused_before_it_does(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_allowed", LITTLE)
    assert "--memory" in read(REFUSED[name](tmp_path))


def test_a_mesh_at_very_many_nodes_is_refused_at_once_and_at_many_is_read_once(tmp_path: Path) -> None:
    assert "50,000 nodes" in read(shared(tmp_path))
    mesh = read_character(Entry("a", "gltf", shared(tmp_path, 300))).mesh
    assert (len(mesh.faces), len(mesh.materials)) == (300 * 12, 1)
    low, high = mesh.bounds()
    np.testing.assert_allclose((high - low)[[0, 2]], (99.35, 3.0), atol=1.0)


def test_ordinary_characters_cost_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_allowed", 2**24)
    write_drawn("plain", tmp_path / "a.glb")
    assert read(tmp_path / "a.glb") == ""


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
        return int(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="the system holds no process to a limit")
def test_the_system_holds_a_worker_to_its_memory_and_it_goes_on() -> None:
    sizes = [2**20, 2**30, 2**20]
    found = dict(Pool(1, 60.0, LITTLE).run(greedy, sizes))
    assert found == {0: str(2**20), 1: "exhausted", 2: str(2**20)}
    assert dict(Pool(1, 60.0, LITTLE).run(unheld, [0])) == {0: resource.RLIM_INFINITY}
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY
