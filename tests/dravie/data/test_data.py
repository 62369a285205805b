"""Frames, their cache, and patches as a function of seed and step."""

import colorsys
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from specsia_build.dataset.pairs import Pair, decode_pair, pair_columns
from specsia_build.dataset.reading import OpenedDataset, open_dataset
from specsia_build.dravie.config import REACH, ModelConfig
from specsia_build.dravie.data import frames as frames_module
from specsia_build.dravie.data.encoding import decode_output, encode_input
from specsia_build.dravie.data.frames import PIXEL_BYTES, Extent, FrameArrays, frames_of, open_frames
from specsia_build.dravie.data.patches import _recoloured, _Recolouring, prefetched
from specsia_build.dravie.drawing import NOWHERE, Drawing
from specsia_build.dravie.look_up import FAR
from specsia_build.dravie.train.train import validation_pairs
from specsia_build.errors import SpecsiaError
from specsia_build.pipeline.run import RunPaths
from specsia_build.rendering.contour import draw_contour
from specsia_build.rendering.ink import Ink
from tests.dataset.small import change, pixels, put
from tests.dravie.pairs import drawn_pair, make_pair, sampler


def test_input_channels() -> None:
    z, pos = np.zeros((2, 1, 4), np.uint8), np.zeros((2, 1, 4), np.uint8)
    z[0, 0], pos[0, 0] = (255, 0, 51, 255), (0, 255, 102, 255)
    seen = encode_input(z, pos, ModelConfig())
    assert seen.dtype == np.float32
    assert seen[0, 0].tolist() == pytest.approx([1, -1, -0.6, 1, -1, 1, -0.2])
    assert seen[1, 0].tolist() == [1, 1, 1, -1, -1, -1, -1]
    assert encode_input(z[1:], pos[:1], ModelConfig())[0, 0, 4:].tolist() == [-1, -1, -1]


def test_target_round_trip_and_clipping() -> None:
    gt = np.random.default_rng(0).integers(0, 256, (20, 30, 4), dtype=np.uint8)
    gt[:5, :, 3], gt[5:15, :, 3] = 0, 255
    gt[gt[..., 3] == 0] = 0
    back = decode_output(encode_input(gt, gt, ModelConfig())[..., :4])
    assert back.dtype == np.uint8 and np.array_equal(back, gt)
    painted = np.array([[[5, -5, 0, 5], [0, 0, 0, -5]]], np.float32)
    assert decode_output(painted).tolist() == [[[255, 0, 128, 255], [0, 0, 0, 0]]]


@pytest.fixture(scope="module")
def opened(dataset: Path) -> OpenedDataset:
    return open_dataset(dataset)


def _open(dataset: OpenedDataset, cache: Path, config: str = "fat", split: str = "train") -> FrameArrays:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(cache))
        return open_frames(dataset, config, split)


def _same(one: FrameArrays, two: FrameArrays) -> bool:
    arrays = ("pixels", "runs", "extents", "views")
    return all(np.array_equal(getattr(one, name), getattr(two, name)) for name in arrays)


def test_frames_hold_dataset_rows(opened: OpenedDataset, tmp_path: Path) -> None:
    frames = _open(opened, tmp_path)
    rows = list(opened.stream("fat", "train", pair_columns(opened)))
    assert len(frames) == len(rows) == 4
    for index, row in enumerate(rows):
        pair = decode_pair(row)
        assert tuple(frames.views[index]) == (pair.character_id, pair.content)
        at = Extent(*map(int, frames.extents[index]))
        shape = (at.height, at.width, PIXEL_BYTES)
        box = frames.pixels[at.offset :][: np.prod(shape)].reshape(shape)
        whole = np.zeros((*pair.z.shape[:2], PIXEL_BYTES), np.uint8)
        whole[at.top : at.top + at.height, at.left : at.left + at.width] = box
        held = whole[..., :4], whole[..., [4, 5, 6, 3]], whole[..., 7:11]
        assert all(map(np.array_equal, held, (pair.z, pair.pos, pair.gt)))
    assert not _same(frames, _open(opened, tmp_path, "thin"))


def test_patch_centres() -> None:
    pair = make_pair(3)
    frames = frames_of([pair])
    at = Extent(*frames.extents[0])
    ends = np.append(frames.runs[1:, 0], at.centres)
    centres = np.zeros((40, 40), bool)
    for (before, y, x), end in zip(frames.runs, ends, strict=True):
        centres[at.top + y, at.left + x : at.left + x + end - before] = True
    covered = (pair.z[..., 3] > 0) | (pair.gt[..., 3] > 0)
    assert np.array_equal(centres, ndimage.binary_dilation(covered, np.ones((2 * REACH + 1,) * 2, bool)))
    assert centres.sum() == at.centres


def test_cut_cache_is_remade(opened: OpenedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _open(opened, tmp_path)
    decoded: list[str] = []

    def counted(row: Mapping[str, Any]) -> Pair:
        decoded.append(row["uid"])
        return decode_pair(row)

    monkeypatch.setattr(frames_module, "decode_pair", counted)
    assert _same(first, _open(opened, tmp_path))
    assert not decoded
    for name in ("pixels.bin", "index.json"):
        (path,) = tmp_path.rglob(name)
        whole = path.read_bytes()
        # The first frames stay mapped to the whole file.
        path.unlink()
        path.write_bytes(whole[:-1])
        decoded.clear()
        assert _same(first, _open(opened, tmp_path))
        assert len(decoded) == 4


def test_cache_of_a_replaced_shard(dataset: Path, tmp_path: Path) -> None:
    mine = tmp_path / "dataset"
    shutil.copytree(dataset, mine)
    assert len(_open(open_dataset(mine), tmp_path / "cache")) == 4
    cut = next((mine / "data" / "fat").glob("train-*"))
    cut.write_bytes(cut.read_bytes()[:-100])
    with pytest.raises(SpecsiaError, match="damaged"):
        _open(open_dataset(mine), tmp_path / "cache")


def test_empty_rows_are_named(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(shutil.copytree(dataset, tmp_path / "dataset"))
    change(folder, lambda r: put(r["c_01"], "gt", np.zeros_like(pixels(r["c_01"], "gt"))), "train", "fat")
    frames = _open(open_dataset(folder), tmp_path / "cache")
    assert len(frames) == 3
    assert "c_01" in capsys.readouterr().err
    pair = make_pair(0)
    with pytest.raises(SpecsiaError, match="'c0_00' is all background"):
        frames_of([pair, replace(pair, z=np.zeros_like(pair.z))])


def test_clip_frames_give_patches(clips_run: RunPaths, tmp_path: Path) -> None:
    opened = open_dataset(clips_run.dataset)
    frames = _open(opened, tmp_path, "default")
    assert len(frames) == opened.splits("default")["train"]
    inputs, targets = sampler((frames,), 4).batch(0)
    assert inputs.shape[:3] == targets.shape[:3] == (4, 32, 32)
    assert len(validation_pairs(opened, ["default"], ModelConfig())) == 6


SIZE = 16


def _crops(pair: Pair) -> dict[bytes, tuple[int, int]]:
    """Centre by content of every crop of the encoded frame, white around it."""
    z, pos, gt = (np.pad(each, ((SIZE, SIZE), (SIZE, SIZE), (0, 0))) for each in (pair.z, pair.pos, pair.gt))
    config = ModelConfig()
    both = np.concatenate([encode_input(z, pos, config), encode_input(gt, gt, config)[..., :4]], axis=2)
    size = pair.z.shape[0]
    centres = {}
    for y in range(size):
        for x in range(size):
            top, left = y + SIZE - SIZE // 2, x + SIZE - SIZE // 2
            centres[both[top : top + SIZE, left : left + SIZE].tobytes()] = (y, x)
    return centres


def _joined(batch: tuple[NDArray[np.float32], NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.concatenate(batch, axis=3)


def test_patches_are_uniform_crops() -> None:
    pair = make_pair(1, size=24)
    drawn_from = sampler([frames_of([pair])], 4000, seed=5, augment="none", size=SIZE)
    crops = _crops(pair)
    centres = Counter(crops[patch.tobytes()] for patch in _joined(drawn_from.batch(0)))
    covered = (pair.z[..., 3] > 0) | (pair.gt[..., 3] > 0)
    foreground = ndimage.binary_dilation(covered, np.ones((2 * REACH + 1,) * 2, bool))
    assert all(foreground[centre] for centre in centres)
    expected = 4000 / foreground.sum()
    assert len(centres) > 0.97 * foreground.sum()
    spread = np.var([centres[y, x] for y, x in np.argwhere(foreground)])
    assert spread == pytest.approx(expected, rel=0.3)


def test_rows_are_drawn_equally() -> None:
    small, large = make_pair(1, size=24), make_pair(2, size=60)
    drawn_from = sampler([frames_of([small, large])], 2000, seed=1, augment="none", size=SIZE)
    crops = _crops(small)
    share = np.mean([patch.tobytes() in crops for patch in _joined(drawn_from.batch(3))])
    assert share == pytest.approx(0.5, abs=0.04)


def test_mirrored_patches() -> None:
    pair = make_pair(1)
    flipped = pair.pos.copy()
    flipped[..., 0] = np.where(pair.pos[..., 3] > 0, 255 - pair.pos[..., 0], 0)
    mirror = replace(pair, z=pair.z[:, ::-1], pos=flipped[:, ::-1], gt=pair.gt[:, ::-1])

    def uncoloured(other: Pair) -> set[bytes]:
        shape = (SIZE, SIZE, 11)
        return {np.frombuffer(crop, np.float32).reshape(shape)[..., 3:7].tobytes() for crop in _crops(other)}

    straight, turned = uncoloured(pair), uncoloured(mirror)
    drawn_from = sampler([frames_of([pair])], 400, seed=2, augment="colours", size=SIZE)
    patches = _joined(drawn_from.batch(0))
    drawn = [patch[..., 3:7].tobytes() for patch in patches if (patch[..., 3] > -1).any()]
    plain = [patch in straight for patch in drawn]
    assert all(p or patch in turned for p, patch in zip(plain, drawn, strict=True))
    assert np.mean(plain) == pytest.approx(0.5, abs=0.1)


def test_colours_change_together() -> None:
    pair = make_pair(4)
    same = replace(pair, gt=pair.z)
    plain = sampler([frames_of([same])], 64, seed=9, augment="none")
    inputs, targets = sampler([frames_of([same])], 64, seed=9).batch(0)
    assert np.array_equal(inputs[..., :4], targets) and np.abs(inputs).max() <= 1
    assert not np.array_equal(inputs[..., :3], plain.batch(0)[0][..., :3])
    assert (inputs[..., :3][inputs[..., 3] == -1] == 1).all()


def test_hues_turn_as_in_hsv() -> None:
    one, none = np.float32(1), np.float32(0)
    for colour in np.random.default_rng(2).integers(0, 256, (40, 3)):
        hue, saturation, value = colorsys.rgb_to_hsv(*(colour / 255))
        for turn in (0.7, 3.2):
            out = colour.astype(np.float32)
            _recoloured(out, _Recolouring(np.float32(turn), one, one, none))
            wanted = colorsys.hsv_to_rgb((hue + turn / 6) % 1, saturation, value)
            assert out / 255 == pytest.approx(wanted, abs=1e-3)


def test_grey_contour_stays_grey() -> None:
    pair = make_pair(4)
    alpha = np.where(pair.gt[..., 3:] > 0, np.uint8(255), np.uint8(0))
    grey = replace(pair, gt=np.concatenate([np.repeat(pair.gt[..., :1] // 2, 3, axis=2), alpha], axis=2))
    _, targets = sampler([frames_of([grey])], 64, seed=9).batch(0)
    assert np.ptp(targets[..., :3], axis=3).max() < 1e-6
    even = np.full((40, 40, 3), (200, 50, 50), np.uint8)
    red = replace(pair, gt=np.concatenate([even, alpha], axis=2))
    _, targets = sampler([frames_of([red])], 64, seed=9).batch(0)
    opaque = [patch[patch[..., 3] == 1][0, :3] for patch in targets if (patch[..., 3] == 1).any()]
    levels = (np.array(opaque) + 1) * 127.5
    assert levels.max() <= 255.01
    assert len(np.unique(np.argmax(levels, axis=1))) == 3
    # Patches of full contrast keep the saturation; in the others differences are up to four times smaller.
    full = np.isclose(levels.min(axis=1) / levels.max(axis=1), 0.25, atol=0.01)
    assert 0.5 < full.mean() < 0.9
    assert np.ptp(levels, axis=1).min() >= 0.25 * 0.7 * 150 - 1


def test_step_decides_patches() -> None:
    drawn_from = sampler([frames_of([make_pair(1), make_pair(2)])], 16, seed=7)
    ahead = list(prefetched(drawn_from, 3, 12, threads=3))
    assert len(ahead) == 9
    for step, batch in enumerate(ahead, start=3):
        assert np.array_equal(_joined(batch), _joined(drawn_from.batch(step)))
    assert not np.array_equal(ahead[0][0], ahead[1][0])
    assert not np.array_equal(drawn_from.batch(3)[0], sampler(drawn_from.frames, 16, seed=8).batch(3)[0])
    several = replace(drawn_from, frames=[frames_of([make_pair(1)]), frames_of([make_pair(2)])])
    assert np.array_equal(_joined(several.batch(3)), _joined(ahead[0]))


def test_turned_hint_keeps_height_and_radius() -> None:
    middle = make_pair(4)
    # Near the axis, so that no turn reaches the box's sides.
    near = middle.pos.copy()
    near[..., [0, 2]] = 128 + (near[..., [0, 2]].astype(int) - 128) // 4
    near[..., :3][near[..., 3] == 0] = 0
    pair = replace(middle, pos=near)
    plain = sampler([frames_of([pair])], 200, seed=3, augment="none")
    turned = sampler([frames_of([pair])], 200, seed=3, augment="turn")
    was, now = plain.batch(0)[0], turned.batch(0)[0]
    mirrored = [not np.array_equal(a[..., 3], b[..., 3]) for a, b in zip(was, now, strict=True)]
    assert np.mean(mirrored) == pytest.approx(0.5, abs=0.12)
    was, now = was[~np.array(mirrored)], now[~np.array(mirrored)]
    seen = was[..., 3] > -1
    assert np.array_equal(was[..., :4], now[..., :4])
    assert np.array_equal(was[..., 5], now[..., 5])
    assert (now[..., 4:][~seen] == -1).all()
    radii = [np.hypot(patches[..., 4], patches[..., 6])[seen] for patches in (was, now)]
    assert np.abs(radii[0] - radii[1]).max() < 1e-5
    kept = [np.array_equal(a, b) for a, b in zip(was, now, strict=True)]
    assert np.mean(kept) == pytest.approx(0.2, abs=0.12)


CHANCES = ("no_drawing", "no_contour", "redrawn", "other_back")
GUIDED: dict[str, Any] = {"reference": "drawing", "augment": "none", **dict.fromkeys(CHANCES, 0.0)}


def guided_frames(shift: float = 0.0) -> tuple[Pair, Drawing, FrameArrays]:
    pair = drawn_pair(shift)
    drawing = Drawing.of(pair)
    return pair, drawing, frames_of([pair], drawing=drawing)


def crops_of(whole: NDArray[np.float32]) -> set[bytes]:
    corners = product(range(96 - SIZE + 1), repeat=2)
    return {whole[y : y + SIZE, x : x + SIZE].tobytes() for y, x in corners}


def test_drawing_patches_are_crops() -> None:
    pair, drawing, frames = guided_frames()
    inputs, _ = sampler([frames], 32, size=SIZE, **GUIDED).batch(0)
    whole = encode_input(pair.z, pair.pos, ModelConfig(reference="drawing"), drawing)
    crops = crops_of(whole)
    assert all(patch.tobytes() in crops for patch in inputs)
    assert (inputs[..., 7:15] > -1).any()
    assert np.allclose(inputs[..., 19:], np.array([120, 20, 20, 20]) / 127.5 - 1)


def test_contour_of_several_colours() -> None:
    """Patches show it where whole frames do; it is recoloured like Y*, and not removed."""
    pair = drawn_pair(colour=(200, 190, 170))
    assert pair.gt_mask is not None
    inks = np.array([[150, 40, 20], [20, 40, 150]], np.uint8)
    shade = np.zeros((96, 96, 3), np.uint8)
    shade[:, :48], shade[:, 48:] = inks
    bare = np.dstack([pair.gt[..., :3], pair.gt_mask])
    pair = replace(pair, gt=draw_contour(bare, pair.gt_mask, 2, shade), outline_rgb=(85, 40, 85))
    z = pair.z.copy()
    z[:, 48:, :3] = np.where(z[:, 48:, 3:] > 0, 255 - z[:, 48:, :3], 0)
    pair = replace(pair, z=z)
    drawing = Drawing(*NOWHERE, Ink(2, z[[48, 48], [40, 56], :3], inks))
    frames = frames_of([pair], drawing=drawing)
    assert Extent(*frames.extents[0]).ink == -1
    inputs, _ = sampler([frames], 32, size=SIZE, **GUIDED | {"no_contour": 1.0}).batch(0)
    whole = encode_input(pair.z, pair.pos, ModelConfig(reference="drawing"), drawing)
    crops = crops_of(whole[..., 19:])
    assert all(patch[..., 19:].tobytes() in crops for patch in inputs)
    shown = np.rint((whole[..., 20:] + 1) * 127.5).reshape(-1, 3)
    assert set(map(tuple, shown)) == set(map(tuple, inks))
    inputs, targets = sampler([frames], 64, **GUIDED | {"augment": "colours"}).batch(0)
    line = (inputs[..., 3] == -1) & (targets[..., 3] == 1)
    assert line.any() and np.abs(inputs[line][:, 20:] - targets[line][:, :3]).mean() < 0.05


def test_withheld_drawing_is_no_drawing() -> None:
    _, _, frames = guided_frames()
    plain, _ = sampler([frames], 32, **GUIDED).batch(0)
    without, _ = sampler([frames], 32, **GUIDED | {"no_drawing": 1.0}).batch(0)
    assert np.array_equal(plain[..., :7], without[..., :7])
    assert (without[..., 7:] == -1).all()


def test_no_contour_no_style() -> None:
    pair, _, frames = guided_frames()
    inputs, targets = sampler([frames], 64, **GUIDED | {"no_contour": 1.0}).batch(0)
    assert np.allclose(inputs[..., 19:], [-1, 1, 1, 1])
    # The figure is of one colour, in its soft edges too.
    figure = (np.array([230, 120, 90]) / 127.5 - 1)[None]
    alpha = (targets[..., 3:] + 1) / 2
    on_white = alpha * figure + (1 - alpha)
    assert np.abs(targets[..., :3] - on_white).max() < 0.06
    assert ((targets[..., 3] + 1) * 127.5).max() == pytest.approx(255)
    assert pair.gt[..., 3].astype(int).sum() > pair.gt_mask.astype(int).sum()  # type: ignore[union-attr]


def test_redrawing_changes_only_the_drawing() -> None:
    _, _, frames = guided_frames()
    plain = sampler([frames], 64, **GUIDED).batch(0)
    redrawn = sampler([frames], 64, **GUIDED | {"redrawn": 1.0}).batch(0)
    assert np.array_equal(plain[1], redrawn[1])
    assert np.array_equal(plain[0][..., :7], redrawn[0][..., :7])
    assert np.array_equal(plain[0][..., [10, 14]], redrawn[0][..., [10, 14]])
    assert 0 < np.abs(plain[0][..., 7:10] - redrawn[0][..., 7:10]).max() < 1


def test_other_backs_differ_where_the_drawing_shows_nothing() -> None:
    pair = drawn_pair()
    left = pair.gt.copy()
    left[:, 40:] = 0
    frames = frames_of([pair], drawing=Drawing.of(replace(pair, gt=left)))
    plain, plain_targets = sampler([frames], 64, **GUIDED).batch(0)
    other, targets = sampler([frames], 64, **GUIDED | {"other_back": 1.0}).batch(0)
    hidden = (plain[..., 3] > -1) & (plain[..., 10] < FAR / 127.5 - 1)
    assert hidden.any() and not hidden.all()
    assert np.array_equal(plain[~hidden], other[~hidden])
    assert np.array_equal(plain_targets[~hidden], targets[~hidden])
    assert (np.abs(plain[..., :3] - other[..., :3]).max(-1) > 0.1)[hidden].mean() > 0.8
    assert np.array_equal(plain[..., 7:18], other[..., 7:18])
    assert (other[..., 18] <= plain[..., 18]).all() and (other[..., 18] < plain[..., 18]).any()


def test_drawing_is_recoloured_like_z() -> None:
    pair = drawn_pair()
    assert pair.gt_mask is not None
    same = replace(pair, z=np.dstack([pair.gt[..., :3], pair.gt_mask]))
    drawing = Drawing.of(same)
    inputs, _ = sampler([frames_of([same], drawing=drawing)], 64, **GUIDED | {"augment": "colours"}).batch(0)
    inside = (inputs[..., 3] == 1) & (inputs[..., 10] == 1)
    assert inside.any() and np.abs(inputs[inside][:, :3] - inputs[inside][:, 7:10]).max() < 0.03
