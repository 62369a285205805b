"""Vertices far from all others."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character
from specsia_build.config import BuildConfig
from specsia_build.errors import CharacterError
from specsia_build.stages.render import render
from specsia_build.stages.stage import Job, Stopwatch

GRID = "".join(f"v {x} {y} {z}\n" for x in (-0.2, 0, 0.2) for y in (0, 0.6, 1.2, 1.8) for z in (-0.1, 0, 0.1, 0.2))
COUNT = 48
FACES = "".join(f"f {k} {k + 1} {k + 5}\n" for k in range(1, COUNT - 4))


def warnings(folder: Path, more: str) -> list[str]:
    (folder / "hero.obj").write_text(f"o body\n{GRID}{FACES}{more}")
    character = read_character(Entry(id="hero", format="obj", path=folder / "hero.obj"))
    return [one for one in character.warnings if "from its middle" in one or "is flat" in one]


@pytest.mark.parametrize("far", [60.0, 9000.0])
def test_vertices_far_from_the_rest_are_told_with_their_part(tmp_path: Path, far: float) -> None:
    corners = f"v {far} 1 0\nv {far + 0.1} 1 0\nv {far} 1.1 0\n"
    (said,) = warnings(tmp_path, f"o leftover\n{corners}f {COUNT + 1} {COUNT + 2} {COUNT + 3}\n")
    assert said.startswith("3 of the 51 vertices of hero.obj, in 1 triangle ('leftover'), lie ")
    assert "or more from its middle, all others within" in said


def test_one_vertex_far_from_the_rest_is_told_as_one(tmp_path: Path) -> None:
    (said,) = warnings(tmp_path, f"v 60 1 0\nf 1 2 {COUNT + 1}\n")
    assert said.startswith("1 of the 49 vertices of hero.obj, in 1 triangle ('body'), lies ")
    assert said.endswith("the figure becomes tiny beside it, or cannot be drawn; delete it")


def test_what_reaches_far_step_by_step_is_no_stray(tmp_path: Path) -> None:
    spear = "".join(f"v 0 {y} 0\n" for y in np.geomspace(3, 60, 4))
    chain = "".join(f"f {COUNT + k} {COUNT + k + 1} {COUNT + k + 2}\n" for k in range(3))
    assert not [one for one in warnings(tmp_path, spear + chain) if "from its middle" in one]


def test_a_figure_without_strays_is_not_doubted(tmp_path: Path) -> None:
    assert warnings(tmp_path, "") == []


def ball(name: str, middle: tuple[float, float, float], radius: float, rings: int = 12) -> str:
    """A closed sphere whose vertices follow the grid's."""
    turns, levels = np.arange(2 * rings) * np.pi / rings, np.arange(rings + 1) * np.pi / rings
    level, turn = (angles.ravel() for angles in np.meshgrid(levels, turns, indexing="ij"))
    points = np.column_stack([np.sin(level) * np.cos(turn), np.cos(level), np.sin(level) * np.sin(turn)])
    vertices = "".join(f"v {x:.5f} {y:.5f} {z:.5f}\n" for x, y, z in points * radius + middle)
    across, faces = 2 * rings, ""
    for k in range(rings * across):
        a, b = COUNT + 1 + k, COUNT + 1 + k - k % across + (k + 1) % across
        faces += f"f {a} {b} {b + across} {a + across}\n"
    return f"o {name}\n{vertices}{faces}"


@pytest.mark.parametrize("middle", [(8.0, 1.0, 0.0), (180.0, 1.0, 0.0), (0.0, 180.0, 0.0)])
def test_a_far_piece_of_most_vertices_is_told_with_the_line_that_drops_it(
    tmp_path: Path, middle: tuple[float, float, float]
) -> None:
    (said,) = warnings(tmp_path, ball("Sphere", middle, 0.1))
    assert said.startswith("312 of the 360 vertices of hero.obj, in 576 triangles ('Sphere'), lie ")
    assert said.endswith(
        'the figure becomes tiny beside them, or cannot be drawn: "drop": ["Sphere"] in its manifest line '
        "leaves them out"
    )
    dropped = read_character(Entry(id="hero", format="obj", path=tmp_path / "hero.obj", drop=("Sphere",)))
    assert not [one for one in dropped.warnings if "from its middle" in one]


def test_of_two_pieces_of_like_size_either_may_be_the_figure(tmp_path: Path) -> None:
    (said,) = warnings(tmp_path, ball("Sphere", (180.0, 1.0, 0.0), 1.0))
    assert said.endswith(
        'the figure, whichever it is, becomes tiny: "drop": ["body"] in its manifest line leaves out \'body\', '
        '"drop": ["Sphere"] leaves out \'Sphere\''
    )


def test_a_figure_that_a_far_piece_leaves_too_small_to_draw_is_refused_for_that(tmp_path: Path) -> None:
    (said,) = warnings(tmp_path, ball("Sphere", (180.0, 1.0, 0.0), 0.1))
    entry = Entry(id="hero", format="obj", path=tmp_path / "hero.obj")
    with pytest.raises(CharacterError, match=re.escape(f"view 0 of hero shows (almost) nothing: {said}")):
        render(Job(entry, BuildConfig(size=64)), {}, Stopwatch())


@pytest.mark.parametrize(
    "more",
    [
        ball("pet", (1.5, 2.2, 0.0), 0.2),
        ball("balloon", (0.5, 4.0, 0.0), 0.3),
        f"o spear\nv 0.2 0 0\nv 0.2 6 0\nv 0.25 0 0\nf {COUNT + 1} {COUNT + 2} {COUNT + 3}\n",
    ],
)
def test_what_a_figure_has_beside_it_is_no_stray(tmp_path: Path, more: str) -> None:
    assert not [one for one in warnings(tmp_path, more) if "from its middle" in one]
