"""What is said of a reconstruction that could be registered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from specsia_build.backends.placing import into_frame
from specsia_build.backends.selftest import figure
from specsia_build.rendering.colour import linear_to_srgb
from specsia_build.rendering.mesh import Mesh
from specsia_build.stages.doubts import Seen, doubts
from tests.rendering.scenes import look_at

TRUTH = figure()
READING = {"axes": ["+x", "-z", "+y"], "linear": True, "stated_in": "manifest.yaml"}


def said(mesh: Mesh, reading: dict[str, Any] | None = None, *, sees: bool = False) -> tuple[str, ...]:
    views = [look_at(mesh, yaw, size=192) for yaw in (0.0, 180.0)]
    truth = [look_at(TRUTH, yaw, size=192) for yaw in (0.0, 180.0)]
    seen = Seen(
        mesh,
        mesh,
        views[0].color,
        views[1].color,
        np.stack([view.mask for view in views]),
        truth[0].color,
        np.stack([view.mask for view in truth]),
        "unlit",
    )
    return doubts(seen, {"backend": "mine", "sees_ground_truth": sees, "warnings": [], "reading": reading})[0]


def coloured(change: Any) -> Mesh:
    assert TRUTH.colors is not None
    colors = TRUTH.colors.copy()
    colors[..., :3] = change(colors[..., :3])
    return replace(TRUTH, colors=colors)


def test_nothing_is_said_of_what_is_right() -> None:
    assert said(TRUTH, READING) == ()
    assert said(coloured(lambda c: np.clip(c * 1.3, 0, 1)), READING) == ()


@pytest.mark.parametrize(
    ("axes", "seems", "line"),
    [
        (("-x", "-y", "+z"), "face away", '["-x", "+z", "+y"] in manifest.yaml'),
        (("-x", "+y", "+z"), "be mirrored", '["-x", "-z", "+y"] in manifest.yaml'),
    ],
)
def test_another_frame_is_said_with_the_line_that_mends_it(axes: tuple[str, ...], seems: str, line: str) -> None:
    (sentence,) = said(into_frame(TRUTH, axes), READING)
    assert f"seems to {seems}: with axes: {line}" in sentence
    (without,) = said(into_frame(TRUTH, axes))
    assert f'axes: ["{axes[0]}", "{axes[1]}", "+z"] as its x, y, z' in without


def test_what_is_one_grey_or_coloured_otherwise_is_said() -> None:
    (grey,) = said(coloured(lambda c: np.full_like(c, 0.5)), READING)
    assert "mine shows one plain grey of 188 where the picture has more" in grey
    (other,) = said(coloured(lambda c: 1 - c), READING)
    assert "mine has other colours than the picture" in other


def test_pale_colours_are_said_with_the_line_that_mends_them() -> None:
    (pale,) = said(coloured(linear_to_srgb), READING)
    assert "mine is too pale" in pale
    assert "colors: srgb in manifest.yaml they would be 0.01 from the picture's" in pale
    (pale,) = said(coloured(linear_to_srgb), {**READING, "stated_in": None})
    assert "decoded once more they would be 0.01 from the picture's" in pale
