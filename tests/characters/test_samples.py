"""Procedural samples: files, meshes, textures, determinism and mending."""

from __future__ import annotations

import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from specsia_build.characters.samples.atlas import unwrap
from specsia_build.characters.samples.drawing import draw_front
from specsia_build.characters.samples.files import FILES
from specsia_build.characters.samples.make import Sample, make_sample
from specsia_build.characters.samples.write import layers, write_sample
from specsia_build.errors import UsageError

SEED = 3
COUNT = 3

AROUND = np.array([-1.0, 1.0, -1.0])
"""Half a turn about the vertical."""


@dataclass(frozen=True)
class Obj:
    """What a test reads of an OBJ."""

    vertices: NDArray[np.float64]
    uv: NDArray[np.float64]
    quads: NDArray[np.int64]
    quad_uv: NDArray[np.int64]


def read_obj(path: Path) -> Obj:
    rows: dict[str, list[list[str]]] = {"v": [], "vt": [], "f": []}
    for line in path.read_text(encoding="ascii").splitlines():
        word, *rest = line.split()
        if word in rows:
            rows[word].append(rest)
    corners = np.array([[corner.split("/") for corner in face] for face in rows["f"]], dtype=np.int64) - 1
    vertices, uv = np.array(rows["v"], dtype=np.float64), np.array(rows["vt"], dtype=np.float64)
    return Obj(vertices, uv, corners[..., 0], corners[..., 1])


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def volume(vertices: NDArray[np.float64], quads: NDArray[np.int64]) -> float:
    corners = vertices[np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])]
    return float((np.cross(corners[:, 0], corners[:, 1]) * corners[:, 2]).sum() / 6)


def edge_counts(quads: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many quads use each edge, whatever its direction, and in each direction."""
    edges = np.stack([quads.ravel(), np.roll(quads, -1, axis=1).ravel()], axis=1)
    both = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)[1]
    return both, np.unique(edges, axis=0, return_counts=True)[1]


@pytest.fixture(scope="module")
def dozen() -> list[Sample]:
    return [make_sample(SEED, index) for index in range(12)]


@pytest.fixture(scope="module")
def folder(dozen: list[Sample], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first of the dozen, written."""
    made = tmp_path_factory.mktemp("samples")
    with patch("specsia_build.characters.samples.write.make_sample", lambda _, index: dozen[index]):
        for index in range(COUNT):
            write_sample(made, index, SEED)
    return made


def test_layout_is_that_of_3dbicar(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [str(k) for k in range(COUNT)]
    for index in range(COUNT):
        assert sorted(digests(folder / str(index))) == sorted(FILES)


def test_metadata_states_origin_and_holds_no_paths(folder: Path) -> None:
    text = (folder / "0" / "metadata.json").read_text(encoding="utf-8")
    stated = json.loads(text)
    assert stated["license"] == "CC0-1.0"
    assert stated["source"] == "specsia procedural samples"
    assert stated["seed"] == SEED
    assert stated["name"]
    assert stated["parameters"]["species"]
    assert str(folder) not in text


@pytest.mark.parametrize("name", ["m", "e"])
def test_meshes_are_closed_quads_facing_outwards(folder: Path, name: str) -> None:
    for index in range(COUNT):
        obj = read_obj(folder / str(index) / "tpose" / f"{name}.obj")
        assert obj.quads.shape[1] == 4
        if name == "m":
            assert 5_000 <= len(obj.quads) <= 15_000
        both, directed = edge_counts(obj.quads)
        assert (both == 2).all()
        assert (directed == 1).all()
        assert volume(obj.vertices, obj.quads) > 0
        assert obj.uv.min() >= 0
        assert obj.uv.max() <= 1
        assert obj.quad_uv.max() < len(obj.uv)


def test_textures_are_square_bitmaps(folder: Path) -> None:
    for name, size in (("m", 1024), ("e", 256)):
        with Image.open(folder / "1" / "tpose" / f"{name}.bmp") as image:
            assert (image.format, image.mode, image.size) == ("BMP", "RGB", (size, size))


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


def test_same_seed_gives_the_same_bytes_whatever_the_count(folder: Path, tmp_path: Path) -> None:
    write_sample(tmp_path, COUNT - 1, SEED)
    last = str(COUNT - 1)
    assert digests(tmp_path / last) == digests(folder / last)


def test_another_seed_gives_another_character(folder: Path, tmp_path: Path) -> None:
    write_sample(tmp_path, 0, SEED + 1)
    ours, theirs = digests(tmp_path / "0"), digests(folder / "0")
    assert all(ours[name] != theirs[name] for name in FILES if not name.endswith(".mtl"))


def test_characters_stand_in_a_t_pose_on_both_feet(dozen: list[Sample]) -> None:
    for sample in dozen:
        vertices = sample.mesh.vertices
        size = np.ptp(vertices, axis=0)
        assert 0.5 < size[0] / size[1] < 1.5
        left, right = vertices[vertices[:, 0] > 0.01], vertices[vertices[:, 0] < -0.01]
        assert abs(left[:, 1].min() - right[:, 1].min()) < 1e-3
        assert abs(vertices[:, 1].min()) < 0.02
        build = sample.traits.build
        hands = np.abs(vertices[:, 0]) > 0.9 * np.abs(vertices[:, 0]).max()
        assert vertices[hands, 1].min() > 0.15
        assert np.abs(vertices[:, 0]).max() > build.chest


def test_eyes_are_on_the_front_of_the_head(dozen: list[Sample]) -> None:
    for sample in dozen:
        head = sample.traits.build.head
        eyes = sample.eyes.vertices
        assert eyes[:, 1].min() > 1.8 - 2 * head[1]
        assert eyes[:, 1].max() < 1.8
        half = len(eyes) // 2
        assert np.allclose(eyes[:half].mean(axis=0) * [-1, 1, 1], eyes[half:].mean(axis=0), atol=0.02)
        assert eyes[:, 2].mean() > 0.4 * head[2]


def test_silhouettes_differ(dozen: list[Sample]) -> None:
    masks = [draw_front(layers(sample))[1] > 0 for sample in dozen]
    for a in range(len(masks)):
        for b in range(a):
            overlap = (masks[a] & masks[b]).sum() / (masks[a] | masks[b]).sum()
            assert overlap < 0.97


def test_fronts_and_backs_differ(dozen: list[Sample]) -> None:
    for sample in dozen[:4]:
        turned = [replace(a, vertices=a.vertices * AROUND, normals=a.normals * AROUND) for a in layers(sample)]
        front, back = (draw_front(seen)[0].astype(int) for seen in (layers(sample), turned))
        assert np.abs(front - back[:, ::-1]).mean() > 1.0


def test_no_texel_of_the_surface_is_unpainted(dozen: list[Sample]) -> None:
    for sample in dozen[:4]:
        size = sample.image.shape[0]
        atlas = unwrap(sample.mesh, np.zeros(len(sample.mesh.quads), np.int64), size)
        painted = np.zeros(size * size, dtype=np.bool_)
        painted[atlas.texels] = True
        painted = painted.reshape(size, size)
        triangles = np.concatenate([atlas.uv[:, [0, 1, 2]], atlas.uv[:, [0, 2, 3]]])
        weights = np.random.default_rng(0).dirichlet(np.ones(3), size=len(triangles))
        spots = np.floor((triangles * weights[..., None]).sum(axis=1)).astype(int)
        rim = painted.copy()
        for shift in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)):
            rim |= np.roll(painted, shift, (0, 1))
        assert rim[spots[:, 1], spots[:, 0]].all()


def test_a_whole_character_is_not_rewritten(folder: Path) -> None:
    path = folder / "0" / "tpose" / "m.obj"
    before = path.stat().st_mtime_ns
    write_sample(folder, 0, SEED)
    assert path.stat().st_mtime_ns == before


def test_an_interrupted_run_is_mended(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "0", tmp_path / "0")
    (tmp_path / "0" / "tpose" / "e.bmp").unlink()
    (tmp_path / "0" / "metadata.json").unlink()
    write_sample(tmp_path, 0, SEED)
    assert digests(tmp_path) == {f"0/{name}": digest for name, digest in digests(folder / "0").items()}


def test_writers_of_one_character_lose_nothing(folder: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        for written in [pool.submit(write_sample, tmp_path, 0, SEED) for _ in range(3)]:
            written.result()
    assert [path.name for path in tmp_path.iterdir()] == ["0"]
    assert digests(tmp_path) == {f"0/{name}": digest for name, digest in digests(folder / "0").items()}


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "0" / "tpose").mkdir(parents=True)
    (tmp_path / "0" / "tpose" / "m.obj").write_text("v 0 0 0\n", encoding="ascii")
    with pytest.raises(UsageError, match="choose another folder"):
        write_sample(tmp_path, 0, SEED)
    assert (tmp_path / "0" / "tpose" / "m.obj").read_text(encoding="ascii") == "v 0 0 0\n"
