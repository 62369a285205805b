"""Procedural samples: files, meshes, textures, determinism, repair, rigs, motions; the 3DBiCar layout."""

import hashlib
import json
import shutil
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from specsia_build.animation.motion import poses
from specsia_build.characters.bicar import bicar_entry, read_bicar
from specsia_build.characters.character import Entry, RawMesh
from specsia_build.characters.read import AnimatedCharacter, read_animated, read_character
from specsia_build.characters.samples.make import SampleMesh, make_sample
from specsia_build.characters.samples.write import FILES, write_sample
from specsia_build.errors import CharacterError, UsageError

SEED = 3
COUNT = 2


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def dozen() -> list[SampleMesh]:
    return [make_sample(SEED, index) for index in range(12)]


@pytest.fixture(scope="module")
def folder(dozen: list[SampleMesh], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first of the dozen, written."""
    target = tmp_path_factory.mktemp("samples")
    with patch("specsia_build.characters.samples.write.make_sample", lambda _, index: dozen[index]):
        for index in range(COUNT):
            write_sample(target, index, SEED)
    return target


def test_files_follow_3dbicar(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [str(k) for k in range(COUNT)]
    for index in range(COUNT):
        assert sorted(digests(folder / str(index))) == sorted(FILES)
        assert sum((folder / str(index) / name).stat().st_size for name in FILES) < 1_000_000
    stated = json.loads((folder / "0" / "metadata.json").read_text(encoding="utf-8"))
    assert (stated["license"], stated["source"]) == ("CC0-1.0", "specsia procedural samples")
    assert stated["seed"] == SEED


def test_closed_and_facing_outwards(dozen: list[SampleMesh]) -> None:
    for sample in dozen:
        a, b, c = np.moveaxis(sample.vertices[sample.faces], 1, 0)
        links = np.ones(len(sample.faces)), sample.faces[:, :2].T
        _, part = connected_components(coo_array(links, (len(sample.vertices),) * 2))
        assert (np.bincount(part[sample.faces[:, 0]], np.einsum("ij,ij->i", np.cross(a, b), c)) > 0).all()
        edges = np.stack([sample.faces, np.roll(sample.faces, -1, axis=1)], axis=2).reshape(-1, 2)
        ways, counts = np.unique(edges, axis=0, return_counts=True)
        assert (counts == 1).all()
        assert {tuple(way) for way in ways.tolist()} == {tuple(way[::-1]) for way in ways.tolist()}
        assert sample.texels.min() > 0 and sample.texels.max() < 1


def test_sample_round_trip(folder: Path, dozen: list[SampleMesh]) -> None:
    for index in range(COUNT):
        character = read_character(bicar_entry(folder / str(index), str(index)))
        turned = (dozen[index].vertices * (1, 1, -1))[:, [0, 2, 1]]
        assert np.allclose(character.mesh.bounds(), (turned.min(axis=0), turned.max(axis=0)), atol=1e-3)
        (texture,) = [material.texture for material in character.mesh.materials]
        assert texture is not None and np.array_equal(texture.pixels[..., :3], dozen[index].image)
        assert not character.warnings


def test_drawing_fits_its_mask(folder: Path) -> None:
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


def test_seed_decides_bytes(folder: Path, tmp_path: Path) -> None:
    last = str(COUNT - 1)
    write_sample(tmp_path / "same", COUNT - 1, SEED)
    assert digests(tmp_path / "same" / last) == digests(folder / last)
    write_sample(tmp_path / "other", COUNT - 1, SEED + 1)
    ours, theirs = digests(tmp_path / "other" / last), digests(folder / last)
    assert all(ours[name] != theirs[name] for name in FILES if not name.endswith(".mtl"))


def test_only_broken_samples_are_rewritten(folder: Path, tmp_path: Path) -> None:
    path = folder / "0" / "tpose" / "m.obj"
    before = path.stat().st_mtime_ns
    write_sample(folder, 0, SEED)
    assert path.stat().st_mtime_ns == before
    shutil.copytree(folder / "0", tmp_path / "0")
    (tmp_path / "0" / "tpose" / "m.png").unlink()
    write_sample(tmp_path, 0, SEED)
    assert digests(tmp_path / "0") == digests(folder / "0")


def test_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "0" / "tpose").mkdir(parents=True)
    (tmp_path / "0" / "tpose" / "m.obj").write_text("v 0 0 0\n", encoding="ascii")
    with pytest.raises(UsageError):
        write_sample(tmp_path, 0, SEED)
    assert (tmp_path / "0" / "tpose" / "m.obj").read_text(encoding="ascii") == "v 0 0 0\n"


MOVING_SEED = 42
INDICES = (11, 30, 35)  # A robe, a wide body in trousers, a dress with a tail

MOTIONS = ("idle", "walk", "run", "jump", "wave", "turn")


@pytest.fixture(scope="module")
def movers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("samples")
    for index in INDICES:
        write_sample(target, index, MOVING_SEED)
    return target


@pytest.fixture(scope="module", params=INDICES)
def animated(movers: Path, request: pytest.FixtureRequest) -> AnimatedCharacter:
    return read_animated(bicar_entry(movers / str(request.param), str(request.param)))


def test_rig_and_six_motions(animated: AnimatedCharacter) -> None:
    still = read_character(animated.character.entry)
    assert np.array_equal(animated.character.mesh.vertices, still.mesh.vertices)
    assert tuple(motion.name for motion in animated.motions) == MOTIONS
    assert animated.spoilt == ()
    assert {"hips", "head", "leftUpperArm", "rightFoot"} <= set(animated.humanoid)
    assert len(animated.rig.weights) == len(still.mesh.vertices)
    assert_allclose(animated.rig.weights.sum(axis=1), 1, atol=1e-6)
    assert animated.rig.weights.min() >= 0
    at_rest = poses(animated.rig.skeleton, None, np.zeros(1))
    assert_allclose(animated.rig.vertices(at_rest, 0), still.mesh.vertices, atol=1e-5)


@pytest.mark.parametrize("name", MOTIONS)
def test_motions_stay_whole_and_grounded(animated: AnimatedCharacter, name: str) -> None:
    mesh, rig = animated.character.mesh, animated.rig
    motion = next(motion for motion in animated.motions if motion.name == name)
    played = poses(rig.skeleton, motion, np.linspace(0, motion.end, 16, endpoint=False))
    moved = np.stack([rig.vertices(played, k) for k in range(16)])
    height = float(np.ptp(mesh.vertices[:, 2]))
    edges = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    lengths = np.linalg.norm(moved[:, edges[:, 0]] - moved[:, edges[:, 1]], axis=2)
    at_rest = np.linalg.norm(mesh.vertices[edges[:, 0]] - mesh.vertices[edges[:, 1]], axis=1)
    assert (lengths - at_rest).max() < 0.2 * height
    ground = mesh.vertices[:, 2].min()
    lowest = (moved[..., 2].min(axis=1) - ground) / height
    assert lowest.min() > -0.05
    if name == "jump":
        assert lowest.max() > 0.04
    elif name != "run":
        assert lowest.max() < 0.01


@pytest.mark.parametrize("name", ["tpose/m.obj", "metadata.json"])
def test_changed_sample_has_no_rig(movers: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(movers / str(INDICES[0]), tmp_path / "7")
    text = (tmp_path / "7" / name).read_text()
    pair = ("\nv 0", "\nv 1") if name.endswith("obj") else ('"version": ', '"version": 9')
    changed = text.replace(*pair, 1)
    assert changed != text
    (tmp_path / "7" / name).write_text(changed)
    entry = bicar_entry(tmp_path / "7", "7")
    with pytest.raises(CharacterError):
        read_animated(entry)
    assert len(read_character(entry).mesh.faces) > 1000


def test_foreign_metadata_gives_no_rig(movers: Path, tmp_path: Path) -> None:
    shutil.copytree(movers / str(INDICES[0]), tmp_path / "7")
    forged = '{"source": "specsia procedural samples", "version": 3, "seed": -1}'
    for metadata in ("{", '{"source": "others"}', forged):
        (tmp_path / "7" / "metadata.json").write_text(metadata)
        assert read_animated(bicar_entry(tmp_path / "7", "7")).motions == ()


BODY = "mtllib wrong.mtl\ng torso\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nusemtl w\nf 1/1 2/1 3/1\n"
EYES = "v 0 0 1\nv 1 0 1\nv 1 1 1\nv 0 1 1\nvt 0 0\nf 1/1 2/1 3/1 4/1\n"


def make(folder: Path, eyes: bool = True, body_image: str | None = "m.BMP") -> Path:
    tpose = folder / "tpose"
    tpose.mkdir(parents=True)
    (tpose / "m.obj").write_text(BODY)
    (tpose / "wrong.mtl").write_text("newmtl w\nmap_Kd e.bmp\n")
    if body_image:
        Image.new("RGB", (4, 2), (255, 0, 0)).save(tpose / body_image)
    if eyes:
        (tpose / "e.obj").write_text(EYES)
        Image.new("RGB", (2, 2), (0, 0, 255)).save(tpose / "e.bmp")
    return folder


def read_folder(folder: Path, drop: tuple[str, ...] = ()) -> RawMesh:
    return read_bicar(Entry("a", "3dbicar", folder, drop=drop), moving=False)


def test_body_and_eye_images(tmp_path: Path) -> None:
    raw = read_folder(make(tmp_path / "12"))
    assert_array_equal(raw.mesh.faces, [[0, 1, 2], [3, 4, 5], [3, 5, 6]])
    assert_array_equal(raw.mesh.face_material, [0, 1, 1])
    body, eyes = (m.texture for m in raw.mesh.materials)
    assert body is not None and eyes is not None
    assert body.pixels[0, 0].tolist() == [255, 0, 0, 255] and body.pixels.shape == (2, 4, 4)
    assert eyes.pixels[0, 0].tolist() == [0, 0, 255, 255]
    assert (raw.up, raw.front, raw.warnings, raw.parts) == ("+y", "-y", (), ("m", "e", "eyes", "torso"))
    assert {p.name for p in raw.files} >= {"m.obj", "m.BMP", "e.obj", "e.bmp"}


def test_dropped_parts(tmp_path: Path) -> None:
    folder = make(tmp_path / "12")
    assert len(read_folder(folder, drop=("e",)).mesh.faces) == 1
    eyes_only = read_folder(folder, drop=("m",))
    assert (len(eyes_only.mesh.faces), eyes_only.parts) == (2, ("m", "e", "eyes"))
    assert len(read_folder(folder, drop=("eyes",)).mesh.faces) == 1
    with pytest.raises(CharacterError, match="12"):
        read_folder(folder, drop=("m", "e"))


def test_missing_eyes_and_images(tmp_path: Path) -> None:
    raw = read_folder(make(tmp_path / "12", eyes=False, body_image=None))
    assert (raw.parts, raw.mesh.materials[0].texture, len(raw.warnings)) == (("m", "torso"), None, 1)
    assert tmp_path / "12" / "tpose" / "e.obj" in raw.files


def test_folder_entry(tmp_path: Path) -> None:
    folder = make(tmp_path / "12")
    plain = bicar_entry(folder, "12")
    assert (plain.format, plain.path, plain.drawing, plain.problem) == ("3dbicar", folder, None, None)
    assert (plain.license, plain.source) == (None, "3DBiCar")
    (folder / "image").mkdir()
    (folder / "image" / "image_reshape512.jpeg").write_bytes(b"")
    assert bicar_entry(folder, "12").drawing == folder / "image" / "image_reshape512.jpeg"
