"""Images of colours that an FBX file links by names that Blender's importer does not know are shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from specsia_build.characters.blender.read import read_with_blender
from tests.characters.blender.test_fbx_opacity import WRITE_HAIR, written


@pytest.mark.parametrize("name", [b"X|base_color", b"aa|baseColor"])
def test_images_of_other_programs_materials_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    path = written(WRITE_HAIR, tmp_path / "hero.fbx", monkeypatch)
    path.write_bytes(path.read_bytes().replace(b"DiffuseColor", name))
    for image in ("hair", "lashes"):
        Image.new("RGB", (2, 2), (90, 60, 30)).save(tmp_path / f"{image}.png")
    raw = read_with_blender(path)
    assert [m.texture is not None for m in raw.mesh.materials] == [True, True]
    assert raw.warnings == ()
