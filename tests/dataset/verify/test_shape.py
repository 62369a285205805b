"""Faults that no row shows by itself: its views disagree about the solid that they show."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from specsia_build.dataset.images import edge_image, position_image
from specsia_build.dataset.verify.check import verify
from specsia_build.dataset.verify.glimpse import Glimpse
from specsia_build.dataset.verify.shape import exchanged_opposites
from specsia_build.frame import Camera, decode_position
from specsia_build.registration import iou
from tests.dataset.small import StoredRow, build_small, change, failed, found, pixels, put, swap

VIEWS = 8
TARGET = ("gt", "gt_mask")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One character in eight views; not to be changed."""
    return build_small(tmp_path_factory.mktemp("shape") / "dataset", ("a",), views=VIEWS)


@pytest.fixture
def planted(built: Path, tmp_path: Path) -> Callable[[Callable[[dict[str, StoredRow]], object]], dict[str, set[str]]]:
    """Rows by check that a planted fault makes `verify` name; row groups hold five rows, so the views lie in two."""

    def plant(how: Callable[[dict[str, StoredRow]], object]) -> dict[str, set[str]]:
        folder = Path(shutil.copytree(built, tmp_path / "dataset"))
        change(folder, how)
        report = verify(folder)
        return {check: {where for where, _ in found(report, check)} for check in failed(report)}

    return plant


Plant = Callable[[Callable[[dict[str, StoredRow]], object]], dict[str, set[str]]]


def uid(view: int) -> str:
    return f"a_{view:02d}"


def measure(row: StoredRow) -> None:
    row["iou"] = iou(pixels(row, "mask"), pixels(row, "gt_mask"))


def test_views_in_two_row_groups_pass(planted: Plant) -> None:
    assert planted(lambda rows: None) == {}


@pytest.mark.parametrize("pair", [(0, 1), (1, 3), (2, 6), (0, 4), (3, 7)])
def test_targets_exchanged_with_their_iou(planted: Plant, pair: tuple[int, int]) -> None:
    def exchange(rows: dict[str, StoredRow]) -> None:
        one, two = (rows[uid(view)] for view in pair)
        swap(one, two, TARGET)
        measure(one)
        measure(two)

    told = planted(exchange)
    assert told["shape"] == {uid(view) for view in pair}


@pytest.mark.parametrize("view", range(0, VIEWS, 3))
def test_a_mirrored_target_with_its_iou(planted: Plant, view: int) -> None:
    def mirror(rows: dict[str, StoredRow]) -> None:
        for name in TARGET:
            put(rows[uid(view)], name, pixels(rows[uid(view)], name)[:, ::-1])
        measure(rows[uid(view)])

    assert uid(view) in planted(mirror)["shape"]


@pytest.mark.parametrize("shift", [(0, 1), (-1, 0), (2, 2)])
def test_a_shifted_target_with_its_iou(planted: Plant, shift: tuple[int, int]) -> None:
    def move(rows: dict[str, StoredRow]) -> None:
        for name in TARGET:
            put(rows[uid(5)], name, np.roll(pixels(rows[uid(5)], name), shift, (0, 1)))
        measure(rows[uid(5)])

    assert uid(5) in planted(move)["shape"]


@pytest.mark.parametrize("view", [0, 2])
def test_a_mask_from_the_ground_truth_with_all_that_follows(planted: Plant, view: int) -> None:
    def copy(rows: dict[str, StoredRow]) -> None:
        row = rows[uid(view)]
        mask = pixels(row, "gt_mask")
        put(row, "mask", mask)
        row["iou"] = 1.0
        for name in ("color", "pos"):
            image = pixels(row, name)
            image[..., 3] = mask
            image[mask == 0] = 0
            put(row, name, image)
        put(row, "edge", edge_image(pixels(row, "pos")))

    told = planted(copy)
    assert set().union(*told.values()) == {uid(view)}


@pytest.mark.parametrize("view", range(0, VIEWS, 2))
def test_depths_the_wrong_way_round(planted: Plant, view: int) -> None:
    """Seen straight from the front or from behind, a wrong depth lands on its own pixel all the same."""

    def flip(rows: dict[str, StoredRow]) -> None:
        row = rows[uid(view)]
        pos, low, high = pixels(row, "pos"), np.array(row["bbox_min"]), np.array(row["bbox_max"])
        points = decode_position(pos[..., :3], row["bbox_min"], row["bbox_max"])
        points[..., 1] = low[1] + high[1] - points[..., 1]
        put(row, "pos", position_image(points.astype(np.float32), pos[..., 3].copy(), low, high))
        put(row, "edge", edge_image(pixels(row, "pos")))

    told = planted(flip)
    assert set().union(*told.values()) == {uid(view)}


@pytest.mark.parametrize("way", list(itertools.product((-1, 0, 1), repeat=2)))
def test_a_picture_that_is_off_by_a_pixel_from_its_silhouette(planted: Plant, way: tuple[int, int]) -> None:
    told = planted(lambda rows: put(rows[uid(3)], "gt", np.roll(pixels(rows[uid(3)], "gt"), way, (0, 1))))
    assert told == ({"contour": {uid(3)}} if any(way) else {})


def silhouettes(gt_mask: int, mask: int) -> Glimpse:
    """A view whose silhouettes are so many pixels wide."""
    outlines = [np.tile(np.arange(128) < width, (128, 1)) for width in (gt_mask, mask)]
    nothing = np.zeros((1, 1), np.uint8)
    return Glimpse(
        gt=nothing,
        color=nothing,
        silhouettes=(nothing, nothing),
        outlines=(np.packbits(outlines[0]), np.packbits(outlines[1])),
        copied=False,
        points=np.zeros((1, 1, 3), np.float32),
        solid=nothing > 0,
        both=nothing > 0,
        camera=Camera(0.0, 128),
        stride=128,
    )


@pytest.mark.parametrize(("beside", "expected"), [((100, 99), [(3, 7)]), ((99, 100), [])], ids=["alone", "gradually"])
def test_a_pair_that_comes_to_fit_crosswise_little_by_little_is_not_exchanged(
    beside: tuple[int, int], expected: list[tuple[int, int]]
) -> None:
    pairs = [((80, 64), (80, 64)), ((80, 64), (80, 64)), ((100, 99), beside), ((80, 64), (64, 80))]
    seen = {}
    for view, (targets, made) in enumerate(pairs):
        seen[view], seen[view + 4] = silhouettes(targets[0], made[0]), silhouettes(targets[1], made[1])
    assert exchanged_opposites(seen, 8) == expected
