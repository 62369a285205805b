"""Axes that a manifest states and that a file without joints surely contradicts are told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from specsia_build.characters.character import Character
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.rendering.mesh import Mesh
from tests.characters.test_facing import into_file, write_obj
from tests.characters.test_looks import figure

TOES = tuple(((x, -0.2, 0.04), (0.15, 0.4, 0.08), False) for x in (0.15, -0.15))


def write(path: Path, mesh: Mesh, up: str, front: str) -> None:
    """A mesh in the frame as OBJ, each face with vertices of its own in its material's colour."""
    turned = mesh.vertices @ into_file(up, front).T
    colours = [material.base_color[:3] for material in mesh.materials]
    lines = []
    for k, (face, material) in enumerate(zip(mesh.faces, mesh.face_material, strict=True)):
        lines += ["v {:.6f} {:.6f} {:.6f} {} {} {}".format(*turned[v], *colours[material]) for v in face]
        lines.append(f"f {3 * k + 1} {3 * k + 2} {3 * k + 3}")
    path.write_text("\n".join(lines))


def read(folder: Path, path: str = "a.obj", **axes: str) -> Character:
    (folder / "stated.jsonl").write_text(json.dumps({"id": "a", "path": path, **axes}))
    (entry,) = open_source(str(folder / "stated.jsonl"), folder / "scratch").entries
    return read_character(entry)


@pytest.mark.parametrize("front", ["+x", "+y"])
def test_a_front_that_its_face_contradicts_is_kept_and_told(tmp_path: Path, front: str) -> None:
    write(tmp_path / "a.obj", figure(), "+y", "-x")
    assert read(tmp_path, front="-x").warnings == ()
    character = read(tmp_path, front=front)
    assert character.front == front
    assert character.warnings == (
        f"a.obj faces -x by the details of its face, not {front} as its manifest line states: "
        '"front": "-x" there turns it',
    )


def test_a_front_that_shape_and_face_contradict_together_is_told(tmp_path: Path) -> None:
    write(tmp_path / "a.obj", figure(*TOES), "+y", "+x")
    (said,) = read(tmp_path, front="-y").warnings
    assert said.startswith("a.obj faces +x by its mirrored shape and its ")
    assert ", and by the details of its face, not -y as its manifest line states" in said


@pytest.mark.parametrize("up", ["+z", "+x", "-y"])
def test_an_up_that_the_shape_contradicts_is_kept_and_told(tmp_path: Path, up: str) -> None:
    write_obj(tmp_path / "a.obj", into_file("+y", "-y"))
    assert read(tmp_path, up="+y").warnings == ()
    character = read(tmp_path, up=up)
    assert character.up == up
    (said,) = [one for one in character.warnings if "stands along" in one]
    assert said == (
        "a.obj stands along +y, as it has feet below and a head above that way, "
        f'not {up} as its manifest line states: "up": "+y" there sets it upright'
    )


def test_another_front_than_its_data_set_s_is_told_of_a_3dbicar_character(tmp_path: Path) -> None:
    entry, *_ = open_source("sample:1", tmp_path / "scratch").entries
    assert read_character(entry).warnings == ()
    shutil.copytree(entry.path, tmp_path / "hero")
    assert read(tmp_path, "hero", front="-y").warnings == ()
    (said,) = read(tmp_path, "hero", front="+x").warnings
    assert said.startswith("hero faces -y by its face or eyes, not +x as its manifest line states")
