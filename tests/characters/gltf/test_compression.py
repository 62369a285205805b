"""Geometry as the web ships it: Draco's and meshoptimizer's forms, quantised or not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.characters.character import Entry, RawMesh
from specsia_build.characters.read import read_character
from specsia_build.config import BuildConfig
from specsia_build.errors import CharacterError
from specsia_build.frame import view_cameras
from specsia_build.rendering.fast.renderer import silhouettes
from specsia_build.stages.render import in_frame
from tests.characters.gltf.packed import DRACO, draco, meshopted, opened, rewritten
from tests.characters.gltf.test_damage import is_clear, refused
from tests.characters.gltf.writer import TRIANGLE, GltfWriter, read_gltf

CAMERAS = view_cameras(3, 96)


def drawn(path: Path) -> NDArray[np.bool_]:
    """Silhouettes of a character, (V, S, S)."""
    character = read_character(Entry("a", "gltf", path))
    return np.asarray(silhouettes(in_frame(character, BuildConfig())[0], CAMERAS)) > 0


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("kaykit/Knight.glb", draco),
        ("animated/animal_fox.glb", partial(draco, preserve_order=True, quantization_bits=20)),
        ("animated/animal_fox.glb", meshopted),
        ("animated/animal_fox.glb", partial(meshopted, extension="KHR_meshopt_compression", version=1)),
    ],
)
def test_a_compressed_character_looks_as_it_did(
    characters_dir: Path, tmp_path: Path, name: str, pack: Callable[[bytes], bytes]
) -> None:
    source, packed = characters_dir / name, tmp_path / "a.glb"
    packed.write_bytes(pack(source.read_bytes()))
    plain, found = read_gltf(source), read_gltf(packed)
    assert found.parts == plain.parts
    assert len(found.mesh.faces) == len(plain.mesh.faces)
    assert found.skinned
    assert not found.warnings
    for kind in ("uv", "normals", "colors"):
        assert (getattr(found.mesh, kind) is None) == (getattr(plain.mesh, kind) is None)
    before, after = drawn(source), drawn(packed)
    assert ((before & after).sum(axis=(1, 2)) >= 0.99 * (before | after).sum(axis=(1, 2))).all()


def read(tmp_path: Path, content: bytes) -> RawMesh:
    path = tmp_path / "a.glb"
    path.write_bytes(content)
    return read_gltf(path)


def plain_square() -> bytes:
    writer = GltfWriter()
    points = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    colours = writer.accessor(np.array([[255, 0, 0, 255]] * 4), "u1", normalized=True)
    uv = writer.accessor(np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * 65535, "u2", normalized=True)
    writer.mesh_node(writer.primitive(points, [0, 1, 2, 0, 2, 3], COLOR_0=colours, TEXCOORD_0=uv))
    return writer.glb()


@pytest.mark.parametrize("pack", [draco, meshopted])
def test_quantised_positions_are_where_they_were(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    writer = opened(plain_square())
    points = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * 32767
    (primitive,) = writer.data["meshes"][0]["primitives"]
    primitive["attributes"]["POSITION"] = writer.accessor(points, "i2", normalized=True)
    vertices = read(tmp_path, pack(writer.glb())).mesh.vertices
    assert_allclose(np.ptp(vertices, axis=0), [2, 2, 0], atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p["attributes"].pop("POSITION"),
        lambda p: p["attributes"].update(POSITION=77),
        lambda p: p.update(bufferView=0),
        lambda p: p.update(bufferView=99),
        lambda p: p.pop("bufferView"),
    ],
)
def test_damaged_draco_is_refused(change: Any) -> None:
    writer = opened(draco(plain_square()))
    change(writer.data["meshes"][0]["primitives"][0]["extensions"][DRACO])
    assert is_clear(refused(rewritten(writer)))


def test_draco_data_that_grows_beyond_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_allowed", 2**20)
    count = 60_000
    writer = GltfWriter()
    points = np.zeros((count, 3))
    points[:3] = TRIANGLE
    writer.mesh_node(writer.primitive(points, np.arange(count)))
    path = tmp_path / "a.glb"
    path.write_bytes(draco(writer.glb(), preserve_order=True))
    with pytest.raises(CharacterError, match=r"a\.glb needs (at least|more)"):
        read_character(Entry("a", "gltf", path))
