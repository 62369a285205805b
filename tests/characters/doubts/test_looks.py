"""A view 0 of one colour is told, with the image that would colour it where one is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from specsia_build.characters.character import Entry
from specsia_build.characters.doubts.looks import plain_colour
from specsia_build.characters.survey import CharacterFacts
from specsia_build.pipeline.survey import surveyed

TETRAHEDRON = (
    "v 0 0 0\nv 1 0 0\nv 0 2 0\nv 0 0 1\nvt 0 0\nvt 1 0\nvt 0 1\n"
    "usemtl skin\nf 1/1 2/2 3/3\nf 1/1 3/3 4/2\nf 1/1 4/2 2/3\nf 2/1 3/2 4/3\n"
)


def facts(folder: Path, mtl: str = "", text: str = TETRAHEDRON) -> CharacterFacts:
    (folder / "a.mtl").write_text(f"newmtl skin\n{mtl}\n")
    (folder / "hero.obj").write_text(("mtllib a.mtl\n" if mtl else "") + text)
    return surveyed(Entry("hero", "obj", folder / "hero.obj", sides="both"), pictured=False)[0]


@pytest.mark.parametrize("mtl", ["", "Kd 1 1 1", "Kd 0.2 0.8 0.1"], ids=["no material", "white", "one green"])
def test_one_colour_without_an_image_is_told(tmp_path: Path, mtl: str) -> None:
    found = facts(tmp_path, mtl)
    assert [fix for fix in found.fixes if fix.key == "texture"] == []
    assert sum("one plain" in warning for warning in found.warnings) == 1


@pytest.mark.parametrize("name", ["Hero_diffuse.png", "textures/hero.png"])
def test_an_image_of_its_name_is_offered(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    Image.new("RGB", (8, 8), (200, 60, 20)).save(tmp_path / name)
    Image.new("RGB", (8, 8)).save(tmp_path / "ground.png")
    found = facts(tmp_path, "Kd 0.8 0.8 0.8")
    assert [(fix.key, fix.value) for fix in found.fixes if fix.key == "texture"] == [("texture", name)]


def test_a_plain_picture_is_one_of_covered_pixels_alone() -> None:
    color, coverage = np.zeros((20, 20, 4), np.uint8), np.zeros((20, 20), np.uint8)
    assert plain_colour(color, coverage) is None
    color[5:15, 5:15], coverage[5:15, 5:15] = (203, 203, 203, 255), 255
    assert plain_colour(color, coverage) == "grey of 203"
    color[5:15, 5:15, 0] = 90
    assert plain_colour(color, coverage) == "colour, #5acbcb,"
    color[5:8, 5:15] = 0
    assert plain_colour(color, coverage) is None
