from __future__ import annotations

import re
import shlex

import pytest

from specsia_build.config import BuildConfig
from specsia_build.config_file import with_settings
from specsia_build.errors import UsageError
from specsia_build.recipes.registry import available_recipes, defaults_of, folder_recipes


def test_recipes_that_differ_are_told_at_once_with_flags_that_suit_all() -> None:
    names = available_recipes()
    with pytest.raises(UsageError, match=r"size 320 for anidoc, 720 for animeinbet, .*; fps 24 for .*: add ") as told:
        defaults_of(names, ())
    (flags,) = re.findall(r"add (.*), or give each an --out of its own", str(told.value))
    words = shlex.split(flags)
    assert words == ["--size", "256", "--fps", "8"]
    stated = {"size": 256, "fps": 8.0}
    defaults = defaults_of(names, stated)
    clips = {"recipes": list(names), "fps": 8.0, **defaults}
    config = with_settings(BuildConfig("a"), {"size": 256, "clips": clips}, "the test")
    for recipe in folder_recipes(names):
        recipe.check(config)


def test_recipes_that_want_the_same_or_are_told_need_no_flags() -> None:
    assert defaults_of(["paintbucket", "animerun"], ()) == {"size": 640, "turntable": True}
    assert defaults_of(["conr", "paintbucket"], {"size"}) == {"turntable": True}
