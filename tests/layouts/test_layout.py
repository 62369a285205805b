"""Layouts of users, their mistakes, unusable settings, and the card."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import DatasetCard
from PIL import Image

from specsia_build import png
from specsia_build.config import BuildConfig, ClipSettings, with_settings
from specsia_build.dataset.verify.files import machine_path
from specsia_build.errors import CharacterError, UsageError
from specsia_build.files.writing import write_bytes
from specsia_build.layouts import writing
from specsia_build.layouts.frames import Frames
from specsia_build.layouts.layout import Layout
from specsia_build.layouts.part import Part, Written, read_parts
from specsia_build.layouts.registry import available_layouts, defaults_of, load_layout, load_layouts
from specsia_build.layouts.views.layout import ViewLayout
from specsia_build.layouts.writing import RECORDS, PartTask, write_part
from tests.clips import write_figure
from tests.commands import specsia
from tests.layouts.clip_frames import FACTS, clip_frames, disc, part_of

ROOT = Path(__file__).parents[2]


@pytest.mark.usefixtures("no_workers")
def test_documented_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs/layouts.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    (point,) = re.findall(r"\n(silhouettes = .*)\n", text)
    (tmp_path / "silhouettes.py").write_text(code)
    info = tmp_path / "silhouettes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: silhouettes\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[specsia.layouts]\n{point.replace(chr(34), '')}\n")
    monkeypatch.syspath_prepend(tmp_path)
    figure, folder = write_figure(tmp_path / "hero.glb", 0), tmp_path / "run" / "silhouettes"
    specsia("clips", figure, "--layout", "silhouettes", "--out", tmp_path / "run")
    assert "ok     layout" in specsia("verify", folder, "--workers", "1").output
    (part, *_) = read_parts(folder / "parts.jsonl")
    (name,) = part.files
    assert np.load(folder / name).shape == (part.facts["frames"], 64, 64)


def _write(name: str, facts: Mapping[str, Any], out: Path) -> Mapping[str, Any]:
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_bytes(b"x")
    return facts


def _link(out: Path) -> Mapping[str, Any]:
    (out / "a.png").symlink_to("/etc/hostname")
    return {}


class _Written(Layout):
    """Writes parts as a function does."""

    name, title, loading, layers = "written", "parts", "read them", ()

    def __init__(self, write: Callable[[Path], Mapping[str, Any]]) -> None:
        self._write = write

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        return self._write(out)


@pytest.mark.parametrize(
    "write",
    [
        _link,
        lambda out: {},
        partial(_write, ".parts/a.png", {}),
        partial(_write, "README.md", {}),
        partial(_write, "a.png", {"frames": 1, "box": np.zeros(3)}),
        partial(_write, "a.png", {"frames": -1}),
        lambda out: {**_write("a.png", {}, out), **_write("theirs.png", {}, out)},
    ],
)
def test_mistakes_of_layouts_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], Mapping[str, Any]]
) -> None:
    whole = partial(_write, "theirs.png", {})
    for key, function, is_written in (("b-go-00", whole, True), ("a-go-00", write, False)):
        monkeypatch.setattr(writing, "load_layout", lambda _, function=function: _Written(function))
        part = part_of(key, [clip_frames("a-go-00", {"color": [disc(8, 3)]})])
        missed = write_part(PartTask("written", part, key, tmp_path, None)).missed
        assert missed is None if is_written else missed is not None and missed.suits
    assert {path.name for path in tmp_path.iterdir()} == {RECORDS, "theirs.png"}
    (record,) = (tmp_path / RECORDS).iterdir()
    assert json.loads(record.read_bytes())["key"] == "b-go-00"
    assert (tmp_path / "theirs.png").read_bytes() == b"x"


def test_differing_layouts_are_refused() -> None:
    assert defaults_of(["paintbucket", "animerun"], ()) == {"size": 640, "turntable": True}
    assert defaults_of(["conr", "paintbucket"], {"size"}) == {"turntable": True}
    every = [name for name in available_layouts() if not name.startswith("specsia-")]
    names = [layout.name for layout in load_layouts(every) if not isinstance(layout, ViewLayout)]
    with pytest.raises(UsageError, match="--size"):
        defaults_of(names, ())
    defaults = defaults_of(names, ("size", "fps"))
    clips = {"layouts": names, "fps": 8.0, **defaults}
    config = with_settings(BuildConfig("a"), {"size": 256, "clips": clips}, "the test")
    for layout in load_layouts(names):
        layout.check(config)


@pytest.mark.parametrize(
    ("layout", "size", "frames", "advice"),
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
def test_unreadable_settings(layout: str, size: int, frames: int | None, advice: str) -> None:
    load_layout(layout).check(BuildConfig(size=320, clips=ClipSettings(frames=49)))
    with pytest.raises(UsageError, match=advice):
        load_layout(layout).check(BuildConfig(size=size, clips=ClipSettings(frames=frames)))


@pytest.mark.parametrize("layout", ["anidoc", "flipsketch", "control-video"])
def test_clip_with_empty_start(layout: str, tmp_path: Path) -> None:
    color, line = np.zeros((64, 64, 4), np.uint8), np.full((64, 64), 255, np.uint8)
    tracks = np.zeros((0, 3), np.float32)
    clip = clip_frames("hero-walk-00", {"color": [color] * 3, "line": [line] * 3, "tracks": [tracks] * 3})
    with pytest.raises(CharacterError, match="in its first frame"):
        load_layout(layout).write(part_of("hero-walk-00", [clip], frames=9), tmp_path)


def test_card_counts(tmp_path: Path) -> None:
    facts, counts = replace(FACTS, quarantined={"": 4}, left_out=1), {"frames": 2, "left_out": 1}
    parts = [
        Written(i, i, split, (i,), license_, "by | me", {f"{i}/clip.json": (5, "0" * 64)}, counts)
        for i, split, license_ in (("10", "train", None), ("9", "train", "MIT"), ("8", "test", "MIT"))
    ]
    own = dict(Frames().finish(tmp_path, lambda: iter(parts), facts))
    text = own["README.md"].decode()
    assert "| train | 2 | 2 | 4 | 2 | 0.0 |" in text
    assert all(f"{count} " in text for count in ("5 characters", "4 of the clips", "1 clip", "3 frames"))
    assert "| MIT | by \\| me | 2 |" in text
    assert "specsia 1.0; stages draw 1; numpy 2." in text
    assert machine_path(text) is None
    assert DatasetCard(text).data.to_dict().items() >= {"license": "other", "viewer": False}.items()
    assert own["splits.json"].index(b'"9"') < own["splits.json"].index(b'"10"')


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
        own = dict(Frames().finish(tmp_path, lambda: iter(parts), FACTS))
        shown.append((tmp_path / "teaser.webp").read_bytes())
    assert shown[0] == shown[1] == own["teaser.webp"]
    assert b"](teaser.webp)" in own["README.md"]
    with Image.open(tmp_path / "teaser.webp") as opened:
        # Four parts below each other, of two layers each: that of numbers would be black.
        assert opened.height > 4 * 96 and 2 * 96 < opened.width < 4 * 96
