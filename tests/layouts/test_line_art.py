"""The layouts of line art, `animerun`, `paintbucket` and `animeinbet`, as their loaders read them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from specsia_build.errors import CharacterError
from specsia_build.layouts.animeinbet import JOINED, PLACES, POINTS, Animeinbet
from specsia_build.layouts.paintbucket import TOP, TURNTABLE_SHEETS, folder_name, with_holes
from specsia_build.layouts.part import Pictures
from specsia_build.layouts.registry import load_layout
from tests.layouts.clip_frames import (
    PALETTE,
    STEP,
    WALK_SIZE,
    clip_frames,
    label_at,
    line_of,
    part_of,
    walking,
    write_clips,
    written,
)
from tests.stages.clips.test_annotate import drawn_with

ANIMERUN, PAINTBUCKET = load_layout("animerun"), load_layout("paintbucket")

SCENE, OTHER = "hero-walk-00", "hero-wave-00"

COLUMNS = (12, 12 + STEP, 12 + 2 * STEP)


def record(path: Path) -> Any:
    return json.loads(path.read_text())


def pixels(path: Path) -> NDArray[np.int64]:
    return np.asarray(Image.open(path)).astype(np.int64)


def test_files_as_readers_take_them(tmp_path: Path) -> None:
    write_clips(ANIMERUN, [walking(SCENE, COLUMNS)], tmp_path)
    top, label = tmp_path / "train", label_at(COLUMNS[1])
    line, name = line_of(label), "0002"
    shown = pixels(top / f"Frame_Anime/{SCENE}/original/{name}.png")
    assert shown.shape == (WALK_SIZE, WALK_SIZE, 3)
    assert (shown[(label < 0) & (line == 255)] == 255).all()
    assert (shown[(label < 0) & (line == 220)] == 220).all()
    assert (shown[line == 0] == 0).all()
    assert (shown[(label == 1) & (line == 255)] == PALETTE[1]).all()
    np.testing.assert_array_equal(pixels(top / f"contour/{SCENE}/{name}.png"), np.dstack([line] * 3))
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
    assert matched.dtype == paper.dtype == np.uint8 and (matched == 1).all()
    assert ((paper == 0) == (segment == 0)).all()
    assert ((segment == 0) == (line == 0)).all()
    assert np.unique(segment).tolist() == [0, 1, 2, 3]
    assert record(top / f"SegMatching/{SCENE}/backward/{name}.json") == {str(n): [n] for n in range(4)}


def test_hidden_segments_are_unmatched(tmp_path: Path) -> None:
    part = write_clips(ANIMERUN, [walking(SCENE, (12, None, 14))], tmp_path)
    top = tmp_path / "train"
    matched = np.load(top / f"UnmatchedForward/{SCENE}/0001.npy")
    assert ((matched == 0) == (label_at(12) >= 0)).all()
    assert np.unique(np.load(top / f"Segment/{SCENE}/0002.npy")).tolist() == [0]
    matches = [record(top / f"SegMatching/{SCENE}/forward/{name}.json") for name in ("0001", "0002")]
    assert matches == [{"0": [-1], "1": [0], "2": [-1], "3": [-1]}, {"0": [1]}]
    assert not list(ANIMERUN.check_part(tmp_path, part))


def test_single_frame_is_not_a_scene(tmp_path: Path) -> None:
    with pytest.raises(CharacterError):
        write_clips(ANIMERUN, [walking(SCENE, (12,))], tmp_path)


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
def test_damaged_files(tmp_path: Path, name: str, spoil: bytes | np.ndarray[Any, Any]) -> None:
    part = write_clips(ANIMERUN, [walking(SCENE, COLUMNS)], tmp_path)
    assert not list(ANIMERUN.check_part(tmp_path, part))
    path = tmp_path / "train" / name
    if isinstance(spoil, bytes):
        path.write_bytes(spoil)
    else:
        np.save(path, spoil)
    problems = list(ANIMERUN.check_part(tmp_path, part))
    assert any(name in problem for problem in problems), problems
    # An impossible number of frames is a problem at once.
    assert len(list(ANIMERUN.check_part(tmp_path, replace(part, facts={"frames": 10**12})))) == 1


@pytest.mark.parametrize("name", ["animerun", "paintbucket"])
def test_frames_pass(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = load_layout(name)
    tmp_path.joinpath("figure").mkdir()
    _, made = drawn_with(tuple(layout.layers), tmp_path / "figure", monkeypatch)
    part = write_clips(layout, [Pictures(made.meta, made.files)], tmp_path / "out")
    assert part.facts["frames"] == len(made.meta["times"])
    assert not list(layout.check_part(tmp_path / "out", part))


def numbers(path: Path) -> NDArray[np.int64]:
    """As BasicPBC's `read_seg_2_np`."""
    found = pixels(path)
    out: NDArray[np.int64] = found[..., 0] * 65536 + found[..., 1] * 256 + found[..., 2]
    if found.shape[2] == 4:
        out[found[..., 3] == 0] = -1
    return out


def stems(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.iterdir())


def test_files_of_a_frame_agree(tmp_path: Path) -> None:
    write_clips(PAINTBUCKET, [walking(SCENE, (12, 14))], tmp_path)
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


def test_enclosed_background_is_a_segment() -> None:
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


def test_frame_numbers_and_reference(tmp_path: Path) -> None:
    turn = walking("hero-turntable-00", range(8, 16), [45.0 * k for k in range(8)])
    part = write_clips(PAINTBUCKET, [turn, walking(SCENE, (12, 14)), walking(OTHER, (12, 13, 14))], tmp_path)
    top = tmp_path / "train" / TOP / "hero"
    for layer in ("gt", "line", "label", "seg", "json_color", "json_index"):
        assert stems(top / layer) == [f"{number:05d}" for number in range(5)]
        assert len(stems(top / "ref" / layer)) == TURNTABLE_SHEETS
    sheets = [top / "ref/seg" / f"{number:05d}.png" for number in range(TURNTABLE_SHEETS)]
    left = [numbers(sheet).min(axis=0).argmin() for sheet in sheets]
    assert left == [8, 10, 12, 14]
    held = {"frames": 5, "left_out": 0, "sheets": TURNTABLE_SHEETS}
    assert part.facts == held | {"numbers": {SCENE: [0, 2], OTHER: [2, 3]}}


def test_unusable_frames_are_counted(tmp_path: Path) -> None:
    bare, full = walking(OTHER, (12,), lines=False), walking(SCENE, (12, None, 14, 36))
    part = write_clips(PAINTBUCKET, [full, bare], tmp_path)
    assert part.facts["frames"] == 2
    assert part.facts["left_out"] == 3
    assert stems(tmp_path / "train" / TOP / "hero" / "seg") == ["00000", "00001"]
    turn = walking("hero-turntable-00", (8, 10), (0.0, 180.0))
    for only in (bare, turn):
        with pytest.raises(CharacterError):
            write_clips(PAINTBUCKET, [only], tmp_path / "other")


def test_test_characters_have_colours(tmp_path: Path) -> None:
    part = write_clips(PAINTBUCKET, [walking(SCENE, (12, 14))], tmp_path, "test")
    top = tmp_path / "test" / TOP / "hero"
    assert stems(top) == ["gt", "line", "seg"]
    assert record(top / "seg/00000.json")["2"] == [*PALETTE[1], 255]
    assert not list(PAINTBUCKET.check_part(tmp_path, part))


@pytest.mark.parametrize(
    ("character", "folder"),
    [
        ("Caroline", "CaroLine"),
        ("segpngt_line", "SegpnGt_Line"),
        ("Knight", "Knight"),
        ("CaroLine", "CaroLine"),
    ],
)
def test_names_avoid_replaced_words(character: str, folder: str) -> None:
    assert folder_name(character) == folder
    for word, other in (("line", "seg"), ("seg", "label"), ("line", "gt"), ("gt", "seg"), ("png", "json")):
        assert folder.replace(word, other) == folder


SIZE, COUNT, FRAMES = 64, 70, 7

GRAPH = Path("train/labels/sway-her-o-00/Line0001.json")


def _graph(count: int = COUNT, shift: float = 0.0) -> dict[str, Any]:
    """A closed line of so many points."""
    turn = 2 * np.pi * np.arange(count) / count
    places = (SIZE / 2 + 20 * np.stack([np.cos(turn), np.sin(turn)], axis=-1) + shift).round(3)
    joined = [sorted({(k - 1) % count, (k + 1) % count}) for k in range(count)]
    return {PLACES: places.tolist(), JOINED: joined, POINTS: [3 * k for k in range(count)]}


def _clip(graphs: list[dict[str, Any]]) -> Pictures:
    lines = [np.full((SIZE, SIZE), 255, np.uint8) for _ in graphs]
    for line in lines:
        line[10:50, 30:32] = 0
    return clip_frames("her-o-sway-00", {"line": lines, "strokes": graphs})


def _part(graphs: list[dict[str, Any]] | None = None) -> Any:
    return part_of("her-o-sway-00", [_clip(graphs or [_graph()] * FRAMES)])


def test_points_are_their_pixels(tmp_path: Path) -> None:
    facts = Animeinbet().write(_part([_graph(shift=0.7 * k) for k in range(FRAMES)]), tmp_path)
    assert facts["frames"] == FRAMES
    for k in range(FRAMES):
        label = record(tmp_path / f"train/labels/sway-her-o-00/Line{k + 1:04d}.json")
        graph = _graph(shift=0.7 * k)
        assert label[PLACES] == np.floor(graph[PLACES]).astype(int).tolist()
        assert (label[JOINED], label[POINTS]) == (graph[JOINED], graph[POINTS])
        picture = (tmp_path / f"train/frames/sway-her-o-00/Image{k + 1:04d}.png").read_bytes()
        assert picture == _clip([graph]).raw("line", 0)


def test_points_stay_in_picture(tmp_path: Path) -> None:
    graph = _graph()
    graph[PLACES][0], graph[PLACES][1] = [SIZE, -0.2], [SIZE + 3.0, 5.9]
    Animeinbet().write(_part([graph] * FRAMES), tmp_path)
    assert record(tmp_path / GRAPH)[PLACES][:2] == [[SIZE - 1, 0], [SIZE - 1, 5]]


@pytest.mark.parametrize(
    "graphs", [[_graph()] * 6, [*[_graph()] * 6, _graph(65)], [_graph(3051), *[_graph()] * 6]]
)
def test_unreadable_clips_are_left_out(tmp_path: Path, graphs: list[dict[str, Any]]) -> None:
    with pytest.raises(CharacterError):
        Animeinbet().write(_part(graphs), tmp_path)


def test_missing_graph_is_found(tmp_path: Path) -> None:
    part = written(Animeinbet(), _part(), tmp_path)
    assert list(Animeinbet().check_part(tmp_path, part)) == []
    part.files.pop(GRAPH.as_posix())  # type: ignore[attr-defined]
    (problem,) = Animeinbet().check_part(tmp_path, part)
    assert problem.startswith(GRAPH.as_posix())
