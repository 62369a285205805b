"""The recipe `animerun`: files read as AnimeRun's loaders read them, and counts that keep their lists together."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from specsia_build.errors import CharacterError
from specsia_build.recipes.recipe import ClipFrames, load_recipe
from tests.recipes.made import PALETTE, STEP, WALK_SIZE, label_at, line_of, walking, write_clips
from tests.stages.clips.test_annotate import drawn_with

RECIPE = load_recipe("animerun")

SCENE = "hero-walk-00"

COLUMNS = (12, 12 + STEP, 12 + 2 * STEP)


def record(path: Path) -> Any:
    return json.loads(path.read_text())


def test_files_hold_what_their_readers_take(tmp_path: Path) -> None:
    write_clips(RECIPE, [walking(SCENE, COLUMNS)], tmp_path)
    top, label = tmp_path / "train", label_at(COLUMNS[1])
    line, name = line_of(label), "0002"
    picture = Image.open(top / f"Frame_Anime/{SCENE}/original/{name}.png")
    assert picture.mode == "RGB"
    shown = np.asarray(picture)
    assert (shown[(label < 0) & (line == 255)] == 255).all()
    assert (shown[(label < 0) & (line == 220)] == 220).all()
    assert (shown[line == 0] == 0).all()
    assert (shown[(label == 1) & (line == 255)] == PALETTE[1]).all()
    contour = np.asarray(Image.open(top / f"contour/{SCENE}/{name}.png"))
    np.testing.assert_array_equal(contour, np.repeat(line[..., None], 3, axis=-1))
    for way, step in (("forward", STEP), ("backward", -STEP)):
        data = (top / f"Flow/{SCENE}/{way}/{name}.flo").read_bytes()
        assert np.frombuffer(data, "<f4", 1)[0] == np.float32(202021.25)
        assert np.frombuffer(data, "<i4", 2, 4).tolist() == [WALK_SIZE, WALK_SIZE]
        flow = np.frombuffer(data, "<f4", offset=12).reshape(WALK_SIZE, WALK_SIZE, 2)
        assert (flow[label >= 0] == [step, 0]).all()
        assert (flow[label < 0] == 0).all()
    matched = np.load(top / f"UnmatchedForward/{SCENE}/{name}.npy")
    paper = np.load(top / f"LineArea/{SCENE}/{name}.npy")
    segment = np.load(top / f"Segment/{SCENE}/{name}.npy")
    assert matched.dtype == paper.dtype == np.uint8
    assert (matched == 1).all()
    assert ((paper == 0) == (segment == 0)).all()
    assert ((segment == 0) == (line == 0)).all()
    assert np.unique(segment).tolist() == [0, 1, 2, 3]
    assert record(top / f"SegMatching/{SCENE}/backward/{name}.json") == {str(n): [n] for n in range(4)}


def test_what_is_gone_is_unmatched_and_numbers_have_no_gap_where_nothing_is_drawn(tmp_path: Path) -> None:
    part = write_clips(RECIPE, [walking(SCENE, (12, None, 14))], tmp_path)
    top = tmp_path / "train"
    matched = np.load(top / f"UnmatchedForward/{SCENE}/0001.npy")
    assert ((matched == 0) == (label_at(12) >= 0)).all()
    assert np.unique(np.load(top / f"Segment/{SCENE}/0002.npy")).tolist() == [0]
    matches = [record(top / f"SegMatching/{SCENE}/forward/{name}.json") for name in ("0001", "0002")]
    assert matches == [{"0": [-1], "1": [0], "2": [-1], "3": [-1]}, {"0": [1]}]
    assert not list(RECIPE.verify(tmp_path, part))


def test_a_clip_of_one_frame_is_no_scene(tmp_path: Path) -> None:
    with pytest.raises(CharacterError):
        write_clips(RECIPE, [walking(SCENE, (12,))], tmp_path)


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        (f"Segment/{SCENE}/0001.npy", np.zeros((WALK_SIZE, WALK_SIZE))),
        (f"UnmatchedForward/{SCENE}/0001.npy", np.full((WALK_SIZE, WALK_SIZE), np.nan)),
        (f"Segment/{SCENE}/0002.npy", np.zeros((WALK_SIZE, WALK_SIZE + 1), np.int32)),
        (f"SegMatching/{SCENE}/forward/0002.json", b'{"0": [0]'),
        (f"contour/{SCENE}/0001.png", b""),
    ],
)
def test_damaged_files_are_problems(tmp_path: Path, name: str, spoil: bytes | np.ndarray[Any, Any]) -> None:
    part = write_clips(RECIPE, [walking(SCENE, COLUMNS)], tmp_path)
    assert not list(RECIPE.verify(tmp_path, part))
    path = tmp_path / "train" / name
    if isinstance(spoil, bytes):
        path.write_bytes(spoil)
    else:
        np.save(path, spoil)
    problems = list(RECIPE.verify(tmp_path, part))
    assert any(name in problem for problem in problems), problems
    # An impossible number of frames is a problem at once.
    assert len(list(RECIPE.verify(tmp_path, replace(part, facts={"frames": 10**12})))) == 1


@pytest.mark.parametrize("name", ["animerun", "paintbucket"])
def test_frames_as_they_are_drawn_pass(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load_recipe(name)
    tmp_path.joinpath("figure").mkdir()
    _, made = drawn_with(tuple(recipe.layers), tmp_path / "figure", monkeypatch)
    part = write_clips(recipe, [ClipFrames(made.meta, made.files)], tmp_path / "out")
    assert part.facts["frames"] == len(made.meta["times"])
    assert not list(recipe.verify(tmp_path / "out", part))
