"""What a backend gives is taken as a surface, whatever it says of its sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from specsia_build import png
from specsia_build.backends.base import Backend, Context, Reading
from specsia_build.backends.placing import into_frame
from specsia_build.backends.registry import load_backend
from specsia_build.backends.selftest import figure
from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig
from specsia_build.errors import LowQualityError
from specsia_build.films import Pixels
from specsia_build.rendering.mesh import Mesh
from specsia_build.stages import render
from specsia_build.stages.reconstruct import accepted, reconstruct
from specsia_build.stages.stage import Artefact, Job
from tests.rendering.scenes import look_at, sphere


def test_what_a_backend_makes_is_there_from_both_sides() -> None:
    ball = sphere(0.4).with_sides(double=False)
    given = accepted(ball, look_at(ball, size=96).color, load_backend("relief"), "a")
    assert [material.double_sided for material in given.materials] == [True]


@dataclass
class Lying(Backend):
    """Gives the figure in another frame than the picture's, read as a file in the axes of glTF."""

    axes: tuple[str, ...]
    name: str = "mine"
    version: int = 1
    sees_ground_truth: bool = False
    needs_yaw: bool = False

    def settings(self) -> Mapping[str, Any]:
        return {}

    def reconstruct(self, image: Pixels, context: Context) -> Mesh:
        context.note(Reading(("+x", "-z", "+y"), False, "backends.yaml"))
        return into_frame(figure(), self.axes)


@dataclass
class Doubting(Lying):
    """Gives the figure as it is, and doubts it."""

    def reconstruct(self, image: Pixels, context: Context) -> Mesh:
        context.doubt("the figure lacks a tail")
        return figure()


def _rendered() -> Artefact:
    seen = look_at(figure(), size=128)
    return Artefact(
        "a",
        {
            render.FRONT: png.encode(seen.color),
            "gt_00.png": png.encode(seen.color),
            "gt_mask_00.png": png.encode(seen.mask),
        },
        {},
    )


def _job(backend: Backend) -> Job:
    return Job(Entry("a", "ply", Path("a.ply")), BuildConfig(source="a"), backend)


def _refusal(axes: tuple[str, ...]) -> str:
    with pytest.raises(LowQualityError) as caught:
        reconstruct(_job(Lying(axes)), {render.STAGE: _rendered()})
    assert caught.value.pictures
    return str(caught.value)


def test_a_mesh_that_lies_is_refused_with_the_line_that_mends_it() -> None:
    said = _refusal(("+x", "-z", "+y"))
    assert "does not look like the picture" in said
    assert 'it seems to lie or stand on its head: with axes: ["+x", "+y", "+z"] in backends.yaml' in said


def test_what_a_backend_doubts_is_a_warning() -> None:
    made, _ = reconstruct(_job(Doubting(("+x", "+y", "+z"))), {render.STAGE: _rendered()})
    assert made.meta["warnings"] == ["the figure lacks a tail"]
