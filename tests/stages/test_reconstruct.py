"""What a backend gives is taken as a surface, and what is said of a reconstruction that could be registered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specsia_build import png
from specsia_build.backends.base import Context, Reading
from specsia_build.backends.placing import into_frame
from specsia_build.backends.registry import load_backend
from specsia_build.backends.selftest import figure
from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig
from specsia_build.errors import LowQualityError
from specsia_build.rendering.colour import linear_to_srgb
from specsia_build.rendering.mesh import Mesh
from specsia_build.stages import render
from specsia_build.stages.doubts import Seen, doubts
from specsia_build.stages.reconstruct import accepted, reconstruct
from specsia_build.stages.stage import Artefact, Job
from tests.backends.drawings import Fake
from tests.rendering.scenes import look_at, sphere


def test_what_a_backend_makes_is_there_from_both_sides() -> None:
    ball = sphere(0.4).with_sides(double=False)
    given = accepted(ball, look_at(ball, size=96).color, load_backend("relief"), "a")
    assert [material.double_sided for material in given.materials] == [True]


def _reconstructed(make: Callable[[Context], Mesh]) -> Artefact:
    """The artefact of a figure by a backend that makes something of it."""
    seen = look_at(figure(), size=128)
    front, mask = png.encode(seen.color), png.encode(seen.mask)
    rendered = Artefact("a", {render.FRONT: front, "gt_00.png": front, "gt_mask_00.png": mask}, {})
    job = Job(Entry("a", "ply", Path("a.ply")), BuildConfig(source="a"), Fake(make))
    return reconstruct(job, {render.STAGE: rendered})[0]


def _lying(context: Context) -> Mesh:
    """Another frame than the picture's, read as a file in the axes of glTF."""
    context.note(Reading(("+x", "-z", "+y"), False, "backends.yaml"))
    return into_frame(figure(), ("+x", "-z", "+y"))


def _doubting(context: Context) -> Mesh:
    context.doubt("the figure lacks a tail")
    return figure()


def test_a_mesh_that_lies_is_refused_with_the_line_that_mends_it() -> None:
    with pytest.raises(LowQualityError) as caught:
        _reconstructed(_lying)
    assert caught.value.pictures and 'axes: ["+x", "+y", "+z"] in backends.yaml' in str(caught.value)


def test_what_a_backend_doubts_is_a_warning() -> None:
    assert _reconstructed(_doubting).meta["warnings"] == ["the figure lacks a tail"]


TRUTH = figure()
READING = {"axes": ["+x", "-z", "+y"], "linear": True, "stated_in": "manifest.yaml"}


def said(mesh: Mesh, reading: dict[str, Any] | None = None, *, sees: bool = False) -> tuple[str, ...]:
    views, truth = ([look_at(one, yaw, size=192) for yaw in (0.0, 180.0)] for one in (mesh, TRUTH))
    masks, goals = (np.stack([view.mask for view in seen]) for seen in (views, truth))
    seen = Seen(mesh, mesh, views[0].color, views[1].color, masks, truth[0].color, goals, "unlit")
    return doubts(seen, {"backend": "mine", "sees_ground_truth": sees, "warnings": [], "reading": reading})[0]


def coloured(change: Any) -> Mesh:
    assert TRUTH.colors is not None
    colors = TRUTH.colors.copy()
    colors[..., :3] = change(colors[..., :3])
    return replace(TRUTH, colors=colors)


AWAY, MIRRORED = ("-x", "-y", "+z"), ("-x", "+y", "+z")
UNSTATED = {**READING, "stated_in": None}


@pytest.mark.parametrize(
    ("make", "reading", "sentence"),
    [
        (lambda: into_frame(TRUTH, AWAY), READING, 'axes: ["-x", "+z", "+y"] in manifest.yaml'),
        (lambda: into_frame(TRUTH, AWAY), None, 'axes: ["-x", "-y", "+z"] as its x, y, z'),
        (lambda: into_frame(TRUTH, MIRRORED), READING, 'axes: ["-x", "-z", "+y"] in manifest.yaml'),
        (lambda: coloured(lambda c: np.full_like(c, 0.5)), READING, "one plain grey of 188"),
        (lambda: coloured(lambda c: 1 - c), READING, "mine has other colours"),
        (lambda: coloured(linear_to_srgb), READING, "colors: srgb in manifest.yaml they would be 0.01 from"),
        (lambda: coloured(linear_to_srgb), UNSTATED, "decoded once more they would be 0.01 from"),
    ],
)
def test_what_is_wrong_is_said_with_the_line_that_mends_it(make: Any, reading: Any, sentence: str) -> None:
    (found,) = said(make(), reading)
    assert sentence in found


def test_nothing_is_said_of_what_is_right() -> None:
    assert said(TRUTH, READING) == ()
    assert said(coloured(lambda c: np.clip(c * 1.3, 0, 1)), READING) == ()
