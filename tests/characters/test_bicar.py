"""The 3DBiCar layout: body and eyes, textures paired by file name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from specsia_build.characters import bicar
from specsia_build.characters.bicar import bicar_entry
from specsia_build.characters.character import Entry, RawMesh
from specsia_build.errors import CharacterError

BODY = "mtllib wrong.mtl\ng torso\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nusemtl w\nf 1/1 2/1 3/1\n"
EYES = "v 0 0 1\nv 1 0 1\nv 1 1 1\nv 0 1 1\nvt 0 0\nf 1/1 2/1 3/1 4/1\n"


def make(folder: Path, eyes: bool = True, body_image: str | None = "m.BMP") -> Path:
    tpose = folder / "tpose"
    tpose.mkdir(parents=True)
    (tpose / "m.obj").write_text(BODY)
    (tpose / "wrong.mtl").write_text("newmtl w\nmap_Kd e.bmp\n")
    if body_image:
        Image.new("RGB", (4, 2), (255, 0, 0)).save(tpose / body_image)
    if eyes:
        (tpose / "e.obj").write_text(EYES)
        Image.new("RGB", (2, 2), (0, 0, 255)).save(tpose / "e.bmp")
    return folder


def read_bicar(folder: Path, drop: tuple[str, ...] = ()) -> RawMesh:
    return bicar.read_bicar(Entry("a", "3dbicar", folder, drop=drop))


def test_body_and_eyes_with_their_own_images(tmp_path: Path) -> None:
    raw = read_bicar(make(tmp_path / "12"))
    assert_array_equal(raw.mesh.faces, [[0, 1, 2], [3, 4, 5], [3, 5, 6]])
    assert_array_equal(raw.mesh.face_material, [0, 1, 1])
    body, eyes = (m.texture for m in raw.mesh.materials)
    assert body is not None
    assert body.pixels[0, 0].tolist() == [255, 0, 0, 255]
    assert body.pixels.shape == (2, 4, 4)
    assert eyes is not None
    assert eyes.pixels[0, 0].tolist() == [0, 0, 255, 255]
    assert (raw.up, raw.front, raw.warnings) == ("+y", "-y", ())
    assert raw.parts == ("m", "e", "eyes", "torso")
    assert {p.name for p in raw.files} >= {"m.obj", "m.BMP", "e.obj", "e.bmp"}


def test_parts_can_be_dropped(tmp_path: Path) -> None:
    folder = make(tmp_path / "12")
    assert len(read_bicar(folder, drop=("e",)).mesh.faces) == 1
    eyes_only = read_bicar(folder, drop=("m",))
    assert (len(eyes_only.mesh.faces), eyes_only.parts) == (2, ("m", "e", "eyes"))
    assert len(read_bicar(folder, drop=("eyes",)).mesh.faces) == 1
    with pytest.raises(CharacterError, match="12"):
        read_bicar(folder, drop=("m", "e"))


def test_eyes_and_images_may_be_missing(tmp_path: Path) -> None:
    raw = read_bicar(make(tmp_path / "12", eyes=False, body_image=None))
    assert (raw.parts, raw.mesh.materials[0].texture, len(raw.warnings)) == (("m", "torso"), None, 1)
    assert tmp_path / "12" / "tpose" / "e.obj" in raw.files


def test_the_entry_of_a_folder(tmp_path: Path) -> None:
    folder = make(tmp_path / "12")
    plain = bicar_entry(folder, "12")
    assert (plain.format, plain.path, plain.drawing, plain.problem) == ("3dbicar", folder, None, None)
    assert (plain.license, plain.source) == (None, "3DBiCar")
    (folder / "image").mkdir()
    (folder / "image" / "image_reshape512.jpeg").write_bytes(b"")
    (folder / "metadata.json").write_text(json.dumps({"license": "CC0-1.0", "source": "me", "age": 3}))
    full = bicar_entry(folder, "12")
    assert full.drawing == folder / "image" / "image_reshape512.jpeg"
    assert (full.license, full.source) == ("CC0-1.0", "me")
