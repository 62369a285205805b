"""Axes that a manifest states and that a file without joints surely contradicts are told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from specsia_build.characters.character import Character
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.cli.main import main
from specsia_build.rendering.mesh import Mesh
from specsia_build.terminal.layout import folded
from tests.characters.test_facing import into_file, write_obj
from tests.characters.test_looks import figure
from tests.shapes import BOX

WIDE = {"COLUMNS": "2000"}

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
    (said,) = read(tmp_path, front="+y").warnings
    assert said.startswith("a.obj faces +x by its mirrored shape and its ")
    assert ", and by the details of its face, not +y as its manifest line states" in said


def write_ply(path: Path, mesh: Mesh, front: str) -> None:
    """A mesh in the frame as PLY, which has that frame's up, as `write` does."""
    points = (mesh.vertices @ into_file("+z", front).T)[mesh.faces].reshape(-1, 3)
    levels = np.array([material.base_color[:3] for material in mesh.materials])[mesh.face_material]
    colours = np.repeat(np.round(levels * 255).astype(int), 3, axis=0)
    names = "".join(f"property float {k}\n" for k in "xyz") + "".join(
        f"property uchar {k}\n" for k in ("red", "green", "blue")
    )
    count = len(mesh.faces)
    head = f"ply\nformat ascii 1.0\nelement vertex {3 * count}\n{names}element face {count}\n"
    rows = [f"{x:.6f} {y:.6f} {z:.6f} {r} {g} {b}" for (x, y, z), (r, g, b) in zip(points, colours, strict=True)]
    faces = [f"3 {3 * k} {3 * k + 1} {3 * k + 2}" for k in range(count)]
    path.write_text("\n".join([f"{head}property list uchar int vertex_indices\nend_header", *rows, *faces]) + "\n")


@pytest.mark.parametrize("suffix", [".obj", ".ply"])
def test_what_a_format_has_anyway_is_meant_where_it_is_stated(tmp_path: Path, suffix: str) -> None:
    """Whoever has looked at the picture and found it right has the last word, as with glTF."""
    if suffix == ".obj":
        write(tmp_path / "a.obj", figure(*TOES), "+y", "+x")
    else:
        write_ply(tmp_path / "a.ply", figure(*TOES), "+x")
    turned = read(tmp_path, f"a{suffix}")
    assert turned.front == "+x" and '"front": "-y" leaves it as it was' in turned.warnings[0]
    for stated in ("-y", "+x"):
        character = read(tmp_path, f"a{suffix}", front=stated)
        assert (character.front, character.warnings, character.unsure) == (stated, (), None)


def test_a_build_says_whose_fronts_nothing_is_sure_about_until_they_are_stated(tmp_path: Path) -> None:
    """In one line for all, with the evidence and what mends it."""
    names = ("cube", "post", "tower")
    for name, tall in zip(names, (1, 2, 3), strict=True):
        write_obj(tmp_path / f"{name}.obj", into_file("+y", "-y"), [BOX * (1, 1, tall)])
    cyl = [BOX * (0.2, 0.3, 1) + (x, 0.1 * x, 0.5) for x in (-0.3, 0.4)]
    write_obj(tmp_path / "lame.obj", into_file("+y", "-y"), cyl)

    status = ["status", str(tmp_path / "out")]

    def warnings(*stated: str, stages: tuple[str, ...] = ("--stage", "render")) -> list[str]:
        lines = [
            {"id": name, "path": f"{name}.obj", "up": "+y"} | ({"front": "-y"} if name in stated else {})
            for name in (*names, "lame")
        ]
        (tmp_path / "all.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        flags = ["--views", "2", "--size", "48", *stages, "--workers", "1", "--out", str(tmp_path / "out")]
        ran = CliRunner().invoke(main, ["build", str(tmp_path / "all.jsonl"), *flags], env=WIDE)
        assert ran.exit_code == 0, ran.output
        return [line.strip() for line in ran.stderr.splitlines() if "nothing is sure about which way" in line]

    (said,) = warnings()
    assert "4 characters (cube, lame, post and 1 more), such as: nothing is sure about which way cube.obj faces" in said
    assert "(as no joints are named as left and right, and its shape " in said
    assert 'state "front": "-y" in its manifest line if view 0 shows its front, "+x" if it looks to the right' in said
    assert warnings() == [said], "of what is up to date, too"
    assert f"warning: {said.removeprefix('warnings').strip()}" in CliRunner().invoke(main, status, env=WIDE).output
    (said,) = warnings("cube", "post", "tower")
    assert "lame: nothing is sure about which way lame.obj faces" in said
    for _ in range(2):
        assert warnings(*names, stages=("--backend", f"mesh-dir:{tmp_path}")) == [said], (
            "of what nothing is left to do, too"
        )
    assert warnings(*names, "lame") == []


@pytest.mark.parametrize("front", ["-Y", "-y", "+X", "x"])
def test_an_axis_is_one_however_it_is_written(tmp_path: Path, front: str) -> None:
    write(tmp_path / "a.obj", figure(), "+y", "-y" if front in ("-Y", "-y") else "+x")
    character = read(tmp_path, front=front, up="Y")
    assert (character.up, character.front) == ("+y", "-y" if front in ("-Y", "-y") else "+x")
    assert (character.warnings, character.unsure) == ((), None)


def test_of_one_who_is_laid_down_a_stated_front_is_not_unsure(tmp_path: Path) -> None:
    write_obj(tmp_path / "a.obj", into_file("+y", "-y"))
    assert read(tmp_path, up="+z", front="+x").unsure is None
    unsure = read(tmp_path, up="+z").unsure
    assert unsure is not None and "(as it does not stand)" in unsure
    write_obj(tmp_path / "cube.obj", into_file("+y", "-y"), [BOX])
    other = read(tmp_path, "cube.obj", up="+y").unsure
    assert other is not None and "does not stand" not in other
    assert len(folded([("a", unsure), ("cube", other)])) == 1, "one warning, whatever the evidence"


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
