"""Settings of recipes: defaults that differ, values that a reader cannot take, clips that begin with nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from specsia_build.config import BuildConfig, ClipSettings, with_settings
from specsia_build.errors import CharacterError, UsageError
from specsia_build.recipes.recipe import available_recipes, defaults_of, folder_recipes, load_recipe
from tests.recipes.made import clip_frames, part_of


def test_recipes_that_differ_are_refused_until_the_setting_is_stated() -> None:
    names = available_recipes()
    with pytest.raises(UsageError, match="--size"):
        defaults_of(names, ())
    defaults = defaults_of(names, ("size", "fps"))
    clips = {"recipes": list(names), "fps": 8.0, **defaults}
    config = with_settings(BuildConfig("a"), {"size": 256, "clips": clips}, "the test")
    for recipe in folder_recipes(names):
        recipe.check(config)


def test_recipes_that_want_the_same_or_are_told_need_no_flags() -> None:
    assert defaults_of(["paintbucket", "animerun"], ()) == {"size": 640, "turntable": True}
    assert defaults_of(["conr", "paintbucket"], {"size"}) == {"turntable": True}


@pytest.mark.parametrize(
    ("recipe", "size", "frames", "advice"),
    [
        ("anidoc", 512, None, "--size 320"),
        ("flipsketch", 255, None, "--size 256"),
        ("control-video", 500, 49, "--size 512"),
        ("control-video", 512, 50, "--frames 25"),
        ("control-video", 512, None, "--frames"),
        ("control-video", 512, 1, "not 1:"),
        ("animeinbet", 768, None, "--size 720"),
        ("animeinbet", 720, 6, "--frames 7"),
    ],
)
def test_settings_that_a_reader_cannot_take_are_refused(
    recipe: str, size: int, frames: int | None, advice: str
) -> None:
    load_recipe(recipe).check(BuildConfig(size=320, clips=ClipSettings(frames=49)))
    with pytest.raises(UsageError, match=advice):
        load_recipe(recipe).check(BuildConfig(size=size, clips=ClipSettings(frames=frames)))


@pytest.mark.parametrize("recipe", ["anidoc", "flipsketch", "control-video"])
def test_a_clip_that_begins_with_nothing_is_left_out(recipe: str, tmp_path: Path) -> None:
    color, line = np.zeros((64, 64, 4), np.uint8), np.full((64, 64), 255, np.uint8)
    tracks = np.zeros((0, 3), np.float32)
    clip = clip_frames("hero-walk-00", {"color": [color] * 3, "line": [line] * 3, "tracks": [tracks] * 3})
    with pytest.raises(CharacterError, match="shows nothing in its first frame"):
        load_recipe(recipe).write(part_of("hero-walk-00", [clip], frames=9), tmp_path)
