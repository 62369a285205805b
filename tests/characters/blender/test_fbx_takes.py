"""Takes of FBX files that are sums of layers, and what is said of takes that Blender cannot read."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from specsia_build.characters.blender.kept import CACHE_SETTING
from specsia_build.characters.blender.read import read_with_blender
from specsia_build.characters.blender.rig import read_rig
from specsia_build.errors import CharacterError
from tests.characters.blender.fbx import BOX

WRITE = (
    BOX
    + """
for name, index in (("slide", 0), ("rise", 2)):
    box.animation_data.action = bpy.data.actions.new(name)
    for frame in (1, 11):
        box.location[index] = frame
        box.keyframe_insert("location", index=index, frame=frame)
bpy.ops.export_scene.fbx(filepath=sys.argv[1], bake_anim_use_nla_strips=False)
"""
)

STACK, LAYER = (rb"\x0eAnimation%sL(.{8})S" % kind for kind in (b"Stack", b"Layer"))
"""The number of an object in a binary FBX file."""


@pytest.fixture(scope="module")
def two_takes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    if importlib.util.find_spec("bpy") is None:
        pytest.skip("needs the bpy package to write an FBX file")
    path = tmp_path_factory.mktemp("takes") / "takes.fbx"
    subprocess.run([sys.executable, "-c", WRITE, str(path)], check=True, capture_output=True, timeout=300)
    return path.read_bytes()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_SETTING, str(tmp_path / "cache"))


def test_a_take_that_is_the_sum_of_layers_is_said(two_takes: bytes, tmp_path: Path) -> None:
    path = tmp_path / "takes.fbx"
    path.write_bytes(two_takes)
    apart = read_rig(path)
    assert len(apart.motions) == 2
    assert apart.warnings == ()

    stacks, layers = (re.findall(kind, two_takes, re.DOTALL) for kind in (STACK, LAYER))
    assert (len(stacks), len(layers)) == (2, 2)
    layered = two_takes.replace(b"L" + layers[1] + b"L" + stacks[1], b"L" + layers[1] + b"L" + stacks[0])
    assert layered != two_takes
    path.write_bytes(layered)
    (said,) = read_rig(path).warnings
    assert re.fullmatch(
        r"take 'box\|\w+' of takes\.fbx is the sum of the layers box\|\w+, box\|\w+, and each of them was read as a "
        "motion of its own: merge them into one before exporting",
        said,
    )


def test_why_a_take_cannot_be_read_is_what_blender_says_of_it(two_takes: bytes, tmp_path: Path) -> None:
    path = tmp_path / "takes.fbx"
    path.write_bytes(two_takes.replace(b"\x07KeyTime", b"\x07KeyTimf"))
    with pytest.raises(CharacterError) as caught:
        read_with_blender(path)
    assert "Location" not in str(caught.value)
    assert "Error: " in str(caught.value)


def test_a_file_of_motions_alone_is_no_character_but_moves_others(tmp_path: Path) -> None:
    if importlib.util.find_spec("bpy") is None:
        pytest.skip("needs the bpy package to write an FBX file")
    path = tmp_path / "a slide.fbx"
    bare = WRITE.replace('bpy.data.objects.new("box", mesh)', 'bpy.data.objects.new("box", None)')
    subprocess.run([sys.executable, "-c", bare, str(path)], check=True, capture_output=True, timeout=300)
    with pytest.raises(CharacterError) as told:
        read_with_blender(path)
    assert str(told.value) == (
        "a slide.fbx holds 2 motions and no mesh that a render would show, so it is no character: let others move by "
        "it: specsia clips CHARACTERS --motion 'a slide.fbx'"
    )
