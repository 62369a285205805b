"""What is recalled by position: against a plain reference, through the commands, and what is left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from specsia_build import png
from specsia_build.cli import main
from specsia_build.dataset.pairs import Pair
from specsia_build.dravie.config import ModelConfig
from specsia_build.dravie.masks import agreed
from specsia_build.dravie.model.checkpoint import MEMORY, load_memory, save_model
from specsia_build.dravie.model.networks import build_generator
from specsia_build.dravie.recall import Memory, recalled, remember
from specsia_build.dravie.runs import STATE, checkpoints

SPOT = (250, 240, 10)

Picture = NDArray[np.uint8]


def reference(result: Picture, z: Picture, pos: Picture, memory: Memory) -> NDArray[np.float64]:
    """Colours (H, W, 3) before they are rounded; every pixel asks a tree for all that is near and sorts it."""
    out = result[..., :3].astype(np.float64)
    tree = cKDTree(memory.places.astype(float))
    by_place = np.empty(len(memory), int)
    by_place[np.lexsort(memory.places.T[::-1])] = np.arange(len(memory))
    for y, x in zip(*np.nonzero((z[..., 3] == 255) & (result[..., 3] == 255)), strict=True):
        place = pos[y, x, :3].astype(float)
        near = np.array(tree.query_ball_point(place, 4.5), int)
        squares = ((memory.places[near] - place) ** 2).sum(axis=1)
        chosen = np.lexsort([by_place[near], squares])[:8]
        if len(chosen) == 0:
            continue
        distances = np.sqrt(squares[chosen])
        weights = np.exp(-0.5 * (distances / 1.5) ** 2)
        colour = (memory.colours[near[chosen]] * weights[:, None]).sum(axis=0) / weights.sum()
        out[y, x] += np.clip(2 - distances[0] / 1.5, 0, 1) * (colour - out[y, x])
    return out


def view(rng: np.random.Generator, low: int, high: int, size: int = 7) -> tuple[Picture, Picture, Picture]:
    """A result, Z and Zpos of noise, most of it opaque, positions within some levels."""
    result, z = rng.integers(0, 256, (2, size, size, 4), dtype=np.uint8)
    for picture in (result, z):
        picture[..., 3] = np.where(rng.random((size, size)) < 0.8, 255, picture[..., 3])
    pos = rng.integers(low, high, (size, size, 4), dtype=np.uint8)
    return result, z, pos


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 400),
    low=st.sampled_from((0, 100, 244)),
    spread=st.sampled_from((1, 4, 12)),
    flat=st.sampled_from((None, 0, 1, 2)),
)
def test_it_agrees_with_a_tree(seed: int, count: int, low: int, spread: int, flat: int | None) -> None:
    rng = np.random.default_rng(seed)
    places, colours = rng.integers(low, low + spread, (count, 3)), rng.integers(0, 256, (count, 3))
    if flat is not None:
        # All memories in one column, or in few: positions may be of any frame.
        places[:, flat] = low
    memory = Memory(places.astype(np.uint8), colours.astype(np.uint8))
    result, z, pos = view(rng, low, min(256, low + 12))
    before = result.copy()
    found = recalled(result, z, pos, memory)
    assert np.abs(found[..., :3] - reference(result, z, pos, memory)).max() <= 0.5 + 1e-9
    assert_array_equal(found[..., 3], result[..., 3])
    assert_array_equal(found, recalled(result, z, pos, memory))
    assert_array_equal(result, before)


def test_without_anything_near_nothing_changes() -> None:
    rng = np.random.default_rng(0)
    result, z, pos = view(rng, 0, 100, 40)
    far = np.array([[102, 50, 50], [250, 250, 250]], np.uint8)
    assert_array_equal(recalled(result, z, pos, Memory(far, far)), result)
    near = Memory(np.ascontiguousarray(pos[0, :, :3]), np.zeros((40, 3), np.uint8))
    clear = result.copy()
    clear[..., 3] = 254
    assert_array_equal(recalled(clear, z, pos, near), clear)
    clear[..., 3] = 255
    assert (recalled(clear, z, pos, near)[..., :3] != clear[..., :3]).any()
    assert_array_equal(recalled(clear, z // 2, pos, near), clear)


def test_a_piece_of_a_frame_is_a_piece_of_the_whole() -> None:
    rng = np.random.default_rng(1)
    result, z, pos = view(rng, 0, 40, 60)
    memory = Memory(rng.integers(0, 40, (4000, 3), dtype=np.uint8), rng.integers(0, 256, (4000, 3), dtype=np.uint8))
    piece = np.s_[13:37, 5:50]
    assert_array_equal(
        recalled(result[piece], z[piece], pos[piece], memory), recalled(result, z, pos, memory)[piece], strict=True
    )


def figure(spot: bool, turn: int = 0, size: int = 120) -> Pair:
    """A square with grooves that Z shows wrongly, and its position; Y* has a contour and maybe a spot on it."""
    y, x = np.mgrid[:size, :size]
    inside = (abs(x - 50) < 30) & (abs(y - 60) < 35)
    gt = np.zeros((size, size, 4), np.uint8)
    gt[(abs(x - 50) < 32) & (abs(y - 60) < 37)] = (20, 20, 20, 255)
    gt[inside] = (200, 80, 60, 255)
    gt[inside & (y % 12 < 3)] = (60, 80, 200, 255)
    z = np.where(inside[..., None], gt, 0)
    if spot:
        gt[40:56, 42:60, :3] = SPOT
    pos = np.stack([2 * x, 2 * (119 - y), 120 + abs(x - 50), 255 * np.ones_like(x)], axis=2) * inside[..., None]
    z, pos, gt = (np.roll(picture, turn, axis=1).astype(np.uint8) for picture in (z, pos, gt))
    return Pair("square_00", "square", 0, z, pos, gt)


def test_what_is_remembered() -> None:
    pair = figure(spot=True)
    memory = remember(pair)
    assert memory is not None and len(memory) == 55 * 65
    shown = [np.flatnonzero((pair.pos[..., :3].reshape(-1, 3) == place).all(axis=1))[0] for place in memory.places]
    assert_array_equal(pair.gt.reshape(-1, 4)[shown, :3], memory.colours)
    soft = pair.gt.copy()
    soft[50, 50, 3] = 254
    fewer = remember(replace(pair, gt=soft))
    assert fewer is not None and len(fewer) == len(memory) - 1
    assert remember(replace(pair, pos=np.zeros_like(pair.pos))) is None
    assert remember(replace(pair, z=np.zeros_like(pair.z))) is None
    caped = pair.gt.copy()
    caped[50:60, 82:100] = 255
    without = remember(replace(pair, gt=caped))
    assert without is not None and 0 < len(without) < len(memory)
    assert len(without) == (agreed(replace(pair, gt=caped))[28:93, 23:78]).sum()


def test_a_memory_of_the_wrong_kind_is_refused() -> None:
    good = np.zeros((4, 3), np.uint8)
    for places, colours in ((good, good[:3]), (good[:, :2], good), (good.astype(int), good)):
        with pytest.raises(ValueError, match="not uint8"):
            Memory(places, colours)


def write_run(run: Path, with_pos: bool = True) -> Path:
    torch.manual_seed(0)
    config = ModelConfig("tiny", with_pos)
    save_model(run, 1, config, build_generator(config), {})
    return run


def write_frame(folder: Path, pair: Pair) -> Path:
    for name, picture in (("color", pair.z), ("pos", pair.pos)):
        (folder / name).mkdir(parents=True)
        (folder / name / "0.png").write_bytes(png.encode(picture))
    return folder


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments), "--device", "cpu"])


def adapt(top: Path, out: str, *more: str, with_pos: bool = True) -> Path:
    """The run of a model that was adapted, for two steps, to a frontal frame and a drawing with a spot."""
    pair, run = figure(spot=True), top / out
    frames = write_frame(top / f"{out} frontal", pair)
    (top / "drawing.png").write_bytes(png.encode(pair.gt))
    options = ("--frames", frames, "--drawing", top / "drawing.png", "--steps", "2", "--out", run)
    done = command("adapt", write_run(top / f"{out} model", with_pos), *options, *more)
    assert done.exit_code == 0, done.output
    return run


def enhanced(run: Path, source: Path, out: Path) -> Picture:
    done = command("enhance", run, source, "--out", out)
    assert done.exit_code == 0, done.output
    return png.decode((out / "0.png").read_bytes(), 4)


def test_a_spot_comes_back_where_it_is_seen_again(tmp_path: Path) -> None:
    novel = write_frame(tmp_path / "novel", figure(spot=False, turn=25))
    spot = np.s_[45:51, 72:80]
    with_it, without = adapt(tmp_path, "with"), adapt(tmp_path, "without", "--without", "recall")
    found, plain = (enhanced(run, novel, tmp_path / f"{run.name} out") for run in (with_it, without))
    assert np.abs(found[spot][..., :3].astype(int) - SPOT).max() <= 3
    assert np.abs(plain[spot][..., :3].astype(int) - SPOT).mean() > 60
    assert_array_equal(found[..., 3], plain[..., 3])
    memory = load_memory(with_it)
    assert memory is not None and load_memory(without) is None
    pair = figure(spot=False, turn=25)
    assert_array_equal(found, recalled(plain, pair.z, pair.pos, memory))
    other = command("enhance", without, novel, "--out", tmp_path / "with out")
    assert other.exit_code == 2 and "results of another model" in other.output


def test_frames_of_another_character_are_told(tmp_path: Path) -> None:
    run, pair = adapt(tmp_path, "run"), figure(spot=False, turn=25)
    same = command("enhance", run, write_frame(tmp_path / "same", pair), "--out", tmp_path / "same out")
    colours = np.where(pair.z[..., 3:] > 0, 255 - pair.z[..., :3], 0).astype(np.uint8)
    other = replace(pair, z=np.dstack([colours, pair.z[..., 3]]))
    foreign = command("enhance", run, write_frame(tmp_path / "other", other), "--out", tmp_path / "other out")
    assert (same.exit_code, foreign.exit_code) == (0, 0)
    assert "at odds with the frontal view" not in same.stderr
    assert "1 frame, the first '0', is at odds with the frontal view that the model was adapted to" in foreign.stderr


def test_a_model_without_the_hint_remembers_nothing(tmp_path: Path) -> None:
    run = adapt(tmp_path, "plain", with_pos=False)
    assert load_memory(run) is None and not list(run.rglob(MEMORY))
    assert load_memory(tmp_path / "plain model") is None


def test_a_damaged_memory_is_told_in_a_sentence(tmp_path: Path) -> None:
    run = adapt(tmp_path, "run")
    path = checkpoints(run)[-1] / MEMORY
    whole, state = path.read_bytes(), path.with_name(STATE).read_text()
    other = adapt(tmp_path, "other")
    count = len(load_memory(other) or ())

    def told() -> bool:
        done = command("enhance", run, tmp_path / "run frontal", "--out", tmp_path / "out")
        return done.exit_code == 1 and f"{MEMORY} is missing, cut off, damaged or of another run" in done.output

    assert not told()
    for broken in (whole[:-5], whole[: len(whole) // 2], whole[:4], b""):
        path.write_bytes(broken)
        assert told()
    path.unlink()
    assert told()
    path.write_bytes((path.with_name("model.safetensors")).read_bytes())
    assert told()
    path.write_bytes(whole)
    path.with_name(STATE).write_text(state.replace(f'"memories": {count}', f'"memories": {count + 1}'))
    assert told()
