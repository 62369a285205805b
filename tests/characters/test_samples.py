"""Procedural samples: files, meshes, textures, proportions, determinism and repair."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

from specsia_build.characters.bicar import bicar_entry
from specsia_build.characters.read import read_character
from specsia_build.characters.samples.make import Sample, make_sample
from specsia_build.characters.samples.write import FILES, write_sample
from specsia_build.errors import UsageError

SEED = 3
COUNT = 2


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def dozen() -> list[Sample]:
    return [make_sample(SEED, index) for index in range(12)]


@pytest.fixture(scope="module")
def folder(dozen: list[Sample], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first of the dozen, written."""
    target = tmp_path_factory.mktemp("samples")
    with patch("specsia_build.characters.samples.write.make_sample", lambda _, index: dozen[index]):
        for index in range(COUNT):
            write_sample(target, index, SEED)
    return target


def test_files_are_those_of_3dbicar_and_under_a_megabyte(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [str(k) for k in range(COUNT)]
    for index in range(COUNT):
        assert sorted(digests(folder / str(index))) == sorted(FILES)
        assert sum((folder / str(index) / name).stat().st_size for name in FILES) < 1_000_000
    stated = json.loads((folder / "0" / "metadata.json").read_text(encoding="utf-8"))
    assert (stated["license"], stated["source"], stated["seed"]) == ("CC0-1.0", "specsia procedural samples", SEED)


def test_surfaces_are_closed_and_face_outwards(dozen: list[Sample]) -> None:
    for sample in dozen:
        triangles = np.concatenate([sample.corners[:, [0, 1, 2]], sample.corners[:, [0, 2, 3]]])
        flat = (triangles == np.roll(triangles, 1, axis=1)).any(axis=1)
        a, b, c = np.moveaxis(sample.vertices[triangles[~flat]], 1, 0)
        assert np.einsum("ij,ij->", np.cross(a, b), c) > 0
        edges = np.stack([triangles[~flat], np.roll(triangles[~flat], -1, axis=1)], axis=2).reshape(-1, 2)
        ways, counts = np.unique(edges, axis=0, return_counts=True)
        assert (counts == 1).all()
        assert {tuple(way) for way in ways.tolist()} == {tuple(way[::-1]) for way in ways.tolist()}
        assert sample.uv.min() > 0
        assert sample.uv.max() < 1


def test_a_written_sample_reads_back_the_same(folder: Path, dozen: list[Sample]) -> None:
    for index in range(COUNT):
        character = read_character(bicar_entry(folder / str(index), str(index)))
        turned = (dozen[index].vertices * (1, 1, -1))[:, [0, 2, 1]]
        assert np.allclose(character.mesh.bounds(), (turned.min(axis=0), turned.max(axis=0)), atol=1e-3)
        (texture,) = [material.texture for material in character.mesh.materials]
        assert texture is not None
        assert np.array_equal(texture.pixels[..., :3], dozen[index].image)
        assert not character.warnings
        assert not character.doubts


def test_drawing_is_dark_lined_on_white_and_fits_its_mask(folder: Path) -> None:
    for index in range(COUNT):
        picture = np.asarray(Image.open(folder / str(index) / "image" / "image_reshape512.jpeg").convert("L"))
        mask = np.asarray(Image.open(folder / str(index) / "image" / "mask512.png"))
        assert picture.shape == mask.shape == (512, 512)
        assert set(np.unique(mask)) == {0, 255}
        assert 0.05 < (mask > 0).mean() < 0.6
        rows, columns = np.nonzero(mask)
        assert min(rows.min(), columns.min(), 511 - rows.max(), 511 - columns.max()) > 50
        assert picture[:40].min() > 240
        beside = (mask == 0) & (np.roll(mask, 1, 1) > 0)
        assert np.median(picture[beside]) < 70


def test_same_seed_gives_the_same_bytes_and_another_seed_others(folder: Path, tmp_path: Path) -> None:
    last = str(COUNT - 1)
    write_sample(tmp_path / "same", COUNT - 1, SEED)
    assert digests(tmp_path / "same" / last) == digests(folder / last)
    write_sample(tmp_path / "other", COUNT - 1, SEED + 1)
    ours, theirs = digests(tmp_path / "other" / last), digests(folder / last)
    assert all(ours[name] != theirs[name] for name in FILES if not name.endswith(".mtl"))


def test_a_whole_character_is_not_rewritten_and_a_broken_one_is(folder: Path, tmp_path: Path) -> None:
    path = folder / "0" / "tpose" / "m.obj"
    before = path.stat().st_mtime_ns
    write_sample(folder, 0, SEED)
    assert path.stat().st_mtime_ns == before
    shutil.copytree(folder / "0", tmp_path / "0")
    (tmp_path / "0" / "tpose" / "m.png").unlink()
    (tmp_path / "0" / "metadata.json").unlink()
    write_sample(tmp_path, 0, SEED)
    assert digests(tmp_path / "0") == digests(folder / "0")


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "0" / "tpose").mkdir(parents=True)
    (tmp_path / "0" / "tpose" / "m.obj").write_text("v 0 0 0\n", encoding="ascii")
    with pytest.raises(UsageError):
        write_sample(tmp_path, 0, SEED)
    assert (tmp_path / "0" / "tpose" / "m.obj").read_text(encoding="ascii") == "v 0 0 0\n"
