"""Characters that are wrong in one way each: the right picture, or one sentence."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character
from specsia_build.config import BuildConfig
from specsia_build.errors import CharacterError
from specsia_build.stages.render import FRONT, render
from specsia_build.stages.stage import Job
from tests.characters.bad_characters import DRAWN, write_drawn

CONFIG = BuildConfig(size=64, views=4)


def front(name: str, folder: Path) -> NDArray[np.uint8]:
    """The frontal picture (64, 64, 4) of one of the figures."""
    path = folder / f"{name}.glb"
    write_drawn(name, path)
    # The same id for all: it decides the contour, which takes room.
    files = render(Job(Entry("figure", "gltf", path), CONFIG), {})[0].files
    return np.asarray(Image.open(io.BytesIO(files[FRONT])))


def differing(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Share of pixels that differ by more than 8 of 255."""
    return float(np.mean(np.abs(one.astype(int) - other.astype(int)).max(axis=-1) > 8))


def test_what_is_wrong_only_in_the_mesh_does_not_show(tmp_path: Path) -> None:
    plain = front("plain", tmp_path)
    assert 0.05 < np.mean(plain[..., 3] == 255) < 0.5
    shares = {name: differing(front(name, tmp_path), plain) for name in DRAWN}
    assert shares == pytest.approx(dict.fromkeys(DRAWN, 0.0), abs=0.005)


def test_a_mesh_of_another_format_is_called_what_it_is(tmp_path: Path) -> None:
    write_drawn("plain", tmp_path / "plain.glb")
    path = (tmp_path / "plain.glb").rename(tmp_path / "plain.obj")
    with pytest.raises(CharacterError, match=r"^plain\.obj is a GLB file"):
        read_character(Entry("figure", "obj", path))
    path = path.rename(tmp_path / "cut.glb")
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(CharacterError, match=r"^cut\.glb "):
        read_character(Entry("figure", "gltf", path))
