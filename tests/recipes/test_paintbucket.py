"""The recipe `paintbucket`: files read as BasicPBC reads them, frames it cannot use, names it would mangle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from specsia_build.errors import CharacterError
from specsia_build.recipes.paintbucket import SHEETS, TOP, folder_name, with_holes
from specsia_build.recipes.recipe import load_recipe
from tests.recipes.made import PALETTE, WALK_SIZE, walking, write_clips

RECIPE = load_recipe("paintbucket")

WALK = ["hero-walk-00", "hero-wave-00"]


def pixels(path: Path) -> NDArray[np.int64]:
    return np.asarray(Image.open(path)).astype(np.int64)


def numbers(path: Path) -> NDArray[np.int64]:
    """As BasicPBC's `read_seg_2_np`."""
    found = pixels(path)
    out: NDArray[np.int64] = found[..., 0] * 65536 + found[..., 1] * 256 + found[..., 2]
    if found.shape[2] == 4:
        out[found[..., 3] == 0] = -1
    return out


def record(path: Path) -> Any:
    return json.loads(path.read_text())


def stems(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.iterdir())


def test_all_files_of_a_frame_agree_with_its_segments(tmp_path: Path) -> None:
    write_clips(RECIPE, [walking(WALK[0], (12, 14))], tmp_path)
    top = tmp_path / "train" / TOP / "hero"
    seg, label = numbers(top / "seg/00001.png"), numbers(top / "label/00001.png")
    line, gt = pixels(top / "line/00001.png"), pixels(top / "gt/00001.png")
    assert pixels(top / "seg/00001.png").shape == (WALK_SIZE, WALK_SIZE, 3)
    assert np.unique(seg).tolist() == [0, 1, 2, 3]
    assert (line[seg == 0] == [0, 0, 0, 255]).all()
    assert (line[seg != 0] == [255, 255, 255, 0]).all()
    assert (np.asarray(Image.open(top / "line/00001.png").convert("RGB"))[seg != 0] == 255).all()
    # The head is the second region and comes first.
    index, colors = record(top / "json_index/00001.json"), record(top / "json_color/00001.json")
    assert list(index) == list(colors) == ["1", "2", "3"]
    assert [index[n][1] for n in index] == [-1, 2, 1]
    assert [index[n][0] for n in index] == [np.count_nonzero(seg == int(n)) for n in index]
    assert colors == {"1": [0, 0, 0, 0], "2": [*PALETTE[1], 255], "3": [*PALETTE[0], 255]}
    for number, (_, region) in index.items():
        assert (label[seg == int(number)] == region).all()
        assert (gt[seg == int(number)] == colors[number]).all()
    assert (label[seg == 0] == 0).all()
    assert (gt[seg == 0] == [0, 0, 0, 255]).all()


def test_background_that_lines_shut_in_is_a_segment_of_its_own() -> None:
    seg = np.ones((9, 12), np.int32)
    seg[2:7, 1:11] = 0
    seg[3:6, 2:4] = 2
    seg[3:6, 5:7] = seg[3:6, 8:10] = 1
    seg[2, 8] = 1
    found = with_holes(seg)
    assert (found[3:6, 5:7] == 3).all()
    assert (found[3:6, 8:10] == 1).all()
    np.testing.assert_array_equal(found[seg != 1], seg[seg != 1])
    assert found.max() == 3


def test_frames_are_numbered_through_all_clips_and_the_turntable_is_a_reference(tmp_path: Path) -> None:
    turn = walking("hero-turntable-00", range(8, 16), [45.0 * k for k in range(8)])
    part = write_clips(RECIPE, [turn, walking(WALK[0], (12, 14)), walking(WALK[1], (12, 13, 14))], tmp_path)
    top = tmp_path / "train" / TOP / "hero"
    for layer in ("gt", "line", "label", "seg", "json_color", "json_index"):
        assert stems(top / layer) == [f"{number:05d}" for number in range(5)]
        assert len(stems(top / "ref" / layer)) == SHEETS
    left = [numbers(top / "ref/seg" / f"{number:05d}.png").min(axis=0).argmin() for number in range(SHEETS)]
    assert left == [8, 10, 12, 14]
    assert part.facts == {"frames": 5, "left_out": 0, "sheets": SHEETS, "numbers": {WALK[0]: [0, 2], WALK[1]: [2, 3]}}


def test_frames_that_training_would_wait_at_are_left_out_and_counted(tmp_path: Path) -> None:
    bare, full = walking(WALK[1], (12,), lines=False), walking(WALK[0], (12, None, 14, 36))
    part = write_clips(RECIPE, [full, bare], tmp_path)
    assert part.facts["frames"] == 2
    assert part.facts["left_out"] == 3
    assert stems(tmp_path / "train" / TOP / "hero" / "seg") == ["00000", "00001"]
    turn = walking("hero-turntable-00", (8, 10), (0.0, 180.0))
    for only in (bare, turn):
        with pytest.raises(CharacterError):
            write_clips(RECIPE, [only], tmp_path / "other")


def test_a_character_of_the_test_has_colours_beside_its_segments(tmp_path: Path) -> None:
    part = write_clips(RECIPE, [walking(WALK[0], (12, 14))], tmp_path, "test")
    top = tmp_path / "test" / TOP / "hero"
    assert stems(top) == ["gt", "line", "seg"]
    assert record(top / "seg/00000.json")["2"] == [*PALETTE[1], 255]
    assert not list(RECIPE.verify(tmp_path, part))


@pytest.mark.parametrize(
    ("character", "folder"),
    [("Caroline", "CaroLine"), ("segpngt_line", "SegpnGt_Line"), ("Knight", "Knight"), ("CaroLine", "CaroLine")],
)
def test_no_name_holds_a_word_that_readers_replace(character: str, folder: str) -> None:
    assert folder_name(character) == folder
    for word, other in (("line", "seg"), ("seg", "label"), ("line", "gt"), ("gt", "seg"), ("png", "json")):
        assert folder.replace(word, other) == folder
