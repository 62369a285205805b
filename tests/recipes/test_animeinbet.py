"""The recipe `animeinbet`: lines as they are, graphs in whole pixels, and nothing that its reader fails on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specsia_build.errors import CharacterError
from specsia_build.recipes.animeinbet import JOINED, PLACES, POINTS, Animeinbet
from specsia_build.recipes.recipe import ClipFrames, load_recipe
from tests.recipes.made import clip_frames, part_of, written

SIZE, COUNT, FRAMES = 64, 70, 7

GRAPH = Path("train/labels/sway-her-o-00/Line0001.json")


def _graph(count: int = COUNT, shift: float = 0.0) -> dict[str, Any]:
    """A closed line of so many points."""
    turn = 2 * np.pi * np.arange(count) / count
    places = (SIZE / 2 + 20 * np.stack([np.cos(turn), np.sin(turn)], axis=-1) + shift).round(3)
    joined = [sorted({(k - 1) % count, (k + 1) % count}) for k in range(count)]
    return {PLACES: places.tolist(), JOINED: joined, POINTS: [3 * k for k in range(count)]}


def _clip(graphs: list[dict[str, Any]]) -> ClipFrames:
    lines = [np.full((SIZE, SIZE), 255, np.uint8) for _ in graphs]
    for line in lines:
        line[10:50, 30:32] = 0
    return clip_frames("her-o-sway-00", {"line": lines, "strokes": graphs})


def _part(graphs: list[dict[str, Any]] | None = None) -> Any:
    return part_of("her-o-sway-00", [_clip(graphs or [_graph()] * FRAMES)])


def test_points_are_the_pixels_that_hold_them(tmp_path: Path) -> None:
    facts = load_recipe("animeinbet").write(_part([_graph(shift=0.7 * k) for k in range(FRAMES)]), tmp_path)
    assert facts["frames"] == FRAMES
    for k in range(FRAMES):
        label = json.loads((tmp_path / f"train/labels/sway-her-o-00/Line{k + 1:04d}.json").read_text())
        graph = _graph(shift=0.7 * k)
        assert label[PLACES] == np.floor(graph[PLACES]).astype(int).tolist()
        assert (label[JOINED], label[POINTS]) == (graph[JOINED], graph[POINTS])
        picture = (tmp_path / f"train/frames/sway-her-o-00/Image{k + 1:04d}.png").read_bytes()
        assert picture == _clip([graph]).raw("line", 0)


def test_points_stay_in_the_picture(tmp_path: Path) -> None:
    graph = _graph()
    graph[PLACES][0], graph[PLACES][1] = [SIZE, -0.2], [SIZE + 3.0, 5.9]
    Animeinbet().write(_part([graph] * FRAMES), tmp_path)
    assert json.loads((tmp_path / GRAPH).read_text())[PLACES][:2] == [[SIZE - 1, 0], [SIZE - 1, 5]]


@pytest.mark.parametrize("graphs", [[_graph()] * 6, [*[_graph()] * 6, _graph(65)], [_graph(3051), *[_graph()] * 6]])
def test_clips_that_the_reader_fails_on_are_left_out(tmp_path: Path, graphs: list[dict[str, Any]]) -> None:
    with pytest.raises(CharacterError):
        Animeinbet().write(_part(graphs), tmp_path)


def test_what_it_wrote_passes_and_a_missing_graph_does_not(tmp_path: Path) -> None:
    part = written(Animeinbet(), _part(), tmp_path)
    assert list(Animeinbet().verify(tmp_path, part)) == []
    part.files.pop(GRAPH.as_posix())  # type: ignore[attr-defined]
    (problem,) = Animeinbet().verify(tmp_path, part)
    assert problem.startswith(GRAPH.as_posix())
