"""Arguments that are refused, and those that are taken as they are."""

from __future__ import annotations

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
    found = check_pixels(same, "a picture")
    np.testing.assert_array_equal(found, PICTURE)
    assert found.dtype == np.uint8 and found.flags.c_contiguous


@pytest.mark.parametrize(
    "other",
    [
        PICTURE / 255,
        PICTURE.astype(np.uint16) * 257,
        PICTURE.astype(np.int64) - 1,
        PICTURE > 0,
        np.full(PICTURE.shape, np.nan),
        PICTURE[..., :3],
        "front.png",
        None,
    ],
)
def test_other_numbers_are_refused(other: Any) -> None:
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
    for thing in (mesh, "man.glb", None, PICTURE):
        with pytest.raises(specsia.UsageError):
            check_mesh(thing)


@pytest.mark.parametrize(
    "settings",
    [
        {"views": 4.0},
        {"size": np.float64(64)},
        {"seed": "x"},
        {"outline": 3},
        {"outline": (1, 2, 3)},
        {"outline": (1.5, 3)},
    ],
)
def test_settings_of_a_rendering(settings: dict[str, Any]) -> None:
    with pytest.raises(specsia.UsageError):
        specsia.render(figure(), **{"views": 1, "size": 32, **settings})
    views = specsia.render(figure(), views=np.int64(2), size=np.int32(32), outline=(np.uint8(1), 3))  # type: ignore[arg-type]
    assert len(views) == 2 and views.outline == (1, 3)


@pytest.mark.parametrize(
    "overrides",
    [{"up": 3}, {"up": "up"}, {"sides": "x"}, {"drop": "Head"}, {"texture": "nope.png"}, {"license": 3}, {"id": "a/b"}],
)
def test_overrides_of_a_character(overrides: dict[str, Any]) -> None:
    with pytest.raises(specsia.UsageError):
        specsia.load("sample:1", **overrides)


def test_a_procedural_character_takes_another_id() -> None:
    plain, named = specsia.load("sample:1"), specsia.load("sample:1", id="hero", drop=["none"])
    assert named.entry.id == "hero"
    np.testing.assert_array_equal(plain.mesh.vertices, named.mesh.vertices)


def test_paths_backends_and_ground_truth(tmp_path: Path) -> None:
    views = specsia.render(figure(), views=1, size=64)
    calls: list[Any] = [lambda one=one: specsia.load(one) for one in (3, "")]
    calls += [lambda one=one: specsia.open_dataset(one) for one in ([tmp_path], "")]
    calls += [lambda one=one: views.save(one) for one in (3, "")]
    calls += [
        lambda: specsia.load_model(None),  # type: ignore[arg-type]
        lambda: specsia.reconstruct(views[0], backend="fusion", ground_truth=views),  # type: ignore[arg-type]
        lambda: specsia.train([views]),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(specsia.UsageError):
            call()


@pytest.mark.parametrize(
    "settings", [{"bla": 1}, {"steps": 1.5}, {"with_pos": "no"}, {"configs": "fat"}, {"device": "tpu"}, {"out": 3}]
)
def test_settings_of_a_training(settings: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(specsia.UsageError):
        specsia.train(tmp_path, **settings)
