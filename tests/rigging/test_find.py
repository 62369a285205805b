"""Joints found in pictures: places, sides, kinds; the network with and without torch; what it has seen."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from scipy.ndimage import maximum_filter

from specsia_build.arrays import Pixels
from specsia_build.backends.relief.net import inputs, kept_on_white
from specsia_build.backends.relief.sheets import SIZE, crop_of
from specsia_build.characters.sources import open_source, read_manifest
from specsia_build.errors import CharacterError
from specsia_build.networks.unet import read_tensors
from specsia_build.rigging import find, train
from specsia_build.rigging.doodles import drawn_person
from specsia_build.rigging.examples import JointPicture, drawings_of, pictures_of
from specsia_build.rigging.find import JOINT_WEIGHTS, find_joints
from specsia_build.rigging.joints import JOINTS, OTHER_SIDE
from specsia_build.rigging.looks import Looks

CARD = JOINT_WEIGHTS.with_name("MODEL_CARD.md")
SEEN = JOINT_WEIGHTS.with_name("seen.json")
MOST_BYTES = 1_500_000


def in_square(picture: JointPicture, size: int = 256) -> tuple[Pixels, np.ndarray]:
    """A picture (size, size, 4) with the figure away from its middle, and its joints (22, 3)."""
    out = np.zeros((size, size, 4), np.uint8)
    height, width = picture.color.shape[:2]
    out[7 : 7 + height, 21 : 21 + width] = picture.color
    return out, picture.joints + np.array([21, 7, 0], np.float32)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Pixels, np.ndarray]]:
    """Procedural characters, of another seed than those that it has learnt from, each at rest and moved."""
    entries = open_source("sample:5", tmp_path_factory.mktemp("samples")).entries
    return [in_square(picture) for entry in entries for picture in pictures_of(entry, 0, 2)]


def test_finds_joints_of_people(people: list[tuple[Pixels, np.ndarray]]) -> None:
    errors = []
    for picture, joints in people:
        found, places = find_joints(picture), joints[:, :2]
        legs = [JOINTS.index(side + "UpperLeg") for side in ("left", "right")]
        np.testing.assert_allclose(joints[0, :2], places[legs].mean(axis=0), atol=0.01)
        assert np.nanmean(np.abs(found.inside - joints[:, 2])) < 0.15
        height = np.ptp(np.nonzero(picture[..., 3].any(axis=1))[0])
        errors.append(np.linalg.norm(found.pixels - places, axis=1) / height)
        swapped = np.linalg.norm(found.pixels[list(OTHER_SIDE)] - places, axis=1) / height
        assert found.kind == "person" and np.nanmean(errors[-1]) <= np.nanmean(swapped)
        assert (found.confidence >= 0).all() and (found.confidence <= 1).all()
    known = np.concatenate(errors)[~np.isnan(np.concatenate(errors))]
    assert known.mean() < 0.03 and (known < 0.1).mean() > 0.97


def test_mirrored_and_moved(people: list[tuple[Pixels, np.ndarray]]) -> None:
    picture, _ = people[0]
    found, again = find_joints(picture), find_joints(picture.copy())
    assert found.pixels.tobytes() == again.pixels.tobytes()
    assert found.inside.tobytes() == again.inside.tobytes()
    mirrored = find_joints(np.ascontiguousarray(picture[:, ::-1]))
    flipped = mirrored.pixels[list(OTHER_SIDE)] * (-1, 1) + (len(picture), 0)
    np.testing.assert_allclose(flipped, found.pixels, atol=0.05)
    np.testing.assert_allclose(mirrored.inside[list(OTHER_SIDE)], found.inside, atol=1e-3)
    moved = find_joints(np.roll(picture, (11, 17), (0, 1)))
    np.testing.assert_allclose(moved.pixels - found.pixels, np.tile((17, 11), (len(JOINTS), 1)), atol=0.05)


def test_animal_is_no_person(characters_dir: Path) -> None:
    entries = {entry.id: entry for entry in read_manifest(characters_dir / "everything.jsonl")}
    alpaca = next(iter(pictures_of(entries["animal_alpaca"], 1, 1)))
    assert find_joints(in_square(alpaca)[0]).kind == "four-legged"
    king = next(iter(pictures_of(entries["man_king"], 0, 1)))
    assert find_joints(in_square(king)[0]).kind == "person"


@pytest.mark.parametrize("shape", [(64, 64, 4), (64, 80, 4), (64, 64, 3)])
def test_refuses_what_is_no_figure(shape: tuple[int, ...]) -> None:
    with pytest.raises(CharacterError, match="joints"):
        find_joints(np.zeros(shape, np.uint8))


def test_same_maps_with_torch(people: list[tuple[Pixels, np.ndarray]]) -> None:
    picture = people[1][0]
    small = crop_of(picture[..., 3] >= 128).resized(kept_on_white(picture))
    network = train.JointNet()
    for name, array in read_tensors(JOINT_WEIGHTS).items():
        whole = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array
        network.state_dict()[name].copy_(torch.from_numpy(np.ascontiguousarray(whole)))
    x = torch.from_numpy(inputs(small, 0.0)).permute(2, 0, 1)[None]
    with torch.no_grad():
        maps = network(train.ReliefFeatures()(x))
    heat = torch.nn.functional.pixel_shuffle(maps[:, : find.HEATS], find.SUBCELLS)[0].permute(1, 2, 0)
    heats, *others = find.maps_of(find.sight_of(small))
    np.testing.assert_allclose(heats, heat.numpy(), atol=2e-3)
    rest = maps[0, find.HEATS :].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(np.concatenate(others, axis=-1), rest, atol=2e-3)


def test_joints_follow_other_looks() -> None:
    """Every joint of a picture that is nothing but discs at its joints lies on a disc after any change, and
    left is at the right."""
    y, x = np.mgrid[:200, :200] + 0.5
    joints = np.random.default_rng(1).uniform(20, 180, (len(JOINTS), 3)).astype(np.float32)
    joints[:4, :2] = [(8, 8), (192, 8), (8, 192), (192, 192)]
    joints[5] = np.nan
    joints[6:14, 0] = 120 + joints[6:14, 0] / 3
    joints[14:, 0] = 10 + joints[14:, 0] / 3
    near = [np.hypot(x - column, y - row) < 8 for column, row, _ in joints]
    color = np.where(np.any(near, axis=0)[..., None], np.uint8(255), np.uint8(0)).repeat(4, axis=2)
    looks = Looks([(JointPicture(color, joints, 0), 1.0)])
    for seed in range(4):
        batch = looks.batch(np.random.default_rng(seed), 8)
        for alpha, places, absent in zip(
            batch.x[:, 3], batch.joints.numpy(), batch.absent.numpy(), strict=True
        ):
            known = ~np.isnan(places[:, 0])
            assert known.sum() + int(absent.sum()) == len(JOINTS) - 1
            columns, rows = places[known, :2].astype(int).clip(0, SIZE - 1).T
            assert (alpha.numpy()[rows, columns] > 0).all()
            left, right = (np.nanmean(places[part, 0]) for part in (slice(6, 14), slice(14, None)))
            assert np.isnan(left) or np.isnan(right) or left > right


def test_doodles_are_drawn_around_their_joints() -> None:
    for seed in range(20):
        picture = drawn_person(np.random.default_rng(seed))
        columns, rows = picture.joints[:, :2].astype(int).T
        drawn = maximum_filter(picture.color[..., 3], 25)
        shown = drawn[rows.clip(0, len(drawn) - 1), columns.clip(0, drawn.shape[1] - 1)] > 0
        assert shown.sum() >= len(JOINTS) - 2


def test_trains(tmp_path: Path) -> None:
    words = ["--people", "sample:1=2", "--each", "2", "--minutes", "0.05", "--out", str(tmp_path)]
    ran = CliRunner().invoke(train.main, words)
    assert ran.exit_code == 0, ran.output
    own, shipped = read_tensors(tmp_path / "weights.safetensors"), read_tensors(JOINT_WEIGHTS)
    assert {name: array.shape for name, array in own.items()} == {k: v.shape for k, v in shipped.items()}
    assert any((own[name] != shipped[name]).any() for name in own)
    assert CliRunner().invoke(train.main, ["--people", "sample:1=no", "--out", str(tmp_path)]).exit_code == 2


def test_needs_no_torch() -> None:
    code = "import sys, specsia_build.rigging.find; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_drawings_tell_kinds_alone(tmp_path: Path) -> None:
    (tmp_path / "four-legged").mkdir()
    Image.new("RGB", (40, 30), "brown").save(tmp_path / "four-legged" / "cow.png")
    (drawing,) = drawings_of(tmp_path)
    assert find.KINDS[drawing.kind] == "four-legged" and drawing.color.shape == (30, 40, 4)
    batch = Looks([(drawing, 1.0)]).batch(np.random.default_rng(0), 2)
    maps = torch.zeros(2, find.MAPS, SIZE // find.FOLD, SIZE // find.FOLD, requires_grad=True)
    *joints, kinds = train.losses(maps, batch)
    assert not any(joints) and kinds > 0 and batch.kinds.tolist() == [1, 1]


def test_card_tells_weights_and_what_was_seen(characters_dir: Path) -> None:
    card, data = CARD.read_text(encoding="utf-8"), JOINT_WEIGHTS.read_bytes()
    assert len(data) <= MOST_BYTES and f"`{hashlib.sha256(data).hexdigest()}`" in card
    assert all(np.isfinite(array).all() for array in read_tensors(JOINT_WEIGHTS).values())
    seen = {digest for files in json.loads(SEEN.read_text()).values() for digest in files}
    for entry in read_manifest(characters_dir / "everything.jsonl"):
        digest = hashlib.sha256(entry.path.read_bytes()).hexdigest()
        assert entry.split == "train" or digest not in seen
