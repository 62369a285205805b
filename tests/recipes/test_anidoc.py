"""The recipe `anidoc`: what its loader needs, lines and tracks that agree with the film."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.films import read_mp4
from specsia_build.recipes.anidoc import AniDoc
from specsia_build.recipes.recipe import ClipFrames, Written
from tests.recipes.drawn import clip_frames, disc, part_of, ring, written

SIZE, FRAMES = 64, 5
KEY = "hero-walk-00"


def _moved(picture: NDArray[np.uint8], k: int) -> NDArray[np.uint8]:
    return np.roll(picture, 2 * k, axis=1)


def _clip(frames: int = FRAMES) -> ClipFrames:
    """A disc that goes 2 pixels to the right in each frame, with a track at its middle and one that gets lost."""
    line = ring(SIZE)
    tracks = [np.array([[32.5 + 2 * k, 32.5, 1], [20.5, 32.5, k == 0]], np.float32) for k in range(frames)]
    pictures = [_moved(disc(SIZE, 12), k) for k in range(frames)]
    return clip_frames(KEY, {"color": pictures, "line": [_moved(line, k) for k in range(frames)], "tracks": tracks})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a part was written; not to be changed."""
    return tmp_path_factory.mktemp("anidoc")


@pytest.fixture(scope="module")
def record(folder: Path) -> Written:
    found = written(AniDoc(), part_of(KEY, [_clip()]), folder)
    assert found.facts == {"frames": 61, "drawn": FRAMES, "points": 2}
    assert len(found.files) == 7
    assert list(AniDoc().verify(folder, found)) == []
    return found


def _frames(folder: Path, kind: str) -> NDArray[np.uint8]:
    return np.stack(list(read_mp4(folder / "train" / kind / f"{KEY}.mp4")[1]))


def test_films_are_what_the_loader_and_the_inference_take(record: Written, folder: Path) -> None:
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


def test_tracks_are_where_the_film_shows_their_points(record: Written, folder: Path) -> None:
    with np.load(folder / "train" / "tracks" / f"{KEY}.npz") as opened:
        found = dict(opened)
    assert found["points"].shape == (61, 2, 2)
    # Whole numbers are centres of pixels.
    np.testing.assert_array_equal(found["reference"], [[256, 160], [244, 160]])
    np.testing.assert_array_equal(found["points"][:, 0, 0], 256 + 2 * (np.arange(61) % FRAMES))
    assert found["visible"][:, 0].all()
    np.testing.assert_array_equal(found["visible"][:, 1], np.arange(61) % FRAMES == 0)
    with np.load(folder / "train" / "sparse" / f"{KEY}.npz") as opened:
        np.testing.assert_array_equal(opened["points"], found["points"][np.linspace(0, 60, 14, dtype=int)])


def test_a_film_of_another_length_is_a_problem(record: Written, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "train" / "control" / f"{KEY}.mp4"
    path.write_bytes((folder / "train" / "line" / f"{KEY}.mp4").read_bytes())
    (problem,) = AniDoc().verify(tmp_path, record)
    assert problem.startswith(f"train/control/{KEY}.mp4")
