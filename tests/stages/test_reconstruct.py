"""What a backend gives is taken as a surface, whatever it says of its sides."""

from __future__ import annotations

from specsia_build.backends.registry import load_backend
from specsia_build.stages.reconstruct import accepted
from tests.rendering.scenes import look_at, sphere


def test_what_a_backend_makes_is_there_from_both_sides() -> None:
    ball = sphere(0.4).with_sides(double=False)
    given = accepted(ball, look_at(ball, size=96).color, load_backend("inflate"), "a")
    assert [material.double_sided for material in given.materials] == [True]
