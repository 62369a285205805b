"""One shape under several names, whatever its format."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from specsia_build.characters.character import Entry
from specsia_build.characters.doubles import Shape, same_shapes, shape_of
from specsia_build.cli import main
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


def test_one_character_in_several_folders_is_told(tmp_path: Path) -> None:
    lines = "v 0 0 0\nv 1 0 0\nv 0 2 0\nv 0 0 3\n", "f 1 2 3\nf 1 2 4\nf 2 3 4\n"
    for folder, first in (("OBJ", "# exported twice\n"), ("obj2", "")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "Hero.obj").write_text(first + "".join(lines))
    (tmp_path / "Other.obj").write_text(lines[0].replace("3", "5") + lines[1])
    ran = CliRunner().invoke(main, ["characters", str(tmp_path), "--workers", "1"], terminal_width=200)
    assert "note: OBJ_Hero, obj2_Hero have one shape: keep one of them" in " ".join(ran.output.split())
    (tmp_path / "OBJ" / "Hero.obj").write_text("".join(lines))
    ran = CliRunner().invoke(main, ["characters", str(tmp_path), "--workers", "1"], terminal_width=200)
    assert "note: OBJ_Hero, obj2_Hero are one file" in " ".join(ran.output.split())
    assert "one shape" not in ran.output
    told = json.loads(CliRunner().invoke(main, ["characters", str(tmp_path), "--workers", "1", "--json"]).stdout)
    assert "OBJ_Hero, obj2_Hero are one file" in told["notes"]
