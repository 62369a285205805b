"""Arguments that are refused, and those that are taken as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specsia_build as specsia
from specsia_build.backends.selftest import figure
from specsia_build.library.checks import check_mesh, check_pixels

PICTURE = np.zeros((8, 8, 4), np.uint8)
PICTURE[2:6, 2:6] = (200, 100, 50, 255)


@pytest.mark.parametrize("same", [PICTURE, PICTURE.tolist(), PICTURE.astype(np.int64), np.asfortranarray(PICTURE)])
def test_whole_numbers_are_a_picture(same: Any) -> None:
    pixels = check_pixels(same, "a picture")
    np.testing.assert_array_equal(pixels, PICTURE)
    assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous


@pytest.mark.parametrize(
    "other",
    [PICTURE / 255, PICTURE.astype(np.uint16) * 257, PICTURE.astype(int) - 1, PICTURE > 0, PICTURE[..., :3], ""],
)
def test_other_pictures_are_refused(other: Any) -> None:
    for call in (lambda: check_pixels(other, "a picture"), lambda: specsia.reconstruct(other)):
        with pytest.raises(specsia.UsageError):
            call()


@pytest.mark.parametrize(
    "change",
    [
        {"vertices": [[0, 0, 0]]},
        {"faces": np.zeros((3, 4), np.int32)},
        {"faces": np.zeros((3, 3), np.float32)},
        {"faces": np.zeros((0, 3), np.int32)},
        {"faces": np.full((3, 3), 10**6, np.int32)},
        {"vertices": figure().vertices * np.float32(np.nan)},
        {"vertices": figure().vertices * np.float32(0)},
    ],
)
def test_arrays_that_are_no_mesh(change: dict[str, Any]) -> None:
    mesh = replace(figure())
    for name, value in change.items():
        object.__setattr__(mesh, name, value)
    for thing in (mesh, "man.glb", PICTURE):
        with pytest.raises(specsia.UsageError):
            check_mesh(thing)


def test_numbers_of_numpy_are_settings() -> None:
    views = specsia.render(figure(), views=np.int64(2), size=np.int32(32), outline=(np.uint8(1), 3))  # type: ignore[arg-type]
    assert len(views) == 2 and views.outline == (1, 3)


REFUSED: list[Callable[[Path], Any]] = [
    *(
        lambda _, s=s: specsia.load("sample:1", **s)
        for s in ({"up": 3}, {"drop": "Head"}, {"id": "a/b"}, {"colour": 1})
    ),
    lambda _: specsia.load("sample:1", texture="nope.png"),
    lambda _: specsia.load("sample:2"),
    *(
        lambda _, s=s: specsia.render(figure(), **{"views": 1, "size": 32, **s})
        for s in ({"views": 0}, {"views": 4.0}, {"seed": "x"}, {"colour": 1}, {"outline": 3}, {"outline": (1, 256)})
    ),
    lambda _: specsia.reconstruct(PICTURE, "fusion"),
    lambda _: specsia.reconstruct(PICTURE, "fusion", ground_truth=PICTURE),  # type: ignore[arg-type]
    *(
        lambda folder, s=s: specsia.train(folder, **s)
        for s in ({"bla": 1}, {"steps": 1.5}, {"with_pos": "no"}, {"configs": "fat"}, {"device": "tpu"})
    ),
    lambda folder: specsia.repair(folder / "drawing.png", colour=3),
    lambda folder: specsia.repair(folder / "drawing.png", views=0),
]


@pytest.mark.parametrize("call", REFUSED)
def test_wrong_arguments_are_refused(call: Callable[[Path], Any], tmp_path: Path) -> None:
    with pytest.raises(specsia.UsageError):
        call(tmp_path)


def test_a_procedural_character_takes_another_id() -> None:
    plain, named = specsia.load("sample:1"), specsia.load("sample:1", id="hero", drop=["none"])
    assert named.entry.id == "hero"
    np.testing.assert_array_equal(plain.mesh.vertices, named.mesh.vertices)
    with pytest.raises(specsia.SpecsiaError):
        specsia.render(plain, views=1, size=32, character_id="../x")
