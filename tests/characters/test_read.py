"""Reading characters of every format into the frame, and refusing what cannot be drawn."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import msgspec
import numpy as np
import pytest
from numpy.testing import assert_allclose

from specsia_build.characters.character import Entry, RawMesh
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.errors import CharacterError
from specsia_build.rendering.mesh import Material, Mesh

# A red arrow that tells all axes apart: 3 units along the file's x, 2 along y, 1 along z.
ARROW = "v 0 0 0 1 0 0\nv 3 0 0 1 0 0\nv 0 2 0 1 0 0\nv 0 0 1 1 0 0\nf 1 2 3\nf 1 3 4\n"


def entry_of(folder: Path, text: str, name: str = "hero.obj", format: str = "obj") -> Entry:
    (folder / name).write_text(text)
    return Entry(id="hero", format=format, path=folder / name, front="-y")


def test_an_obj_is_turned_to_z_up_facing_minus_y(tmp_path: Path) -> None:
    character = read_character(entry_of(tmp_path, ARROW))
    # y of the file is up, and its z, where a glTF-like character looks, is -y.
    assert_allclose(character.mesh.vertices, [[0, 0, 0], [3, 0, 0], [0, 0, 2], [0, -1, 0]], atol=1e-6)
    assert character.mesh.vertices.dtype == np.float32
    assert character.files[0] == tmp_path / "hero.obj"


@pytest.mark.parametrize(
    ("up", "front", "expected"),
    [
        ("+z", None, [[3, 0, 0], [0, 2, 0], [0, 0, 1]]),
        (None, "+y", [[-3, 0, 0], [0, 0, 2], [0, 1, 0]]),
        (None, "+x", [[0, -3, 0], [0, 0, 2], [-1, 0, 0]]),
        ("+z", "-x", [[0, 3, 0], [-2, 0, 0], [0, 0, 1]]),
    ],
)
def test_up_and_front_replace_the_format_s(
    tmp_path: Path, up: str | None, front: str | None, expected: list[list[float]]
) -> None:
    character = read_character(msgspec.structs.replace(entry_of(tmp_path, ARROW), up=up, front=front))
    assert_allclose(character.mesh.vertices[1:], expected, atol=1e-6)


def test_dropping_a_part_that_is_not_there_is_said(tmp_path: Path) -> None:
    character = read_character(msgspec.structs.replace(entry_of(tmp_path, "o body\n" + ARROW), drop=("Hat",)))
    assert character.warnings == ("'Hat' is to be dropped but hero.obj has no such part",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (ARROW.replace("v 3", "v nan"), "hero.obj has vertices with numbers that are not finite"),
        (ARROW.replace("v 3", "v 1e300"), "hero.obj has vertices with numbers that are not finite"),
        ("v 1 1 1\nf 1 1 1\n", "hero.obj has no extent"),
    ],
)
def test_shapes_that_cannot_be_drawn(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(CharacterError, match=sentence):
        read_character(entry_of(tmp_path, text))


def test_broken_colours_and_normals_are_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    colors, normals = np.zeros((1, 3, 4), np.float32), np.zeros((1, 3, 3), np.float32)
    colors[0, 1, 2] = np.inf
    normals[0, 2] = np.nan
    points, faces = np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], np.int32)
    mesh = Mesh(points, faces, (Material(),), np.zeros(1, np.int32), colors=colors, normals=normals)
    monkeypatch.setattr("specsia_build.characters.read.read_obj", lambda *_, **__: RawMesh(mesh, up="+z"))
    character = read_character(entry_of(tmp_path, ""))
    assert character.mesh.colors is not None
    assert character.mesh.colors[0, 1].tolist() == [1, 1, 1, 1]
    assert character.mesh.normals is not None
    assert_allclose(character.mesh.normals[0, 2], 3**-0.5, rtol=1e-6)
    assert len(character.warnings) == 2
    assert not np.isfinite(colors).all()


@pytest.mark.parametrize("error", [ValueError("bad"), KeyError("k"), OSError("disk")])
def test_what_a_parser_raises_becomes_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("specsia_build.characters.read.read_obj", Mock(side_effect=error))
    with pytest.raises(CharacterError, match=r"hero\.obj could not be read: \S+"):
        read_character(entry_of(tmp_path, ""))


def test_the_real_glb_characters(characters_dir: Path, tmp_path: Path) -> None:
    entries = open_source(str(characters_dir / "characters.jsonl"), tmp_path).entries
    for entry in (e for e in entries if e.format == "gltf"):
        character = read_character(entry)
        low, high = character.mesh.bounds()
        assert high[2] - low[2] > high[1] - low[1], f"{entry.id} lies down"
        assert character.warnings == (), entry.id
        assert character.mesh.materials[0].texture is not None
