"""Recipes of users, their mistakes, unusable settings, and the card."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import DatasetCard
from PIL import Image
from specsia_build.layouts.folder import keys, place, read_parts, write_whole

from specsia_build import png
from specsia_build.config import BuildConfig, ClipSettings, with_settings
from specsia_build.dataset.verify.files import machine_path
from specsia_build.errors import CharacterError, SpecsiaError, UsageError
from specsia_build.files.writing import write_bytes
from specsia_build.layouts.frames import Frames
from specsia_build.layouts.layout import Written, available_recipes, defaults_of, folder_recipes, load_recipe
from tests.clips import write_figure
from tests.commands import specsia
from tests.recipes.clip_frames import clip_frames, part_of

ROOT = Path(__file__).parents[2]


@pytest.mark.usefixtures("no_workers")
def test_documented_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs/recipes.md").read_text()
    (code,), (point,) = (
        re.findall(r"```python\n(.*?)```", text, re.S),
        re.findall(r"\n(silhouettes = .*)\n", text),
    )
    (tmp_path / "silhouettes.py").write_text(code)
    info = tmp_path / "silhouettes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: silhouettes\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[specsia.recipes]\n{point.replace(chr(34), '')}\n")
    monkeypatch.syspath_prepend(tmp_path)
    figure, folder = write_figure(tmp_path / "hero.glb", 0), tmp_path / "run" / "silhouettes"
    specsia("clips", figure, "--recipe", "silhouettes", "--out", tmp_path / "run")
    assert "ok     layout" in specsia("verify", folder, "--workers", "1").output
    (part, *_) = read_parts(folder)
    (name,) = part.files
    assert np.load(folder / name).shape == (part.facts["frames"], 64, 64)


def _write(name: str, facts: Mapping[str, Any], out: Path) -> Mapping[str, Any]:
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_bytes(b"x")
    return facts


def _link(out: Path) -> Mapping[str, Any]:
    (out / "a.png").symlink_to("/etc/hostname")
    return {}


@pytest.mark.parametrize(
    "write",
    [
        _link,
        lambda out: {},
        partial(_write, ".specsia/a.png", {}),
        partial(_write, "README.md", {}),
        partial(_write, "a.png", {"frames": 1, "box": np.zeros(3)}),
        partial(_write, "a.png", {"frames": -1}),
        partial(_write, "theirs.png", {}),
    ],
)
def test_recipe_mistakes_change_nothing(tmp_path: Path, write: Callable[[Path], Mapping[str, Any]]) -> None:
    def put(key: str, write: Callable[[Path], Mapping[str, Any]]) -> None:
        place(tmp_path, Written(key, "a", "train", (key,), None, None, {}, {}), write)

    put("b-go-00", partial(_write, "theirs.png", {}))
    with pytest.raises(SpecsiaError):
        put("a-go-00", write)
    assert keys(tmp_path) == ["b-go-00"]
    assert {path.name for path in tmp_path.iterdir()} == {".specsia", "theirs.png"}
    assert (tmp_path / "theirs.png").read_bytes() == b"x"


def test_differing_recipes_are_refused() -> None:
    assert defaults_of(["paintbucket", "animerun"], ()) == {"size": 640, "turntable": True}
    assert defaults_of(["conr", "paintbucket"], {"size"}) == {"turntable": True}
    names = available_recipes()
    with pytest.raises(UsageError, match="--size"):
        defaults_of(names, ())
    defaults = defaults_of(names, ("size", "fps"))
    clips = {"recipes": list(names), "fps": 8.0, **defaults}
    config = with_settings(BuildConfig("a"), {"size": 256, "clips": clips}, "the test")
    for recipe in folder_recipes(names):
        recipe.check(config)


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
def test_unreadable_settings(recipe: str, size: int, frames: int | None, advice: str) -> None:
    load_recipe(recipe).check(BuildConfig(size=320, clips=ClipSettings(frames=49)))
    with pytest.raises(UsageError, match=advice):
        load_recipe(recipe).check(BuildConfig(size=size, clips=ClipSettings(frames=frames)))


@pytest.mark.parametrize("recipe", ["anidoc", "flipsketch", "control-video"])
def test_clip_with_empty_start(recipe: str, tmp_path: Path) -> None:
    color, line = np.zeros((64, 64, 4), np.uint8), np.full((64, 64), 255, np.uint8)
    tracks = np.zeros((0, 3), np.float32)
    clip = clip_frames("hero-walk-00", {"color": [color] * 3, "line": [line] * 3, "tracks": [tracks] * 3})
    with pytest.raises(CharacterError, match="in its first frame"):
        load_recipe(recipe).write(part_of("hero-walk-00", [clip], frames=9), tmp_path)


MADE: dict[str, object] = {"specsia": "1.0", "config": {"source": "heroes"}, "stages": {"draw": 1}}
MADE |= {"packages": {"numpy": "2"}, "backend": None, "planned": 5, "quarantined": 0, "left_out": 0}


def test_card_counts(tmp_path: Path) -> None:
    made = {**MADE, "quarantined": 4, "left_out": 1}
    parts = [
        Written(
            i,
            i,
            split,
            (i,),
            license_,
            "by | me",
            {f"{i}/clip.json": (5, "0" * 64)},
            {"frames": 2, "left_out": 1},
        )
        for i, split, license_ in (("10", "train", None), ("9", "train", "MIT"), ("8", "test", "MIT"))
    ]
    assert write_whole(tmp_path, Frames(), lambda: iter(parts), made)[0] == 3
    text = (tmp_path / "README.md").read_text()
    assert "| train | 2 | 2 | 4 | 2 | 0.0 |" in text
    assert all(f"{count} " in text for count in ("5 characters", "4 of the clips", "1 clip", "3 frames"))
    assert "| MIT | by \\| me | 2 |" in text
    assert "specsia 1.0; stages draw 1; numpy 2." in text
    assert machine_path(text) is None
    assert DatasetCard(text).data.to_dict().items() >= {"license": "other", "viewer": False}.items()
    assert (tmp_path / "splits.json").read_text().index('"9"') < (tmp_path / "splits.json").read_text().index(
        '"10"'
    )


def test_teaser_shows_parts(tmp_path: Path) -> None:
    parts = []
    for i in "abcdefg":
        for layer, level in (("color", 200), ("mask", 255), ("labels", 3)):
            for k in range(3):
                picture = np.full((24, 24), 0, np.uint8)
                picture[4:20, 4 + k : 16 + k] = level
                write_bytes(tmp_path / f"{i}/{layer}/{k}.png", png.encode(picture))
        files = {
            path.relative_to(tmp_path).as_posix(): (1, "0" * 64) for path in sorted(tmp_path.glob(f"{i}/*/*"))
        }
        parts.append(Written(i, i, "train", (i,), "MIT", None, files, {"frames": 3}))
    shown = []
    for _ in range(2):
        _, own = write_whole(tmp_path, Frames(), lambda: iter(parts), MADE)
        shown.append((tmp_path / "teaser.webp").read_bytes())
    assert shown[0] == shown[1] and "teaser.webp" in own
    assert f"{hashlib.sha256(shown[0]).hexdigest()}  teaser.webp\n" in (tmp_path / "SHA256SUMS").read_text()
    assert "](teaser.webp)" in (tmp_path / "README.md").read_text()
    with Image.open(tmp_path / "teaser.webp") as opened:
        # Four parts below each other, of two layers each: that of numbers would be black.
        assert opened.height > 4 * 96 and 2 * 96 < opened.width < 4 * 96
