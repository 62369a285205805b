"""Of several files below a mesh file that bear the name it gives, the one in the folders that it names is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from specsia_build.characters.side_files import SideFiles
from specsia_build.files.sources import source_digest
from specsia_build.stages.stage import Sources


def written(folder: Path, **contents: str) -> None:
    for name, content in contents.items():
        place = folder / name.replace("__", "/")
        place.mkdir(parents=True, exist_ok=True)
        (place / "Body.png").write_text(content)


@pytest.mark.parametrize(
    "name", ["C:\\work\\textures\\red\\body.png", "../Textures/RED/body.png", "red/body.png", "/a/b/red/Body.png"]
)
def test_folders_that_a_name_gives_tell_files_of_one_name_apart(tmp_path: Path, name: str) -> None:
    written(tmp_path, textures__blue="blue", textures__red="red", red__old="old", green="green")
    files = SideFiles(tmp_path / "hero.obj")
    assert files.find(name) == tmp_path / "textures" / "red" / "Body.png"
    assert not files.warnings


@pytest.mark.parametrize(("content", "warnings"), [("blue", 0), ("red", 1)])
def test_one_of_several_alike_is_taken_below_and_none_beside(tmp_path: Path, content: str, warnings: int) -> None:
    written(tmp_path / "hero", blue="blue", red=content)
    files = SideFiles(tmp_path / "hero" / "hero.obj")
    assert files.find("body.png") == tmp_path / "hero" / "blue" / "Body.png"
    assert len(files.warnings) == warnings
    written(tmp_path, Knight_Textures="blue", Mage_Textures=content)
    files = SideFiles(tmp_path / "FBX" / "thief.fbx", tmp_path)
    assert (files.find("body.png") is None) == bool(warnings)
    assert len(files.warnings) == warnings


@pytest.mark.parametrize(
    "place",
    ["Textures", "textures/png", "Texture", "Materials", "Hero Textures", "Models/Tex", "PBR Set", "Textures_PBR", "."],
)
@pytest.mark.parametrize("name", ["C:\\work\\Skin.PNG", "C:\\work\\Skin.PSD"])
def test_an_image_in_a_folder_beside_the_meshes_is_found_inside_the_root(tmp_path: Path, place: str, name: str) -> None:
    image, secret = tmp_path / "pack" / place / "skin.png", tmp_path / "Textures" / "secret.png"
    for file in (image, secret):
        file.parent.mkdir(parents=True)
        file.write_text("skin")
    mesh = tmp_path / "pack" / "Models" / "OBJ" / "hero.obj"
    files = SideFiles(mesh, tmp_path / "pack")
    assert files.find(name) == image
    assert files.find("secret.png") is files.find("skin.mtl") is None
    assert len(files.warnings) == name.endswith("PSD")
    assert SideFiles(mesh).find(name) is None


def test_the_nearest_folder_beside_is_the_one_and_another_character_s_none(tmp_path: Path) -> None:
    written(tmp_path, Textures="shared", knight__Textures="knight", mage__Textures="mage")
    mage, thief = (SideFiles(tmp_path / name / "FBX" / "a.fbx", tmp_path) for name in ("mage", "thief"))
    assert mage.find("body.png") == tmp_path / "mage/Textures/Body.png"
    assert thief.find("body.png") == tmp_path / "Textures/Body.png"
    (tmp_path / "Textures" / "Body.png").unlink()
    assert SideFiles(tmp_path / "thief" / "FBX" / "a.fbx", tmp_path).find("body.png") is None


def test_an_image_that_turns_up_beside_or_changes_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "FBX").mkdir()
    files = SideFiles(tmp_path / "FBX" / "hero.fbx", tmp_path)
    assert files.find("body.png") is None
    looked = Sources(tmp_path / "FBX", tmp_path)
    before = looked.digests(map(looked.name, files.tried), source_digest)
    assert set(before.values()) == {None}
    written(tmp_path, Hero_Tex="new")
    found = looked.digests(map(looked.name, files.tried), source_digest)
    assert found["../*/body.png"] == "Hero_Tex/Body.png"
    again = SideFiles(tmp_path / "FBX" / "hero.fbx", tmp_path)
    assert again.find("body.png") is not None
    taken = looked.digests(map(looked.name, again.tried), source_digest)
    written(tmp_path, Hero_Tex="changed")
    assert looked.digests(map(looked.name, again.tried), source_digest) != taken
