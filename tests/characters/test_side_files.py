"""Of several files below a mesh file that bear the name it gives, the one in the folders that it names is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from specsia_build.characters.side_files import SideFiles


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
    assert files.warnings() == []


def test_the_nearest_of_files_that_nothing_tells_apart_is_read(tmp_path: Path) -> None:
    written(tmp_path, textures="new", textures__old="old", skins__old="older")
    files = SideFiles(tmp_path / "hero.obj")
    assert files.find("C:/work/body.png") == tmp_path / "textures" / "Body.png"
    assert files.warnings() == []


@pytest.mark.parametrize(("content", "said"), [("blue", False), ("red", True)])
def test_one_of_several_that_are_alike_in_all_but_content_is_told(tmp_path: Path, content: str, said: bool) -> None:
    written(tmp_path, blue="blue", red=content)
    files = SideFiles(tmp_path / "hero.obj")
    assert files.find("body.png") == tmp_path / "blue" / "Body.png"
    sentence = "'body.png' may be any of blue/Body.png, red/Body.png: the first was taken; leave one alone"
    assert files.warnings() == ([sentence] if said else [])


def test_an_image_in_another_format_stands_in_and_is_told(tmp_path: Path) -> None:
    """Artists name what they paint in, and hand out what programs read."""
    written(tmp_path, Textures="skin")
    files = SideFiles(tmp_path / "hero.obj")
    assert files.find("C:\\work\\body.PSD") == tmp_path / "Textures" / "Body.png"
    assert files.warnings() == ["'body.PSD' is not there: Body.png was taken in its stead"]
    assert files.find("body.mtl") is files.find("boots.psd") is files.find(".psd") is None
