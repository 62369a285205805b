"""The layout `conr`: sheets of different frames, all others as targets, exact poses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from specsia_build import npz, png
from specsia_build.dataset import places
from specsia_build.errors import CharacterError
from specsia_build.layouts.conr import BACKGROUNDS, IMAGES, PICTURES, POSES, RECORD, SHEET, SHEETS, Conr
from specsia_build.layouts.part import Pictures, Written, read_parts
from specsia_build.layouts.registry import load_layout
from tests.clips import SIZE as FIGURE_SIZE
from tests.clips import clips_config, run_clips, write_figures
from tests.layouts.clip_frames import clip_frames, disc, part_of

SIZE = 32


def _clip(action: str, view: int, frames: int = 3, radius: float = 10.0) -> Pictures:
    pictures = [disc(SIZE, radius, (20 * k, 40 * view, 80)) for k in range(frames)]
    poses = [(picture[..., 3:] > 0) * np.array([0.25, 0.5, 0.75, 1], np.float32) for picture in pictures]
    return clip_frames(f"hero-{action}-{view:02d}", {"color": pictures, "udp": poses}, 90.0 * view)


def _clips() -> list[Pictures]:
    return [_clip(action, view) for action in ("run", "wave") for view in range(4)]


def _numbers(folder: Path) -> list[int]:
    return sorted(int(path.stem) for path in folder.iterdir())


def test_sheets_and_targets_share_no_frame(tmp_path: Path) -> None:
    clips = _clips()
    assert load_layout("conr").write(part_of("hero", clips), tmp_path)["frames"] == 24
    folder = tmp_path / "train" / "hero"
    sheet, poses = _numbers(folder / SHEET), _numbers(folder / POSES)
    assert len(sheet) == SHEETS and poses == _numbers(folder / IMAGES)
    assert sorted(sheet + poses) == list(range(24))
    number = poses[0]
    clip, frame = clips[number // 3], number % 3
    assert (folder / IMAGES / f"{number:06d}.png").read_bytes() == clip.raw("color", frame)
    pose = npz.decode((folder / POSES / f"{number:06d}.npz").read_bytes())
    np.testing.assert_array_equal(pose, clip.frame("udp", frame), strict=True)
    record = json.loads((folder / RECORD).read_text())
    assert record["sheet"] == sheet
    firsts = {c.meta["id"]: 3 * k for k, c in enumerate(clips)}
    assert {one["clip"]: one["first"] for one in record["clips"]} == firsts


def test_sheet_covers_sides_and_actions(tmp_path: Path) -> None:
    Conr().write(part_of("hero", _clips(), "test"), tmp_path)
    chosen = [divmod(number // 3, 4) for number in _numbers(tmp_path / "test" / "hero" / SHEET)]
    assert {action for action, _ in chosen} == {0, 1}
    assert {view for _, view in chosen} == {0, 1, 2, 3}


def test_boxes_are_not_sheets(tmp_path: Path) -> None:
    full = np.full((SIZE, SIZE, 4), 255, np.uint8)
    pose = np.ones((SIZE, SIZE, 4), np.float32)
    clip = clip_frames("hero-near-00", {"color": [full] * 6, "udp": [pose] * 6})
    with pytest.raises(CharacterError):
        Conr().write(part_of("hero", [clip]), tmp_path)


def test_backgrounds_differ() -> None:
    part = Written("hero", "hero", "train", (), None, None, {}, {"frames": 5, "size": SIZE})
    found = dict(Conr().whole([part]))
    pictures = [png.decode(data, 3) for data in found.values()]
    assert all(name.startswith(f"{BACKGROUNDS}/") for name in found)
    assert {picture.shape for picture in pictures} == {(SIZE, SIZE, 3)}
    assert len(set(found.values())) == len(found)
    assert dict(Conr().whole([part])) == found


def test_own_backgrounds(tmp_path: Path) -> None:
    config = clips_config(write_figures(tmp_path / "figures", 1), layouts=["conr"], turntable=False)
    folder = run_clips(tmp_path / "run [old]", config)[0].root / "conr"
    (part,) = read_parts(folder / "parts.jsonl")
    assert list(Conr().check_part(folder, part)) == []
    assert part.facts == {"frames": 16, "size": FIGURE_SIZE}
    assert len(list((folder / BACKGROUNDS).iterdir())) == PICTURES
    places.refuse_other_files(folder)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_sheets_of_any_number(count: int, tmp_path: Path) -> None:
    config = clips_config(Path("sample:1"), layouts=["conr"], sheet_views=count)
    Conr().write(part_of("hero", _clips(), **Conr().options(config)), tmp_path)
    folder = tmp_path / "train" / "hero"
    assert len(_numbers(folder / SHEET)) == count
    assert sorted(_numbers(folder / SHEET) + _numbers(folder / POSES)) == list(range(24))
    with pytest.raises(CharacterError, match="sheet-views"):
        Conr().write(part_of("hero", _clips()[:1], sheet_views=3), tmp_path / "few")
