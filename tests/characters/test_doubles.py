"""One shape under several names, whatever its format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from specsia_build.characters.character import Entry
from specsia_build.characters.survey import Shape, same_files, same_shapes, shape_of
from specsia_build.frame import front_rotation, up_rotation
from specsia_build.rendering.mesh import Material, Mesh


def lump(seed: int) -> Mesh:
    """Forty triangles that share points."""
    random = np.random.default_rng(seed)
    return Mesh(
        vertices=random.random((30, 3)).astype(np.float32),
        faces=random.permuted(np.tile(np.arange(30), (40, 1)), axis=1)[:, :3].astype(np.int32),
        materials=(Material("skin"),),
        face_material=np.zeros(40, np.int32),
    )


def apart(mesh: Mesh) -> Mesh:
    """Each triangle with points of its own, turned, grown and elsewhere, as another format may have it."""
    turned = mesh.vertices[mesh.faces[::-1]].reshape(-1, 3) @ (front_rotation("+x") @ up_rotation("+y")).T
    return replace(
        mesh, vertices=(100 * turned - 7).astype(np.float32), faces=np.arange(120, dtype=np.int32).reshape(-1, 3)
    )


def test_a_shape_stays_the_same_in_another_format_and_changes_with_the_pose() -> None:
    mesh = lump(1)
    bent = replace(mesh, vertices=mesh.vertices * np.where(mesh.vertices[:, 2:] > 0.8, 1.1, 1.0).astype(np.float32))
    found = {"a": mesh, "b": lump(2), "c": apart(mesh), "d": bent, "e": lump(2)}
    entries = [Entry(name, "obj", Path(f"{name}.obj")) for name in (*found, "lost")]
    shapes: list[Shape] = [*map(shape_of, found.values()), ()]
    assert same_shapes(entries, shapes) == [("a", "c"), ("b", "e")]
    assert same_shapes([Entry(one.id, "3dbicar", one.path) for one in entries], shapes) == []


def test_files_of_the_same_bytes_are_one_character(tmp_path: Path) -> None:
    for name, text in (("a", "one"), ("b", "two"), ("c", "one"), ("d", "longer")):
        (tmp_path / f"{name}.obj").write_text(text)
    entries = [Entry(name, "obj", tmp_path / f"{name}.obj") for name in "abcde"]
    assert same_files(entries) == [("a", "c")]
