"""The layouts of films, `anidoc`, `control-video` and `flipsketch`, as their loaders read them."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import resvg_py
from numpy.typing import NDArray
from PIL import Image

from specsia_build import png
from specsia_build.dataset import places
from specsia_build.errors import CharacterError
from specsia_build.layouts.anidoc import AniDoc
from specsia_build.layouts.checks import MOST_BYTES, form_of
from specsia_build.layouts.control_video import TABLE_COLUMNS, ControlVideo
from specsia_build.layouts.flipsketch import FlipSketch
from specsia_build.layouts.line_styles import LineDrawing, behind
from specsia_build.layouts.media import caption, played, rgb
from specsia_build.layouts.part import Pictures, Written, read_parts
from specsia_build.layouts.registry import load_layout
from specsia_build.npz import encode_named
from specsia_build.pictures.films import read_mp4, write_mp4
from tests.clips import clips_config, run_clips, write_figures
from tests.layouts.clip_frames import clip_frames, disc, part_of, ring, written

SIZE, FRAMES, LENGTH = 64, 5, 9
KEY = "hero-walk-00"


def _moved(picture: NDArray[np.uint8], k: int) -> NDArray[np.uint8]:
    return np.roll(picture, 2 * k, axis=1)


def _clip(frames: int = FRAMES, fps: float = 12.0) -> Pictures:
    """A disc that goes 2 pixels to the right in each frame, with a track at its middle and one that gets
    lost."""
    layers: dict[str, Sequence[Any]] = {
        "color": [_moved(disc(SIZE, 12), k) for k in range(frames)],
        "line": [_moved(ring(SIZE), k) for k in range(frames)],
        "tracks": [
            np.array([[32.5 + 2 * k, 32.5, 1], [20.5, 32.5, k == 0]], np.float32) for k in range(frames)
        ],
    }
    return clip_frames(KEY, layers, fps=fps)


@pytest.fixture(scope="module")
def anidoc(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Written]:
    """Where a part was written, not to be changed, and its record."""
    folder = tmp_path_factory.mktemp("anidoc")
    record = written(AniDoc(), part_of(KEY, [_clip()]), folder)
    assert record.facts == {"frames": 61, "drawn": FRAMES, "points": 2}
    assert len(record.files) == 7
    assert list(AniDoc().check_part(folder, record)) == []
    return folder, record


def _frames(folder: Path, kind: str) -> NDArray[np.uint8]:
    return np.stack(list(read_mp4(folder / "train" / kind / f"{KEY}.mp4")[1]))


def test_loader_and_inference_read_films(anidoc: tuple[Path, Written]) -> None:
    folder, _ = anidoc
    color, line, control, sparse = (_frames(folder, kind) for kind in ("color", "line", "control", "sparse"))
    assert color.shape == line.shape == (61, 320, 512, 3)
    assert set(np.unique(line)) == {0, 255}
    np.testing.assert_array_equal(control, line[np.linspace(0, 60, 14, dtype=int)])
    np.testing.assert_array_equal(sparse, line[[0] * 7 + [60] * 7])
    reference = png.decode((folder / "train" / "reference" / f"{KEY}.png").read_bytes(), 3)
    assert np.abs(reference.astype(int) - color[0]).mean() < 2
    # The disc lies in the middle of a canvas on which something else is to be seen.
    assert tuple(reference[160, 256]) == (200, 80, 40)
    assert len(np.unique(reference[:100].reshape(-1, 3), axis=0)) > 10


def test_tracks_follow_the_film(anidoc: tuple[Path, Written]) -> None:
    folder, _ = anidoc
    with np.load(folder / "train" / "tracks" / f"{KEY}.npz") as opened:
        arrays = dict(opened)
    assert arrays["points"].shape == (61, 2, 2)
    # Whole numbers are centres of pixels.
    np.testing.assert_array_equal(arrays["reference"], [[256, 160], [244, 160]])
    np.testing.assert_array_equal(arrays["points"][:, 0, 0], 256 + 2 * (np.arange(61) % FRAMES))
    assert arrays["visible"][:, 0].all()
    np.testing.assert_array_equal(arrays["visible"][:, 1], np.arange(61) % FRAMES == 0)
    with np.load(folder / "train" / "sparse" / f"{KEY}.npz") as opened:
        np.testing.assert_array_equal(opened["points"], arrays["points"][np.linspace(0, 60, 14, dtype=int)])


def test_wrong_film_length(anidoc: tuple[Path, Written], tmp_path: Path) -> None:
    folder, record = anidoc
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "train" / "control" / f"{KEY}.mp4"
    path.write_bytes((folder / "train" / "line" / f"{KEY}.mp4").read_bytes())
    (problem,) = AniDoc().check_part(tmp_path, record)
    assert problem.startswith(f"train/control/{KEY}.mp4")


def _written(folder: Path) -> Written:
    record = written(ControlVideo(), part_of(KEY, [_clip(4)], frames=LENGTH), folder)
    for name, data in ControlVideo().whole([record]):
        (folder / name).write_bytes(data)
    return record


def test_film_length_and_white_ground(tmp_path: Path) -> None:
    record = _written(tmp_path)
    films = (tmp_path / kind / f"{KEY}.mp4" for kind in ("videos", "control"))
    video, control = (np.stack(list(read_mp4(film)[1])) for film in films)
    assert video.shape == control.shape == (LENGTH, SIZE, SIZE, 3)
    assert (video[:, 0, 0] > 250).all()
    assert np.abs(video[:, SIZE // 2, SIZE // 2].astype(int) - (200, 80, 40)).max() < 12
    assert np.abs(control[5, ..., 0].astype(int) - _clip().frame("line", 1)).max() <= 1
    assert list(ControlVideo().check_part(tmp_path, record)) == []


def test_tables_by_split(tmp_path: Path) -> None:
    record = _written(tmp_path)
    splits = {KEY: "train", "b": "validation", "c": "test"}
    parts = [replace(record, key=key, split=split) for key, split in splits.items()]
    texts = {name: io.StringIO(data.decode()) for name, data in ControlVideo().whole(parts)}
    tables = {name: list(csv.reader(text)) for name, text in texts.items()}
    said = "a hero character walks, on a white background"
    a, b, c = ([f"videos/{k}.mp4", f"control/{k}.mp4", f"reference/{k}.png", said] for k in splits)
    head = list(TABLE_COLUMNS)
    assert tables == {"metadata.csv": [head, a], "metadata_test.csv": [head, b, c]}
    assert all((tmp_path / name).is_file() for name in a[:3])


@pytest.mark.parametrize(("fps", "frames"), [(8.0, 16), (3.0, 16), (12.0, 32), (24.0, 48)])
def test_frames_per_item(tmp_path: Path, fps: float, frames: int) -> None:
    record = written(FlipSketch(), part_of(KEY, [_clip(fps=fps)], "test"), tmp_path)
    assert record.facts["frames"] == frames
    told, film = read_mp4(tmp_path / "test" / f"{KEY}.mp4")
    # What the loader reckons.
    every = max(1, round(told / 8))
    assert len(list(film)) // every == 16
    assert list(FlipSketch().check_part(tmp_path, record)) == []


def test_film_caption_and_first_frame(tmp_path: Path) -> None:
    FlipSketch().write(part_of(KEY, [_clip(fps=8.0)]), tmp_path)
    files = {path.name for path in (tmp_path / "train").iterdir()}
    assert files == {f"{KEY}.{end}" for end in ("mp4", "png", "txt")}
    assert (tmp_path / "train" / f"{KEY}.txt").read_bytes() == b"a hero character walks"
    sketch = png.decode((tmp_path / "train" / f"{KEY}.png").read_bytes(), 3)
    np.testing.assert_array_equal(sketch[..., 0], _clip().frame("line", 0))
    film = [frame[..., 0] for frame in read_mp4(tmp_path / "train" / f"{KEY}.mp4")[1]]
    for k, frame in enumerate(film):
        assert np.abs(frame.astype(int) - _clip().frame("line", k % 5)).max() <= 1


def _order(frames: int, least: int, loops: bool) -> list[int]:
    return played(clip_frames("a-b-00", {"color": [disc(8, 3)] * frames}, loops=loops), least)


def test_loops_repeat_and_others_bounce() -> None:
    assert _order(3, 8, loops=True) == [0, 1, 2, 0, 1, 2, 0, 1]
    assert _order(4, 10, loops=False) == [0, 1, 2, 3, 2, 1, 0, 1, 2, 3]
    assert _order(2, 5, loops=False) == [0, 1, 0, 1, 0]
    assert _order(5, 3, loops=False) == [0, 1, 2, 3, 4]
    with pytest.raises(CharacterError):
        _order(1, 61, loops=True)


def test_damaged_and_large_files(tmp_path: Path) -> None:
    grey = np.full((32, 48), 255, np.uint8)
    write_mp4(tmp_path / "a.mp4", iter([rgb(grey)] * 3), 8, lossless=True)
    assert form_of(tmp_path / "a.mp4") == (((32, 48, 3),), 3)
    (tmp_path / "b.mp4").write_bytes((tmp_path / "a.mp4").read_bytes()[:200])
    (tmp_path / "b.npz").write_bytes(b"PK\x03\x04")
    (tmp_path / "large.npz").write_bytes(encode_named({"points": np.zeros(MOST_BYTES // 8)}))
    np.save(tmp_path / "object.npy", np.array([{}]), allow_pickle=True)
    for name in ("b.mp4", "b.npz", "large.npz", "object.npy"):
        with pytest.raises(ValueError, match=r"\w"):
            form_of(tmp_path / name)


def test_drawn_clips_pass(tmp_path: Path) -> None:
    names = ["anidoc", "flipsketch", "control-video"]
    settings = {"layouts": names, "views": 1, "turntable": False, "patterns": ["walk"], "frames": 9}
    config = clips_config(write_figures(tmp_path / "figures", 1), **settings)
    paths, summary = run_clips(tmp_path / "run", config)
    assert summary.layouts == dict.fromkeys(names, 1)
    for name in names:
        (part,) = read_parts(paths.root / name / "parts.jsonl")
        assert part.facts["drawn"] == 4
        places.refuse_other_files(paths.root / name)
        assert list(load_layout(name).check_part(paths.root / name, part)) == []


@pytest.mark.parametrize(
    ("character", "action", "text"),
    [
        ("kaykit_knight", "HumanArmature|Walk", "a kaykit knight character walks"),
        ("quaternius_alien", "AlienArmature|Alien_Clapping", "a quaternius alien character is clapping"),
        ("kaykit_mage", "1H_Melee_Attack_Chop", "a kaykit mage character moves: melee attack chop"),
        ("animal_fox", "AnimalArmature|Idle_2", "an animal fox character stands idle"),
        ("platformer_character", "punch", "a platformer character punches"),
        ("robot", "Armature|Jump|BaseLayer", "a robot character jumps"),
        ("walkingRobot_scene", "Walk", "a walking robot character walks"),
        ("0007", "\u52d5\u4f5c", "a character moves"),
        ("caf\u00e9", "\u00c0_l'eau\nNA", "a cafe character moves: eau na"),
    ],
)
def test_plain_captions(character: str, action: str, text: str) -> None:
    assert caption({"character": character, "clip": {"action": action, "origin": "own"}}) == text
    still = {"character": "robot", "clip": {"action": "turntable", "origin": ""}}
    assert caption(still) == "a robot character stands still, seen from all around"


def _lined() -> Pictures:
    """A square whose line is a loop, with a stroke out of one corner, in the layers of line art."""
    line = np.full((SIZE, SIZE), 255, np.uint8)
    line[20:41, [20, 40]] = line[[20, 40], 20:41] = 0
    places = [[20, 20], [40, 20], [40, 40], [20, 40], [10, 10]]
    graph = {"vertex location": places, "connection": [[1, 3, 4], [0, 2], [1, 3], [0, 2], [0]]}
    return clip_frames(KEY, {"line": [line] * 3, "strokes": [graph] * 3}, fps=8.0)


def test_line_styles_and_svg(tmp_path: Path) -> None:
    shares: dict[str, float] = {}
    firsts: dict[str, NDArray[np.uint8]] = {}
    for style in ("thin", "marker", "pencil"):
        options: dict[str, Any] = {"line_style": style, "line_colour": "coloured", "svg_px": 1.5}
        folder = tmp_path / style
        folder.mkdir()
        record = written(FlipSketch(), part_of(KEY, [_lined()], **options), folder)
        assert list(FlipSketch().check_part(folder, record)) == []
        firsts[style] = picture = png.decode((folder / "train" / f"{KEY}.png").read_bytes(), 3)
        shares[style] = float((picture < 250).any(axis=2).mean())
        darkest = picture.reshape(-1, 3)[picture.sum(axis=2).argmin()].astype(int)
        assert np.ptp(darkest) > 60
    assert shares["thin"] < shares["pencil"] and 2 * shares["thin"] < shares["marker"]
    # A pencil's line is grainy and moves on twos; the same clip is always drawn alike.
    assert len(np.unique(firsts["pencil"])) > 50
    drawing = LineDrawing.of({"line_style": "pencil"}, KEY)
    frames = [drawing.levels(_lined().frame("line", 0), k) for k in range(4)]
    assert (
        (frames[0] == frames[1]).all() and (frames[1] != frames[2]).any() and (frames[2] == frames[3]).all()
    )
    svg = (tmp_path / "thin" / "train" / KEY / "0002.svg").read_text()
    lines = re.findall(r'<path d="M([^"]+)"', svg)
    ends = sorted((len(line.split()), line.split()[0], line.split()[-1]) for line in lines)
    assert [count for count, *_ in ends] == [2, 5] and ends[1][1:] == ("20.00,20.00", "20.00,20.00")
    drawn = np.array(Image.open(io.BytesIO(resvg_py.svg_to_bytes(svg_string=svg))).convert("RGBA"))
    assert drawn.shape == (SIZE, SIZE, 4)
    assert drawn[30, 20, 3] > 100 and drawn[15, 15, 3] > 100 and drawn[30, 30, 3] == 0


def test_other_reference_and_two_figures(tmp_path: Path) -> None:
    options: dict[str, Any] = {"reference": True, "figures": True, "line_colour": "coloured"}
    folder = tmp_path / "anidoc"
    record = written(AniDoc(), part_of(KEY, [_clip()], **options), folder)
    assert list(AniDoc().check_part(folder, record)) == [] and record.facts["points"] == 4
    color, line = (_frames(folder, kind).astype(int) for kind in ("color", "line"))
    orange = np.abs(color[0] - (200, 80, 40)).max(axis=2) < 25
    found = [int(np.flatnonzero(orange.any(axis=0))[k]) for k in (0, -1)]
    # One on the left, one on the right, two frames of two pixels ahead.
    assert found[0] == SIZE // 2 - 12 and found[1] == 512 - SIZE // 2 + 12 - 1 + 4
    packed: NDArray[np.int64] = np.unique(line @ np.array([65536, 256, 1]))
    colours = packed[:, None] >> np.array([16, 8, 0]) & 255
    assert len(colours) <= 40 and np.ptp(colours[colours.sum(axis=1).argmin()]) > 60
    with np.load(folder / "train" / "tracks" / f"{KEY}.npz") as opened:
        reference, points = opened["reference"], opened["points"]
        assert opened["reference_visible"].shape == (4,)
    # Of the frames whose points are farthest from those of the first, the first.
    assert tuple(reference[0]) == tuple(points[FRAMES - 2][0]) != tuple(points[0][0])
    picture = png.decode((folder / "train" / "reference" / f"{KEY}.png").read_bytes(), 3)
    assert np.abs(picture[int(reference[0, 1]), int(reference[0, 0])].astype(int) - (200, 80, 40)).max() == 0
    assert np.abs(picture[:60].astype(int) - color[0][:60]).mean() > 5


def test_far_figure_is_hidden() -> None:
    near = np.array([[0, 255, 255]], np.uint8)
    alpha, far = np.array([[255, 255, 0]], np.uint8), np.array([[0, 0, 0]], np.uint8)
    assert behind(near, alpha, far).tolist() == [[0, 255, 0]]
