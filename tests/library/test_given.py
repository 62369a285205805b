"""What a caller hands over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specsia_build as specsia
from specsia_build.backends.selftest import figure
from specsia_build.library.given import given_mesh, given_pixels

PICTURE = np.zeros((8, 8, 4), np.uint8)
PICTURE[2:6, 2:6] = (200, 100, 50, 255)


@pytest.mark.parametrize(
    "same", [PICTURE, PICTURE.tolist(), PICTURE.astype(np.int64), np.asfortranarray(PICTURE), PICTURE[:, ::-1][:, ::-1]]
)
def test_whole_numbers_are_a_picture_whatever_holds_them(same: Any) -> None:
    found = given_pixels(same, "a picture")
    np.testing.assert_array_equal(found, PICTURE)
    assert found.dtype == np.uint8 and found.flags.c_contiguous


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (PICTURE / 255, "uint8, not float64 from 0 to 1"),
        (PICTURE.astype(np.float32), "uint8, not float32 from 0 to 255"),
        (PICTURE.astype(np.uint16) * 257, "uint8, not uint16 from 0 to 65535"),
        (PICTURE.astype(np.int64) - 1, "uint8, not int64 from -1 to 254"),
        (PICTURE > 0, "uint8, not bool"),
        (np.full(PICTURE.shape, np.nan), "uint8, not float64"),
        (PICTURE[..., :3], r"not \(8, 8, 3\)"),
        ("front.png", "not str"),
        (None, "not NoneType"),
    ],
)
def test_other_numbers_are_refused_and_not_cut(other: Any, said: str) -> None:
    with pytest.raises(specsia.UsageError, match=said):
        given_pixels(other, "a picture")
    with pytest.raises(specsia.UsageError, match=said):
        specsia.reconstruct(other)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"vertices": [[0, 0, 0]]}, "vertices of a mesh are a numpy array"),
        (
            {"faces": np.zeros((3, 4), np.int32)},
            r"faces of a mesh are a numpy array \(N, 3\), not numpy.ndarray \(3, 4\)",
        ),
        ({"faces": np.zeros((3, 3), np.float32)}, "faces of a mesh are whole numbers"),
        ({"faces": np.zeros((0, 3), np.int32)}, "has no faces"),
        ({"faces": np.full((3, 3), 10**6, np.int32)}, "faces that name others"),
        ({"vertices": figure().vertices * np.float32(np.nan)}, "vertices that are no finite numbers"),
        ({"vertices": figure().vertices * np.float32(0)}, "all its vertices at one place"),
    ],
)
def test_arrays_that_are_no_mesh_are_said(change: dict[str, Any], said: str) -> None:
    mesh = replace(figure())
    for name, value in change.items():
        object.__setattr__(mesh, name, value)
    with pytest.raises(specsia.UsageError, match=said):
        given_mesh(mesh)


@pytest.mark.parametrize("thing", ["man.glb", None, PICTURE])
def test_what_is_no_mesh_is_said(thing: Any) -> None:
    with pytest.raises(specsia.UsageError, match=r"a mesh is a specsia\.Mesh, or what specsia\.load gives, not"):
        specsia.render(thing)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"views": 4.0}, "views cannot be 4.0: it is a whole number from 1 to 360"),
        ({"size": np.float64(64)}, "it is a whole number from 32 to 2048"),
        ({"seed": "x"}, "seed cannot be 'x'"),
        ({"outline": 3}, r"outline is \(thickness in px, grey level\), not 3"),
        ({"outline": (1, 2, 3)}, "outline is"),
        ({"outline": (1.5, 3)}, "outline thickness cannot be 1.5"),
    ],
)
def test_odd_settings_of_a_rendering_are_told(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(specsia.UsageError, match=said):
        specsia.render(figure(), **{"views": 1, "size": 32, **settings})


def test_whole_numbers_of_numpy_are_whole_numbers() -> None:
    views = specsia.render(figure(), views=np.int64(2), size=np.int32(32), outline=(np.uint8(1), 3))  # type: ignore[arg-type]
    assert len(views) == 2 and views.outline == (1, 3)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"up": 3}, "'up' must be a text, not 3"),
        ({"up": "up"}, "'up' is 'up'"),
        ({"sides": "x"}, "'sides' is 'x'"),
        ({"drop": "Head"}, "'drop' must be a list of part names"),
        ({"drop": 3}, "'drop' must be a list of part names"),
        ({"texture": "nope.png"}, "there is no 'nope.png' for 'texture'"),
        ({"texture": 3}, "texture is a path"),
        ({"license": 3}, "'license' must be a text"),
        ({"id": "a/b"}, "the id 'a/b'"),
    ],
)
def test_odd_overrides_of_a_character_are_told(overrides: dict[str, Any], said: str) -> None:
    with pytest.raises(specsia.UsageError, match=said):
        specsia.load("sample:1", **overrides)


def test_a_procedural_character_takes_another_id() -> None:
    plain, named = specsia.load("sample:1"), specsia.load("sample:1", id="hero", drop=["none"])
    assert named.entry.id == "hero"
    np.testing.assert_array_equal(plain.mesh.vertices, named.mesh.vertices)


def test_odd_things_are_no_path_no_backend_and_no_ground_truth(tmp_path: Path) -> None:
    views = specsia.render(figure(), views=1, size=64)
    for call in (
        lambda: specsia.load(3),  # type: ignore[arg-type]
        lambda: specsia.load_model(None),  # type: ignore[arg-type]
        lambda: specsia.open_dataset([tmp_path]),  # type: ignore[arg-type]
        lambda: views.save(3),  # type: ignore[arg-type]
    ):
        with pytest.raises(specsia.UsageError, match="is a path, as text or a Path, not"):
            call()
    for call in (lambda: specsia.load(""), lambda: specsia.open_dataset(""), lambda: views.save("")):
        with pytest.raises(specsia.UsageError, match="is a path, and this one is empty"):
            call()
    with pytest.raises(specsia.UsageError, match="backend is a text"):
        specsia.reconstruct(views[0], backend=None)  # type: ignore[arg-type]
    with pytest.raises(specsia.UsageError, match="a mesh is a"):
        specsia.reconstruct(views[0], backend="fusion", ground_truth=views)  # type: ignore[arg-type]
    with pytest.raises(specsia.UsageError, match=r"learns from a packed dataset.* not from list"):
        specsia.train([views])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"bla": 1}, "a training has no setting 'bla'; they are configs, "),
        ({"steps": 1.5}, "steps cannot be 1.5: it is a whole number"),
        ({"with_pos": "no"}, "with_pos cannot be 'no': it is True or False"),
        ({"configs": "fat"}, r"configs cannot be 'fat': it is a tuple of names"),
        ({"device": "tpu"}, "device cannot be 'tpu': it is one of auto, cpu, cuda"),
        ({"out": 3}, "out is a path"),
    ],
)
def test_odd_settings_of_a_training_are_told(settings: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(specsia.UsageError, match=said):
        specsia.train(tmp_path, **settings)
